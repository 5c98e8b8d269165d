// One signaling connection that survives its sockets: opens, greets, resumes, pings, and comes back after a loss.
//
//   Closed ─start─▶ Connecting ─opened─▶ Greeting ─Welcome─▶ Ready
//                        ▲                   │ lost             │ lost
//                        └──── Waiting ◀─────┴──────────────────┘
//
// A clock that has jumped (the machine slept), word that the network changed, or media that flows again are reasons to
// look at once: a waiting link connects, an attempt under way starts afresh, an open one is asked for a sign of life. One
// that gives none is doubted: a spare socket is opened beside it and takes its place when it reaches the server. So a
// server that stood still for a second loses nobody, and a machine with another address is back as fast as it can be.
//
// It knows nothing of conferences: replies go to whoever asked, everything else to the listener. What was asked but
// not answered when a socket is lost ends as `lost`; repeating it is the asker's decision.

import { PROTOCOL_VERSION, parseServerMessage, writeClientMessage, type ClientMessageInit, type ServerMessage, type Welcome } from '@huitang/protocol';
import { retryDelay } from './backoff';
import { DEFAULT_SLOTS, type SlotCounts } from './domain';
import type { Cancel, Environment, Socket } from './environment';

/** From opening a socket to its Welcome, on a page that has just come up or whose session is gone. */
export const GREETING_DEADLINE_MS = 8_000;
/**
 * From opening a socket to the other side's first word while there is a session to save. What was sent into a dead
 * network is repeated ever more slowly by TCP: a new attempt finds the network healed sooner.
 */
export const REACH_DEADLINE_MS = 5_500;
/** The same for the first attempts, where a browser really ends a socket that is given up while it connects. */
export const QUICK_REACH_DEADLINE_MS = 2_200;
/** Chromium makes a page wait for seconds that gave up some more sockets than this within minutes. */
export const QUICK_ATTEMPTS = 8;
export const PING_INTERVAL_MS = 4_000;
/** A socket that was silent this long after a ping is given up. */
export const SILENCE_LIMIT_MS = 9_000;
/**
 * A ping that is unanswered this long after a reason to doubt the socket makes a spare one be tried beside it; on a slow
 * way, three times what a ping took last.
 */
export const PROBE_LIMIT_MS = 600;
/** By chance up to so much longer: what all doubt at once they need not all try at once. */
export const PROBE_SPREAD_MS = 200;
/** A ping that comes so much too late means that the machine slept, or the page stood still. */
export const SLEEP_LIMIT_MS = 3_000;
/** An attempt this young is left alone when there is a reason to try. */
export const FRESH_ATTEMPT_MS = 500;

export type LinkState =
  | { readonly kind: 'closed' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'greeting' }
  | { readonly kind: 'ready'; readonly resumed: boolean; readonly slots: SlotCounts }
  | { readonly kind: 'waiting'; readonly until: number };

export type RequestBody = NonNullable<ClientMessageInit['body']>;
export type ServerBody = ServerMessage['body'];
export type Reply = { readonly kind: 'answered'; readonly body: ServerBody } | { readonly kind: 'lost' };
export type ReplyHandler = (reply: Reply) => void;

export interface LinkListener {
  linkChanged(state: LinkState): void;
  linkReceived(body: ServerBody): void;
  /** The round trip of a ping, in milliseconds. */
  linkMeasured(roundTripMs: number): void;
  /** A link that is ready gives no sign of life, or gives one again. */
  linkDoubted(isDoubted: boolean): void;
}

export interface LinkConfig {
  readonly language: string;
  readonly client: string;
}

export class SignalingLink {
  private state_: LinkState = { kind: 'closed' };
  private socket: Socket | undefined;
  private spare: Socket | undefined;
  /** The listener was told that there is no sign of life. */
  private isDoubted = false;
  private roundTripMs = 0;
  private timer: Cancel | undefined;
  private pinger: Cancel | undefined;
  private readonly outstanding = new Map<number, ReplyHandler>();
  private nextId = 1;
  private probe: Cancel | undefined;
  private resumeToken = '';
  private lastHeard = 0;
  private lastPing = 0;
  private attemptSince = 0;
  /** Attempts in a row that nobody answered. */
  private unreached = 0;
  /** Until when the session can be taken up again. */
  private savedUntil = -Infinity;
  private resumeMs = 0;

