// What lies over the stage: notices, the connection banner, the chair's question, my own share, being alone.

import { unreachable, type MeetingModel, type NoticeText } from '@huitang/model';
import { Copy, LoaderCircle, MonitorUp, Volume2, WifiOff, X } from 'lucide-react';
import { useStore } from 'zustand';
import { useText, type Translate } from '../i18n';
import { groupDigits } from '../landing/landing_page';
import { Button, IconButton } from '../parts/button';
import { cx } from '../parts/cx';
import { Dialog } from '../parts/dialog';
import { ChairLinkButton } from './chair_link_button';

function wordsOf(t: Translate, text: NoticeText): string {
  switch (text.key) {
    case 'refused':
      return t(`refusal.${text.code}`);
    case 'joined':
    case 'left':
    case 'handRaised':
    case 'shareStarted':
    case 'shareStopped':
    case 'removed':
      return t(`notice.${text.key}`, { name: text.name });
    case 'chat':
      return t('notice.chat', { name: text.name, text: text.text });
    case 'youWereMuted':
    case 'youAreChair':
    case 'locked':
    case 'unlocked':
    case 'youAreAlone':
    case 'speakingWhileMuted':
    case 'linkCopied':
    case 'chairLinkCopied':
    case 'yourShareStopped':
    case 'backOnline':
    case 'commandUnknown':
    case 'chatUnknown':
      return t(`notice.${text.key}`);
    default:
      return unreachable(text);
  }
}

export function Notices({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const notices = useStore(meeting.store, (state) => state.notices);
  return (
    <div className="ht-notices" role="log" aria-live="polite" aria-label={t('notice.list')}>
      {notices.map((notice) => (
        <div key={notice.id} className={cx('ht-notice', notice.tone === 'warning' && 'ht-notice-warning')}>
          <span>{wordsOf(t, notice.text)}</span>
          <IconButton label={t('app.close')} icon={<X size={16} aria-hidden />} onClick={() => meeting.dismissNotice(notice.id)} />
        </div>
      ))}
    </div>
  );
}

export function ConnectionBanner({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const connection = useStore(meeting.store, (state) => state.connection);
  const peerUp = useStore(meeting.store, (state) => state.peerUp);
  const soundBlocked = useStore(meeting.store, (state) => state.soundBlocked);
  // Nobody misses anything while only the control is away: that is said quietly.
  if (connection === 'reconnecting') {
    return (
      <div className={cx('ht-banner', !peerUp && 'ht-banner-warning')} role={peerUp ? 'status' : 'alert'} data-testid="reconnecting" data-sound={peerUp}>
        {peerUp ? <Volume2 size={20} aria-hidden /> : <WifiOff size={20} aria-hidden />}
        <span>{peerUp ? t('meeting.reconnectingControl') : t('meeting.reconnecting')}</span>
        <LoaderCircle size={18} className="ht-spin" aria-hidden />
      </div>
    );
  }
  if (connection === 'connecting') {
    return (
      <div className="ht-banner" role="status">
        <LoaderCircle size={18} className="ht-spin" aria-hidden />
        <span>{t('meeting.connecting')}</span>
      </div>
    );
  }
  if (!soundBlocked) return null;
  return (
    <div className="ht-banner" role="alert">
      <span>{t('meeting.soundBlocked')}</span>
      <Button tone="primary" icon={<Volume2 size={18} aria-hidden />} onClick={() => meeting.resumeSound()}>
        {t('meeting.enableSound')}
      </Button>
    </div>
  );
}

export function MyShare({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const kind = useStore(meeting.store, (state) => state.share.kind);
  if (kind === 'none') return null;
  return (
    <div className="ht-banner ht-banner-share" role="status">
      <MonitorUp size={20} aria-hidden />
      <span>{kind === 'sharing' ? t('share.mine') : t('share.starting')}</span>
      {kind === 'sharing' && (
        <Button tone="danger" onClick={() => void meeting.toggleShare()}>
          {t('bar.stopShare')}
        </Button>
      )}
    </div>
  );
}

export function UnmuteQuestion({ meeting }: { readonly meeting: MeetingModel }) {
  const t = useText();
  const asked = useStore(meeting.store, (state) => state.askedToUnmute);
  if (!asked) return null;
  // The focus stands on "not now": whoever is just typing a message must not open the microphone by its Enter.
  return (
    <Dialog title={t('unmute.title')} question onClose={() => meeting.dismissUnmuteQuestion()}>
      <p>{t('unmute.text')}</p>
      <div className="ht-dialog-actions">
        <Button onClick={() => meeting.dismissUnmuteQuestion()}>{t('unmute.refuse')}</Button>
        <Button tone="primary" onClick={() => meeting.setMicrophone(true)}>
          {t('unmute.accept')}
        </Button>
      </div>
    </Dialog>
  );
}

export interface AloneCardProps {
  readonly meeting: MeetingModel;
  readonly onCopyLink: () => void;
  readonly onCopyChairLink: () => void;
}

export function AloneCard({ meeting, onCopyLink, onCopyChairLink }: AloneCardProps) {
  const t = useText();
  const isAlone = useStore(meeting.store, (state) => state.participants.length === 1);
  const number = useStore(meeting.store, (state) => state.conference?.number);
  if (!isAlone || number === undefined) return null;
  return (
    <section className="ht-alone" aria-label={t('meeting.alone')}>
      <h2>{t('meeting.alone')}</h2>
      <p className="ht-alone-number">{groupDigits(number)}</p>
      <p className="ht-hint">{t('meeting.aloneHint')}</p>
      <Button tone="primary" icon={<Copy size={18} aria-hidden />} onClick={onCopyLink}>
        {t('meeting.copyLink')}
      </Button>
      <ChairLinkButton meeting={meeting} onCopy={onCopyChairLink} />
    </section>
  );
}
