import type { MeetingModel } from '@huitang/model';
import { useEffect } from 'react';

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Single keys, only while nothing is being typed and no dialog is open. */
export function useShortcuts(meeting: MeetingModel, onHelp: () => void): void {
  useEffect(() => {
    const actions: Readonly<Record<string, () => void>> = {
      m: () => meeting.toggleMicrophone(),
      v: () => meeting.toggleCamera(),
      h: () => meeting.toggleHand(),
      c: () => meeting.togglePanel('chat'),
      p: () => meeting.togglePanel('participants'),
      l: () => meeting.setLayout(meeting.store.getState().layout === 'gallery' ? 'speaker' : 'gallery'),
      '?': onHelp,
      '？': onHelp,
    };
    const handle = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || isTyping(event.target)) return;
      if (document.querySelector('dialog[open]') !== null) return;
      const action = actions[event.key.toLowerCase()];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', handle);
    return () => document.removeEventListener('keydown', handle);
  }, [meeting, onHelp]);
}
