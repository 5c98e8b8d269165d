// Quality bars from the browser's statistics: pure comparisons of two looks at the same counters.

import { slotKey, type SlotUse } from '@huitang/client';

/** 3 good, 2 fair, 1 poor, 0 nothing arrives. */
export type Bars = 0 | 1 | 2 | 3;

export interface Inbound {
  readonly received: number;
  readonly lost: number;
  readonly frames: number;
  readonly frozenSeconds: number;
  readonly at: number;
}

export interface QualitySample {
  /** By receiver track. */
  readonly inbound: ReadonlyMap<string, Inbound>;
  readonly roundTripMs: number | undefined;
}

export interface Quality {
  readonly own: Bars;
  readonly bySlot: Readonly<Record<string, Bars>>;
  readonly roundTripMs: number | undefined;
  readonly lossPercent: number;
}

export const UNKNOWN_QUALITY: Quality = { own: 3, bySlot: {}, roundTripMs: undefined, lossPercent: 0 };

export function barsOf(lossFraction: number, frozenFraction: number): Bars {
  if (lossFraction > 0.1 || frozenFraction > 0.2) return 1;
  return lossFraction > 0.03 || frozenFraction > 0.05 ? 2 : 3;
}

function ownBars(lossFraction: number, roundTripMs: number | undefined): Bars {
  if (lossFraction > 0.1 || (roundTripMs ?? 0) > 600) return 1;
  return lossFraction > 0.03 || (roundTripMs ?? 0) > 250 ? 2 : 3;
}

interface Delta {
  readonly received: number;
  readonly lost: number;
  readonly frozenFraction: number;
}

function deltaOf(before: Inbound | undefined, after: Inbound): Delta {
  const seconds = before === undefined ? 0 : (after.at - before.at) / 1_000;
  if (before === undefined || seconds <= 0) return { received: 0, lost: 0, frozenFraction: 0 };
  return {
    received: Math.max(0, after.received - before.received),
    lost: Math.max(0, after.lost - before.lost),
    frozenFraction: Math.max(0, after.frozenSeconds - before.frozenSeconds) / seconds,
  };
}

function lossOf(lost: number, received: number): number {
  return lost + received === 0 ? 0 : lost / (lost + received);
}

/** `tracks` names the slot of each receiver track. */
export function compareSamples(before: QualitySample | undefined, after: QualitySample, tracks: ReadonlyMap<string, { use: SlotUse; index: number }>): Quality {
  const bySlot: Record<string, Bars> = {};
  let lost = 0;
  let received = 0;
  for (const [track, inbound] of after.inbound) {
    const delta = deltaOf(before?.inbound.get(track), inbound);
    lost += delta.lost;
    received += delta.received;
    const slot = tracks.get(track);
    // A shared screen stands still by nature; that says nothing of the network.
    const frozen = slot?.use === 'share' ? 0 : delta.frozenFraction;
    if (slot !== undefined && delta.received > 0) bySlot[slotKey(slot)] = barsOf(lossOf(delta.lost, delta.received), frozen);
  }
  const loss = lossOf(lost, received);
  return { own: ownBars(loss, after.roundTripMs), bySlot, roundTripMs: after.roundTripMs, lossPercent: loss * 100 };
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

type StatsEntry = Readonly<Record<string, unknown>>;

/** The few figures we need out of a browser's report. */
export function sampleOf(report: Iterable<[string, StatsEntry]>): QualitySample {
  const inbound = new Map<string, Inbound>();
  let roundTripMs: number | undefined;
  for (const [, entry] of report) {
    if (entry['type'] === 'inbound-rtp' && typeof entry['trackIdentifier'] === 'string') {
      inbound.set(entry['trackIdentifier'], {
        received: numberOf(entry['packetsReceived']),
        lost: numberOf(entry['packetsLost']),
        frames: numberOf(entry['framesDecoded']),
        frozenSeconds: numberOf(entry['totalFreezesDuration']),
        at: numberOf(entry['timestamp']),
      });
    } else if (entry['type'] === 'candidate-pair' && entry['nominated'] === true && typeof entry['currentRoundTripTime'] === 'number') {
      roundTripMs = entry['currentRoundTripTime'] * 1_000;
    }
  }
  return { inbound, roundTripMs };
}
