// The fixed lines of this client's one offer (DESIGN: fixed SDP, virtual streams) and their order: own sources
// first, then pairs of an audio and a video slot, the other video slots, the share slots. The order matters: a
// browser keeps sound in step only with the first video line of the same msid.

import { LineUse } from '@huitang/protocol';
import type { SlotCounts, SourceKind } from './domain';
import { unreachable } from './exhaustive';

export interface LinePlan {
  readonly kind: 'audio' | 'video';
  readonly use: LineUse;
  readonly index: number;
  readonly init: RTCRtpTransceiverInit;
}

/** Lowest first; the node numbers layers in this order. */
const CAMERA_ENCODINGS: RTCRtpEncodingParameters[] = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];

function sourceLine(source: SourceKind): LinePlan {
  switch (source) {
    case 'microphone':
      return { kind: 'audio', use: LineUse.MICROPHONE, index: 0, init: { direction: 'sendonly', sendEncodings: [{ priority: 'high' }] } };
    case 'camera':
      return { kind: 'video', use: LineUse.CAMERA, index: 0, init: { direction: 'sendonly', sendEncodings: CAMERA_ENCODINGS.map((encoding) => ({ ...encoding })) } };
    case 'screen':
      return { kind: 'video', use: LineUse.SCREEN, index: 0, init: { direction: 'sendonly', sendEncodings: [{ maxBitrate: 2_500_000 }] } };
    case 'screenAudio':
      return { kind: 'audio', use: LineUse.SCREEN_AUDIO, index: 0, init: { direction: 'sendonly', sendEncodings: [{ maxBitrate: 128_000 }] } };
    default:
      return unreachable(source);
  }
}

function slotLine(use: LineUse.AUDIO_SLOT | LineUse.VIDEO_SLOT | LineUse.SHARE_SLOT, index: number): LinePlan {
  return { kind: use === LineUse.AUDIO_SLOT ? 'audio' : 'video', use, index, init: { direction: 'recvonly' } };
}

export function planLines(slots: SlotCounts): LinePlan[] {
  const lines = (['microphone', 'camera', 'screen', 'screenAudio'] as const).map(sourceLine);
  for (let k = 0; k < Math.max(slots.audio, slots.video); k++) {
    if (k < slots.audio) lines.push(slotLine(LineUse.AUDIO_SLOT, k));
    if (k < slots.video) lines.push(slotLine(LineUse.VIDEO_SLOT, k));
  }
  for (let k = 0; k < slots.share; k++) lines.push(slotLine(LineUse.SHARE_SLOT, k));
  return lines;
}

/** The mids of a description's m-lines, in order. */
export function midsOf(sdp: string): string[] {
  return [...sdp.matchAll(/^a=mid:(\S+)/gm)].flatMap((match) => (match[1] === undefined ? [] : [match[1]]));
}

/** Of the certificate that a description's sender will show; the first line of that name stands for all. */
export function fingerprintOf(sdp: string): string | undefined {
  return /^a=fingerprint:(.*?)\s*$/m.exec(sdp)?.[1];
}
