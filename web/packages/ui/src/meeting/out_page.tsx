import type { DeviceModel, LeaveReason } from '@huitang/model';
import { useText } from '../i18n';
import { Button } from '../parts/button';
import { PageHead } from '../parts/page_head';

export function OutPage({ devices, reason, onRejoin }: { readonly devices: DeviceModel; readonly reason: LeaveReason; readonly onRejoin: () => void }) {
  const t = useText();
  return (
    <div className="ht-page">
      <PageHead devices={devices} />
      <main className="ht-landing">
        <section className="ht-card ht-out">
          <h1>{t(`out.${reason}`)}</h1>
          <div className="ht-out-actions">
            {reason !== 'ended' && reason !== 'removed' && (
              <Button tone="primary" size="large" onClick={onRejoin}>
                {t('out.rejoin')}
              </Button>
            )}
            <a className="ht-button ht-button-plain ht-button-large" href="/">
              {t('app.home')}
            </a>
          </div>
        </section>
      </main>
    </div>
  );
}

export function UnsuitedBrowserPage({ devices, missing }: { readonly devices: DeviceModel; readonly missing: 'webrtc' | 'secureContext' }) {
  const t = useText();
  return (
    <div className="ht-page">
      <PageHead devices={devices} />
      <main className="ht-landing">
        <section className="ht-card ht-out">
          <h1>{t('app.name')}</h1>
          <p>{t(`browser.${missing}`)}</p>
          {missing === 'secureContext' && <a href="/trust">{t('browser.trust')}</a>}
        </section>
      </main>
    </div>
  );
}
