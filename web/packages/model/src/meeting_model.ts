// One meeting of one person: takes what the client reports and what the person does, keeps the store that the pages
// show, and asks the node for exactly the pictures on the stage.

import {
  ConferenceClient,
  slotKey,
  unreachable,
  type Cancel,
  type Change,
  type ClientEvent,
  type ClientStatus,
  type Command,
  type Environment,
  type ReplicaSnapshot,
  type SlotCounts,
  type SlotId,
  type SlotPlayer,
  type SlotReceivers,
  type Speakers,
} from '@huitang/client';
import { createStore, type StoreApi } from 'zustand/vanilla';
import { textToSend, visibleTo } from './chat';
import type { DeviceModel, DeviceState } from './device_model';
import type { Size } from './geometry';
import { INITIAL_MEETING, meOf, type Connection, type MeetingState, type Panel, type Phase } from './meeting_state';
import { NoticeBoard, noticeOf, type NoticeText } from './notices';
import { compareSamples, sampleOf, type QualitySample } from './quality';
import { ownerOf, presentParticipants } from './roster';
import { SpeakingReminder } from './speaking_reminder';
import { planStage, viewOf, type LayoutChoice } from './stage';

export const QUALITY_INTERVAL_MS = 2_000;

export interface MeetingConfig {
  readonly number: string;
  readonly invite: string;
  readonly language: string;
  readonly client: string;
}

export class MeetingModel {
  readonly store: StoreApi<MeetingState>;
  private readonly client: ConferenceClient;
  private readonly board: NoticeBoard;
  private readonly reminder = new SpeakingReminder();
  private readonly subscriptions: Cancel[] = [];
  private area: Size = { width: 0, height: 0 };
  private pixelRatio = 1;
  private pageVisible = true;
  /** What the conference was last told of my own microphone and camera. */
  private told = { microphone: false, camera: false };
  private page = 0;
  private slots: SlotCounts = { audio: 0, video: 0, share: 0, paired: 0 };
  private trackSlots: ReadonlyMap<string, SlotId> = new Map();
  private lastSample: QualitySample | undefined;
  private stopQuality: Cancel | undefined;

  constructor(
    private readonly env: Environment,
    private readonly config: MeetingConfig,
    readonly devices: DeviceModel,
    private readonly player: SlotPlayer,
  ) {
    this.store = createStore<MeetingState>(() => INITIAL_MEETING);
    this.board = new NoticeBoard(env.clock, (notices) => this.set({ notices }));
    this.client = new ConferenceClient(env, { language: config.language, client: config.client, number: config.number }, (event) => this.handle(event));
    player.onBlocked((soundBlocked) => this.set({ soundBlocked }));
    player.setSpeaker(devices.store.getState().preferences.speakerId);
    this.subscriptions.push(devices.store.subscribe((now, before) => this.handleDevices(now, before)));
    this.subscriptions.push(devices.onLevel((level) => this.handleLevel(level)));
  }

  /** Opens signaling and the peer; done on the join page already. */
  start(): void {
    this.client.start();
  }

  join(name: string): void {
    const devices = this.devices.store.getState();
    this.devices.prefer({ name });
    this.set({ joinRefusal: undefined });
    this.player.resume();
    this.told = { microphone: devices.microphoneOn && devices.microphone.kind === 'open', camera: devices.cameraOn && devices.camera.kind === 'open' };
    this.client.join({ number: this.config.number, name, invite: this.config.invite, microphoneOn: this.told.microphone, cameraOn: this.told.camera });
    this.applyTracks();
  }

  leave(): void {
    this.client.leave();
  }

  /** The page goes away now. */
  leaveAtOnce(): void {
    this.client.leaveAtOnce();
  }

  networkIsBack(): void {
    this.client.networkIsBack();
  }

  toggleMicrophone(): void {
    this.setMicrophone(!this.isHeard());
  }

  setMicrophone(on: boolean): void {
    this.set({ askedToUnmute: false });
    // Also when the microphone was on already: it may be the chair's mute that is to end.
    if (on) this.told = { ...this.told, microphone: false };
    void this.devices.setMicrophone(on).then(() => this.tellDevices());
    this.applyTracks();
    this.tellDevices();
  }

  toggleCamera(): void {
    void this.devices.setCamera(!this.devices.store.getState().cameraOn);
  }

  dismissUnmuteQuestion(): void {
    this.set({ askedToUnmute: false });
  }

