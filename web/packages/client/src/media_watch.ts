// Notices that nothing at all arrives any more where something did. A browser's ICE takes five seconds for that and a
// socket longer; here it is under one. It is a reason to ask, no proof: everybody may just have gone quiet.
//
// Counts looks and not time, so that a machine that slept or a page that stood still is not taken for silence.

import type { Cancel, Clock } from './environment';

export const LOOK_INTERVAL_MS = 200;
/** So many looks in a row without anything new are silence. A voice with discontinuous sending comes every 400 ms. */
export const LOOKS_OF_SILENCE = 3;
/** So many looks with something new make a flow whose end says something. */
export const LOOKS_OF_FLOW = 4;

export interface WatchListener {
  mediaFellSilent(): void;
  mediaFlows(): void;
}

/** When its newest packet was played, on whatever scale; 0 while there is none, or where a browser cannot tell. */
function newestOf(receiver: RTCRtpReceiver): number {
  return (receiver.getSynchronizationSources?.() ?? []).reduce((newest, source) => Math.max(newest, source.timestamp), 0);
}

export class MediaWatch {
  private timer: Cancel | undefined;
  private receivers: readonly RTCRtpReceiver[] = [];
  /** The one that had something new last; asking all of them costs. */
  private lively: RTCRtpReceiver | undefined;
  private newest = 0;
  private hits = 0;
  private misses = 0;
  private fellSilent_ = false;

  constructor(
    private readonly clock: Clock,
    private readonly listener: WatchListener,
  ) {}

  /** There was a flow, and it has ended. */
  get fellSilent(): boolean {
    return this.fellSilent_;
  }

  /** The silence was nobody's fault: it is no reason for anything any more, until something has come and ended again. */
  forgive(): void {
    this.fellSilent_ = false;
  }

  /** Everything of one PeerConnection; whatever was seen of another before is forgotten. */
  start(receivers: readonly RTCRtpReceiver[]): void {
    this.stop();
    this.receivers = receivers;
    this.schedule();
  }

  stop(): void {
    this.timer?.();
    this.timer = undefined;
    this.receivers = [];
    this.lively = undefined;
    this.newest = 0;
    this.hits = 0;
    this.misses = 0;
    this.fellSilent_ = false;
  }

  /** Looks now, beside the looks that come by themselves: tells only of what has come. */
  look(): void {
    if (!this.hasNews()) return;
    this.hits++;
    this.misses = 0;
    this.fellSilent_ = false;
    this.listener.mediaFlows();
  }

  private hasNews(): boolean {
    const order = this.lively === undefined ? this.receivers : [this.lively, ...this.receivers];
    this.lively = order.find((receiver) => newestOf(receiver) > this.newest);
    if (this.lively === undefined) return false;
    this.newest = newestOf(this.lively);
    return true;
  }

  private schedule(): void {
    this.timer = this.clock.schedule(LOOK_INTERVAL_MS, () => {
      this.schedule();
      this.misses++;
      this.look();
      if (this.misses < LOOKS_OF_SILENCE) return;
      const ends = this.hits >= LOOKS_OF_FLOW;
      this.hits = 0;
      if (!ends) return;
      this.fellSilent_ = true;
      this.listener.mediaFellSilent();
    });
  }
}
