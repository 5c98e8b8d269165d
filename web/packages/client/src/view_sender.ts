// Tells the node what is shown, whole each time, at most ten times a second, and nothing twice.

import type { SlotView } from './domain';
import type { Cancel, Clock } from './environment';

export const VIEW_INTERVAL_MS = 100;

export class ViewSender {
  private wanted: readonly SlotView[] = [];
  private wantedText = '[]';
  private sentText = '';
  private lastSentAt = -Infinity;
  private timer: Cancel | undefined;
  private open = false;

  constructor(
    private readonly clock: Clock,
    private readonly send: (slots: readonly SlotView[]) => void,
  ) {}

  set(slots: readonly SlotView[]): void {
    this.wanted = slots;
    this.wantedText = JSON.stringify(slots);
    this.flush();
  }

  /** Open while joined and connected. Opening sends the view again: the other side may have forgotten it. */
  setOpen(open: boolean): void {
    this.open = open;
    this.sentText = '';
    if (open) this.flush();
  }

  private flush(): void {
    if (!this.open || this.timer !== undefined || this.wantedText === this.sentText) return;
    const wait = this.lastSentAt + VIEW_INTERVAL_MS - this.clock.now();
    if (wait > 0) {
      this.timer = this.clock.schedule(wait, () => {
        this.timer = undefined;
        this.flush();
      });
      return;
    }
    this.lastSentAt = this.clock.now();
    this.sentText = this.wantedText;
    this.send(this.wanted);
  }
}
