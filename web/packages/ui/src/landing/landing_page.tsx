import type { BootInfo, DeviceModel } from '@huitang/model';
import { Video } from 'lucide-react';
import { useId, useState, type FormEvent } from 'react';
import { useText } from '../i18n';
import { Button } from '../parts/button';
import { PageHead } from '../parts/page_head';

export interface LandingPageProps {
  readonly devices: DeviceModel;
  readonly boot: BootInfo | undefined;
  readonly starting: 'no' | 'yes' | 'failed';
  readonly onStart: () => void;
  readonly onEnter: (number: string) => void;
}

export function LandingPage({ devices, boot, starting, onStart, onEnter }: LandingPageProps) {
  const t = useText();
  return (
    <div className="ht-page">
      <PageHead devices={devices} />
      <main className="ht-landing">
        <section className="ht-card ht-landing-card">
          <h1>{t('landing.title')}</h1>
          <NumberForm onEnter={onEnter} />
          {boot?.mayCreate === true && (
            <>
              <p className="ht-or">
                <span>{t('landing.or')}</span>
              </p>
              <Button size="large" testId="start-conference" disabled={starting === 'yes'} onClick={onStart} icon={<Video size={20} aria-hidden />}>
                {starting === 'yes' ? t('landing.starting') : t('landing.start')}
              </Button>
              {boot.demo && <p className="ht-hint">{t('landing.demo')}</p>}
            </>
          )}
          {starting === 'failed' && (
            <p className="ht-error" role="alert">
              {t('landing.startFailed')}
            </p>
          )}
        </section>
        <p className="ht-page-foot">
          <a href="/trust">{t('landing.trust')}</a>
          {boot !== undefined && <span>{`${t('app.name')} ${boot.version}`}</span>}
        </p>
      </main>
    </div>
  );
}

function NumberForm({ onEnter }: { readonly onEnter: (number: string) => void }) {
  const t = useText();
  const inputId = useId();
  const errorId = useId();
  const [typed, setTyped] = useState('');
  const [isWrong, setWrong] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const digits = typed.replace(/\D/g, '');
    setWrong(digits.length !== 9);
    if (digits.length === 9) onEnter(digits);
  };
  return (
    <form className="ht-number-form" onSubmit={submit} noValidate>
      <label htmlFor={inputId}>{t('landing.number')}</label>
      <input
        id={inputId}
        className="ht-input ht-input-large"
        inputMode="numeric"
        autoComplete="off"
        placeholder={t('landing.number.placeholder')}
        value={typed}
        maxLength={15}
        aria-invalid={isWrong}
        aria-describedby={isWrong ? errorId : undefined}
        onChange={(event) => {
          setTyped(groupDigits(event.target.value));
          setWrong(false);
        }}
      />
      {isWrong && (
        <p className="ht-error" id={errorId} role="alert">
          {t('landing.number.wrong')}
        </p>
      )}
      <Button tone="primary" size="large" type="submit">
        {t('landing.enter')}
      </Button>
    </form>
  );
}

/** 123 456 789, as people read it aloud. */
export function groupDigits(text: string): string {
  return text
    .replace(/\D/g, '')
    .slice(0, 9)
    .replace(/(\d{3})(?=\d)/g, '$1 ');
}
