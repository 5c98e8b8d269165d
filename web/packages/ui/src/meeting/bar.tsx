// The bar of the meeting. Labels stand under the icons, so that nobody has to guess.

import { isChair, meOf, unreadCount, type MeetingModel } from '@huitang/model';
import { Hand, Lock, LockOpen, LogOut, MessageSquare, Mic, MicOff, PhoneOff, ScreenShare, ScreenShareOff, Users, Video, VideoOff } from 'lucide-react';
import type { ReactNode } from 'react';
import { useStore } from 'zustand';
import { useText } from '../i18n';
import { cx } from '../parts/cx';
import { Composer } from './chat_panel';
import { LayoutMenu } from './layout_menu';

interface BarButtonProps {
  readonly label: string;
  readonly icon: ReactNode;
  readonly onClick: () => void;
  readonly testId?: string;
  readonly pressed?: boolean;
  readonly tone?: 'off' | 'active' | 'danger' | 'plain';
  readonly badge?: string | undefined;
  readonly shortcut?: string;
  readonly className?: string;
}

export function BarButton({ label, icon, onClick, testId, pressed, tone = 'plain', badge, shortcut, className }: BarButtonProps) {
  return (
    <button
      type="button"
      className={cx('ht-bar-button', `ht-bar-${tone}`, className)}
      data-testid={testId}
      aria-pressed={pressed}
      aria-keyshortcuts={shortcut}
      title={shortcut === undefined ? label : `${label} (${shortcut})`}
      onClick={onClick}
    >
      <span className="ht-bar-icon">
        {icon}
        {badge !== undefined && <span className="ht-badge">{badge}</span>}
      </span>
      <span className="ht-bar-label">{label}</span>
    </button>
  );
}

export interface BarProps {
  readonly meeting: MeetingModel;
  readonly onEnd: () => void;
  readonly onSettings: () => void;
  readonly onShortcuts: () => void;
}

export function Bar({ meeting, onEnd, onSettings, onShortcuts }: BarProps) {
  const t = useText();
  const isMeChair = useStore(meeting.store, (state) => isChair(meOf(state)));
  return (
    <footer className="ht-bar-place">
      <div className="ht-bar" role="toolbar" aria-label={t('meeting.bar')}>
      <div className="ht-bar-group">
        <MicrophoneButton meeting={meeting} />
        <CameraButton meeting={meeting} />
        {meeting.devices.canShareScreen && <ShareButton meeting={meeting} />}
        <QuickChat meeting={meeting} />
      </div>
      <div className="ht-bar-group ht-bar-middle">
        <HandButton meeting={meeting} />
        <ParticipantsButton meeting={meeting} />
        <ChatButton meeting={meeting} />
        {isMeChair && <LockButton meeting={meeting} />}
        <LayoutMenu meeting={meeting} onSettings={onSettings} onShortcuts={onShortcuts} />
      </div>
      <div className="ht-bar-group">
        <BarButton label={t('bar.leave')} icon={<LogOut size={22} aria-hidden />} testId="leave" tone="danger" onClick={() => meeting.leave()} />
        {isMeChair && <BarButton label={t('bar.end')} icon={<PhoneOff size={22} aria-hidden />} testId="end" tone="danger" className="ht-bar-end" onClick={onEnd} />}
      </div>
      </div>
    </footer>
  );
}

/** One line of chat without opening the panel. */
function QuickChat({ meeting }: { readonly meeting: MeetingModel }) {
  const isPanelOpen = useStore(meeting.store, (state) => state.panel === 'chat');
  if (isPanelOpen) return null;
  return (
    <div className="ht-quick-chat">
      <Composer meeting={meeting} to="" />
    </div>
  );
}

function MicrophoneButton({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const byChair = useStore(meeting.store, (state) => meOf(state)?.mutedByChair === true);
  const isOn = useStore(meeting.devices.store, (state) => state.microphoneOn && state.microphone.kind === 'open');
  const failed = useStore(meeting.devices.store, (state) => state.microphone.kind === 'failed');
  const isHeard = isOn && !byChair;
  const label = byChair ? t('bar.mutedByChair') : isHeard ? t('bar.mute') : failed ? t('bar.microphoneFailed') : t('bar.unmute');
  return (
    <BarButton
      label={label}
      icon={isHeard ? <Mic size={22} aria-hidden /> : <MicOff size={22} aria-hidden />}
      testId="toggle-mic"
      pressed={isHeard}
      tone={isHeard ? 'plain' : 'off'}
      shortcut="M"
      onClick={() => meeting.toggleMicrophone()}
    />
  );
}

function CameraButton({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const isOn = useStore(meeting.devices.store, (state) => state.cameraOn && state.camera.kind !== 'failed');
  const failed = useStore(meeting.devices.store, (state) => state.camera.kind === 'failed');
  const label = isOn ? t('bar.cameraOff') : failed ? t('bar.cameraFailed') : t('bar.cameraOn');
  return (
    <BarButton
      label={label}
      icon={isOn ? <Video size={22} aria-hidden /> : <VideoOff size={22} aria-hidden />}
      testId="toggle-camera"
      pressed={isOn}
      tone={isOn ? 'plain' : 'off'}
      shortcut="V"
      onClick={() => meeting.toggleCamera()}
    />
  );
}

function ShareButton({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const isSharing = useStore(meeting.store, (state) => state.share.kind === 'sharing');
  return (
    <BarButton
      label={isSharing ? t('bar.stopShare') : t('bar.share')}
      icon={isSharing ? <ScreenShareOff size={22} aria-hidden /> : <ScreenShare size={22} aria-hidden />}
      testId="share-screen"
      pressed={isSharing}
      tone={isSharing ? 'active' : 'plain'}
      onClick={() => void meeting.toggleShare()}
    />
  );
}

function HandButton({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const isUp = useStore(meeting.store, (state) => meOf(state)?.handUp === true);
  return (
    <BarButton label={isUp ? t('bar.lowerHand') : t('bar.hand')} icon={<Hand size={22} aria-hidden />} testId="hand" pressed={isUp} tone={isUp ? 'active' : 'plain'} shortcut="H" onClick={() => meeting.toggleHand()} />
  );
}

function ParticipantsButton({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const isOpen = useStore(meeting.store, (state) => state.panel === 'participants');
  const count = useStore(meeting.store, (state) => state.participants.length);
  return (
    <BarButton label={t('bar.participants')} icon={<Users size={22} aria-hidden />} testId="participants" pressed={isOpen} tone={isOpen ? 'active' : 'plain'} badge={String(count)} shortcut="P" onClick={() => meeting.togglePanel('participants')} />
  );
}

function ChatButton({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const isOpen = useStore(meeting.store, (state) => state.panel === 'chat');
  const unread = useStore(meeting.store, (state) => unreadCount(state.chat, state.lastReadChat, state.meId));
  const badge = unread === 0 || isOpen ? undefined : unread > 99 ? '99+' : String(unread);
  return <BarButton label={t('bar.chat')} icon={<MessageSquare size={22} aria-hidden />} pressed={isOpen} tone={isOpen ? 'active' : 'plain'} badge={badge} shortcut="C" onClick={() => meeting.togglePanel('chat')} />;
}

function LockButton({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const locked = useStore(meeting.store, (state) => state.conference?.locked === true);
  return (
    <BarButton
      label={locked ? t('bar.unlock') : t('bar.lock')}
      icon={locked ? <Lock size={22} aria-hidden /> : <LockOpen size={22} aria-hidden />}
      testId="lock"
      pressed={locked}
      tone={locked ? 'active' : 'plain'}
      onClick={() => meeting.toggleLock()}
    />
  );
}
