import { cx } from './cx';

const HUES = 6;

/** The same name has the same colour on every screen. */
export function hueOf(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 131 + (character.codePointAt(0) ?? 0)) % 1_000_003;
  return (sum >> 4) % HUES;
}

/** Of a Chinese person's name the last two characters, of a unit's the first two; initials of others. */
export function initialsOf(name: string): string {
  const trimmed = name.trim();
  const han = [...trimmed.replace(/[（(].*$/, '')].filter((character) => /[\u3400-\u9fff]/.test(character));
  if (han.length > 0) return (han.length > 3 ? han.slice(0, 2) : han.slice(-2)).join('');
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
