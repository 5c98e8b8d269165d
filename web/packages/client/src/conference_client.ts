// One person's way through one conference: session, peer, join, commands, view, and the replica of what is going on.
//
//   Lobby ─join─▶ Joining ─Joined─▶ In ─Left or leave─▶ Out
//     ▲              │ refused       │ the session was lost: Joining again, by itself
//     └──────────────┘               └──▶ Joining
//
// The signaling link and the media peer have lives of their own beside this state: either may be away for a while
// without ending it.

import { LeaveReason as WireLeaveReason, PeerState as WirePeerState, type PeerChanged } from '@huitang/protocol';
import { CommandQueue, type CommandOutcome } from './command_queue';
import type { Change, Command, JoinIntent, LeaveReason, PausedPicture, Refusal, RefusalName, SlotView, SourceKind, Speakers } from './domain';
import type { Environment } from './environment';
import { MediaWatch } from './media_watch';
import { MediaPeer, type OfferOutcome, type PeerOffer, type PeerState, type SlotReceivers } from './media_peer';
import { Replica, type ReplicaSnapshot } from './replica';
import { SignalingLink, type LinkConfig, type LinkState, type Reply, type ServerBody } from './signaling_link';
import { refusalName, toChange, toLeaveReason, toPausedPictures, toRefusal, toSourceKind, toWholeState, toWireOp, toWireView } from './translate';
import { ViewSender } from './view_sender';

/** How long a leaving client waits for the answer before it closes the socket. */
export const FAREWELL_MS = 1_000;

/** Refusals of an offer that say nothing against the offer. */
const PASSING: ReadonlySet<RefusalName> = new Set<RefusalName>(['media_unavailable', 'conflict', 'too_many_requests', 'box_full']);

export interface ClientConfig extends LinkConfig {
  /** The conference this page is about; the node keeps its peers together. */
  readonly number: string;
}

export type ClientState =
  | { readonly kind: 'lobby' }
  | { readonly kind: 'joining'; readonly intent: JoinIntent }
  | { readonly kind: 'in'; readonly intent: JoinIntent; readonly participantId: string }
  | { readonly kind: 'out'; readonly reason: LeaveReason };

export interface ClientStatus {
  readonly state: ClientState;
  readonly link: LinkState['kind'];
  readonly peer: PeerState['kind'];
}

export type ClientEvent =
  | { readonly kind: 'status'; readonly status: ClientStatus }
  | { readonly kind: 'replica'; readonly replica: ReplicaSnapshot; readonly change: Change | undefined }
  | { readonly kind: 'speakers'; readonly speakers: Speakers }
  /** All that are paused now. */
  | { readonly kind: 'paused'; readonly pictures: readonly PausedPicture[] }
  | { readonly kind: 'joinRefused'; readonly refusal: Refusal }
  | { readonly kind: 'commandRefused'; readonly command: Command; readonly refusal: Refusal }
  /** Sent before the session was lost, never answered: it may have been carried out. */
  | { readonly kind: 'commandUnknown'; readonly command: Command }
  | { readonly kind: 'notice'; readonly refusal: Refusal }
  | { readonly kind: 'slots'; readonly receivers: SlotReceivers }
  | { readonly kind: 'roundTrip'; readonly ms: number };

export class ConferenceClient {
  private state_: ClientState = { kind: 'lobby' };
  private readonly link: SignalingLink;
  private readonly peer: MediaPeer;
  private readonly watch: MediaWatch;
  private readonly replica = new Replica();
  private readonly commands = new CommandQueue();
  private readonly view: ViewSender;
  private resyncing = false;
  private peerStarted = false;
  private peerWasUp = false;

  constructor(
    private readonly env: Environment,
    private readonly config: ClientConfig,
    private readonly emit: (event: ClientEvent) => void,
  ) {
    this.link = new SignalingLink(env, config, {
      linkChanged: (state) => this.handleLink(state),
      linkReceived: (body) => this.handleBody(body),
      linkMeasured: (ms) => this.emit({ kind: 'roundTrip', ms }),
      linkDoubted: (isDoubted) => this.handleDoubt(isDoubted),
    });
    this.peer = new MediaPeer(env, {
      peerChanged: (state) => this.handlePeer(state),
      peerMade: (receivers) => this.handlePeerMade(receivers),
      sendOffer: (offer, done) => this.sendOffer(offer, done),
    });
    this.watch = new MediaWatch(env.clock, {
      mediaFellSilent: () => this.link.doubt(),
      mediaFlows: () => this.peer.handleMedia(),
    });
    this.view = new ViewSender(env.clock, (slots) => this.link.request({ case: 'setView', value: toWireView(slots) }, () => undefined));
  }

  get status(): ClientStatus {
    return { state: this.state_, link: this.link.state.kind, peer: this.peer.state.kind };
  }

  start(): void {
    this.link.start();
  }

  join(intent: JoinIntent): void {
    if (this.state_.kind !== 'lobby') return;
    this.enter({ kind: 'joining', intent });
    this.sendJoin();
  }

