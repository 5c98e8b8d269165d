// This client's one PeerConnection: made with all its lines at once, offered once, and after that changed only by
// its own recovery. Tracks come and go by replaceTrack; what plays in a slot is the node's business.
//
//            start                answer              connected
//   Idle ──────────▶ Offering ──────────▶ Connecting ──────────▶ Connected
//                       ▲                      │ deadline            │ lost
//                       │   ICE restart        ▼                     ▼
//                       └──────────────── Interrupted ◀──────────────┘
//                                              │ restarts used up or refused, another node answers, or it asks for it
//                                              └──▶ a new PeerConnection, Offering
//
// Offers wait while signaling is away; media that still flows is left alone meanwhile. Signaling that comes back to a
// peer that is not connected has found a network: the peer looks for its way at once. Until then it looks alone: it
// restarts ICE towards the node's credentials of before, which the node answers whatever fragment a client names
// (docs/deviations/ice.md), so that sound does not wait for a socket. Where a browser takes no restart there is nothing
// to be done alone: the connection is kept, since it may come back, and replaced once signaling is there. So is one
// that the browser still takes for connected although nothing arrives: a restart would wait until it gives up the old way.

import { LineUse } from '@huitang/protocol';
import { preferredCodecs } from './codec_preference';
import type { SlotCounts, SourceKind } from './domain';
import type { Cancel, Environment } from './environment';
import { fingerprintOf, midsOf, planLines, type LinePlan } from './peer_lines';

/** An interruption may end by itself; after this long the peer restarts ICE. */
export const INTERRUPTION_GRACE_MS = 1_500;
/** From an answer to connected. */
export const CONNECT_DEADLINE_MS = 6_000;
/** The same after a restart that nobody was told of: the network may be another one by now. */
export const ALONE_DEADLINE_MS = 3_000;
/** Media whose way has healed arrives within this after signaling that healed with it. */
export const FLOW_GRACE_MS = 250;
/** After a browser would not switch layers. */
export const DEMAND_RETRY_MS = 1_000;
/** After a refused offer, when the refusal names no time itself. */
export const OFFER_RETRY_MS = 1_500;
/** ICE restarts in a row before the PeerConnection is thrown away. */
export const RESTART_LIMIT = 3;

export type PeerState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'offering' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected' }
  | { readonly kind: 'interrupted'; readonly since: number };

export interface OfferedLine {
  readonly mid: string;
  readonly use: LineUse;
  readonly index: number;
}

export interface PeerOffer {
  readonly sdp: string;
  readonly lines: readonly OfferedLine[];
  readonly newPeer: boolean;
}

export type OfferOutcome =
  | { readonly kind: 'answer'; readonly sdp: string }
  | { readonly kind: 'refused'; readonly retryAfterMs: number; readonly unusable: boolean }
  | { readonly kind: 'lost' };

/** The receiving ends by slot number. New ones come only with a new PeerConnection. */
export interface SlotReceivers {
  readonly audio: readonly RTCRtpReceiver[];
  readonly video: readonly RTCRtpReceiver[];
  readonly share: readonly RTCRtpReceiver[];
}

export interface PeerListener {
  peerChanged(state: PeerState): void;
  peerMade(receivers: SlotReceivers): void;
  sendOffer(offer: PeerOffer, done: (outcome: OfferOutcome) => void): void;
}

interface Line {
  readonly plan: LinePlan;
  readonly transceiver: RTCRtpTransceiver;
}

const SOURCE_USE: Readonly<Record<SourceKind, LineUse>> = {
  microphone: LineUse.MICROPHONE,
  camera: LineUse.CAMERA,
  screen: LineUse.SCREEN,
  screenAudio: LineUse.SCREEN_AUDIO,
};

export class MediaPeer {
  private state_: PeerState = { kind: 'idle' };
  private connection: RTCPeerConnection | undefined;
  private lines: Line[] = [];
  private timer: Cancel | undefined;
  private restarts = 0;
  private everOffered = false;
  private announceNewPeer = false;
  /** Counts negotiations; what an older one still brings is ignored. */
  private negotiation = 0;
  private offerWaits: 'none' | 'first' | 'restart' = 'none';
  private signalingUp = false;
  /** Of the certificate at the other end; it changes with the process. */
  private fingerprint: string | undefined;
  /** The last one that was taken. */
  private answer: string | undefined;
  /** The browser's word that it is connected is not believed until media has come. */
  private mustFlow = false;
  private readonly wanted = new Map<SourceKind, MediaStreamTrack | null>();
  private readonly replacing = new Set<Line>();
  /** Bits of layers that somebody watches, as told for this PeerConnection. */
  private readonly demands = new Map<SourceKind, number>();
  private readonly demanding = new Set<Line>();
  private readonly demandRetried = new Set<Line>();

