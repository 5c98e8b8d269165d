// This client's copy of the conference: whole state on join and resume, numbered changes after that. It notices a
// gap in the numbers and says so; asking for the whole state again is the owner's business.

import type { Change, ChatMessage, Conference, Participant, WholeState } from './domain';

export const LONGEST_CHAT = 500;

export interface ReplicaSnapshot {
  readonly conference: Conference;
  readonly participants: ReadonlyMap<string, Participant>;
  readonly chat: readonly ChatMessage[];
}

export type ChangeOutcome = 'applied' | 'stale' | 'gap';

export class Replica {
  private number_: bigint | undefined;
  private snapshot_: ReplicaSnapshot | undefined;

  get snapshot(): ReplicaSnapshot | undefined {
    return this.snapshot_;
  }

  handleState(state: WholeState): void {
    this.number_ = state.number;
    this.snapshot_ = {
      conference: state.conference,
      participants: new Map(state.participants.map((participant) => [participant.id, participant])),
      chat: state.chat,
    };
  }

  handleChange(change: Change): ChangeOutcome {
    if (this.number_ === undefined || this.snapshot_ === undefined) return 'gap';
    if (change.number <= this.number_) return 'stale';
    if (change.number !== this.number_ + 1n) return 'gap';
    this.number_ = change.number;
    this.snapshot_ = applyChange(this.snapshot_, change);
    return 'applied';
  }
}

function applyChange(before: ReplicaSnapshot, change: Change): ReplicaSnapshot {
  const participants = new Map(before.participants);
  for (const participant of change.participants) participants.set(participant.id, participant);
  for (const id of change.gone) participants.delete(id);
  const chat = change.chat.length === 0 ? before.chat : [...before.chat, ...change.chat].slice(-LONGEST_CHAT);
  return { conference: change.conference ?? before.conference, participants, chat };
}