  constructor(
    private readonly env: Environment,
    private readonly config: LinkConfig,
    private readonly listener: LinkListener,
  ) {}

  get state(): LinkState {
    return this.state_;
  }

  start(): void {
    if (this.state_.kind === 'closed') this.connect();
  }

  /** For good. Nothing is called any more, not even for what is outstanding. */
  close(): void {
    this.outstanding.clear();
    this.resumeToken = '';
    this.dropSocket();
    this.enter({ kind: 'closed' });
  }

  /** There is reason to believe that nobody is there any more. Unlike retryNow it hurries no link that is away. */
  doubt(): void {
    if (this.state_.kind === 'ready') this.askForSign();
  }

  /** There is reason to believe that the network is back or another one: find out now. */
  retryNow(): void {
    switch (this.state_.kind) {
      case 'waiting':
        this.connect();
        return;
      case 'connecting':
      case 'greeting':
        if (this.env.clock.now() - this.attemptSince >= FRESH_ATTEMPT_MS) this.connect();
        return;
      case 'ready':
        this.askForSign();
        return;
      case 'closed':
    }
  }

  request(body: RequestBody, onReply: ReplyHandler): void {
    if (this.state_.kind !== 'ready') {
      onReply({ kind: 'lost' });
      return;
    }
    this.sendWithReply(body, onReply);
  }

  /** No reply wanted; dropped when there is no connection. */
  tell(body: RequestBody): void {
    if (this.state_.kind === 'ready') this.socket?.send(writeClientMessage({ id: 0, body }));
  }

  private connect(): void {
    this.dropSocket();
    this.outstanding.clear(); // at most the greeting of an attempt before
    this.attemptSince = this.env.clock.now();
    this.enter({ kind: 'connecting' });
    // What nobody answered has cost the server nothing, and whoever waited for it is spread already: no pause follows.
    this.timer = this.isLate()
      ? this.env.clock.schedule(GREETING_DEADLINE_MS, () => this.lose())
      : this.env.clock.schedule(this.reachDeadline(), () => this.giveUp());
    this.socket = this.env.openSocket({
      opened: () => this.greet(),
      received: (text) => this.handleText(text),
      closed: () => this.lose(),
    });
  }

  private reachDeadline(): number {
    return this.env.traits.endsLostSockets && this.unreached < QUICK_ATTEMPTS ? QUICK_REACH_DEADLINE_MS : REACH_DEADLINE_MS;
  }

  private giveUp(): void {
    this.unreached++;
    this.lose(0);
  }

  private greet(): void {
    this.unreached = 0;
    this.enter({ kind: 'greeting' });
    // The server has been reached; it may be busy with everybody who comes back at once.
    this.timer?.();
    this.timer = this.env.clock.schedule(GREETING_DEADLINE_MS, () => this.lose());
    const hello = { protocol: PROTOCOL_VERSION, language: this.config.language, resumeToken: this.resumeToken, client: this.config.client };
    this.sendWithReply({ case: 'hello', value: hello }, (reply) => this.handleGreetingReply(reply));
  }

  private handleGreetingReply(reply: Reply): void {
    if (reply.kind === 'lost') return;
    switch (reply.body.case) {
      case 'welcome':
        this.handleWelcome(reply.body.value);
        return;
      case 'refused':
        this.lose(reply.body.value.retryAfterSeconds * 1_000 + retryDelay(this.isLate(), this.env.random));
        return;
      default:
        this.lose();
    }
  }

  private handleWelcome(welcome: Welcome): void {
    this.timer?.();
    this.timer = undefined;
    this.resumeToken = welcome.resumeToken;
    this.resumeMs = welcome.resumeSeconds * 1_000;
    const slots = welcome.slots === undefined || welcome.slots.video === 0 ? DEFAULT_SLOTS : welcome.slots;
    this.schedulePing();
    this.enter({
      kind: 'ready',
      resumed: welcome.resumed,
      slots: { audio: slots.audio, video: slots.video, share: slots.share, paired: slots.paired },
    });
  }

  private sendWithReply(body: RequestBody, onReply: ReplyHandler): void {
    const id = this.nextId++;
    this.outstanding.set(id, onReply);
    this.socket?.send(writeClientMessage({ id, body }));
  }

