// What a meeting page shows. One store per meeting; the pages select from it.

import type { ChatMessage, Conference, LeaveReason, Participant, Refusal, SourceNumber } from '@huitang/client';
import type { Notice } from './notices';
import { UNKNOWN_QUALITY, type Quality } from './quality';
import { EMPTY_STAGE, type LayoutChoice, type StagePlan } from './stage';

/** `reconnecting`: the last pictures stay and the page says so. */
export type Connection = 'connecting' | 'good' | 'reconnecting';
export type Phase = { readonly kind: 'lobby' } | { readonly kind: 'joining' } | { readonly kind: 'in' } | { readonly kind: 'out'; readonly reason: LeaveReason };
export type Panel = 'none' | 'participants' | 'chat';

export type ShareState =
  | { readonly kind: 'none' }
  | { readonly kind: 'starting'; readonly video: MediaStreamTrack | undefined; readonly audio: MediaStreamTrack | undefined }
  | { readonly kind: 'sharing'; readonly video: MediaStreamTrack; readonly audio: MediaStreamTrack | undefined };

export interface MeetingState {
  readonly phase: Phase;
  readonly joinRefusal: Refusal | undefined;
  readonly linkUp: boolean;
  readonly peerUp: boolean;
  readonly connection: Connection;
  readonly meId: string;
  readonly conference: Conference | undefined;
  /** Who is here, by arrival; includes me. */
  readonly participants: readonly Participant[];
  readonly chat: readonly ChatMessage[];
  readonly lastReadChat: string;
  /** Participants who talk at the moment. */
  readonly talking: ReadonlySet<string>;
  readonly speakerId: string | undefined;
  readonly layout: LayoutChoice;
  readonly pinned: string | undefined;
  readonly stage: StagePlan;
  /** The source of the picture that each slot shows, by slot key. */
  readonly shown: Readonly<Record<string, SourceNumber | undefined>>;
  /** Slots that are without their picture because this page's connection is too slow, by slot key. */
  readonly paused: ReadonlySet<string>;
  readonly panel: Panel;
  readonly notices: readonly Notice[];
  readonly askedToUnmute: boolean;
  readonly share: ShareState;
  readonly quality: Quality;
  readonly soundBlocked: boolean;
  readonly roundTripMs: number | undefined;
}

export const INITIAL_MEETING: MeetingState = {
  phase: { kind: 'lobby' },
  joinRefusal: undefined,
  linkUp: false,
  peerUp: false,
  connection: 'connecting',
  meId: '',
  conference: undefined,
  participants: [],
  chat: [],
  lastReadChat: '',
  talking: new Set(),
  speakerId: undefined,
  layout: 'gallery',
  pinned: undefined,
  stage: EMPTY_STAGE,
  shown: {},
  paused: new Set(),
  panel: 'none',
  notices: [],
  askedToUnmute: false,
  share: { kind: 'none' },
  quality: UNKNOWN_QUALITY,
  soundBlocked: false,
  roundTripMs: undefined,
};

export function meOf(state: MeetingState): Participant | undefined {
  return state.participants.find((participant) => participant.id === state.meId);
}
