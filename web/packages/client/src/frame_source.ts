// Which source the picture on the screen comes from. The node writes the source's number as CSRC into each packet;
// the browser lists the CSRCs it has seen lately, each with the RTP timestamp of its newest frame. Matching that
// with the timestamp of the frame being shown names each frame, also while signaling is away.

import type { SourceNumber } from './domain';

export interface SeenSource {
  readonly source: number;
  readonly rtpTimestamp: number;
}

/** a − b on the circle of 32-bit RTP timestamps. */
function timestampDelta(a: number, b: number): number {
  return (a - b) | 0;
}

/**
 * The source of the frame with `frameTimestamp`: of the sources whose newest frame is not older than it, the one
 * that ended first. If all are older (the browser's list lags behind its pictures), the newest. Without a frame
 * timestamp, the newest.
 */
export function sourceOfFrame(seen: readonly SeenSource[], frameTimestamp: number | undefined): SourceNumber | undefined {
  let best: SeenSource | undefined;
  let newest: SeenSource | undefined;
  for (const candidate of seen) {
    if (newest === undefined || timestampDelta(candidate.rtpTimestamp, newest.rtpTimestamp) > 0) newest = candidate;
    if (frameTimestamp === undefined || timestampDelta(candidate.rtpTimestamp, frameTimestamp) < 0) continue;
    if (best === undefined || timestampDelta(candidate.rtpTimestamp, best.rtpTimestamp) < 0) best = candidate;
  }
  return (best ?? newest)?.source;
}
