import { cx } from './cx';

const HUES = 6;

/** The same name has the same colour on every screen. */
export function hueOf(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}

/** Last two characters of a Chinese name, initials of others. */
export function initialsOf(name: string): string {
  const trimmed = name.trim();
  if (/[\u3400-\u9fff]/.test(trimmed)) return [...trimmed.replace(/[^\u3400-\u9fffA-Za-z0-9]/g, '')].slice(-2).join('');
  const words = trimmed.split(/\s+/).filter((word) => word !== '');
  const letters = words.length > 1 ? [words[0], words[words.length - 1]].map((word) => [...(word ?? '')][0] ?? '') : [...trimmed].slice(0, 2);
  return letters.join('').toLocaleUpperCase();
}

export function Avatar({ name, size }: { readonly name: string; readonly size: 'small' | 'large' | 'fill' }) {
  return (
    <span className={cx('ht-avatar', `ht-avatar-${size}`, `ht-avatar-hue-${hueOf(name)}`)} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
