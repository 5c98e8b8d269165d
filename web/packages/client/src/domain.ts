// The client's own words for what the wire says. Generated types stop here (translate.ts is the border), so that
// models and pages never depend on the wire's shape.

export type Role = 'chair' | 'coChair' | 'participant' | 'viewer';
export type Presence = 'in' | 'reconnecting' | 'left';
export type LeaveReason = 'unknown' | 'ownWish' | 'removed' | 'network' | 'ended' | 'replaced';
export type SourceKind = 'microphone' | 'camera' | 'screen' | 'screenAudio';
export type SlotUse = 'video' | 'share';

/** The enumerators of RefusalCode, lower case; also the keys of the pages' texts `refusal.*`. */
export type RefusalName =
  | 'unspecified'
  | 'not_found'
  | 'not_chair'
  | 'target_absent'
  | 'locked'
  | 'limit_reached'
  | 'conflict'
  | 'ended'
  | 'not_in'
  | 'removed'
  | 'bad_request'
  | 'bad_sdp'
  | 'media_unavailable'
  | 'unauthenticated'
  | 'too_many_requests'
  | 'box_full'
  | 'muted_by_chair'
  | 'store_unavailable'
  | 'internal';

export interface Refusal {
  readonly code: RefusalName;
  readonly detail: string;
  readonly retryAfterSeconds: number;
}

/** A source's number: stands as CSRC in each of its packets. Never 0. */
export type SourceNumber = number;

export interface Source {
  readonly number: SourceNumber;
  readonly kind: SourceKind;
  /** Forwarded at the moment. */
  readonly active: boolean;
}

export interface Participant {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly presence: Presence;
  readonly leftReason: LeaveReason;
  readonly mutedBySelf: boolean;
  readonly mutedByChair: boolean;
  readonly cameraOn: boolean;
  readonly handUp: boolean;
  readonly handSince: number;
  readonly sharing: boolean;
  readonly sources: readonly Source[];
  readonly joinedAt: number;
}

export interface Conference {
  readonly number: string;
  readonly title: string;
  readonly locked: boolean;
  readonly ended: boolean;
  readonly startedAt: number;
  readonly link: string;
}

export interface ChatMessage {
  /** Decimal text: ids are 64 bits wide. */
  readonly id: string;
  readonly fromId: string;
  readonly fromName: string;
  /** Empty: to all. */
  readonly toId: string;
  readonly text: string;
  readonly at: number;
}

export interface WholeState {
  readonly number: bigint;
  readonly conference: Conference;
  readonly participants: readonly Participant[];
  readonly chat: readonly ChatMessage[];
}

export type Happening =
  | { readonly what: 'joined' | 'left' | 'muted' | 'askedToUnmute' | 'removed'; readonly id: string }
  | { readonly what: 'handRaised' | 'handLowered' | 'shareStarted' | 'shareStopped' | 'renamed' | 'roleChanged'; readonly id: string }
  | { readonly what: 'locked'; readonly locked: boolean }
  | { readonly what: 'ended' };

export interface Change {
  readonly number: bigint;
  readonly byId: string;
  readonly byName: string;
  readonly at: number;
  readonly conference: Conference | undefined;
  readonly participants: readonly Participant[];
  readonly gone: readonly string[];
  readonly chat: readonly ChatMessage[];
  readonly happening: Happening | undefined;
}

export interface Speakers {
  /** Loudest first. */
  readonly sources: readonly SourceNumber[];
  /** The one whom speaker slots show; 0 for none. */
  readonly active: SourceNumber;
}

/** A picture that was asked for and does not come because this page's connection does not carry it. */
export interface PausedPicture {
  readonly use: SlotUse;
  readonly index: number;
  readonly source: SourceNumber;
}

export type Command =
  | { readonly kind: 'setMicrophone'; readonly on: boolean }
  | { readonly kind: 'setCamera'; readonly on: boolean }
  | { readonly kind: 'startShare'; readonly withAudio: boolean }
  | { readonly kind: 'stopShare'; readonly id: string }
  | { readonly kind: 'setHand'; readonly up: boolean; readonly id: string }
  | { readonly kind: 'sendChat'; readonly text: string; readonly toId: string }
  | { readonly kind: 'muteOther'; readonly id: string }
  | { readonly kind: 'askUnmute'; readonly id: string }
  | { readonly kind: 'remove'; readonly id: string }
  | { readonly kind: 'setLock'; readonly locked: boolean }
  | { readonly kind: 'end' }
  | { readonly kind: 'leave' }
  | { readonly kind: 'rename'; readonly name: string };

export interface SlotView {
  readonly use: SlotUse;
  readonly index: number;
  readonly show: { readonly kind: 'source'; readonly source: SourceNumber } | { readonly kind: 'speaker' };
  /** Device pixels, as displayed. */
  readonly width: number;
  readonly height: number;
}

export interface SlotCounts {
  readonly audio: number;
  readonly video: number;
  readonly share: number;
  /** The first this-many video slots go with the audio slot of the same index (lip sync). */
  readonly paired: number;
}

export const DEFAULT_SLOTS: SlotCounts = { audio: 6, video: 16, share: 2, paired: 6 };

export interface JoinIntent {
  readonly number: string;
  readonly name: string;
  readonly invite: string;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
}
