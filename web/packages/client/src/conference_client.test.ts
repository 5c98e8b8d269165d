import { LineUse, PeerState as WirePeerState, RefusalCode, SourceKind } from '@huitang/protocol';
import { describe, expect, it } from 'vitest';
import { ConferenceClient, type ClientEvent } from './conference_client';
import type { Command, JoinIntent } from './domain';
import { ALONE_DEADLINE_MS, CONNECT_DEADLINE_MS, FLOW_GRACE_MS, INTERRUPTION_GRACE_MS, RESTART_LIMIT } from './media_peer';
import { LOOK_INTERVAL_MS, LOOKS_OF_SILENCE } from './media_watch';
import { FRESH_ATTEMPT_MS, GREETING_DEADLINE_MS, PING_INTERVAL_MS, PROBE_LIMIT_MS, PROBE_SPREAD_MS, QUICK_ATTEMPTS, QUICK_REACH_DEADLINE_MS, REACH_DEADLINE_MS, SILENCE_LIMIT_MS, SLEEP_LIMIT_MS } from './signaling_link';
import type { FakeSocket } from './testing/fake_server';
import { settle } from './testing/virtual_clock';
import { fakeTrack, World } from './testing/world';

const INTENT: JoinIntent = { number: '123456789', name: '李建国', invite: 'chair', microphoneOn: true, cameraOn: false };

function setUp() {
  const world = new World();
  const events: ClientEvent[] = [];
  const client = new ConferenceClient(world.env, { language: 'zh-CN', client: 'test', number: INTENT.number }, (event) => events.push(event));
  return { world, client, events };
}

function ofKind<Kind extends ClientEvent['kind']>(events: readonly ClientEvent[], kind: Kind): Extract<ClientEvent, { kind: Kind }>[] {
  return events.filter((event): event is Extract<ClientEvent, { kind: Kind }> => event.kind === kind);
}

function answerOffer(socket: FakeSocket): void {
  socket.reply(socket.last('offer'), { case: 'answer', value: { sdp: 'answer' } });
}

function pong(socket: FakeSocket): void {
  socket.reply(socket.last('ping'), { case: 'pong', value: {} });
}

/** Until silence is noticed, and until a ping that follows has been waited for. */
const SILENCE_MS = LOOK_INTERVAL_MS * (LOOKS_OF_SILENCE + 1);
const DOUBT_MS = PROBE_LIMIT_MS + PROBE_SPREAD_MS;

function letIn(socket: FakeSocket, participantId = 'me', number = 7n): void {
  socket.reply(socket.last('join'), {
    case: 'joined',
    value: { participantId, state: { number, conference: { number: INTENT.number }, participants: [{ id: participantId, name: INTENT.name }] } },
  });
}

async function joined() {
  const set = setUp();
  set.client.start();
  const socket = set.world.server.welcome();
  await settle();
  answerOffer(socket);
  await settle();
  set.world.peer.enter('connected');
  set.client.join(INTENT);
  letIn(socket);
  await settle();
  return { ...set, socket };
}

