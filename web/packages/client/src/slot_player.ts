// Playing what arrives in the slots; browser/browser_slot_player.ts is the real thing.

import type { SlotUse, SourceNumber } from './domain';
import type { Cancel } from './environment';
import type { SlotReceivers } from './media_peer';

export interface SlotId {
  readonly use: SlotUse;
  readonly index: number;
}

export function slotKey(slot: SlotId): string {
  return `${slot.use}-${slot.index}`;
}

export interface SlotPlayer {
  /** New receivers after a new PeerConnection; attached elements follow by themselves. */
  use(receivers: SlotReceivers): void;
  /** Shows a slot in an element and calls back with the source of each picture when it changes. */
  attach(slot: SlotId, video: HTMLVideoElement, onSource: (source: SourceNumber | undefined) => void): Cancel;
  setSpeaker(deviceId: string): void;
  /** After a gesture of the person: try to play what the browser's autoplay rule has held back. */
  resume(): void;
  onBlocked(run: (blocked: boolean) => void): void;
  close(): void;
}