  constructor(
    private readonly env: Environment,
    private readonly listener: PeerListener,
  ) {}

  get state(): PeerState {
    return this.state_;
  }

  /** Makes the PeerConnection (a new one if there was one) and offers it. */
  start(slots: SlotCounts): void {
    this.discard();
    this.restarts = 0;
    this.fingerprint = undefined;
    this.answer = undefined;
    this.announceNewPeer = this.everOffered;
    const connection = this.env.createPeerConnection();
    this.connection = connection;
    connection.addEventListener('connectionstatechange', () => this.handleConnectionState(connection));
    this.lines = planLines(slots).map((plan) => ({ plan, transceiver: this.addLine(connection, plan) }));
    for (const kind of this.wanted.keys()) void this.applyTrack(kind);
    this.listener.peerMade(this.receivers());
    this.negotiate('first');
  }

  /** The session that knew this peer is gone: the next offer is a first one. */
  forgetSession(): void {
    this.everOffered = false;
  }

  close(): void {
    this.discard();
    this.enter({ kind: 'idle' });
  }

  handleSignaling(up: boolean): void {
    const isBack = up && !this.signalingUp;
    this.signalingUp = up;
    if (!up) return;
    if (isBack) this.restarts = 0; // those before failed for want of a network
    if (this.offerWaits !== 'none') this.negotiate(this.offerWaits);
    else if (isBack && this.mustFlow) this.awaitFlow();
    else if (isBack && (this.state_.kind === 'interrupted' || this.state_.kind === 'connecting')) this.recover();
  }

  /** The node has lost sight of this peer: recover unless it comes back by itself. */
  handleNodeLostPeer(): void {
    if (this.state_.kind === 'connected') this.interrupt();
  }

  /** Nothing arrives any more, and nobody answers by signaling either: whatever ICE still believes, the way is gone. */
  handleWayLost(): void {
    if (this.state_.kind !== 'connected') return;
    this.stopTimer();
    this.mustFlow = true;
    this.enter({ kind: 'interrupted', since: this.env.clock.now() });
  }

  /** Signaling answers on the socket of before, so the network is that of before: the browser will notice what is not. */
  handleWayTrusted(): void {
    if (!this.mustFlow || this.connection === undefined) return;
    this.mustFlow = false;
    this.handleConnectionState(this.connection);
  }

  /** The network is said to be back, or another one. */
  handleNetwork(): void {
    if (!this.signalingUp && (this.state_.kind === 'interrupted' || this.state_.kind === 'connecting')) this.recover();
  }

  /** Something has arrived. */
  handleMedia(): void {
    if (!this.mustFlow || this.connection?.connectionState !== 'connected') return;
    this.mustFlow = false;
    this.handleConnectionState(this.connection);
  }

  setTrack(kind: SourceKind, track: MediaStreamTrack | null): void {
    this.wanted.set(kind, track);
    void this.applyTrack(kind);
  }

  /** The node says which layers of an own picture are watched: the others are not sent. */
  setDemand(kind: SourceKind, layers: number): void {
    this.demands.set(kind, layers);
    void this.applyDemand(kind);
  }

  async stats(): Promise<RTCStatsReport | undefined> {
    return this.connection?.getStats();
  }

  receivers(): SlotReceivers {
    const ofUse = (use: LineUse) => this.lines.filter((line) => line.plan.use === use).map((line) => line.transceiver.receiver);
    return { audio: ofUse(LineUse.AUDIO_SLOT), video: ofUse(LineUse.VIDEO_SLOT), share: ofUse(LineUse.SHARE_SLOT) };
  }

  private addLine(connection: RTCPeerConnection, plan: LinePlan): RTCRtpTransceiver {
    const transceiver = connection.addTransceiver(plan.kind, plan.init);
    const codecs = preferredCodecs(plan.kind, this.env.receiverCapabilities(plan.kind));
    // Firefox before 128 cannot prune; the offer is only longer then.
    if (codecs.length > 0 && typeof transceiver.setCodecPreferences === 'function') transceiver.setCodecPreferences(codecs);
    return transceiver;
  }

  private async applyTrack(kind: SourceKind): Promise<void> {
    const line = this.lines.find((candidate) => candidate.plan.use === SOURCE_USE[kind]);
    if (line === undefined || this.replacing.has(line)) return;
    this.replacing.add(line);
    try {
      const sender = line.transceiver.sender;
      for (let wanted = this.wanted.get(kind) ?? null; sender.track !== wanted; wanted = this.wanted.get(kind) ?? null) {
        await sender.replaceTrack(wanted);
      }
    } catch {
      // The connection was closed meanwhile; its successor applies the same wish.
    } finally {
      this.replacing.delete(line);
    }
  }