describe('ConferenceClient before joining', () => {
  it('offers its peer as soon as it is welcome, with all lines at once in the agreed order', async () => {
    const { world, client } = setUp();
    client.start();
    const socket = world.server.welcome();
    await settle();
    const offer = socket.last('offer')?.body;
    if (offer?.case !== 'offer') throw new Error('no offer');
    const lines = offer.value.lines.map((line) => [line.use, line.index]);
    expect(lines.slice(0, 8)).toEqual([
      [LineUse.MICROPHONE, 0],
      [LineUse.CAMERA, 0],
      [LineUse.SCREEN, 0],
      [LineUse.SCREEN_AUDIO, 0],
      [LineUse.AUDIO_SLOT, 0],
      [LineUse.VIDEO_SLOT, 0],
      [LineUse.AUDIO_SLOT, 1],
      [LineUse.VIDEO_SLOT, 1],
    ]);
    expect(lines.slice(-3)).toEqual([
      [LineUse.VIDEO_SLOT, 15],
      [LineUse.SHARE_SLOT, 0],
      [LineUse.SHARE_SLOT, 1],
    ]);
    expect(lines).toHaveLength(28);
    expect(offer.value.number).toBe(INTENT.number);
    expect(offer.value.newPeer).toBe(false);
  });

  it('prunes the codecs of every line and sends the camera in three layers, lowest first', async () => {
    const { world, client } = setUp();
    client.start();
    world.server.welcome();
    await settle();
    const [microphone, camera] = world.peer.transceivers;
    expect(microphone?.codecs.map((codec) => codec.mimeType)).toEqual(['audio/opus', 'audio/red']);
    expect(camera?.codecs.map((codec) => codec.mimeType)).toEqual(['video/VP8', 'video/rtx']);
    expect(camera?.init.sendEncodings?.map((encoding) => [encoding.rid, encoding.scaleResolutionDownBy])).toEqual([
      ['q', 4],
      ['h', 2],
      ['f', 1],
    ]);
  });

  it('goes back to the lobby and says why when a join is refused', () => {
    const { world, client, events } = setUp();
    client.start();
    const socket = world.server.welcome();
    client.join(INTENT);
    socket.reply(socket.last('join'), { case: 'refused', value: { code: RefusalCode.LOCKED } });
    expect(client.status.state).toEqual({ kind: 'lobby' });
    expect(ofKind(events, 'joinRefused').map((event) => event.refusal.code)).toEqual(['locked']);
  });

  it('joins as soon as the link is up when the person was quicker', () => {
    const { world, client } = setUp();
    client.start();
    client.join(INTENT);
    expect(world.server.socket.all('join')).toHaveLength(0);
    const socket = world.server.welcome();
    expect(socket.all('join')).toHaveLength(1);
  });

  it('gives up a greeting that is not answered and tries again', async () => {
    const { world, client } = setUp();
    client.start();
    world.server.socket.handlers.opened();
    await world.clock.advance(GREETING_DEADLINE_MS + 10_000);
    expect(world.server.sockets.length).toBeGreaterThan(1);
  });

  it('waits as long as a refused greeting asks for', async () => {
    const { world, client } = setUp();
    client.start();
    const { socket } = world.server;
    socket.handlers.opened();
    socket.reply(socket.last('hello'), { case: 'refused', value: { code: RefusalCode.BOX_FULL, retryAfterSeconds: 20 } });
    await world.clock.advance(19_000);
    expect(world.server.sockets).toHaveLength(1);
    await world.clock.advance(6_000);
    expect(world.server.sockets).toHaveLength(2);
  });
});

describe('ConferenceClient in a conference', () => {
  it('applies changes in order and asks for the whole state once after a gap', async () => {
    const { socket, events } = await joined();
    socket.tell({ case: 'change', value: { number: 8n, participants: [{ id: 'a', name: 'A' }] } });
    socket.tell({ case: 'change', value: { number: 10n, participants: [{ id: 'c', name: 'C' }] } });
    socket.tell({ case: 'change', value: { number: 11n, participants: [{ id: 'd', name: 'D' }] } });
    expect(socket.all('resync')).toHaveLength(1);
    socket.reply(socket.last('resync'), { case: 'state', value: { number: 11n, participants: [{ id: 'me' }, { id: 'a' }, { id: 'c' }, { id: 'd' }] } });
    const replicas = ofKind(events, 'replica');
    expect([...(replicas[replicas.length - 1]?.replica.participants.keys() ?? [])]).toEqual(['me', 'a', 'c', 'd']);
  });

  it('ignores a change that it has seen already', async () => {
    const { socket, events } = await joined();
    const before = ofKind(events, 'replica').length;
    socket.tell({ case: 'change', value: { number: 7n, gone: ['me'] } });
    expect(ofKind(events, 'replica')).toHaveLength(before);
    expect(socket.all('resync')).toHaveLength(0);
  });

  it('attaches tracks without any further offer', async () => {
    const { world, client, socket } = await joined();
    const offers = socket.all('offer').length;
    const track = fakeTrack('camera');
    client.setTrack('camera', track);
    client.setTrack('screen', fakeTrack('screen'));
    await settle();
    expect(world.peer.transceivers[1]?.sender.track).toBe(track);
    expect(socket.all('offer')).toHaveLength(offers);
  });

  it('ends at the last wish when tracks change faster than the browser replaces them', async () => {
    const { world, client } = await joined();
    const track = fakeTrack('microphone');
    client.setTrack('microphone', track);
    client.setTrack('microphone', null);
    client.setTrack('microphone', track);
    client.setTrack('microphone', null);
    await settle();
    expect(world.peer.transceivers[0]?.sender.track).toBeNull();
  });

  it('sends the view whole, at most ten times a second, and nothing twice', async () => {
    const { world, client, socket } = await joined();
    const view = (source: number) => [{ use: 'video' as const, index: 0, show: { kind: 'source' as const, source }, width: 640, height: 360 }];
    const before = socket.all('setView').length;
    await world.clock.advance(200);
    for (let source = 1; source <= 20; source++) client.setView(view(source));
    client.setView(view(20));
    await world.clock.advance(99);
    expect(socket.all('setView').length - before).toBe(1);
    await world.clock.advance(500);
    expect(socket.all('setView').length - before).toBe(2);
    const last = socket.last('setView')?.body;
    expect(last?.case === 'setView' && last.value.slots[0]?.show).toEqual({ case: 'source', value: 20 });
  });

  it('reports a refused command with its code', async () => {
    const { client, socket, events } = await joined();
    client.command({ kind: 'muteOther', id: 'a' });
    socket.reply(socket.last('command'), { case: 'refused', value: { code: RefusalCode.NOT_CHAIR } });
    expect(ofKind(events, 'commandRefused').map((event) => event.refusal.code)).toEqual(['not_chair']);
  });

  it('leaves when it is told that it has left, and does not come back', async () => {
    const { world, client, socket } = await joined();
    socket.tell({ case: 'left', value: { reason: 2 } });
    expect(client.status.state).toEqual({ kind: 'out', reason: 'removed' });
    expect(world.peer.isClosed).toBe(true);
    await world.clock.advance(60_000);
    expect(world.server.sockets).toHaveLength(1);
  });

  it('says goodbye before it closes the socket', async () => {
    const { client, socket } = await joined();
    client.leave();
    const last = socket.last('command')?.body;
    expect(last?.case === 'command' && last.value.op.case).toBe('leave');
    expect(socket.isClosed).toBe(false);
    socket.reply(socket.last('command'), { case: 'commandDone', value: {} });
    expect(socket.isClosed).toBe(true);
  });
});