  async toggleShare(): Promise<void> {
    switch (this.state.share.kind) {
      case 'none':
        await this.startShare();
        return;
      case 'sharing':
        this.command({ kind: 'stopShare', id: '' });
        this.endShare();
        return;
      case 'starting':
        return;
      default:
        unreachable(this.state.share);
    }
  }

  toggleHand(): void {
    this.command({ kind: 'setHand', up: meOf(this.state)?.handUp !== true, id: '' });
  }

  lowerHand(id: string): void {
    this.command({ kind: 'setHand', up: false, id });
  }

  sendChat(typed: string, toId: string): boolean {
    const text = textToSend(typed);
    if (text === undefined) return false;
    this.command({ kind: 'sendChat', text, toId });
    return true;
  }

  muteOther(id: string): void {
    this.command({ kind: 'muteOther', id });
  }

  askUnmute(id: string): void {
    this.command({ kind: 'askUnmute', id });
  }

  remove(id: string): void {
    this.command({ kind: 'remove', id });
  }

  stopShareOf(id: string): void {
    this.command({ kind: 'stopShare', id });
  }

  toggleLock(): void {
    this.command({ kind: 'setLock', locked: this.state.conference?.locked !== true });
  }

  end(): void {
    this.command({ kind: 'end' });
  }

  showPanel(panel: Panel): void {
    this.set({ panel: this.state.panel === panel ? 'none' : panel });
    if (this.state.panel === 'chat') this.board.dismissWhere((text) => text.key === 'chat');
    this.markChatRead();
  }

  setLayout(layout: LayoutChoice): void {
    this.set({ layout, pinned: undefined });
    this.replan();
  }

  /** The same again takes it back. */
  pin(what: string): void {
    this.set({ pinned: this.state.pinned === what ? undefined : what });
    this.replan();
  }

  turnPage(step: 1 | -1): void {
    this.page = Math.min(Math.max(0, this.state.stage.page + step), this.state.stage.pages - 1);
    this.replan();
  }

  setHideSelf(hideSelf: boolean): void {
    this.devices.prefer({ hideSelf });
    this.replan();
  }

  setStageSize(area: Size, pixelRatio: number): void {
    this.area = area;
    this.pixelRatio = pixelRatio;
    this.replan();
  }

  setPageVisible(visible: boolean): void {
    this.pageVisible = visible;
    this.sendView();
  }

  resumeSound(): void {
    this.player.resume();
  }

  dismissNotice(id: number): void {
    this.board.dismiss(id);
  }

  tellLinkCopied(): void {
    this.board.add({ key: 'linkCopied' });
  }

  /** Shows a slot in an element for as long as it is on the page. */
  attach(slot: SlotId, video: HTMLVideoElement): Cancel {
    const key = slotKey(slot);
    return this.player.attach(slot, video, (source) => {
      if (this.state.shown[key] !== source) this.set({ shown: { ...this.state.shown, [key]: source } });
    });
  }

  close(): void {
    for (const unsubscribe of this.subscriptions) unsubscribe();
    this.stopQuality?.();
    this.player.close();
    this.devices.close();
    this.endShare();
  }

  private get state(): MeetingState {
    return this.store.getState();
  }

  private set(change: Partial<MeetingState>): void {
    this.store.setState(change);
  }

  private handle(event: ClientEvent): void {
    switch (event.kind) {
      case 'status':
        this.handleStatus(event.status);
        return;
      case 'replica':
        this.handleReplica(event.replica, event.change);
        return;
      case 'speakers':
        this.handleSpeakers(event.speakers);
        return;
      case 'joinRefused':
        this.set({ joinRefusal: event.refusal });
        return;
      case 'commandRefused':
        this.handleRefusedCommand(event.command, { key: 'refused', code: event.refusal.code });
        return;
      case 'notice':
        this.board.add({ key: 'refused', code: event.refusal.code }, 'warning');
        return;
      case 'slots':
        this.handleSlots(event.receivers);
        return;
      case 'roundTrip':
        this.set({ roundTripMs: event.ms });
        return;
      default:
        unreachable(event);
    }
  }

  private handleStatus(status: ClientStatus): void {
    const linkUp = status.link === 'ready';
    const peerUp = status.peer === 'connected';
    const phase = phaseOf(status, this.state.phase);
    const connection = connectionOf(this.state.connection, linkUp && peerUp);
    const isSame = this.state.phase.kind === phase.kind;
    this.set({ linkUp, peerUp, connection, ...(isSame ? {} : { phase }) });
    if (!isSame && phase.kind === 'in') this.handleEntered(status);
    if (!isSame && phase.kind === 'out') this.close();
  }