  private async applyDemand(kind: SourceKind): Promise<void> {
    const line = this.lines.find((candidate) => candidate.plan.use === SOURCE_USE[kind]);
    if (line === undefined || this.demanding.has(line)) return;
    this.demanding.add(line);
    const { sender } = line.transceiver;
    let applied: number | undefined;
    for (let layers = this.demands.get(kind); layers !== undefined && layers !== applied; layers = this.demands.get(kind)) {
      applied = layers;
      try {
        // What was read must be written back before anything else happens to the sender: no await in between.
        const parameters = sender.getParameters();
        if (demandEncodings(parameters.encodings, layers)) await sender.setParameters(parameters);
        this.demandRetried.delete(line);
      } catch {
        // The connection was closed meanwhile (its successor sends everything until it is told), or this browser
        // would not now: once more, and then again with the next word.
        this.retryDemand(kind, line);
      }
    }
    this.demanding.delete(line);
  }

  private retryDemand(kind: SourceKind, line: Line): void {
    if (this.demandRetried.delete(line)) return;
    this.demandRetried.add(line);
    this.env.clock.schedule(DEMAND_RETRY_MS, () => void this.applyDemand(kind));
  }

  private negotiate(what: 'first' | 'restart'): void {
    const connection = this.connection;
    if (connection === undefined) return;
    this.stopTimer();
    this.enter({ kind: 'offering' });
    if (!this.signalingUp) {
      this.offerWaits = what;
      return;
    }
    this.offerWaits = 'none';
    const negotiation = ++this.negotiation;
    void this.makeOffer(connection, what).then(
      (offer) => {
        if (negotiation === this.negotiation) this.listener.sendOffer(offer, (outcome) => this.handleOutcome(negotiation, connection, what, outcome));
      },
      () => {
        if (negotiation === this.negotiation) this.retryOffer(what, OFFER_RETRY_MS);
      },
    );
  }

  private async makeOffer(connection: RTCPeerConnection, what: 'first' | 'restart'): Promise<PeerOffer> {
    // A description from an offer that was never answered stands in the way of a restart in some browsers.
    if (connection.signalingState === 'have-local-offer') await connection.setLocalDescription({ type: 'rollback' });
    await connection.setLocalDescription(await connection.createOffer({ iceRestart: what === 'restart' }));
    const sdp = connection.localDescription?.sdp ?? '';
    return { sdp, lines: this.offeredLines(sdp), newPeer: this.announceNewPeer && what === 'first' };
  }

  private offeredLines(sdp: string): OfferedLine[] {
    const byMid = new Map(this.lines.map((line) => [line.transceiver.mid, line.plan]));
    return midsOf(sdp).map((mid) => {
      const plan = byMid.get(mid);
      return { mid, use: plan?.use ?? LineUse.UNSPECIFIED, index: plan?.index ?? 0 };
    });
  }

  private handleOutcome(negotiation: number, connection: RTCPeerConnection, what: 'first' | 'restart', outcome: OfferOutcome): void {
    if (negotiation !== this.negotiation) return;
    switch (outcome.kind) {
      case 'answer':
        this.everOffered = true;
        void this.acceptAnswer(negotiation, connection, what, outcome.sdp);
        return;
      case 'lost':
        this.offerWaits = what;
        if (this.signalingUp) this.negotiate(what);
        // It may have found its way by the path of before while the offer was out.
        else if (connection.connectionState === 'connected') this.handleConnectionState(connection);
        else if (what === 'restart') this.recover();
        return;
      case 'refused':
        if (outcome.unusable && what === 'restart') this.replace();
        else this.retryOffer(what, Math.max(outcome.retryAfterMs, OFFER_RETRY_MS));
    }
  }

  private async acceptAnswer(negotiation: number, connection: RTCPeerConnection, what: 'first' | 'restart', sdp: string): Promise<void> {
    const fingerprint = fingerprintOf(sdp);
    // The peer that knew our keys is gone; what answers now would wait for a handshake that never comes.
    if (what === 'restart' && fingerprint !== this.fingerprint) {
      this.replace();
      return;
    }
    try {
      await connection.setRemoteDescription({ type: 'answer', sdp });
    } catch {
      if (negotiation !== this.negotiation) return;
      if (what === 'restart') {
        this.replace();
      } else {
        this.restarts = RESTART_LIMIT;
        this.retryOffer('first', OFFER_RETRY_MS);
      }
      return;
    }
    if (negotiation !== this.negotiation) return;
    this.fingerprint = fingerprint;
    this.answer = sdp;
    this.enter({ kind: 'connecting' });
    this.timer = this.env.clock.schedule(CONNECT_DEADLINE_MS, () => this.recover());
    if (connection.connectionState === 'connected') this.handleConnectionState(connection);
  }

