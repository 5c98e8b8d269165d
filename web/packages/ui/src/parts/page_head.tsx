import type { DeviceModel } from '@huitang/model';
import { useText } from '../i18n';
import { LanguageSelect, ThemeSelect } from './appearance';
import { Logo } from './logo';

/** Head of the pages outside a meeting. */
export function PageHead({ devices }: { readonly devices: DeviceModel }) {
  const t = useText();
  return (
    <header className="ht-page-head">
      <a className="ht-brand" href="/">
        <Logo />
        <span>{t('app.name')}</span>
      </a>
      <div className="ht-page-head-tools">
        <ThemeSelect devices={devices} />
        <LanguageSelect devices={devices} />
      </div>
    </header>
  );
}
