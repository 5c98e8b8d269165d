import { BrowserSlotPlayer, browserEnvironment, MeetingModel, type DeviceModel } from '@huitang/model';
import { JoinPage, OutPage } from '@huitang/ui';
import { lazy, Suspense, useEffect } from 'react';
import { useStore } from 'zustand';

/** Comes after the join form is on the screen, so that the form does not wait for it. */
const loadMeetingPage = () => import('@huitang/ui/meeting');
const MeetingPage = lazy(() => loadMeetingPage().then((module) => ({ default: module.MeetingPage })));

export interface ConferenceTarget {
  readonly number: string;
  readonly invite: string;
}

/** The model of this page's one meeting; signaling and the peer start at once. */
export function openMeeting(target: ConferenceTarget, devices: DeviceModel): MeetingModel {
  const soundHost = document.createElement('div');
  soundHost.hidden = true;
  document.body.append(soundHost);
  const language = document.documentElement.lang;
  const meeting = new MeetingModel(browserEnvironment(), { ...target, language, client: navigator.userAgent.slice(0, 200) }, devices, new BrowserSlotPlayer(soundHost));
  meeting.start();
  return meeting;
}

export function ConferenceApp({ meeting, number }: { readonly meeting: MeetingModel; readonly number: string }) {
  const phase = useStore(meeting.store, (state) => state.phase);
  useEffect(() => void loadMeetingPage(), []);
  useEffect(() => {
    const leave = (event: PageTransitionEvent) => {
      if (!event.persisted) meeting.leaveAtOnce();
    };
    const retry = () => meeting.networkIsBack();
    const look = () => {
      if (document.visibilityState === 'visible') retry();
    };
    addEventListener('pagehide', leave);
    addEventListener('online', retry);
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      removeEventListener('pagehide', leave);
      removeEventListener('online', retry);
    };
  }, [meeting]);
  switch (phase.kind) {
    case 'lobby':
    case 'joining':
      return <JoinPage meeting={meeting} number={number} />;
    case 'in':
      return (
        <Suspense>
          <MeetingPage meeting={meeting} />
        </Suspense>
      );
    case 'out':
      return <OutPage devices={meeting.devices} reason={phase.reason} onRejoin={() => location.reload()} />;
  }
}
