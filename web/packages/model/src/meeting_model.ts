// One meeting of one person: takes what the client reports and what the person does, keeps the store that the pages
// show, and asks the node for exactly the pictures on the stage. Parts with a life of their own stand apart:
// own_media.ts (what I send), stage.ts (what I see), quality_watch.ts, notices.ts, speaking_reminder.ts.

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
  type Refusal,
  type ReplicaSnapshot,
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
import { NoticeBoard, noticeOf } from './notices';
import { OwnMedia } from './own_media';
import { QualityWatch } from './quality_watch';
import { ownerOf, presentParticipants } from './roster';
import { SpeakingReminder } from './speaking_reminder';
import { planStage, viewOf, type LayoutChoice } from './stage';

export interface MeetingConfig {
  readonly number: string;
  readonly invite: string;
  readonly language: string;
  readonly client: string;
}

/** There is something to look after: it stays longer than other notices. */
const UNKNOWN_OUTCOME_LIFE_MS = 15_000;

interface Viewport {
  readonly area: Size;
  readonly pixelRatio: number;
  readonly pageVisible: boolean;
  /** Page of the gallery. */
  readonly page: number;
  readonly videoSlots: number;
  readonly shareSlots: number;
}

export class MeetingModel {
  readonly store: StoreApi<MeetingState>;
  private readonly client: ConferenceClient;
  private readonly own: OwnMedia;
  private readonly board: NoticeBoard;
  private readonly quality: QualityWatch;
  private readonly reminder = new SpeakingReminder();
  private readonly subscriptions: Cancel[] = [];
  private viewport: Viewport = { area: { width: 0, height: 0 }, pixelRatio: 1, pageVisible: true, page: 0, videoSlots: 0, shareSlots: 0 };

  constructor(
    private readonly env: Environment,
    private readonly config: MeetingConfig,
    readonly devices: DeviceModel,
    private readonly player: SlotPlayer,
  ) {
    this.store = createStore<MeetingState>(() => INITIAL_MEETING);
    this.board = new NoticeBoard(env.clock, (notices) => this.set({ notices }));
    this.client = new ConferenceClient(env, { language: config.language, client: config.client, number: config.number }, (event) => this.handle(event));
    this.quality = new QualityWatch(env.clock, () => this.client.stats(), (quality) => this.set({ quality }));
    this.own = new OwnMedia(devices, {
      isIn: () => this.state.phase.kind === 'in',
      isJoining: () => this.state.phase.kind === 'joining',
      mutedByChair: () => meOf(this.state)?.mutedByChair === true,
      command: (command, onDone) => this.command(command, onDone),
      setTrack: (kind, track) => this.client.setTrack(kind, track),
      shareChanged: (share) => this.set({ share }),
    });
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
    this.devices.prefer({ name });
    this.set({ joinRefusal: undefined });
    this.player.resume();
    const { microphone, camera } = this.own.beginJoin();
    this.client.join({ number: this.config.number, name, invite: this.config.invite, microphoneOn: microphone, cameraOn: camera });
    this.own.refresh();
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
    this.setMicrophone(!this.own.isHeard());
  }

  setMicrophone(on: boolean): void {
    this.set({ askedToUnmute: false });
    this.own.setMicrophone(on);
  }

  toggleCamera(): void {
    void this.devices.setCamera(!this.devices.store.getState().cameraOn);
  }

  dismissUnmuteQuestion(): void {
    this.set({ askedToUnmute: false });
  }