  /** An ICE restart that nobody is told of. */
  private restartAlone(connection: RTCPeerConnection, sdp: string): void {
    const negotiation = ++this.negotiation;
    this.offerWaits = 'none';
    this.stopTimer();
    this.enter({ kind: 'connecting' });
    this.timer = this.env.clock.schedule(ALONE_DEADLINE_MS, () => this.recover());
    void this.makeOffer(connection, 'restart')
      .then(() => (negotiation === this.negotiation ? connection.setRemoteDescription({ type: 'answer', sdp }) : undefined))
      .catch(() => undefined); // the deadline tries again
  }

  private retryOffer(what: 'first' | 'restart', delayMs: number): void {
    this.stopTimer();
    this.timer = this.env.clock.schedule(delayMs, () => (this.restarts >= RESTART_LIMIT ? this.replace() : this.negotiate(what)));
  }

  private handleConnectionState(connection: RTCPeerConnection): void {
    if (connection !== this.connection) return;
    const offerIsOut = this.state_.kind === 'offering' && this.offerWaits === 'none';
    if (offerIsOut) return;
    switch (connection.connectionState) {
      case 'connected':
        this.stopTimer();
        this.restarts = 0;
        this.offerWaits = 'none';
        this.mustFlow = false;
        this.enter({ kind: 'connected' });
        return;
      case 'disconnected':
        if (this.state_.kind === 'connected' || this.mustFlow) this.interrupt();
        return;
      case 'failed':
        this.mustFlow = false;
        // Alone the deadline tries again: without a network a restart fails in no time.
        if (this.signalingUp || this.state_.kind !== 'connecting') this.recover();
        return;
      case 'new':
      case 'connecting':
      case 'closed':
        return;
    }
  }

  private interrupt(): void {
    this.stopTimer();
    this.mustFlow = false;
    this.enter({ kind: 'interrupted', since: this.env.clock.now() });
    this.timer = this.env.clock.schedule(INTERRUPTION_GRACE_MS, () => this.recover());
  }

  private awaitFlow(): void {
    this.stopTimer();
    this.timer = this.env.clock.schedule(FLOW_GRACE_MS, () => this.signalingUp && this.replace());
  }

  private recover(): void {
    if (!this.signalingUp && this.connection !== undefined && this.answer !== undefined) {
      this.recoverAlone(this.connection, this.answer);
    } else if (this.restarts >= RESTART_LIMIT || !this.env.traits.restartsIce) {
      this.replace();
    } else {
      this.restarts++;
      this.negotiate('restart');
    }
  }

  private recoverAlone(connection: RTCPeerConnection, answer: string): void {
    if (this.env.traits.restartsIce) {
      this.restartAlone(connection, answer);
    } else {
      this.stopTimer();
      if (this.state_.kind !== 'interrupted') this.enter({ kind: 'interrupted', since: this.env.clock.now() });
    }
  }

  private replace(): void {
    const count = (use: LineUse) => this.lines.filter((line) => line.plan.use === use).length;
    const audio = count(LineUse.AUDIO_SLOT);
    this.start({ audio, video: count(LineUse.VIDEO_SLOT), share: count(LineUse.SHARE_SLOT), paired: audio });
  }

  private discard(): void {
    this.stopTimer();
    this.negotiation++;
    this.offerWaits = 'none';
    this.mustFlow = false;
    this.connection?.close();
    this.connection = undefined;
    this.lines = [];
    this.replacing.clear();
    this.demands.clear();
    this.demanding.clear();
  }

  private stopTimer(): void {
    this.timer?.();
    this.timer = undefined;
  }

  private enter(state: PeerState): void {
    if (state.kind === this.state_.kind && state.kind !== 'interrupted') return;
    this.state_ = state;
    this.listener.peerChanged(state);
  }
}

/** Switches encodings (lowest first) on and off; whether that changed any. */
function demandEncodings(encodings: readonly RTCRtpEncodingParameters[], layers: number): boolean {
  let changed = false;
  encodings.forEach((encoding, layer) => {
    const active = ((layers >> layer) & 1) === 1;
    changed ||= (encoding.active ?? true) !== active;
    encoding.active = active;
  });
  return changed;
}
