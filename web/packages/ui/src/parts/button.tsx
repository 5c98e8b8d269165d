import type { ButtonHTMLAttributes, ReactNode } from 'react';
import { cx } from './cx';

type Tone = 'plain' | 'primary' | 'danger' | 'quiet';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly tone?: Tone;
  readonly size?: 'normal' | 'large';
  readonly icon?: ReactNode;
  readonly testId?: string;
}

export function Button({ tone = 'plain', size = 'normal', icon, testId, className, children, type = 'button', ...rest }: ButtonProps) {
  return (
    <button type={type} className={cx('ht-button', `ht-button-${tone}`, size === 'large' && 'ht-button-large', className)} data-testid={testId} {...rest}>
      {icon}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'aria-label' | 'title'> {
  readonly label: string;
  readonly icon: ReactNode;
  readonly tone?: 'plain' | 'danger';
  readonly testId?: string;
}

/** A small button of which only the icon is seen; its name is the label. */
export function IconButton({ label, icon, tone = 'plain', testId, className, type = 'button', ...rest }: IconButtonProps) {
  return (
    <button type={type} className={cx('ht-icon-button', tone === 'danger' && 'ht-icon-button-danger', className)} aria-label={label} title={label} data-testid={testId} {...rest}>
      {icon}
    </button>
  );
}
