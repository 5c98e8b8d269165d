// Looking at participants: who is here, in which order, with which sources.

import type { Participant, Source, SourceKind, SourceNumber } from '@huitang/client';

export function sourceOf(participant: Participant, kind: SourceKind): Source | undefined {
  return participant.sources.find((source) => source.kind === kind);
}

/** The number of a source that is forwarded at the moment. */
export function activeSource(participant: Participant, kind: SourceKind): SourceNumber | undefined {
  const source = sourceOf(participant, kind);
  return source?.active === true ? source.number : undefined;
}

export function isMuted(participant: Participant): boolean {
  return participant.mutedBySelf || participant.mutedByChair;
}

export function isChair(participant: Participant | undefined): boolean {
  return participant?.role === 'chair' || participant?.role === 'coChair';
}

export function presentParticipants(participants: Iterable<Participant>): Participant[] {
  return [...participants].filter((participant) => participant.presence !== 'left').sort(byArrival);
}

function byArrival(a: Participant, b: Participant): number {
  return a.joinedAt - b.joinedAt || (a.id < b.id ? -1 : 1);
}

/** Order of the participants panel: myself, the chair, raised hands by time, then by arrival. */
export function panelOrder(participants: readonly Participant[], meId: string): Participant[] {
  const rank = (participant: Participant): number => {
    if (participant.id === meId) return 0;
    if (isChair(participant)) return 1;
    return participant.handUp ? 2 : 3;
  };
  return [...participants].sort((a, b) => {
    const byRank = rank(a) - rank(b);
    if (byRank !== 0) return byRank;
    return rank(a) === 2 ? a.handSince - b.handSince : byArrival(a, b);
  });
}

export function ownerOf(participants: readonly Participant[], source: SourceNumber): Participant | undefined {
  return participants.find((participant) => participant.sources.some((candidate) => candidate.number === source));
}

export function searchByName(participants: readonly Participant[], text: string): Participant[] {
  const wanted = text.trim().toLocaleLowerCase();
  return participants.filter((participant) => participant.name.toLocaleLowerCase().includes(wanted));
}
