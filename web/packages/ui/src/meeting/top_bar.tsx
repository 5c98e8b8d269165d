import type { MeetingModel } from '@huitang/model';
import { Copy, Lock } from 'lucide-react';
import { useStore } from 'zustand';
import { useText } from '../i18n';
import { groupDigits } from '../landing/landing_page';
import { IconButton } from '../parts/button';
import { Logo } from '../parts/logo';
import { QualityBars } from '../parts/quality_bars';

export function TopBar({ meeting, onCopyLink }: { readonly meeting: MeetingModel; readonly onCopyLink: () => void }) {
  const t = useText();
  const conference = useStore(meeting.store, (state) => state.conference);
  const quality = useStore(meeting.store, (state) => state.quality);
  const ownBars = quality.own === 0 ? 1 : quality.own;
  const label = t(`meeting.ownQuality.${ownBars}`, { ms: Math.round(quality.roundTripMs ?? 0), loss: quality.lossPercent.toFixed(1) });
  return (
    <header className="ht-top">
      <Logo />
      <h1 className="ht-top-title">{conference?.title || t('meeting.title')}</h1>
      <span className="ht-top-number">{groupDigits(conference?.number ?? '')}</span>
      <IconButton label={t('meeting.copyLink')} icon={<Copy size={18} aria-hidden />} onClick={onCopyLink} />
      {conference?.locked === true && (
        <span className="ht-top-locked">
          <Lock size={16} aria-hidden />
          <span>{t('meeting.locked')}</span>
        </span>
      )}
      <span className="ht-top-space" />
      <QualityBars bars={ownBars} label={label} />
    </header>
  );
}