  command(command: Command, done: (outcome: CommandOutcome) => void = () => undefined): void {
    this.rememberIntent(command);
    const id = this.env.createId();
    const canSend = this.state_.kind === 'in' && this.link.state.kind === 'ready';
    if (!this.commands.add({ id, command, done }, canSend)) {
      done({ kind: 'dropped' });
      return;
    }
    if (canSend) this.sendCommand(id, command);
  }

  setView(slots: readonly SlotView[]): void {
    this.view.set(slots);
  }

  setTrack(kind: SourceKind, track: MediaStreamTrack | null): void {
    this.peer.setTrack(kind, track);
  }

  stats(): Promise<RTCStatsReport | undefined> {
    return this.peer.stats();
  }

  /** The network is said to be back or another one, or somebody looks at the page again. */
  networkIsBack(): void {
    this.link.retryNow();
    this.peer.handleNetwork();
  }

  leave(): void {
    if (this.state_.kind === 'in') {
      this.env.clock.schedule(FAREWELL_MS, () => this.link.close());
      this.command({ kind: 'leave' }, () => this.link.close());
    } else {
      this.link.close();
    }
    this.finish('ownWish');
  }

  /** The page goes away at this very moment: say so and close everything. */
  leaveAtOnce(): void {
    if (this.state_.kind === 'in') this.link.tell({ case: 'command', value: { commandId: this.env.createId(), op: toWireOp({ kind: 'leave' }) } });
    this.link.close();
    this.finish('ownWish');
  }

  private handleLink(state: LinkState): void {
    const isReady = state.kind === 'ready';
    if (isReady) this.handleReady(state.resumed, state);
    if (isReady) this.watch.look();
    this.peer.handleSignaling(isReady);
    this.view.setOpen(isReady && this.state_.kind === 'in');
    this.emitStatus();
  }

  /** What cannot be answered must not be asked; and when media does not come either, the way is gone. */
  private handleDoubt(isDoubted: boolean): void {
    if (!isDoubted) {
      this.watch.forgive();
      this.peer.handleWayTrusted();
    }
    this.peer.handleSignaling(!isDoubted);
    if (isDoubted && this.watch.fellSilent) this.peer.handleWayLost();
  }

  private handlePeerMade(receivers: SlotReceivers): void {
    this.watch.start([...receivers.audio, ...receivers.video, ...receivers.share]);
    this.emit({ kind: 'slots', receivers });
  }

  private handlePeer(state: PeerState): void {
    // Media that flows again has found a way to the box; when it does not any more, the socket is doubtful, too.
    if (state.kind === 'connected' && this.peerWasUp) this.link.retryNow();
    if (state.kind === 'interrupted') this.link.doubt();
    this.peerWasUp ||= state.kind === 'connected';
    this.emitStatus();
  }

  private handleReady(resumed: boolean, state: Extract<LinkState, { kind: 'ready' }>): void {
    this.resyncing = false;
    if (!resumed || !this.peerStarted) {
      this.peerStarted = true;
      this.peer.forgetSession();
      this.peer.start(state.slots);
    }
    switch (this.state_.kind) {
      case 'joining':
        this.sendJoin();
        return;
      case 'in':
        if (resumed) this.takeUpAgain();
        else this.joinAgain(this.state_.intent);
        return;
      case 'lobby':
      case 'out':
    }
  }

  private takeUpAgain(): void {
    this.resync();
    this.sendCommands();
  }

  private joinAgain(intent: JoinIntent): void {
    for (const command of this.commands.forgetSession()) this.emit({ kind: 'commandUnknown', command });
    this.enter({ kind: 'joining', intent });
    this.sendJoin();
  }

  private sendJoin(): void {
    if (this.state_.kind !== 'joining' || this.link.state.kind !== 'ready') return;
    this.link.request({ case: 'join', value: { ...this.state_.intent } }, (reply) => this.handleJoinReply(reply));
  }

  private handleJoinReply(reply: Reply): void {
    if (reply.kind === 'lost' || this.state_.kind !== 'joining') return;
    switch (reply.body.case) {
      case 'joined': {
        const { participantId, state } = reply.body.value;
        this.enter({ kind: 'in', intent: this.state_.intent, participantId });
        if (state !== undefined) this.replica.handleState(toWholeState(state));
        this.emitReplica(undefined);
        this.sendCommands();
        this.view.setOpen(true);
        return;
      }
      case 'refused':
        this.commands.clear();
        this.enter({ kind: 'lobby' });
        this.emit({ kind: 'joinRefused', refusal: toRefusal(reply.body.value) });
        return;
      default:
    }
  }

  private sendCommands(): void {
    for (const { id, command } of this.commands.all()) this.sendCommand(id, command);
  }