  toggleShare(): Promise<void> {
    return this.own.toggleShare();
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

  /** The same again closes it. */
  togglePanel(panel: Panel): void {
    this.showPanel(this.state.panel === panel ? 'none' : panel);
  }

  showPanel(panel: Panel): void {
    this.set({ panel });
    if (panel === 'chat') this.board.dismissWhere((text) => text.key === 'chat');
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
    const { page, pages } = this.state.stage;
    this.look({ page: Math.min(Math.max(0, page + step), pages - 1) });
  }

  setHideSelf(hideSelf: boolean): void {
    this.devices.prefer({ hideSelf });
  }

  setStageSize(area: Size, pixelRatio: number): void {
    this.look({ area, pixelRatio });
  }

  setPageVisible(pageVisible: boolean): void {
    this.look({ pageVisible });
  }

  resumeSound(): void {
    this.player.resume();
  }

  dismissNotice(id: number): void {
    this.board.dismiss(id);
  }

  /** What others open to come in; the chair's own with the token that makes them chair as well. */
  linkToShare(whose: 'participants' | 'chair', pageAddress: string): string {
    const link = this.state.conference?.link || pageAddress.replace(/[?#].*$/, '');
    return whose === 'chair' ? `${link}#invite=${this.config.invite}` : link;
  }

  /** Whether this page was opened by the chair's link: whoever was made chair later has no token to pass on. */
  hasChairLink(): boolean {
    return this.config.invite !== '';
  }

  tellLinkCopied(whose: 'participants' | 'chair'): void {
    this.board.add({ key: whose === 'chair' ? 'chairLinkCopied' : 'linkCopied' });
  }

  /** Shows a slot in an element for as long as it is on the page. */
  attach(slot: SlotId, video: HTMLVideoElement): Cancel {
    const key = slotKey(slot);
    return this.player.attach(slot, video, (source) => {
      if (this.state.shown[key] !== source) this.set({ shown: { ...this.state.shown, [key]: source } });
    });
  }

  private close(): void {
    for (const unsubscribe of this.subscriptions) unsubscribe();
    this.quality.stop();
    this.own.close();
    this.player.close();
    this.devices.close();
  }

  private get state(): MeetingState {
    return this.store.getState();
  }

  private set(change: Partial<MeetingState>): void {
    this.store.setState(change);
  }

  private command(command: Command, onDone: () => void = () => undefined): void {
    if (this.state.phase.kind !== 'in') return;
    this.client.command(command, (outcome) => {
      if (outcome.kind === 'done') onDone();
    });
  }

  // --- What the client reports

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
      case 'paused':
        this.set({ paused: new Set(event.pictures.map(slotKey)) });
        return;
      case 'joinRefused':
        this.set({ joinRefusal: event.refusal });
        return;
      case 'commandRefused':
        this.handleRefusedCommand(event.command, event.refusal);
        return;
      case 'commandUnknown':
        this.handleUnknownCommand(event.command);
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
    const isNew = this.state.phase.kind !== phase.kind;
    const before = this.state.connection;
    const connection = connectionOf(before, linkUp && peerUp);
    this.set({ linkUp, peerUp, connection, ...(isNew ? { phase } : {}) });
    // Whoever spoke last may be silent by now.
    if (connection === 'reconnecting' && !peerUp && this.state.talking.size > 0) this.set({ talking: new Set() });
    if (before === 'reconnecting' && connection === 'good' && phase.kind === 'in') this.board.add({ key: 'backOnline' });
    if (isNew && phase.kind === 'in') this.handleEntered();
    if (isNew && phase.kind === 'out') this.close();
  }

  private handleEntered(): void {
    this.quality.start();
    this.own.refresh();
    this.sendView();
  }

  private handleReplica(replica: ReplicaSnapshot, change: Change | undefined): void {
    const client = this.client.status.state;
    const meId = client.kind === 'in' ? client.participantId : this.state.meId;
    // Those who have just gone still have names.
    const names = new Map([...this.state.participants.map((participant) => [participant.id, participant] as const), ...replica.participants]);
    this.set({ meId, conference: replica.conference, participants: presentParticipants(replica.participants.values()), chat: visibleTo(replica.chat, meId) });
    this.markChatRead();
    if (change !== undefined) this.announce(change, names);
    if (this.own.share.kind === 'sharing' && meOf(this.state)?.sharing === false) this.own.endShare();
    this.forgetLostPin();
    this.own.refresh();
    this.replan();
  }

  private announce(change: Change, names: ReplicaSnapshot['participants']): void {
    const { meId, panel } = this.state;
    const text = noticeOf(change, names, meId);
    if (text !== undefined) this.board.add(text, text.key === 'youWereMuted' ? 'warning' : 'info');
    if (change.happening?.what === 'askedToUnmute' && change.happening.id === meId) {
      this.own.handleAskedToUnmute();
      this.set({ askedToUnmute: true });
    }
    if (panel === 'chat') return;
    for (const message of visibleTo(change.chat, meId)) {
      if (message.fromId !== meId) this.board.add({ key: 'chat', name: message.fromName, text: message.text });
    }
  }

  private handleSpeakers(speakers: Speakers): void {
    const { participants, meId, speakerId } = this.state;
    const talking = new Set(speakers.sources.flatMap((source) => ownerOf(participants, source)?.id ?? []));
    if (!sameMembers(talking, this.state.talking)) this.set({ talking });
    const active = speakers.active === 0 ? undefined : ownerOf(participants, speakers.active)?.id;
    if (active === undefined || active === meId || active === speakerId) return;
    this.set({ speakerId: active });
    this.replan();
  }

  private handleRefusedCommand(command: Command, refusal: Refusal): void {
    if (command.kind === 'startShare') this.own.endShare();
    if (command.kind !== 'leave') this.board.add({ key: 'refused', code: refusal.code }, 'warning');
  }

  private handleUnknownCommand(command: Command): void {
    if (command.kind === 'startShare') this.own.endShare();
    this.board.add({ key: command.kind === 'sendChat' ? 'chatUnknown' : 'commandUnknown' }, 'warning', UNKNOWN_OUTCOME_LIFE_MS);
  }

  private handleSlots(receivers: SlotReceivers): void {
    this.set({ shown: {}, paused: new Set() });
    this.quality.use(receivers);
    this.player.use(receivers);
    this.look({ videoSlots: receivers.video.length, shareSlots: receivers.share.length });
  }

  // --- What the person's devices report

  private handleDevices(now: DeviceState, before: DeviceState): void {
    if (now.preferences.speakerId !== before.preferences.speakerId) this.player.setSpeaker(now.preferences.speakerId);
    if (now.preferences.hideSelf !== before.preferences.hideSelf) this.replan();
  }

  private handleLevel(level: number): void {
    const isMuted = this.state.phase.kind === 'in' && !this.own.isHeard();
    if (this.reminder.handleLevel(this.env.clock.now(), level, isMuted)) this.board.add({ key: 'speakingWhileMuted' }, 'warning');
  }

  // --- What follows from it

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

  private look(change: Partial<Viewport>): void {
    this.viewport = { ...this.viewport, ...change };
    this.replan();
  }

  private replan(): void {
    const { participants, meId, layout, pinned, speakerId, stage } = this.state;
    const { hideSelf } = this.devices.store.getState().preferences;
    const { area, page, videoSlots, shareSlots } = this.viewport;
    const plan = planStage({ participants, meId, hideSelf, layout, pinned, speakerId, area, page, videoSlots, shareSlots, previous: stage.assignment });
    this.set({ stage: plan });
    this.sendView();
  }

  private sendView(): void {
    this.client.setView(viewOf(this.state.stage, this.viewport.pixelRatio, this.viewport.pageVisible));
  }
}

function sameMembers(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member));
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
