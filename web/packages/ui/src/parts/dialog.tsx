import { X } from 'lucide-react';
import { useEffect, useId, useRef, type ReactNode } from 'react';
import { useText } from '../i18n';
import { IconButton } from './button';
import { cx } from './cx';

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** A question that wants an answer: no close button in the corner. */
  readonly question?: boolean;
  readonly wide?: boolean;
}

/** The browser's own modal dialog: it keeps the focus inside and gives it back afterwards. */
export function Dialog({ title, onClose, children, question = false, wide = false }: DialogProps) {
  const t = useText();
  const titleId = useId();
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    if (dialog === null || dialog.open) return;
    dialog.showModal();
    dialog.querySelector<HTMLElement>('[data-autofocus]')?.focus();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={element}
      className={cx('ht-dialog', wide && 'ht-dialog-wide')}
      role={question ? 'alertdialog' : undefined}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (!question && event.target === element.current) onClose();
      }}
    >
      <div className="ht-dialog-body">
        <header className="ht-dialog-head">
          <h2 id={titleId}>{title}</h2>
          {!question && <IconButton label={t('app.close')} icon={<X size={20} aria-hidden />} onClick={onClose} />}
        </header>
        {children}
      </div>
    </dialog>
  );
}
