// R9, its part for signaling: sequences of messages out of order – before Hello, twice, after the end, over cut sockets,
// with tokens old and new – from many sockets at once to a sanitized box with its consistency checks on, while its media
// process dies now and then. Seeded; a failing seed is printed, HUITANG_SEED repeats it.
import { DEEP, check, eventually, sleep, test } from '../../e2e/lib/runner.mjs';
import { HUITANG_SANITIZED, createConference, mediaPid, startServer } from '../../e2e/lib/server.mjs';
import { BINARY, CLOSE, PING, PONG, RawSocket, TEXT, address, frame, inviteOf, metrics } from '../lib/raw.mjs';
import { Witness, checkHealthy } from '../lib/witness.mjs';

const SECONDS = DEEP ? 600 : 12;
const SOCKETS = 10;

/** xorshift32: the same sequence for the same seed. */
function randomOf(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

class Vandal {
  constructor(server, rooms, random, n) {
    Object.assign(this, { server, rooms, random, n });
    this.tokens = [];
    this.socket = null;
    this.said = 0;
  }

  pick(list) {
    return list[this.random(list.length)];
  }

  person() {
    return `p${this.random(9)}`;
  }

  body() {
    const room = this.pick(this.rooms);
    const commandId = this.pick(['', 'a', 'b', `c${this.said}`]);
    const command = (op) => ({ command: { commandId, ...op } });
    return this.pick([
      () => ({ hello: { protocol: this.pick([0, 1, 1, 1, 2]), resumeToken: this.pick(['', ...this.tokens, 'e1.x.y']) } }),
      () => ({ hello: { protocol: 1, resumeToken: this.tokens.at(-1) ?? '' } }),
      () => ({ offer: { sdp: this.pick(['', 'v=0\r\n', 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n']), newPeer: this.random(2) === 0, number: room.number } }),
      () => ({ join: { number: this.pick([room.number, '899999999', 'x', '']), name: this.pick(['x', '', '名'.repeat(70)]), invite: this.pick(['', inviteOf(room.chairLink), 'e1.x.y']) } }),
      () => ({ join: { number: room.number, name: 'x', invite: inviteOf(room.chairLink) } }),
      () => ({ setView: { slots: [{ use: this.pick(['LINE_USE_VIDEO_SLOT', 'LINE_USE_AUDIO_SLOT', 99]), index: this.random(40), source: this.random(400), width: 640, height: 360 }, { use: 'LINE_USE_VIDEO_SLOT', index: 0, speaker: true }] } }),
      () => ({ resync: {} }),
      () => ({ ping: { at: '1' } }),
      () => command({ setMicrophone: { on: this.random(2) === 0 } }),
      () => command({ setCamera: { on: this.random(2) === 0 } }),
      () => command({ startShare: { withAudio: true } }),
      () => command({ stopShare: { participantId: this.pick(['', this.person()]) } }),
      () => command({ setHand: { up: true, participantId: this.pick(['', this.person()]) } }),
      () => command({ sendChat: { text: this.pick(['', 'hi', 'x'.repeat(5_000)]), toParticipantId: this.pick(['', this.person()]) } }),
      () => command({ muteOther: { participantId: this.person() } }),
      () => command({ askUnmute: { participantId: this.person() } }),
      () => command({ remove: { participantId: this.person() } }),
      () => command({ setLock: { locked: this.random(2) === 0 } }),
      () => command({ rename: { name: 'y' } }),
      () => command({ leave: {} }),
      () => command({}),
      () => (this.random(12) === 0 ? command({ end: {} }) : {}),
    ])();
  }

  async step() {
    if (!this.socket || this.socket.closed) {
      this.socket = await RawSocket.open(this.server, { from: address(10_000 + this.n * 50 + this.random(50)), compress: this.random(2) === 0 }).catch(() => null);
      if (!this.socket) return;
      this.socket.onMessage = (message) => message.welcome && this.tokens.push(message.welcome.resumeToken);
      if (this.random(5) > 0) this.socket.say({ id: 1, hello: { protocol: 1, resumeToken: this.random(3) === 0 ? '' : (this.tokens.at(-1) ?? '') } });
      return;
    }
    ++this.said;
    const { socket } = this;
    switch (this.random(24)) {
      case 0: return socket.cut();
      case 1: return void socket.stream.end();
      case 2: return socket.sendFrame(frame(CLOSE, Buffer.from([3, 232])));
      case 3: return socket.sendFrame(frame(this.pick([PING, PONG, BINARY]), 'x'));
      case 4: return socket.sendFrame(frame(TEXT, '{"id":1,', { fin: false }));
      case 5: return socket.sendFrame(frame(0, '"ping":{}}'));
      case 6: return socket.sendText(JSON.stringify({ id: 1, ...this.body() }).slice(0, this.random(60)));
      default: return socket.say({ id: this.random(1_000), ...this.body() });
    }
  }
}

test('R9: sequences of signaling out of order, over cut sockets and a dying media process, harm neither box nor others', async (t) => {
  const seed = Number(process.env.HUITANG_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.note(`seed ${seed}`);
  const random = randomOf(seed);
  const server = await startServer(t, { binary: HUITANG_SANITIZED });
  const witness = await Witness.start(t, server);
  const rooms = [await createConference(server, 'a'), await createConference(server, 'b')];
  const vandals = Array.from({ length: SOCKETS }, (_, n) => new Vandal(server, rooms, random, n));
  t.after(() => vandals.forEach((v) => v.socket?.cut()));
  let kills = 0;
  const began = Date.now();
  for (let turn = 1; Date.now() - began < SECONDS * 1000; ++turn) {
    for (const vandal of vandals) await vandal.step();
    await sleep(30);
    if (turn % 25 === 0) checkHealthy(server);
    // Rooms end by their own chairs; there are always two.
    if (turn % 60 === 0) rooms[random(2)] = await createConference(server, 'c').catch(() => rooms[0]);
    const media = turn % 150 === 0 ? mediaPid(server) : undefined;
    if (media !== undefined) {
      process.kill(media, 'SIGKILL');
      ++kills;
    }
  }
  const said = vandals.reduce((sum, v) => sum + v.said, 0);
  const { lines } = await witness.lostNothing();
  for (const v of vandals) v.socket?.cut();
  checkHealthy(server);
  await eventually(async () => (await metrics(server)).huitang_sockets_open <= 3, 'sockets are left over');
  const resumed = (await metrics(server)).huitang_sessions_resumed_total;
  check(resumed > 0, 'nothing was ever resumed: the sequences are too shallow');
  const ended = await server.child.stop(30_000);
  check(ended.code === 0, `serve ended with ${JSON.stringify(ended)} (seed ${seed}):\n${server.child.err.slice(-3000)}`);
  check(!/AddressSanitizer|LeakSanitizer|runtime error:/.test(server.child.err), `a report (seed ${seed}):\n${server.child.err.slice(-3000)}`);
  t.row('R9', `signaling: ${said} messages out of order over ${SOCKETS} sockets that come and go (seed ${seed}), ${resumed} resumes, ${kills} kills of the media process: no report, box consistent, ${lines} lines of others, none lost`);
}, { timeout: SECONDS * 1000 + 120_000 });
