import type { DeviceError } from '@huitang/model';
import { RefreshCw, TriangleAlert } from 'lucide-react';
import { useText } from '../i18n';
import { Button } from './button';

/** What is wrong with a device, in plain words, and a way to try again. */
export function DeviceNotice({ device, error, onRetry }: { readonly device: 'microphone' | 'camera'; readonly error: DeviceError; readonly onRetry: () => void }) {
  const t = useText();
  return (
    <div className="ht-device-notice" role="status">
      <TriangleAlert size={20} aria-hidden />
      <p>{t(`device.${device}.${error}`)}</p>
      <Button onClick={onRetry} icon={<RefreshCw size={16} aria-hidden />}>
        {t('app.retry')}
      </Button>
    </div>
  );
}
