import type { FakePeerConnection} from '@huitang/client/testing';
import { World, fakeTrack, settle } from '@huitang/client/testing';
import type { Captured, CapturedScreen, Devices, SlotPlayer, SourceNumber } from '@huitang/client';
import { describe, expect, it } from 'vitest';
import { DeviceModel } from './device_model';
import { MeetingModel } from './meeting_model';

const NOTHING = () => undefined;

class FakeDevices implements Devices {
  readonly canShareScreen = true;
  readonly canChooseSpeaker = true;
  microphone: Captured = { kind: 'ok', track: fakeTrack('microphone') };
  camera: Captured = { kind: 'ok', track: fakeTrack('camera') };
  screen: CapturedScreen = { kind: 'ok', video: fakeTrack('screen'), audio: undefined };

  list = () => Promise.resolve([]);
  openBoth = () => Promise.resolve({ microphone: this.microphone, camera: this.camera });
  openMicrophone = () => Promise.resolve(this.microphone);
  openCamera = () => Promise.resolve(this.camera);
  openScreen = () => Promise.resolve(this.screen);
  onChange = () => NOTHING;
  measure = () => NOTHING;
  playTestTone = () => Promise.resolve();
}

class FakePlayer implements SlotPlayer {
  readonly listeners = new Map<string, (source: SourceNumber | undefined) => void>();
  use = NOTHING;
  setSpeaker = NOTHING;
  resume = NOTHING;
  onBlocked = NOTHING;
  close = NOTHING;

  attach(slot: { use: string; index: number }, _video: HTMLVideoElement, onSource: (source: SourceNumber | undefined) => void) {
    this.listeners.set(`${slot.use}-${slot.index}`, onSource);
    return NOTHING;
  }
}

const ME = { id: 'me', name: '我', joinedUnixMs: 1n, cameraOn: true, sources: [{ number: 1, kind: 1, active: true }, { number: 2, kind: 2, active: true }] };
const OTHER = { id: 'a', name: '甲', joinedUnixMs: 2n, cameraOn: true, sources: [{ number: 11, kind: 1, active: true }, { number: 12, kind: 2, active: true }] };

async function meeting() {
  const world = new World();
  const fakes = new FakeDevices();
  const kept = new Map<string, string>();
  const devices = new DeviceModel(fakes, { get: (key) => kept.get(key), set: (key, value) => void kept.set(key, value) });
  const player = new FakePlayer();
  const model = new MeetingModel(world.env, { number: '123456789', invite: '', language: 'zh-CN', client: 'test' }, devices, player);
  model.setStageSize({ width: 1280, height: 640 }, 2);
  model.start();
  await devices.open();
  const socket = world.server.welcome();
  await settle();
  socket.reply(socket.last('offer'), { case: 'answer', value: { sdp: 'answer' } });
  await settle();
  world.peer.enter('connected');
  model.join('我');
  socket.reply(socket.last('join'), { case: 'joined', value: { participantId: 'me', state: { number: 1n, conference: { number: '123456789' }, participants: [ME, OTHER] } } });
  await settle();
  const sent = () => socket.all('command').map((message) => (message.body.case === 'command' ? message.body.value.op : undefined));
  const done = () => {
    const last = socket.last('command');
    socket.reply(last, { case: 'commandDone', value: {} });
  };
  const trackOf = (peer: FakePeerConnection, line: number) => peer.transceivers[line]?.sender.track?.id ?? null;
  return { world, fakes, devices, player, model, socket, sent, done, trackOf };
}

