import type { MeetingModel } from '@huitang/model';
import { useStore } from 'zustand';
import { useText, type TextKey } from '../i18n';
import { LanguageSelect, ThemeSelect } from '../parts/appearance';
import { Button } from '../parts/button';
import { DeviceChooser } from '../parts/device_chooser';
import { DeviceNotice } from '../parts/device_notice';
import { Dialog } from '../parts/dialog';

const SHORTCUTS: readonly { readonly key: string; readonly text: TextKey }[] = [
  { key: 'M', text: 'shortcuts.microphone' },
  { key: 'V', text: 'shortcuts.camera' },
  { key: 'H', text: 'shortcuts.hand' },
  { key: 'C', text: 'shortcuts.chat' },
  { key: 'P', text: 'shortcuts.participants' },
  { key: 'L', text: 'shortcuts.layout' },
  { key: '?', text: 'shortcuts.help' },
];

export function ShortcutSheet({ onClose }: { readonly onClose: () => void }) {
  const t = useText();
  return (
    <Dialog title={t('shortcuts.title')} onClose={onClose}>
      <dl className="ht-shortcuts">
        {SHORTCUTS.map(({ key, text }) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(text)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

export function SettingsSheet({ meeting, onClose }: { readonly meeting: MeetingModel; readonly onClose: () => void }) {
  const t = useText();
  const { devices } = meeting;
  const microphone = useStore(devices.store, (state) => state.microphone);
  const camera = useStore(devices.store, (state) => state.camera);
  return (
    <Dialog title={t('settings.title')} onClose={onClose} wide>
      {microphone.kind === 'failed' && <DeviceNotice device="microphone" error={microphone.error} onRetry={() => void devices.setMicrophone(true)} />}
      {camera.kind === 'failed' && <DeviceNotice device="camera" error={camera.error} onRetry={() => void devices.setCamera(true)} />}
      <DeviceChooser devices={devices} />
      <div className="ht-settings-row">
        <ThemeSelect devices={devices} />
        <LanguageSelect devices={devices} />
      </div>
    </Dialog>
  );
}

export function EndQuestion({ onEnd, onClose }: { readonly onEnd: () => void; readonly onClose: () => void }) {
  const t = useText();
  return (
    <Dialog title={t('end.title')} question onClose={onClose}>
      <p>{t('end.text')}</p>
      <div className="ht-dialog-actions">
        {/* A stray Enter must not end what cannot be brought back. */}
        <Button data-autofocus onClick={onClose}>
          {t('app.cancel')}
        </Button>
        <Button tone="danger" onClick={onEnd}>
          {t('end.confirm')}
        </Button>
      </div>
    </Dialog>
  );
}
