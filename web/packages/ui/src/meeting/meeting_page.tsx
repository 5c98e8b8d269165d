import type { MeetingModel } from '@huitang/model';
import { useCallback, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { cx } from '../parts/cx';
import { Bar } from './bar';
import { ChatPanel } from './chat_panel';
import { AloneCard, ConnectionBanner, MyShare, Notices, UnmuteQuestion } from './overlays';
import { ParticipantsPanel } from './participants_panel';
import { EndQuestion, SettingsSheet, ShortcutSheet } from './sheets';
import { useShortcuts } from './shortcuts';
import { StageView } from './stage_view';
import { TopBar } from './top_bar';

type Sheet = 'none' | 'settings' | 'shortcuts' | 'end';

function usePageVisibility(meeting: MeetingModel): void {
  useEffect(() => {
    const report = () => meeting.setPageVisible(document.visibilityState !== 'hidden');
    document.addEventListener('visibilitychange', report);
    report();
    return () => document.removeEventListener('visibilitychange', report);
  }, [meeting]);
}

export function MeetingPage({ meeting }: { readonly meeting: MeetingModel }) {
  const [sheet, setSheet] = useState<Sheet>('none');
  const [chatTo, setChatTo] = useState('');
  const panel = useStore(meeting.store, (state) => state.panel);
  const closeSheet = useCallback(() => setSheet('none'), []);
  const openShortcuts = useCallback(() => setSheet('shortcuts'), []);
  useShortcuts(meeting, openShortcuts);
  usePageVisibility(meeting);
  const copy = (whose: 'participants' | 'chair') => {
    void navigator.clipboard?.writeText(meeting.linkToShare(whose, location.href)).then(() => meeting.tellLinkCopied(whose));
  };
  const copyLink = () => copy('participants');
  const copyChairLink = () => copy('chair');
  const message = (id: string) => {
    setChatTo(id);
    meeting.showPanel('chat');
  };
  return (
    <div className={cx('ht-meeting', panel !== 'none' && 'ht-meeting-panel')}>
      <TopBar meeting={meeting} onCopyLink={copyLink} />
      <main className="ht-main">
        <StageView meeting={meeting} />
        <div className="ht-over">
          <ConnectionBanner meeting={meeting} />
          <MyShare meeting={meeting} />
          <AloneCard meeting={meeting} onCopyLink={copyLink} onCopyChairLink={copyChairLink} />
        </div>
        <Notices meeting={meeting} />
      </main>
      {panel === 'participants' && <ParticipantsPanel meeting={meeting} onMessage={message} onCopyChairLink={copyChairLink} />}
      {panel === 'chat' && <ChatPanel meeting={meeting} to={chatTo} onTo={setChatTo} />}
      <Bar meeting={meeting} onEnd={() => setSheet('end')} onSettings={() => setSheet('settings')} onShortcuts={openShortcuts} />
      <UnmuteQuestion meeting={meeting} />
      {sheet === 'settings' && <SettingsSheet meeting={meeting} onClose={closeSheet} />}
      {sheet === 'shortcuts' && <ShortcutSheet onClose={closeSheet} />}
      {sheet === 'end' && (
        <EndQuestion
          onClose={closeSheet}
          onEnd={() => {
            closeSheet();
            meeting.end();
          }}
        />
      )}
    </div>
  );
}