  private handleText(text: string): void {
    this.lastHeard = this.env.clock.now();
    const message = parseServerMessage(text);
    if (message === undefined) return;
    const handler = message.replyTo === 0 ? undefined : this.outstanding.get(message.replyTo);
    if (handler !== undefined) {
      this.outstanding.delete(message.replyTo);
      handler({ kind: 'answered', body: message.body });
    } else {
      this.listener.linkReceived(message.body);
    }
  }

  private schedulePing(): void {
    this.lastHeard = this.env.clock.now();
    this.lastPing = this.lastHeard;
    this.pinger = this.env.clock.schedule(PING_INTERVAL_MS, () => this.handlePingTime());
  }

  private handlePingTime(): void {
    const now = this.env.clock.now();
    if (now - this.lastPing > PING_INTERVAL_MS + SLEEP_LIMIT_MS) {
      // Nothing could be heard meanwhile, so silence says nothing yet.
      this.lastHeard = now;
      this.askForSign();
    } else if (now - this.lastHeard > SILENCE_LIMIT_MS) {
      this.lose(0);
      return;
    } else {
      this.ping();
    }
    this.pinger = this.env.clock.schedule(PING_INTERVAL_MS, () => this.handlePingTime());
  }

  private askForSign(): void {
    if (this.probe !== undefined) return;
    const patience = Math.max(PROBE_LIMIT_MS, 3 * this.roundTripMs) + this.env.random() * PROBE_SPREAD_MS;
    this.probe = this.env.clock.schedule(patience, () => this.trySpare());
    // Other words may have lain in the machine since before it slept.
    this.ping(() => this.trustAgain());
  }

  private trustAgain(): void {
    this.probe?.();
    this.probe = undefined;
    if (!this.isDoubted) return;
    this.isDoubted = false;
    this.spare?.close();
    this.spare = undefined;
    this.listener.linkDoubted(false);
  }

  private trySpare(): void {
    this.probe = this.env.clock.schedule(this.reachDeadline(), () => (this.spare === undefined ? this.lose() : this.giveUp()));
    const spare = this.env.openSocket({
      opened: () => this.changeOver(spare),
      received: (text) => this.handleText(text),
      // A spare one that is turned away says nothing of the other; the deadline decides.
      closed: () => (this.spare = undefined),
    });
    this.spare = spare;
    this.isDoubted = true;
    this.listener.linkDoubted(true);
  }

  /** The spare socket has reached the server, the one before has not. */
  private changeOver(spare: Socket): void {
    this.spare = undefined;
    this.dropSocket();
    this.socket = spare;
    this.attemptSince = this.env.clock.now();
    this.savedUntil = this.attemptSince + this.resumeMs;
    const unanswered = this.takeOutstanding();
    this.greet();
    for (const handler of unanswered) handler({ kind: 'lost' });
  }

  private takeOutstanding(): readonly ReplyHandler[] {
    const handlers = [...this.outstanding.values()];
    this.outstanding.clear();
    return handlers;
  }

  private ping(onPong: () => void = () => undefined): void {
    const now = this.env.clock.now();
    this.lastPing = now;
    this.sendWithReply({ case: 'ping', value: { at: BigInt(Math.round(now)) } }, (reply) => {
      if (reply.kind === 'lost') return;
      this.roundTripMs = this.env.clock.now() - now;
      this.listener.linkMeasured(this.roundTripMs);
      onPong();
    });
  }

  private isLate(): boolean {
    return this.env.clock.now() >= this.savedUntil;
  }

  /** Without `delayMs` it is left to chance: a server that closes one socket closes those of everybody. */
  private lose(delayMs?: number): void {
    if (this.state_.kind === 'closed' || this.state_.kind === 'waiting') return;
    this.dropSocket();
    const now = this.env.clock.now();
    if (this.state_.kind === 'ready') this.savedUntil = now + this.resumeMs;
    const delay = delayMs ?? retryDelay(this.isLate(), this.env.random);
    this.timer = this.env.clock.schedule(delay, () => this.connect());
    this.enter({ kind: 'waiting', until: now + delay });
    for (const handler of this.takeOutstanding()) handler({ kind: 'lost' });
  }

  private dropSocket(): void {
    this.timer?.();
    this.pinger?.();
    this.probe?.();
    this.timer = undefined;
    this.pinger = undefined;
    this.probe = undefined;
    this.socket?.close();
    this.socket = undefined;
    this.spare?.close();
    this.spare = undefined;
    this.isDoubted = false;
  }

  private enter(state: LinkState): void {
    this.state_ = state;
    this.listener.linkChanged(state);
  }
}
