// Short messages about what others did, from numbered changes. A notice is a key and values; its words are in the
// pages' catalogues.

import type { Change, Clock, Participant, RefusalName } from '@huitang/client';
import { unreachable } from '@huitang/client';

export type NoticeTone = 'info' | 'warning';

export interface Notice {
  readonly id: number;
  readonly tone: NoticeTone;
  readonly text: NoticeText;
}

export type NoticeText =
  | { readonly key: 'joined' | 'left' | 'handRaised' | 'shareStarted' | 'shareStopped' | 'removed'; readonly name: string }
  | { readonly key: 'youWereMuted' | 'youAreChair' | 'locked' | 'unlocked' | 'youAreAlone' | 'speakingWhileMuted' | 'linkCopied' | 'chairLinkCopied' | 'yourShareStopped' | 'backOnline' | 'commandUnknown' | 'chatUnknown' }
  | { readonly key: 'chat'; readonly name: string; readonly text: string }
  | { readonly key: 'refused'; readonly code: RefusalName };

export const NOTICE_LIFE_MS = 5_000;
export const MOST_NOTICES = 4;

/** What to say about a change, if anything. Own deeds need no words. */
export function noticeOf(change: Change, names: ReadonlyMap<string, Participant>, meId: string): NoticeText | undefined {
  const happening = change.happening;
  if (happening === undefined) return undefined;
  switch (happening.what) {
    case 'joined':
    case 'left':
    case 'removed':
    case 'handRaised':
    case 'shareStarted':
      return aboutOther(happening.what, happening.id, names, meId);
    case 'shareStopped':
      if (happening.id === meId && change.byId !== meId) return { key: 'yourShareStopped' };
      return aboutOther(happening.what, happening.id, names, meId);
    case 'muted':
      return happening.id === meId ? { key: 'youWereMuted' } : undefined;
    case 'roleChanged':
      return happening.id === meId && names.get(meId)?.role === 'chair' ? { key: 'youAreChair' } : undefined;
    case 'locked':
      return { key: happening.locked ? 'locked' : 'unlocked' };
    case 'askedToUnmute':
    case 'handLowered':
    case 'renamed':
    case 'ended':
      return undefined;
    default:
      return unreachable(happening);
  }
}

function aboutOther(key: 'joined' | 'left' | 'removed' | 'handRaised' | 'shareStarted' | 'shareStopped', id: string, names: ReadonlyMap<string, Participant>, meId: string): NoticeText | undefined {
  const name = names.get(id)?.name;
  return id === meId || name === undefined ? undefined : { key, name };
}

/** The notices on the page: the newest few, each for a while. */
export class NoticeBoard {
  private notices: readonly Notice[] = [];
  private nextId = 1;

  constructor(
    private readonly clock: Clock,
    private readonly changed: (notices: readonly Notice[]) => void,
  ) {}

  add(text: NoticeText, tone: NoticeTone = 'info', lifeMs = NOTICE_LIFE_MS): void {
    const same = this.notices.find((notice) => JSON.stringify(notice.text) === JSON.stringify(text));
    if (same !== undefined) return;
    const id = this.nextId++;
    this.set([...this.notices, { id, tone, text }].slice(-MOST_NOTICES));
    this.clock.schedule(lifeMs, () => this.dismiss(id));
  }

  dismiss(id: number): void {
    if (this.notices.some((notice) => notice.id === id)) this.set(this.notices.filter((notice) => notice.id !== id));
  }

  dismissWhere(matches: (text: NoticeText) => boolean): void {
    if (this.notices.some((notice) => matches(notice.text))) this.set(this.notices.filter((notice) => !matches(notice.text)));
  }

  private set(notices: readonly Notice[]): void {
    this.notices = notices;
    this.changed(notices);
  }
}
