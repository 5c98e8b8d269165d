// One signaling connection that survives its sockets: opens, greets, resumes, pings, and comes back after a loss.
//
//   Closed ─start─▶ Connecting ─opened─▶ Greeting ─Welcome─▶ Ready
//                        ▲                   │ lost             │ lost
//                        └──── Waiting ◀─────┴──────────────────┘
//
// It knows nothing of conferences: replies go to whoever asked, everything else to the listener. What was asked but
// not answered when a socket is lost ends as `lost`; repeating it is the asker's decision.

import { PROTOCOL_VERSION, parseServerMessage, writeClientMessage, type ClientMessageInit, type ServerMessage, type Welcome } from '@huitang/protocol';
import { retryDelay } from './backoff';
import { DEFAULT_SLOTS, type SlotCounts } from './domain';
import type { Cancel, Environment, Socket } from './environment';

/** From opening a socket to its Welcome. */
export const GREETING_DEADLINE_MS = 8_000;
export const PING_INTERVAL_MS = 4_000;
/** A socket that was silent this long after a ping is given up. */
export const SILENCE_LIMIT_MS = 9_000;

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
}

export interface LinkConfig {
  readonly language: string;
  readonly client: string;
}

export class SignalingLink {
  private state_: LinkState = { kind: 'closed' };
  private socket: Socket | undefined;
  private timer: Cancel | undefined;
  private pinger: Cancel | undefined;
  private readonly outstanding = new Map<number, ReplyHandler>();
  private nextId = 1;
  private attempt = 0;
  private resumeToken = '';
  private lastHeard = 0;

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

  /** The network is said to be back: do not wait for the next retry. */
  retryNow(): void {
    if (this.state_.kind === 'waiting') this.connect();
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
    this.enter({ kind: 'connecting' });
    this.timer = this.env.clock.schedule(GREETING_DEADLINE_MS, () => this.lose());
    this.socket = this.env.openSocket({
      opened: () => this.greet(),
      received: (text) => this.handleText(text),
      closed: () => this.lose(),
    });
  }

  private greet(): void {
    this.enter({ kind: 'greeting' });
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
        this.lose(reply.body.value.retryAfterSeconds * 1_000);
        return;
      default:
        this.lose();
    }
  }

  private handleWelcome(welcome: Welcome): void {
    this.timer?.();
    this.timer = undefined;
    this.attempt = 0;
    this.resumeToken = welcome.resumeToken;
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
    this.pinger = this.env.clock.schedule(PING_INTERVAL_MS, () => this.ping());
  }

  private ping(): void {
    const now = this.env.clock.now();
    if (now - this.lastHeard > SILENCE_LIMIT_MS) {
      this.lose();
      return;
    }
    this.sendWithReply({ case: 'ping', value: { at: BigInt(Math.round(now)) } }, (reply) => {
      if (reply.kind === 'answered') this.listener.linkMeasured(this.env.clock.now() - now);
    });
    this.pinger = this.env.clock.schedule(PING_INTERVAL_MS, () => this.ping());
  }

  private lose(atLeastMs = 0): void {
    if (this.state_.kind === 'closed' || this.state_.kind === 'waiting') return;
    this.dropSocket();
    const delay = Math.max(atLeastMs, retryDelay(this.attempt++, this.env.random));
    this.timer = this.env.clock.schedule(delay, () => this.connect());
    this.enter({ kind: 'waiting', until: this.env.clock.now() + delay });
    const unanswered = [...this.outstanding.values()];
    this.outstanding.clear();
    for (const handler of unanswered) handler({ kind: 'lost' });
  }

  private dropSocket(): void {
    this.timer?.();
    this.pinger?.();
    this.timer = undefined;
    this.pinger = undefined;
    this.socket?.close();
    this.socket = undefined;
  }

  private enter(state: LinkState): void {
    this.state_ = state;
    this.listener.linkChanged(state);
  }
}
