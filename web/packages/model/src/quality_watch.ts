// Looks at the browser's statistics every two seconds and says how good things are.

import type { Cancel, Clock, SlotId, SlotReceivers } from '@huitang/client';
import { compareSamples, sampleOf, type Quality, type QualitySample } from './quality';

export const QUALITY_INTERVAL_MS = 2_000;

export class QualityWatch {
  private tracks: ReadonlyMap<string, SlotId> = new Map();
  private last: QualitySample | undefined;
  private timer: Cancel | undefined;
  private isRunning = false;

  constructor(
    private readonly clock: Clock,
    private readonly stats: () => Promise<RTCStatsReport | undefined>,
    private readonly changed: (quality: Quality) => void,
  ) {}

  use(receivers: SlotReceivers): void {
    const tracks = new Map<string, SlotId>();
    receivers.video.forEach((receiver, index) => tracks.set(receiver.track.id, { use: 'video', index }));
    receivers.share.forEach((receiver, index) => tracks.set(receiver.track.id, { use: 'share', index }));
    this.tracks = tracks;
    this.last = undefined;
  }

  start(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.schedule();
  }

  stop(): void {
    this.isRunning = false;
    this.timer?.();
  }

  private schedule(): void {
    this.timer = this.clock.schedule(QUALITY_INTERVAL_MS, () => void this.measure());
  }

  private async measure(): Promise<void> {
    const report = await this.stats().catch(() => undefined);
    if (!this.isRunning) return;
    if (report !== undefined) {
      const sample = sampleOf(report as Iterable<[string, Record<string, unknown>]>);
      this.changed(compareSamples(this.last, sample, this.tracks));
      this.last = sample;
    }
    this.schedule();
  }
}