describe('MeetingModel', () => {
  it('asks for the other’s camera in the size in which it is shown, and never for my own', async () => {
    const { socket, world } = await meeting();
    await world.clock.advance(500);
    const view = socket.last('setView')?.body;
    if (view?.case !== 'setView') throw new Error('no view');
    expect(view.value.slots.map((slot) => slot.show)).toEqual([{ case: 'source', value: 12 }]);
    expect(view.value.slots[0]?.width).toBeGreaterThan(1000);
  });

  it('wants no picture while its page is hidden', async () => {
    const { model, socket, world } = await meeting();
    model.setPageVisible(false);
    await world.clock.advance(500);
    const view = socket.last('setView')?.body;
    expect(view?.case === 'setView' && view.value.slots).toEqual([]);
  });

  it('takes its sound off the line at once when muted, and tells the conference', async () => {
    const { model, world, sent, trackOf } = await meeting();
    expect(trackOf(world.peer, 0)).toBe('microphone');
    model.toggleMicrophone();
    await settle();
    expect(trackOf(world.peer, 0)).toBeNull();
    expect(sent()).toMatchObject([{ case: 'setMicrophone', value: { on: false } }]);
  });

  it('keeps silent while the chair has muted it, and asks to be heard again when the person wants to', async () => {
    const { model, world, socket, sent, trackOf } = await meeting();
    socket.tell({ case: 'change', value: { number: 2n, participants: [{ ...ME, mutedByChair: true }], happening: { what: { case: 'muted', value: 'me' } } } });
    await settle();
    expect(trackOf(world.peer, 0)).toBeNull();
    expect(model.store.getState().notices.map((notice) => notice.text.key)).toContain('youWereMuted');
    model.toggleMicrophone();
    await settle();
    expect(sent()).toMatchObject([{ case: 'setMicrophone', value: { on: true } }]);
  });

  it('opens the microphone after the chair’s question only when the person agrees', async () => {
    const { model, world, socket, trackOf } = await meeting();
    socket.tell({ case: 'change', value: { number: 2n, participants: [{ ...ME, mutedBySelf: true }], happening: { what: { case: 'askedToUnmute', value: 'me' } } } });
    await settle();
    expect(model.store.getState().askedToUnmute).toBe(true);
    expect(trackOf(world.peer, 0)).toBeNull();
    model.setMicrophone(true);
    await settle();
    expect(trackOf(world.peer, 0)).toBe('microphone');
    expect(model.store.getState().askedToUnmute).toBe(false);
  });

  it('does not say that a microphone is open which could not be opened', async () => {
    const { model, devices, fakes, sent } = await meeting();
    model.setMicrophone(false);
    await settle();
    devices.store.setState({ microphone: { kind: 'closed' } });
    fakes.microphone = { kind: 'failed', error: 'busy' };
    model.setMicrophone(true);
    await settle();
    expect(devices.store.getState().microphone).toEqual({ kind: 'failed', error: 'busy' });
    expect(sent()).toMatchObject([{ case: 'setMicrophone', value: { on: false } }]);
  });

  it('knows which pictures are paused because the connection is too slow', async () => {
    const { model, socket } = await meeting();
    socket.tell({ case: 'pausedPictures', value: { pictures: [{ use: 6, index: 3, source: 7 }, { use: 7, index: 0, source: 9 }] } });
    expect([...model.store.getState().paused]).toEqual(['video-3', 'share-0']);
    socket.tell({ case: 'pausedPictures', value: { pictures: [] } });
    expect(model.store.getState().paused.size).toBe(0);
  });

  it('ends its share when somebody else’s stands in the way', async () => {
    const { model, world, socket, trackOf } = await meeting();
    await model.toggleShare();
    await settle();
    expect(trackOf(world.peer, 2)).toBe('screen');
    socket.reply(socket.last('command'), { case: 'refused', value: { code: 6 } });
    await settle();
    expect(trackOf(world.peer, 2)).toBeNull();
    expect(model.store.getState().share.kind).toBe('none');
    expect(model.store.getState().notices.map((notice) => notice.text)).toContainEqual({ key: 'refused', code: 'conflict' });
  });

  it('ends its share when the chair stops it', async () => {
    const { model, world, socket, done, trackOf } = await meeting();
    await model.toggleShare();
    await settle();
    socket.tell({ case: 'change', value: { number: 2n, participants: [{ ...ME, sharing: true }] } });
    done();
    expect(model.store.getState().share.kind).toBe('sharing');
    socket.tell({ case: 'change', value: { number: 3n, participants: [{ ...ME, sharing: false }], byParticipantId: 'a', happening: { what: { case: 'shareStopped', value: 'me' } } } });
    await settle();
    expect(model.store.getState().share.kind).toBe('none');
    expect(trackOf(world.peer, 2)).toBeNull();
  });

  it('names the picture by the picture', async () => {
    const { model, player } = await meeting();
    model.attach({ use: 'video', index: 0 }, undefined as unknown as HTMLVideoElement);
    player.listeners.get('video-0')?.(12);
    expect(model.store.getState().shown['video-0']).toBe(12);
  });

  it('stays in the meeting while it joins again after its session was lost', async () => {
    const { model, world, socket } = await meeting();
    const phases = new Set<string>();
    model.store.subscribe((state) => phases.add(state.phase.kind));
    socket.handlers.closed();
    expect(model.store.getState().connection).toBe('reconnecting');
    await world.clock.advance(1_000);
    const next = world.server.welcome(false);
    await settle();
    next.reply(next.last('join'), { case: 'joined', value: { participantId: 'me-2', state: { number: 9n, participants: [{ ...ME, id: 'me-2' }] } } });
    expect([...phases]).toEqual(['in']);
    expect(model.store.getState().meId).toBe('me-2');
  });

  it('says that it is back, forgets meanwhile who was speaking, and names a message that may be lost', async () => {
    const { model, world, socket } = await meeting();
    const notices = () => model.store.getState().notices.map((notice) => notice.text.key);
    model.sendChat('on its way', '');
    socket.handlers.closed();
    world.peer.enter('disconnected');
    expect(model.store.getState().talking.size).toBe(0);
    await world.clock.advance(1_010);
    const next = world.server.welcome(false);
    await settle();
    next.reply(next.last('join'), { case: 'joined', value: { participantId: 'me-2', state: { number: 9n, participants: [{ ...ME, id: 'me-2' }] } } });
    next.reply(next.last('offer'), { case: 'answer', value: { sdp: 'answer' } });
    await settle();
    expect(notices()).toEqual(['chatUnknown']);
    world.peer.enter('connected');
    expect(notices()).toEqual(['chatUnknown', 'backOnline']);
    expect(model.store.getState().connection).toBe('good');
  });

  it('reminds a muted person who is speaking', async () => {
    const { model, devices, world } = await meeting();
    model.setMicrophone(false);
    await settle();
    const listeners = (devices as unknown as { levelListeners: Set<(level: number) => void> }).levelListeners;
    for (let n = 0; n < 20; n++) {
      await world.clock.advance(50);
      for (const listener of listeners) listener(0.8);
    }
    expect(model.store.getState().notices.map((notice) => notice.text.key)).toContain('speakingWhileMuted');
  });
});