describe('ConferenceClient across a lost socket', () => {
  it('resumes with its newest token, asks for the state, repeats what was not answered, keeps the peer', async () => {
    const { world, client, socket } = await joined();
    const mute: Command = { kind: 'setMicrophone', on: false };
    client.command(mute);
    const sent = socket.last('command')?.body;
    socket.handlers.closed();
    await world.clock.advance(1_000);
    const next = world.server.welcome(true, 'token-2');
    const hello = next.last('hello')?.body;
    expect(hello?.case === 'hello' && hello.value.resumeToken).toBe('token-1');
    expect(next.all('resync')).toHaveLength(1);
    expect(next.all('join')).toHaveLength(0);
    const repeated = next.last('command')?.body;
    expect(repeated?.case === 'command' && sent?.case === 'command' && repeated.value.commandId === sent.value.commandId).toBe(true);
    expect(world.peers).toHaveLength(1);
    expect(next.all('setView')).toHaveLength(1);
  });

  it('joins again by itself with a new peer when the session is gone, as the person is now', async () => {
    const { world, client, socket } = await joined();
    client.command({ kind: 'setMicrophone', on: false });
    socket.handlers.closed();
    await world.clock.advance(1_000);
    const next = world.server.welcome(false);
    await settle();
    const join = next.last('join')?.body;
    expect(join?.case === 'join' && [join.value.name, join.value.invite, join.value.microphoneOn]).toEqual([INTENT.name, 'chair', false]);
    expect(world.peers).toHaveLength(2);
    const offer = next.last('offer')?.body;
    expect(offer?.case === 'offer' && offer.value.newPeer).toBe(false);
    letIn(next, 'me-2');
    expect(client.status.state.kind).toBe('in');
  });

  it('notices a socket that has gone silent', async () => {
    const { world } = await joined();
    await world.clock.advance(SILENCE_LIMIT_MS + 2 * PING_INTERVAL_MS + 1_000);
    expect(world.server.sockets.length).toBeGreaterThan(1);
  });

  it('spreads its retries and does not wait longer than a few seconds', async () => {
    const { world, socket } = await joined();
    world.server.reachable = false;
    socket.handlers.closed();
    await world.clock.advance(60_000);
    const tries = world.server.sockets.length - 1;
    expect(tries).toBeGreaterThan(40);
    expect(tries).toBeLessThan(80);
    await world.clock.advance(60_000);
    expect(world.server.sockets.length - 1 - tries, 'no hurry once the session is gone').toBeLessThan(30);
  });

  it('tries again at once when an attempt reaches nobody, so that it meets a network that has healed', async () => {
    const { world, socket } = await joined();
    socket.handlers.closed();
    await world.clock.advance(1_010);
    expect(world.server.sockets).toHaveLength(2);
    await world.clock.advance(QUICK_REACH_DEADLINE_MS);
    expect(world.server.sockets).toHaveLength(3);
    expect(world.server.sockets[1]?.isClosed).toBe(true);
  });

  it('gives up fewer sockets than a browser has patience with', async () => {
    const sockets = async (endsLostSockets: boolean) => {
      const { world, socket } = await joined();
      world.traits.endsLostSockets = endsLostSockets;
      socket.handlers.closed();
      await world.clock.advance(30_000);
      return world.server.sockets.length - 1;
    };
    expect(await sockets(true)).toBe(QUICK_ATTEMPTS + Math.ceil((29_000 - QUICK_ATTEMPTS * QUICK_REACH_DEADLINE_MS) / REACH_DEADLINE_MS));
    expect(await sockets(false)).toBe(Math.ceil(29_000 / REACH_DEADLINE_MS));
  });

  it('gives a server that was reached more time to greet', async () => {
    const { world, socket } = await joined();
    socket.handlers.closed();
    await world.clock.advance(1_010);
    world.server.socket.handlers.opened();
    await world.clock.advance(GREETING_DEADLINE_MS - 100);
    expect(world.server.sockets).toHaveLength(2);
  });

  it('tries at once when the network is said to be back, also in the middle of an attempt', async () => {
    const { world, client, socket } = await joined();
    socket.handlers.closed();
    client.networkIsBack();
    expect(world.server.sockets).toHaveLength(2);
    client.networkIsBack();
    expect(world.server.sockets, 'an attempt that has just begun is left alone').toHaveLength(2);
    await world.clock.advance(FRESH_ATTEMPT_MS);
    client.networkIsBack();
    expect(world.server.sockets).toHaveLength(3);
  });

  it('tries at once when media flows again', async () => {
    const { world, socket } = await joined();
    world.peer.enter('disconnected');
    socket.handlers.closed();
    world.peer.enter('connected');
    expect(world.server.sockets).toHaveLength(2);
  });

  it('tries a spare socket beside one that shows no sign of life after the network changed', async () => {
    const { world, client, socket } = await joined();
    client.command({ kind: 'sendChat', text: 'into the dead socket', toId: '' });
    client.networkIsBack();
    expect(socket.all('ping')).toHaveLength(1);
    await world.clock.advance(DOUBT_MS);
    expect(world.server.sockets).toHaveLength(2);
    expect(socket.isClosed).toBe(false);
    expect(client.status.link).toBe('ready');
    const spare = world.server.welcome(true, 'token-2');
    expect(socket.isClosed).toBe(true);
    const hello = spare.last('hello')?.body;
    expect(hello?.case === 'hello' && hello.value.resumeToken).toBe('token-1');
    expect(spare.all('command'), 'what was not answered is repeated').toHaveLength(1);
    client.networkIsBack();
    pong(spare);
    await world.clock.advance(DOUBT_MS);
    expect(world.server.sockets).toHaveLength(2);
  });

  it('stays with its socket when the server had only stood still', async () => {
    const { world, client, socket } = await joined();
    client.networkIsBack();
    await world.clock.advance(DOUBT_MS);
    const spare = world.server.socket;
    pong(socket);
    expect([socket.isClosed, spare.isClosed]).toEqual([false, true]);
    await world.clock.advance(REACH_DEADLINE_MS + 10);
    expect(world.server.sockets).toHaveLength(2);
    expect(client.status.link).toBe('ready');
  });

  it('gives both up when the spare one reaches nobody either', async () => {
    const { world, client, socket } = await joined();
    client.networkIsBack();
    await world.clock.advance(DOUBT_MS + QUICK_REACH_DEADLINE_MS);
    expect(socket.isClosed).toBe(true);
    expect(world.server.sockets).toHaveLength(3);
  });

  it('stays with its socket for a while when a server refuses the spare one, and leaves it to chance then', async () => {
    const { world, client, socket } = await joined();
    client.networkIsBack();
    await world.clock.advance(DOUBT_MS);
    world.server.socket.handlers.closed();
    expect([client.status.link, socket.isClosed]).toEqual(['ready', false]);
    await world.clock.advance(QUICK_REACH_DEADLINE_MS);
    expect(client.status.link).toBe('waiting');
    expect(world.server.sockets).toHaveLength(2);
  });

  it('does not doubt a slow way again and again because everybody has gone quiet', async () => {
    const { world, client, socket } = await joined();
    await world.hear(2_000);
    // Each answer takes a second, and nobody talks.
    for (let answered = 0, passed = 0; passed < 20; passed++) {
      const pings = socket.all('ping');
      await world.clock.advance(1_000);
      for (; answered < pings.length; answered++) socket.reply(pings[answered], { case: 'pong', value: {} });
    }
    expect(world.server.sockets.length, 'with spare ones').toBeLessThanOrEqual(3);
    expect([client.status.link, client.status.peer, socket.isClosed]).toEqual(['ready', 'connected', false]);
  });

  it('asks for a sign of life as soon as nothing arrives any more, and does not hurry when it is away', async () => {
    const { world, socket } = await joined();
    await world.hear(2_000);
    expect(socket.all('ping')).toHaveLength(0);
    await world.clock.advance(SILENCE_MS);
    expect(socket.all('ping')).toHaveLength(1);
    pong(socket);
    await world.hear(1_500);
    socket.handlers.closed();
    await world.clock.advance(SILENCE_MS);
    expect(world.server.sockets, 'a thousand clients may have lost the server and their talker').toHaveLength(1);
  });

  it('asks for a sign of life after the machine slept, and does not take the sleep for silence', async () => {
    const { world, socket } = await joined();
    await world.clock.sleep(PING_INTERVAL_MS + SLEEP_LIMIT_MS + 40_000);
    expect(world.server.sockets).toHaveLength(1);
    pong(socket);
    await world.clock.advance(DOUBT_MS);
    expect(world.server.sockets).toHaveLength(1);
    await world.clock.sleep(40_000);
    await world.clock.advance(DOUBT_MS);
    expect(world.server.sockets).toHaveLength(2);
  });

  it('sends nothing twice to another session and says what may have been lost', async () => {
    const { world, client, socket, events } = await joined();
    const outcomes: string[] = [];
    client.command({ kind: 'sendChat', text: 'on its way', toId: '' }, (outcome) => outcomes.push(outcome.kind));
    client.command({ kind: 'setHand', up: true, id: '' });
    socket.handlers.closed();
    client.command({ kind: 'sendChat', text: 'typed meanwhile', toId: '' });
    await world.clock.advance(1_010);
    const next = world.server.welcome(false);
    letIn(next, 'me-2');
    const ops = next.all('command').map((message) => (message.body.case === 'command' ? message.body.value.op : undefined));
    expect(ops.map((op) => op?.case)).toEqual(['setHand', 'sendChat']);
    expect(ops[1]?.case === 'sendChat' && ops[1].value.text).toBe('typed meanwhile');
    expect(outcomes).toEqual(['unknown']);
    expect(ofKind(events, 'commandUnknown').map((event) => event.command.kind)).toEqual(['sendChat']);
  });

  it('joins again when the session goes on but its place in the conference is gone', async () => {
    const { world, client, socket } = await joined();
    socket.handlers.closed();
    await world.clock.advance(1_010);
    const next = world.server.welcome(true);
    next.reply(next.last('resync'), { case: 'refused', value: { code: RefusalCode.NOT_IN } });
    expect(next.all('join')).toHaveLength(1);
    letIn(next, 'me-2');
    expect(client.status.state.kind).toBe('in');
    expect(world.peers).toHaveLength(1);
  });

  it('does not come back when it is told on its return that it was removed', async () => {
    const { world, client, socket } = await joined();
    socket.handlers.closed();
    await world.clock.advance(1_010);
    const next = world.server.welcome(true);
    next.tell({ case: 'left', value: { reason: 2 } });
    expect(client.status.state).toEqual({ kind: 'out', reason: 'removed' });
    expect(next.all('join')).toHaveLength(0);
  });

  it('begins anew by itself on the join page when the server has forgotten the session', async () => {
    const { world, client } = setUp();
    client.start();
    world.server.welcome().handlers.closed();
    await world.clock.advance(1_010);
    const next = world.server.welcome(false);
    await settle();
    expect(next.all('offer')).toHaveLength(1);
    expect(next.all('join')).toHaveLength(0);
    answerOffer(next);
    await settle();
    world.peer.enter('connected');
    client.join(INTENT);
    letIn(next);
    expect(client.status).toEqual({ state: { kind: 'in', intent: INTENT, participantId: 'me' }, link: 'ready', peer: 'connected' });
  });

  it('keeps only the newest of wishes that name a state while it is away', async () => {
    const { world, client, socket } = await joined();
    socket.handlers.closed();
    for (const on of [false, true, false, true]) client.command({ kind: 'setMicrophone', on });
    client.command({ kind: 'sendChat', text: 'a', toId: '' });
    client.command({ kind: 'sendChat', text: 'b', toId: '' });
    await world.clock.advance(1_000);
    const next = world.server.welcome(true);
    const ops = next.all('command').map((message) => (message.body.case === 'command' ? message.body.value.op.case : undefined));
    expect(ops).toEqual(['setMicrophone', 'sendChat', 'sendChat']);
  });
});

