import { choicesOf, type DeviceKind, type DeviceModel } from '@huitang/model';
import { Mic, Video, Volume2 } from 'lucide-react';
import { useStore } from 'zustand';
import { useText } from '../i18n';
import { Button } from './button';
import { LevelMeter } from './level_meter';
import { Select } from './select';

function DeviceSelect({ devices, kind }: { readonly devices: DeviceModel; readonly kind: DeviceKind }) {
  const t = useText();
  const state = useStore(devices.store);
  const choices = choicesOf(state, kind);
  const icon = { microphone: <Mic size={18} aria-hidden />, camera: <Video size={18} aria-hidden />, speaker: <Volume2 size={18} aria-hidden /> }[kind];
  const preferred = { microphone: state.preferences.microphoneId, camera: state.preferences.cameraId, speaker: state.preferences.speakerId }[kind];
  const value = choices.some((choice) => choice.id === preferred) ? preferred : '';
  const options = [
    { value: '', label: t('join.device.default') },
    ...choices.filter((choice) => choice.id !== 'default').map((choice, n) => ({ value: choice.id, label: choice.label || `${t(`join.${kind}`)} ${n + 1}` })),
  ];
  return <Select label={t(`join.${kind}`)} icon={icon} value={value} options={options} onChange={(id) => void devices.choose(kind, id)} />;
}

/** Microphone with its level, camera, loudspeaker with a test. */
export function DeviceChooser({ devices }: { readonly devices: DeviceModel }) {
  const t = useText();
  const testing = useStore(devices.store, (state) => state.testingSpeaker);
  return (
    <div className="ht-device-chooser">
      <DeviceSelect devices={devices} kind="microphone" />
      <LevelMeter devices={devices} />
      <DeviceSelect devices={devices} kind="camera" />
      <div className="ht-speaker-row">
        {devices.canChooseSpeaker ? <DeviceSelect devices={devices} kind="speaker" /> : <span>{t('join.speaker')}</span>}
        <Button disabled={testing} onClick={() => void devices.testSpeaker()}>
          {testing ? t('join.testingSpeaker') : t('join.testSpeaker')}
        </Button>
      </div>
    </div>
  );
}
