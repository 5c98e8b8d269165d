import type { DeviceModel, MeetingModel } from '@huitang/model';
import { CircleCheck, LoaderCircle, Mic, MicOff, TriangleAlert, Video, VideoOff } from 'lucide-react';
import { useEffect, useId, useState, type FormEvent } from 'react';
import { useStore } from 'zustand';
import { useText } from '../i18n';
import { groupDigits } from '../landing/landing_page';
import { Avatar } from '../parts/avatar';
import { Button } from '../parts/button';
import { cx } from '../parts/cx';
import { DeviceChooser } from '../parts/device_chooser';
import { DeviceNotice } from '../parts/device_notice';
import { PageHead } from '../parts/page_head';
import { TrackVideo } from '../parts/track_video';

export interface JoinPageProps {
  readonly meeting: MeetingModel;
  readonly number: string;
}

export function JoinPage({ meeting, number }: JoinPageProps) {
  const { devices } = meeting;
  useEffect(() => void devices.open(), [devices]);
  return (
    <div className="ht-page">
      <PageHead devices={devices} />
      <main className="ht-join">
        <section className="ht-join-preview">
          <Preview devices={devices} />
          <DeviceProblems devices={devices} />
        </section>
        <section className="ht-card ht-join-card">
          <JoinForm meeting={meeting} number={number} />
          <DeviceChooser devices={devices} />
          <NetworkVerdict meeting={meeting} />
        </section>
      </main>
    </div>
  );
}

const EMPTY_PREVIEW = { opening: 'join.cameraOpening', failed: 'join.cameraFailed', closed: 'join.cameraIsOff' } as const;

function Preview({ devices }: { readonly devices: DeviceModel }) {
  const t = useText();
  const { microphone, camera, microphoneOn, cameraOn, preferences } = useStore(devices.store);
  return (
    <div className="ht-preview">
      {camera.kind === 'open' ? (
        <TrackVideo track={camera.track} className={cx('ht-preview-video', preferences.mirrorSelf && 'ht-mirror')} label={t('join.preview')} />
      ) : (
        <div className="ht-preview-empty">
          {preferences.name === '' ? <VideoOff size={48} aria-hidden /> : <Avatar name={preferences.name} size="large" />}
          <p>{t(EMPTY_PREVIEW[camera.kind])}</p>
        </div>
      )}
      <div className="ht-preview-bar">
        <RoundToggle
          isOn={microphoneOn && microphone.kind !== 'failed'}
          label={microphoneOn ? t('bar.mute') : t('bar.unmute')}
          onIcon={<Mic size={22} aria-hidden />}
          offIcon={<MicOff size={22} aria-hidden />}
          onToggle={() => void devices.setMicrophone(!microphoneOn)}
        />
        <RoundToggle
          isOn={cameraOn && camera.kind !== 'failed'}
          label={cameraOn ? t('bar.cameraOff') : t('bar.cameraOn')}
          onIcon={<Video size={22} aria-hidden />}
          offIcon={<VideoOff size={22} aria-hidden />}
          onToggle={() => void devices.setCamera(!cameraOn)}
        />
      </div>
    </div>
  );
}

interface RoundToggleProps {
  readonly isOn: boolean;
  readonly label: string;
  readonly onIcon: React.ReactNode;
  readonly offIcon: React.ReactNode;
  readonly onToggle: () => void;
}

function RoundToggle({ isOn, label, onIcon, offIcon, onToggle }: RoundToggleProps) {
  return (
    <button type="button" className={cx('ht-round', !isOn && 'ht-round-off')} aria-label={label} title={label} onClick={onToggle}>
      {isOn ? onIcon : offIcon}
    </button>
  );
}

function DeviceProblems({ devices }: { readonly devices: DeviceModel }) {
  const { microphone, camera } = useStore(devices.store);
  return (
    <>
      {microphone.kind === 'failed' && <DeviceNotice device="microphone" error={microphone.error} onRetry={() => void devices.setMicrophone(true)} />}
      {camera.kind === 'failed' && <DeviceNotice device="camera" error={camera.error} onRetry={() => void devices.setCamera(true)} />}
    </>
  );
}

function JoinForm({ meeting, number }: JoinPageProps) {
  const t = useText();
  const nameId = useId();
  const errorId = useId();
  const phase = useStore(meeting.store, (state) => state.phase.kind);
  const refusal = useStore(meeting.store, (state) => state.joinRefusal);
  const canNeitherSpeakNorShow = useStore(meeting.devices.store, (state) => state.microphone.kind === 'failed' && state.camera.kind === 'failed');
  const [name, setName] = useState(meeting.devices.store.getState().preferences.name);
  const [isMissing, setMissing] = useState(false);
  const isJoining = phase === 'joining';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const chosen = name.trim();
    setMissing(chosen === '');
    if (chosen !== '') meeting.join(chosen);
  };
  return (
    <form className="ht-join-form" onSubmit={submit} noValidate>
      <div>
        <h1>{t('join.title')}</h1>
        <p className="ht-hint">{t('join.number', { number: groupDigits(number) })}</p>
      </div>
      <label htmlFor={nameId}>{t('join.name')}</label>
      <input
        id={nameId}
        data-testid="join-name"
        className="ht-input ht-input-large"
        autoComplete="name"
        maxLength={64}
        placeholder={t('join.name.placeholder')}
        value={name}
        aria-invalid={isMissing}
        aria-describedby={isMissing ? errorId : undefined}
        onChange={(event) => {
          setName(event.target.value);
          setMissing(false);
        }}
      />
      {isMissing && (
        <p className="ht-error" id={errorId} role="alert">
          {t('join.name.missing')}
        </p>
      )}
      {refusal !== undefined && (
        <p className="ht-error" role="alert">
          {t(`refusal.${refusal.code}`)}
        </p>
      )}
      <Button tone="primary" size="large" type="submit" testId="join-submit" disabled={isJoining}>
        {isJoining ? t('join.joining') : canNeitherSpeakNorShow ? t('join.submitListen') : t('join.submit')}
      </Button>
    </form>
  );
}

function NetworkVerdict({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const { linkUp, peerUp, roundTripMs, connection } = useStore(meeting.store);
  if (linkUp && peerUp) {
    return (
      <p className="ht-verdict ht-verdict-good" role="status">
        <CircleCheck size={18} aria-hidden />
        {roundTripMs === undefined ? t('join.network.good') : t('join.network.goodMs', { ms: Math.max(1, Math.round(roundTripMs)) })}
      </p>
    );
  }
  const isLost = connection === 'reconnecting' && !linkUp;
  return (
    <p className="ht-verdict" role="status">
      {isLost ? <TriangleAlert size={18} aria-hidden /> : <LoaderCircle size={18} className="ht-spin" aria-hidden />}
      {isLost ? t('join.network.noLink') : linkUp ? t('join.network.noMedia') : t('join.network.connecting')}
    </p>
  );
}