describe('MediaPeer recovery', () => {
  it('restarts ICE when an interruption does not end by itself', async () => {
    const { world, socket } = await joined();
    world.peer.enter('disconnected');
    pong(socket);
    await world.clock.advance(INTERRUPTION_GRACE_MS + 10);
    expect(world.peers).toHaveLength(1);
    expect(world.peer.offers.map((offer) => offer.iceRestart)).toEqual([false, true]);
    expect(socket.all('offer')).toHaveLength(2);
  });

  it('leaves an interruption alone that ends in time', async () => {
    const { world, socket } = await joined();
    world.peer.enter('disconnected');
    await world.clock.advance(INTERRUPTION_GRACE_MS / 2);
    world.peer.enter('connected');
    await world.clock.advance(10_000);
    expect(socket.all('offer')).toHaveLength(1);
  });

  it('throws the peer away after a few restarts in vain, and says that the next one is new', async () => {
    const { world, socket } = await joined();
    world.peer.enter('failed');
    for (let n = 0; n < RESTART_LIMIT; n++) {
      await settle();
      answerOffer(socket);
      await world.clock.advance(CONNECT_DEADLINE_MS + 10);
      socket.tell({ case: 'speakers', value: {} });
    }
    expect(world.peers).toHaveLength(2);
    const offer = socket.last('offer')?.body;
    expect(offer?.case === 'offer' && offer.value.newPeer).toBe(true);
  });

  it('makes a new peer when the node asks for it, with the same tracks', async () => {
    const { world, client, socket } = await joined();
    const track = fakeTrack('microphone');
    client.setTrack('microphone', track);
    await settle();
    socket.tell({ case: 'peerChanged', value: { state: WirePeerState.CONNECTED, pleaseReconnect: true } });
    await settle();
    expect(world.peers).toHaveLength(2);
    expect(world.peer.transceivers[0]?.sender.track).toBe(track);
  });

  it('restarts alone while signaling is away, and by an offer when that is back first', async () => {
    const { world, client, socket } = await joined();
    socket.handlers.closed();
    world.peer.enter('failed');
    await settle();
    expect(world.peer.offers.map((offer) => offer.iceRestart)).toEqual([false, true]);
    expect(world.peer.answers, 'the node answers by its credentials of before').toEqual(['answer', 'answer']);
    await world.clock.advance(1_000);
    const next = world.server.welcome(true);
    await settle();
    expect(next.all('offer')).toHaveLength(1);
    expect(world.peer.offers.map((offer) => offer.iceRestart)).toEqual([false, true, true]);
    answerOffer(next);
    await settle();
    world.peer.enter('connected');
    expect(client.status.peer).toBe('connected');
    expect(world.peers).toHaveLength(1);
  });

  it('needs no signaling to come back, and brings the link along', async () => {
    const { world, client, socket } = await joined();
    socket.handlers.closed();
    await world.clock.advance(1_000 + FRESH_ATTEMPT_MS);
    world.peer.enter('disconnected');
    await world.clock.advance(INTERRUPTION_GRACE_MS);
    const before = world.server.sockets.length;
    world.peer.enter('connected');
    expect(client.status.peer).toBe('connected');
    expect(world.server.sockets).toHaveLength(before + 1);
    const next = world.server.welcome(true);
    await settle();
    expect(next.all('offer')).toHaveLength(0);
  });

  it('tries alone again and again, slowly, and at once when the network is said to be another one', async () => {
    const { world, client, socket } = await joined();
    socket.handlers.closed();
    world.server.reachable = false;
    world.peer.enter('failed');
    for (let n = 0; n < 20; n++) {
      world.peer.enter('failed');
      await world.clock.advance(50);
    }
    expect(world.peer.offers).toHaveLength(2);
    await world.clock.advance(ALONE_DEADLINE_MS * (RESTART_LIMIT + 1));
    expect(world.peer.offers).toHaveLength(2 + RESTART_LIMIT + 1);
    expect(world.peers).toHaveLength(1);
    client.networkIsBack();
    await settle();
    expect(world.peer.offers).toHaveLength(3 + RESTART_LIMIT + 1);
  });

  it('makes a new peer when signaling had to find another way and no media follows, whatever the browser says', async () => {
    const { world, client } = await joined();
    await world.hear(2_000);
    await world.clock.advance(SILENCE_MS + DOUBT_MS);
    expect(client.status.peer).toBe('interrupted');
    const spare = world.server.welcome(true);
    await world.clock.advance(FLOW_GRACE_MS);
    expect(world.peers).toHaveLength(2);
    const offer = spare.last('offer')?.body;
    expect(offer?.case === 'offer' && offer.value.newPeer).toBe(true);
  });

  it('keeps a peer whose media is back with signaling', async () => {
    const { world, client } = await joined();
    await world.hear(2_000);
    await world.clock.advance(SILENCE_MS + DOUBT_MS);
    const spare = world.server.welcome(true);
    await world.hear(FLOW_GRACE_MS);
    expect(client.status.peer).toBe('connected');
    expect(world.peers).toHaveLength(1);
    expect(spare.all('offer')).toHaveLength(0);
  });

  it('restarts alone when the browser notices, too, that the way is lost', async () => {
    const { world } = await joined();
    await world.hear(2_000);
    await world.clock.advance(SILENCE_MS + DOUBT_MS);
    world.peer.enter('disconnected');
    await world.clock.advance(INTERRUPTION_GRACE_MS);
    expect(world.peer.offers.map((offer) => offer.iceRestart)).toEqual([false, true]);
    expect(world.peers).toHaveLength(1);
  });

  it('leaves everything as it is when a server stood still while nobody talked', async () => {
    const { world, client, socket } = await joined();
    await world.hear(2_000);
    await world.clock.advance(SILENCE_MS + DOUBT_MS);
    pong(socket);
    expect(client.status.peer).toBe('connected');
    await world.clock.advance(3_000);
    expect(world.peers).toHaveLength(1);
    expect(socket.all('offer')).toHaveLength(1);
  });

  it('leaves a peer alone that has fallen silent when signaling is there', async () => {
    const { world, client, socket } = await joined();
    await world.hear(2_000);
    await world.clock.advance(SILENCE_MS);
    pong(socket);
    await world.clock.advance(3_000);
    expect(world.peer.offers).toHaveLength(1);
    expect(client.status.peer).toBe('connected');
  });

  describe('where the browser takes no ICE restart', () => {
    async function joinedThere() {
      const set = await joined();
      set.world.traits.restartsIce = false;
      return set;
    }

    it('keeps the connection until signaling is back and replaces it then, without asking twice', async () => {
      const { world, socket } = await joinedThere();
      socket.handlers.closed();
      world.peer.enter('failed');
      await settle();
      expect(world.peer.offers).toHaveLength(1);
      await world.clock.advance(1_010);
      const next = world.server.welcome(true);
      await settle();
      expect(world.peers).toHaveLength(2);
      const offer = next.last('offer')?.body;
      expect(offer?.case === 'offer' && offer.value.newPeer).toBe(true);
      expect(next.all('offer')).toHaveLength(1);
    });

    it('keeps a connection that comes back by itself before', async () => {
      const { world, client } = await joinedThere();
      await world.hear(2_000);
      await world.clock.advance(SILENCE_MS + DOUBT_MS);
      expect(client.status.peer).toBe('interrupted');
      await world.hear(LOOK_INTERVAL_MS);
      expect(client.status.peer).toBe('connected');
      const spare = world.server.welcome(true);
      await settle();
      expect(spare.all('offer')).toHaveLength(0);
      expect(world.peers).toHaveLength(1);
    });
  });

  it('looks for its way at once when signaling is back before it is', async () => {
    const { world, socket } = await joined();
    socket.handlers.closed();
    world.peer.enter('disconnected');
    await world.clock.advance(1_010);
    const next = world.server.welcome(true);
    await settle();
    expect(next.all('offer')).toHaveLength(1);
    expect(world.peers).toHaveLength(1);
  });

  it('leaves a connected peer alone when signaling is back', async () => {
    const { world, socket } = await joined();
    socket.handlers.closed();
    await world.clock.advance(1_010);
    const next = world.server.welcome(true);
    await settle();
    expect(next.all('offer')).toHaveLength(0);
  });

  it('is connected when it finds its way while its offer was lost with the socket', async () => {
    const { world, client, socket } = await joined();
    world.peer.enter('disconnected');
    pong(socket);
    await world.clock.advance(INTERRUPTION_GRACE_MS + 10);
    world.peer.enter('connected');
    expect(client.status.peer).toBe('offering');
    socket.handlers.closed();
    expect(client.status.peer).toBe('connected');
  });

  it('replaces the peer at once when a restart is refused or another certificate answers', async () => {
    for (const body of [
      { case: 'refused' as const, value: { code: RefusalCode.BAD_SDP } },
      { case: 'answer' as const, value: { sdp: 'a=fingerprint:sha-256 AA:BB\r\n' } },
    ]) {
      const { world, socket } = await joined();
      world.peer.enter('failed');
      await settle();
      socket.reply(socket.last('offer'), body);
      await settle();
      expect(world.peers).toHaveLength(2);
      const offer = socket.last('offer')?.body;
      expect(offer?.case === 'offer' && offer.value.newPeer).toBe(true);
    }
  });

  it('keeps the peer when a restart is refused for a reason that passes', async () => {
    const { world, socket } = await joined();
    world.peer.enter('failed');
    await settle();
    socket.reply(socket.last('offer'), { case: 'refused', value: { code: RefusalCode.CONFLICT, retryAfterSeconds: 1 } });
    await world.clock.advance(2_000);
    expect(world.peers).toHaveLength(1);
    expect(socket.all('offer')).toHaveLength(3);
  });

  it('offers again after a while when the node is not there', async () => {
    const { world, client } = setUp();
    client.start();
    const socket = world.server.welcome();
    await settle();
    socket.reply(socket.last('offer'), { case: 'refused', value: { code: RefusalCode.MEDIA_UNAVAILABLE, retryAfterSeconds: 3 } });
    await world.clock.advance(2_900);
    expect(socket.all('offer')).toHaveLength(1);
    await world.clock.advance(200);
    expect(socket.all('offer')).toHaveLength(2);
  });

  it('does not offer in a tight circle when the browser takes no answer', async () => {
    const { world, client } = setUp();
    client.start();
    const socket = world.server.welcome();
    await settle();
    for (let n = 0; n < 40; n++) {
      world.peer.refusesAnswers = true;
      answerOffer(socket);
      await world.clock.advance(100);
    }
    expect(socket.all('offer').length).toBeLessThan(5);
  });
});

