import type { DeviceModel } from '@huitang/model';
import { useStore } from 'zustand';
import { useText } from '../i18n';

const STEPS = 20;

/** Rises with the voice, about twenty times a second. */
export function LevelMeter({ devices }: { readonly devices: DeviceModel }) {
  const t = useText();
  const lit = useStore(devices.store, (state) => Math.round(state.level * STEPS));
  return (
    <div className="ht-meter" role="meter" aria-label={t('join.level')} aria-valuemin={0} aria-valuemax={STEPS} aria-valuenow={lit}>
      {Array.from({ length: STEPS }, (_, n) => (
        <i key={n} className={n < lit ? 'ht-meter-lit' : undefined} />
      ))}
    </div>
  );
}