  private handleEntered(status: ClientStatus): void {
    if (status.state.kind === 'in') this.set({ meId: status.state.participantId });
    this.stopQuality?.();
    this.scheduleQuality();
    this.tellDevices();
    this.sendView();
  }

  private handleReplica(replica: ReplicaSnapshot, change: Change | undefined): void {
    const client = this.client.status.state;
    const meId = client.kind === 'in' ? client.participantId : this.state.meId;
    const names = new Map([...this.state.participants.map((participant) => [participant.id, participant] as const), ...replica.participants]);
    this.set({
      meId,
      conference: replica.conference,
      participants: presentParticipants(replica.participants.values()),
      chat: visibleTo(replica.chat, meId),
    });
    this.markChatRead();
    if (change !== undefined) {
      const text = noticeOf(change, names, meId);
      if (text !== undefined) this.board.add(text, text.key === 'youWereMuted' ? 'warning' : 'info');
      this.announceChat(change, meId);
      if (change.happening?.what === 'askedToUnmute' && change.happening.id === meId) this.handleAsked();
    }
    if (this.state.share.kind === 'sharing' && meOf(this.state)?.sharing === false) this.endShare();
    this.forgetLostPin();
    this.applyTracks();
    this.replan();
  }

  private announceChat(change: Change, meId: string): void {
    if (this.state.panel === 'chat') return;
    for (const message of visibleTo(change.chat, meId)) {
      if (message.fromId !== meId) this.board.add({ key: 'chat', name: message.fromName, text: message.text });
    }
  }

  private handleAsked(): void {
    // The question comes with the microphone closed.
    this.told = { ...this.told, microphone: false };
    void this.devices.setMicrophone(false);
    this.set({ askedToUnmute: true });
  }

  private handleSpeakers(speakers: Speakers): void {
    const { participants, meId, speakerId } = this.state;
    const talking = new Set(speakers.sources.flatMap((source) => ownerOf(participants, source)?.id ?? []));
    const active = speakers.active === 0 ? undefined : ownerOf(participants, speakers.active)?.id;
    const next = active === undefined || active === meId ? speakerId : active;
    this.set({ talking });
    if (next === speakerId) return;
    this.set({ speakerId: next });
    this.replan();
  }

  private handleRefusedCommand(command: Command, text: NoticeText): void {
    if (command.kind === 'startShare') this.endShare();
    if (command.kind !== 'leave') this.board.add(text, 'warning');
  }

  private handleSlots(receivers: SlotReceivers): void {
    this.slots = { audio: receivers.audio.length, video: receivers.video.length, share: receivers.share.length, paired: receivers.audio.length };
    const tracks = new Map<string, SlotId>();
    receivers.video.forEach((receiver, index) => tracks.set(receiver.track.id, { use: 'video', index }));
    receivers.share.forEach((receiver, index) => tracks.set(receiver.track.id, { use: 'share', index }));
    this.trackSlots = tracks;
    this.set({ shown: {} });
    this.player.use(receivers);
    this.replan();
  }

  private handleDevices(now: DeviceState, before: DeviceState): void {
    if (now.preferences.speakerId !== before.preferences.speakerId) this.player.setSpeaker(now.preferences.speakerId);
    if (now.preferences.hideSelf !== before.preferences.hideSelf) this.replan();
    if (now.microphone === before.microphone && now.camera === before.camera && now.microphoneOn === before.microphoneOn) return;
    this.applyTracks();
    this.tellDevices();
    if (now.camera !== before.camera) this.replan();
  }

  /** A device that is just opening counts as before, so that changing a camera does not blink. */
  private tellDevices(): void {
    if (this.state.phase.kind !== 'in') return;
    const { microphone, camera, microphoneOn, cameraOn } = this.devices.store.getState();
    const hears = microphoneOn && (microphone.kind === 'open' || (microphone.kind === 'opening' && this.told.microphone));
    const sees = cameraOn && (camera.kind === 'open' || (camera.kind === 'opening' && this.told.camera));
    const before = this.told;
    this.told = { microphone: hears, camera: sees };
    if (hears !== before.microphone) this.command({ kind: 'setMicrophone', on: hears });
    if (sees !== before.camera) this.command({ kind: 'setCamera', on: sees });
  }

  private handleLevel(level: number): void {
    const isOpenToOthers = this.state.phase.kind !== 'in' || this.isHeard();
    if (this.reminder.handleLevel(this.env.clock.now(), level, !isOpenToOthers)) this.board.add({ key: 'speakingWhileMuted' }, 'warning');
  }