  private sendCommand(id: string, command: Command): void {
    this.commands.markSent(id);
    this.link.request({ case: 'command', value: { commandId: id, op: toWireOp(command) } }, (reply) => {
      if (reply.kind === 'lost') return;
      switch (reply.body.case) {
        case 'commandDone':
          this.commands.finish(id, { kind: 'done' });
          return;
        case 'refused': {
          const refusal = toRefusal(reply.body.value);
          this.commands.finish(id, { kind: 'refused', refusal });
          this.emit({ kind: 'commandRefused', command, refusal });
          return;
        }
        default:
      }
    });
  }

  private sendOffer(offer: PeerOffer, done: (outcome: OfferOutcome) => void): void {
    const value = { sdp: offer.sdp, lines: offer.lines.map((line) => ({ ...line })), newPeer: offer.newPeer, number: this.config.number };
    this.link.request({ case: 'offer', value }, (reply) => {
      if (reply.kind === 'lost') {
        done({ kind: 'lost' });
      } else if (reply.body.case === 'answer') {
        done({ kind: 'answer', sdp: reply.body.value.sdp });
      } else {
        const refused = reply.body.case === 'refused' ? reply.body.value : undefined;
        const retryAfterMs = (refused?.retryAfterSeconds ?? 0) * 1_000;
        done({ kind: 'refused', retryAfterMs, unusable: refused === undefined || !PASSING.has(refusalName(refused.code)) });
      }
    });
  }

  private handleBody(body: ServerBody): void {
    switch (body.case) {
      case 'state':
        this.resyncing = false;
        this.replica.handleState(toWholeState(body.value));
        this.emitReplica(undefined);
        return;
      case 'change':
        this.handleChange(toChange(body.value));
        return;
      case 'peerChanged':
        this.handlePeerChanged(body.value);
        return;
      case 'sourceDemand': {
        const kind = toSourceKind(body.value.kind);
        if (kind !== undefined) this.peer.setDemand(kind, body.value.layers);
        return;
      }
      case 'speakers':
        this.emit({ kind: 'speakers', speakers: { sources: body.value.sources, active: body.value.active } });
        return;
      case 'pausedPictures':
        this.emit({ kind: 'paused', pictures: toPausedPictures(body.value) });
        return;
      case 'left':
        if (this.state_.kind === 'in') {
          this.link.close();
          this.finish(body.value.reason === WireLeaveReason.UNSPECIFIED ? 'unknown' : toLeaveReason(body.value.reason));
        }
        return;
      case 'notice':
        this.emit({ kind: 'notice', refusal: { code: refusalName(body.value.code), detail: body.value.detail, retryAfterSeconds: 0 } });
        return;
      case 'welcome':
      case 'answer':
      case 'joined':
      case 'commandDone':
      case 'refused':
      case 'pong':
      case 'viewDone':
      case undefined:
        return; // replies that nobody waits for any more
    }
  }

  private handleChange(change: Change): void {
    switch (this.replica.handleChange(change)) {
      case 'applied':
        this.emitReplica(change);
        return;
      case 'gap':
        this.resync();
        return;
      case 'stale':
    }
  }

  private resync(): void {
    if (this.resyncing || this.state_.kind !== 'in') return;
    this.resyncing = true;
    this.link.request({ case: 'resync', value: {} }, (reply) => {
      this.resyncing = false;
      if (reply.kind === 'lost' || this.state_.kind !== 'in') return;
      const isOut = reply.body.case === 'refused' && refusalName(reply.body.value.code) === 'not_in';
      if (isOut) this.joinAgain(this.state_.intent);
      else this.handleBody(reply.body);
    });
  }

  private handlePeerChanged(changed: PeerChanged): void {
    const link = this.link.state;
    if (changed.pleaseReconnect || changed.state === WirePeerState.FAILED) {
      if (link.kind === 'ready') this.peer.start(link.slots);
    } else if (changed.state === WirePeerState.DISCONNECTED) {
      this.peer.handleNodeLostPeer();
    }
  }

  /** What a later join of the same person should say. */
  private rememberIntent(command: Command): void {
    if (this.state_.kind !== 'in' && this.state_.kind !== 'joining') return;
    const intent = this.state_.intent;
    if (command.kind === 'setMicrophone') this.state_ = { ...this.state_, intent: { ...intent, microphoneOn: command.on } };
    if (command.kind === 'setCamera') this.state_ = { ...this.state_, intent: { ...intent, cameraOn: command.on } };
    if (command.kind === 'rename') this.state_ = { ...this.state_, intent: { ...intent, name: command.name } };
  }

  private finish(reason: LeaveReason): void {
    this.watch.stop();
    this.peer.close();
    this.view.setOpen(false);
    this.enter({ kind: 'out', reason });
  }

  private emitReplica(change: Change | undefined): void {
    const replica = this.replica.snapshot;
    if (replica !== undefined && this.state_.kind === 'in') this.emit({ kind: 'replica', replica, change });
  }

  private emitStatus(): void {
    this.emit({ kind: 'status', status: this.status });
  }

  private enter(state: ClientState): void {
    this.state_ = state;
    this.emitStatus();
  }
}