describe('layers that nobody watches', () => {
  const activeLayers = (world: World) => world.peer.transceivers[1]?.sender.encodings.map((encoding) => encoding.active ?? true);
  const demand = (socket: FakeSocket, layers: number) => socket.tell({ case: 'sourceDemand', value: { kind: SourceKind.CAMERA, layers } });

  it('are not sent, and are again when they are watched', async () => {
    const { world, socket } = await joined();
    expect(activeLayers(world)).toEqual([true, true, true]);
    demand(socket, 0b001);
    await settle();
    expect(activeLayers(world)).toEqual([true, false, false]);
    demand(socket, 0b101);
    await settle();
    expect(activeLayers(world)).toEqual([true, false, true]);
    expect(world.peer.transceivers[2]?.sender.changes).toBe(0);
  });

  it('follow the last word when one comes while the one before is being applied', async () => {
    const { world, socket } = await joined();
    demand(socket, 0b001);
    demand(socket, 0b111);
    demand(socket, 0b011);
    await settle();
    expect(activeLayers(world)).toEqual([true, true, false]);
  });

  it('are tried again with the next word when a browser refuses', async () => {
    const { world, socket } = await joined();
    const sender = world.peer.transceivers[1]?.sender;
    if (sender) sender.refusals = 1;
    demand(socket, 0b001);
    await settle();
    expect(activeLayers(world)).toEqual([true, true, true]);
    demand(socket, 0b011);
    await settle();
    expect(activeLayers(world)).toEqual([true, true, false]);
  });

  it('change nothing when told what is so already', async () => {
    const { world, socket } = await joined();
    demand(socket, 0b111);
    await settle();
    expect(world.peer.transceivers[1]?.sender.changes).toBe(0);
  });

  it('are all sent by a new PeerConnection until it is told', async () => {
    const { world, socket } = await joined();
    demand(socket, 0b001);
    await settle();
    socket.tell({ case: 'peerChanged', value: { state: WirePeerState.FAILED, pleaseReconnect: true } });
    await settle();
    expect(world.peers).toHaveLength(2);
    expect(activeLayers(world)).toEqual([true, true, true]);
  });
});