  private isHeard(): boolean {
    const { microphoneOn, microphone } = this.devices.store.getState();
    return microphoneOn && microphone.kind === 'open' && meOf(this.state)?.mutedByChair !== true;
  }

  /** Tracks reach the node only while they are meant to be heard or seen; before joining nothing is sent. */
  private applyTracks(): void {
    const { microphone, camera, microphoneOn, cameraOn } = this.devices.store.getState();
    const isIn = this.state.phase.kind === 'in' || this.state.phase.kind === 'joining';
    const mayBeHeard = isIn && microphoneOn && meOf(this.state)?.mutedByChair !== true;
    this.client.setTrack('microphone', mayBeHeard && microphone.kind === 'open' ? microphone.track : null);
    this.client.setTrack('camera', isIn && cameraOn && camera.kind === 'open' ? camera.track : null);
  }

  private async startShare(): Promise<void> {
    this.set({ share: { kind: 'starting' } });
    const screen = await this.devices.openScreen();
    if (screen.kind !== 'ok') {
      this.set({ share: { kind: 'none' } });
      return;
    }
    const { video, audio } = screen;
    video.addEventListener('ended', () => this.handleShareEnded(video));
    this.client.setTrack('screen', video);
    this.client.setTrack('screenAudio', audio ?? null);
    this.command({ kind: 'startShare', withAudio: audio !== undefined }, () => {
      if (this.state.share.kind === 'starting') this.set({ share: { kind: 'sharing', video, audio } });
    });
  }

  /** By the browser's own "stop sharing" button. */
  private handleShareEnded(video: MediaStreamTrack): void {
    const { share } = this.state;
    if (share.kind === 'sharing' && share.video === video) void this.toggleShare();
  }

  private endShare(): void {
    const { share } = this.state;
    this.client.setTrack('screen', null);
    this.client.setTrack('screenAudio', null);
    if (share.kind === 'sharing') {
      share.video.stop();
      share.audio?.stop();
    }
    this.set({ share: { kind: 'none' } });
  }

  private command(command: Command, onDone: () => void = () => undefined): void {
    if (this.state.phase.kind !== 'in') return;
    this.client.command(command, (outcome) => {
      if (outcome.kind === 'done') onDone();
    });
  }

  private markChatRead(): void {
    const newest = this.state.chat[this.state.chat.length - 1];
    if (this.state.panel === 'chat' && newest !== undefined) this.set({ lastReadChat: newest.id });
  }

  private forgetLostPin(): void {
    const { pinned, participants } = this.state;
    if (pinned === undefined) return;
    const id = pinned.replace(/^share:/, '');
    const owner = participants.find((participant) => participant.id === id);
    if (owner === undefined || (pinned.startsWith('share:') && !owner.sharing)) this.set({ pinned: undefined });
  }

  private replan(): void {
    const { participants, meId, layout, pinned, speakerId, stage } = this.state;
    const devices = this.devices.store.getState();
    const plan = planStage({
      participants,
      meId,
      hideSelf: devices.preferences.hideSelf,
      layout,
      pinned,
      page: this.page,
      area: this.area,
      speakerId,
      previous: stage.assignment,
      videoSlots: this.slots.video,
      shareSlots: this.slots.share,
    });
    this.set({ stage: plan });
    this.sendView();
  }

  private sendView(): void {
    this.client.setView(viewOf(this.state.stage, this.pixelRatio, this.pageVisible));
  }

  private scheduleQuality(): void {
    this.stopQuality = this.env.clock.schedule(QUALITY_INTERVAL_MS, () => void this.measureQuality());
  }

  private async measureQuality(): Promise<void> {
    const report = await this.client.stats().catch(() => undefined);
    if (this.state.phase.kind !== 'in') return;
    if (report !== undefined) {
      const sample = sampleOf(report);
      this.set({ quality: compareSamples(this.lastSample, sample, this.trackSlots) });
      this.lastSample = sample;
    }
    this.scheduleQuality();
  }
}

function phaseOf(status: ClientStatus, before: Phase): Phase {
  switch (status.state.kind) {
    case 'lobby':
      return { kind: 'lobby' };
    case 'joining':
      // After a first success a join repeats only because the session was lost: the person stays in the meeting.
      return before.kind === 'in' ? before : { kind: 'joining' };
    case 'in':
      return { kind: 'in' };
    case 'out':
      return { kind: 'out', reason: status.state.reason };
    default:
      return unreachable(status.state);
  }
}

function connectionOf(before: Connection, isUp: boolean): Connection {
  if (isUp) return 'good';
  return before === 'connecting' ? 'connecting' : 'reconnecting';
}
