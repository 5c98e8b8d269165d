// R12: what is too large, too deep, too many or not text is refused with the right code; nothing grows by it, and
// people in the same box notice nothing.
import crypto from 'node:crypto';
import zlib from 'node:zlib';
import { DEEP, check, sleep, test } from '../../e2e/lib/runner.mjs';
import { HUITANG, HUITANG_SANITIZED, createConference, startServer } from '../../e2e/lib/server.mjs';
import { BINARY, CLOSE, PING, RawSocket, TEXT, address, ask, callApi, deflated, exchange, frame, residentBytes } from '../lib/raw.mjs';
import { Witness, checkHealthy } from '../lib/witness.mjs';

const MB = 1024 * 1024;

/** HTTP as bytes: what → {send, status}. 0: closed without an answer. */
function brokenRequests(host) {
  const head = (line, ...fields) => [line, ...fields, '', ''].join('\r\n');
  const own = `Host: ${host}`;
  const post = (body, ...fields) => head('POST /huitang.v1.ConferenceService/CreateConference HTTP/1.1', own, 'Content-Type: application/json', ...fields) + body;
  return {
    'an address of 20 kB': { send: head(`GET /${'a'.repeat(20_000)} HTTP/1.1`, own), status: [431] },
    'a field of 20 kB': { send: head('GET / HTTP/1.1', own, `X-Big: ${'a'.repeat(20_000)}`), status: [431] },
    'a cookie of 15 kB': { send: head('GET /healthz HTTP/1.1', own, 'Connection: close', `Cookie: a=${'b'.repeat(15_000)}`), status: [200] },
    '150 fields': { send: head('GET / HTTP/1.1', own, ...Array.from({ length: 150 }, (_, i) => `X-${i}: 1`)), status: [431] },
    '3000 fields': { send: head('GET / HTTP/1.1', own, ...Array.from({ length: 3000 }, (_, i) => `X${i}: 1`)), status: [431] },
    'a header of 2 MB without end': { send: `GET / HTTP/1.1\r\n${own}\r\n${'X-Field: 0123456789\r\n'.repeat(100_000)}`, status: [431, 0] },
    'a body announced with 10 GB': { send: post('', 'Content-Length: 10000000000'), status: [413] },
    'a body of 200 kB': { send: post('x'.repeat(200_000), 'Content-Length: 200000'), status: [413] },
    'chunks without end': { send: post('1000\r\n'.concat('x'.repeat(4096), '\r\n').repeat(64), 'Transfer-Encoding: chunked'), status: [413] },
    'a chunk of 2^60 bytes': { send: post('1000000000000000\r\nxx', 'Transfer-Encoding: chunked'), status: [413, 400] },
    'a chunk whose size is no number': { send: post('zz\r\nxx', 'Transfer-Encoding: chunked'), status: [400] },
    'both a length and chunks': { send: post('0\r\n\r\n', 'Content-Length: 5', 'Transfer-Encoding: chunked'), status: [400, 200] },
    'two lengths': { send: post('{}', 'Content-Length: 2', 'Content-Length: 3'), status: [400] },
    'a negative length': { send: post('{}', 'Content-Length: -2'), status: [400] },
    'no Host': { send: head('GET / HTTP/1.1'), status: [400] },
    'two Hosts': { send: head('GET / HTTP/1.1', own, 'Host: evil.example'), status: [400] },
    'the Host of somebody else': { send: head('GET / HTTP/1.1', 'Host: evil.example'), status: [421] },
    'a Host that is no name': { send: head('GET / HTTP/1.1', 'Host: a b<script>'), status: [400] },
    'a NUL in the address': { send: head('GET /\u0000 HTTP/1.1', own), status: [400] },
    'a NUL in a field': { send: head('GET / HTTP/1.1', own, 'X-Field: a\u0000b'), status: [400] },
    'HTTP/9.9': { send: head('GET / HTTP/9.9', own), status: [400] },
    'no HTTP at all': { send: '\x16\x03\x01hello hello\r\n\r\n', status: [400] },
    'a method of our own': { send: head('CONQUER / HTTP/1.1', own, 'Connection: close'), status: [405] },
    'paths upwards': { send: head('GET /../../../../etc/passwd HTTP/1.1', own, 'Connection: close'), status: [404] },
  };
}

/** Bodies of CreateConference that are refused with 400 (application/json unless bytes). */
function brokenBodies() {
  return {
    'arrays 5000 deep': '['.repeat(5_000),
    'objects 5000 deep': '{"a":'.repeat(5_000),
    'an unclosed text': '{"title":"',
    'a number beyond all': `{"title":1${'0'.repeat(5_000)}}`,
    'an exponent beyond all': '{"title":1e999999999}',
    'a title of 10 kB': JSON.stringify({ title: 'x'.repeat(10_000) }),
    'a title with NUL': '{"title":"a\\u0000b"}',
    'a title with a control character': '{"title":"a\\u0007b"}',
    'a title that turns the line around': '{"title":"a\\u202Eb"}',
    'a title with an isolate': '{"title":"a\\u2066b"}',
    'half a character': '{"title":"\\ud800"}',
    'broken UTF-8': Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')]),
    'overlong UTF-8': Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
    'a compressed body': zlib.gzipSync('{}'),
  };
}

/** Frames that end a socket: what → {frames, code}; 0: cut before a close frame came. */
function brokenFrames() {
  const bomb = deflated(Buffer.alloc(50 * MB, 0x20), { level: 9 });
  return {
    'a frame of 1 MB': { frames: [frame(TEXT, 'x'.repeat(MB))], code: [1009, 0] },
    'a frame announced with 2^62 bytes': { frames: [frame(TEXT, 'x', { length: 2 ** 62 })], code: [1009, 1002] },
    'fragments of 1 MB in all': { frames: [frame(TEXT, '{', { fin: false }), ...Array.from({ length: 1000 }, () => frame(0, 'x'.repeat(1024), { fin: false }))], code: [1009, 0] },
    '50 MB in 50 kB': { frames: [frame(TEXT, bomb, { rsv: 4 })], code: [1009, 0], compress: true },
    'compressed bytes that are none': { frames: [frame(TEXT, crypto.randomBytes(500), { rsv: 4 })], code: [1007, 1002, 0], compress: true },
    'compressed without having agreed': { frames: [frame(TEXT, 'x', { rsv: 4 })], code: [1002] },
    'no mask': { frames: [frame(TEXT, '{}', { mask: false })], code: [1002] },
    'reserved bits': { frames: [frame(TEXT, '{}', { rsv: 3 })], code: [1002] },
    'a reserved opcode': { frames: [frame(5, '{}')], code: [1002] },
    'a ping of 200 bytes': { frames: [frame(PING, 'x'.repeat(200))], code: [1002] },
    'a ping in fragments': { frames: [frame(PING, 'x', { fin: false })], code: [1002] },
    'a fragment that begins nothing': { frames: [frame(0, 'x')], code: [1002] },
    'a text within a text': { frames: [frame(TEXT, '{', { fin: false }), frame(TEXT, '{')], code: [1002] },
    'text that is no UTF-8': { frames: [frame(TEXT, Buffer.from([0x7b, 0xc3, 0x28, 0xff]))], code: [1007] },
    'a close frame of one byte': { frames: [frame(CLOSE, 'x')], code: [1002] },
    'a close code that is none': { frames: [frame(CLOSE, Buffer.from([0, 1]))], code: [1002] },
    '500 pings': { frames: Array.from({ length: 500 }, () => frame(PING, 'x')), code: [1008, 0] },
    '500 broken messages': { frames: Array.from({ length: 500 }, () => frame(TEXT, '{')), code: [1008, 1013, 0] },
    '2000 tiny messages': { frames: Array.from({ length: 2000 }, () => frame(TEXT, '{"ping":{}}')), code: [1008, 1013, 0] },
  };
}

/** Messages after Hello that are refused: what → {body | text, code}. */
function brokenMessages(number) {
  const join = (name, more) => ({ join: { number, name, ...more } });
  const slots = (n) => Array.from({ length: n }, (_, i) => ({ use: 'LINE_USE_VIDEO_SLOT', index: i, source: 1 }));
  const bad = 'REFUSAL_CODE_BAD_REQUEST';
  return {
    'an SDP of 257 kB': { body: { offer: { sdp: 'v=0\r\n'.padEnd(257 * 1024, 'a=x\r\n') } }, code: 'REFUSAL_CODE_BAD_SDP' },
    'an SDP of 8000 m-lines': { body: { offer: { sdp: `v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n${'m=audio 9 X 0\r\n'.repeat(8_000)}` } }, code: 'REFUSAL_CODE_BAD_SDP' },
    'an SDP line of 200 kB': { body: { offer: { sdp: `v=0\r\na=${'x'.repeat(200_000)}\r\n` } }, code: 'REFUSAL_CODE_BAD_SDP' },
    'an SDP with NUL': { body: { offer: { sdp: 'v=0\r\n\u0000\r\n' } }, code: 'REFUSAL_CODE_BAD_SDP' },
    '1000 announced lines': { body: { offer: { sdp: 'v=0\r\n', lines: Array.from({ length: 1000 }, () => ({ mid: 'x' })) } }, code: 'REFUSAL_CODE_BAD_SDP' },
    'a name of 10 kB': { body: join('x'.repeat(10_000)), code: bad },
    'a name of 65 characters': { body: join('会'.repeat(65)), code: bad },
    'an empty name': { body: join(''), code: bad },
    'a name of blanks': { body: join(' \u3000\u00a0 '), code: bad },
    'a name with NUL': { body: join('a\u0000b'), code: bad },
    'a name with a line end': { body: join('a\nb'), code: bad },
    'a name that turns the line around': { body: join('abc\u202Edcba'), code: bad },
    'a name with an isolate': { body: join('a\u2067b'), code: bad },
    'an invitation of 300 kB': { body: join('', { invite: 'x'.repeat(300_000) }), code: bad },
    'arrays 5000 deep': { text: `{"x":${'['.repeat(5_000)}`, code: bad },
    'objects 100000 deep': { text: '{"a":'.repeat(70_000), code: bad },
    'a number beyond all': { text: '{"id":1e400}', code: bad },
    'an id of 5000 digits': { text: `{"id":${'9'.repeat(5_000)}}`, code: bad },
    'a negative id': { text: '{"id":-1,"ping":{}}', code: bad },
    'two bodies': { text: '{"id":1,"ping":{},"resync":{}}', code: bad },
    'half a character': { text: '{"id":1,"join":{"name":"\\ud800"}}', code: bad },
    'nothing': { text: '', code: bad },
    'a text': { text: '"x"', code: bad },
    'a command without operation': { body: { command: { commandId: 'a' } }, code: bad },
    'an unknown body': { body: { conquer: { world: true } }, code: bad },
  };
}

/** The same for somebody who is in. */
function brokenCommands() {
  const limit = ['REFUSAL_CODE_BAD_REQUEST', 'REFUSAL_CODE_LIMIT_REACHED', 'REFUSAL_CODE_TARGET_ABSENT'];
  return {
    'a command id of 100 kB': [{ setHand: { up: true } }, 'x'.repeat(100_000)],
    'a line of 100 kB': [{ sendChat: { text: 'x'.repeat(100_000) } }],
    'a line with NUL': [{ sendChat: { text: 'a\u0000b' } }],
    'a line to a name of 100 kB': [{ sendChat: { text: 'a', toParticipantId: 'p'.repeat(100_000) } }],
    'a new name of 10 kB': [{ rename: { name: 'x'.repeat(10_000) } }],
    'a new name that turns the line around': [{ rename: { name: 'a\u202Eb' } }],
    'mute of p99999999999999999999': [{ muteOther: { participantId: `p${'9'.repeat(20)}` } }],
    limit,
  };
}

/** Runs `one` over all entries, some at a time. */
async function forAll(entries, one) {
  const left = Object.entries(entries);
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let next = left.shift(); next; next = left.shift()) await one(...next);
  }));
}

async function attack(t, server, { quiet = false } = {}) {
  const host = `127.0.0.1:${server.httpsPort}`;
  const conference = await createConference(server);
  const wrong = [];
  let count = 0;
  const saw = (what, got, wanted) => {
    ++count;
    const isRight = [wanted].flat().includes(got);
    if (!isRight) wrong.push(`${what}: ${got}, not ${[wanted].flat().join(' or ')}`);
  };
  await forAll(brokenRequests(host), async (what, { send, status }) => saw(what, (await exchange(server, send, { from: address(1) })).status, status));
  await forAll(brokenBodies(), async (what, body) => {
    const reply = await callApi(server, 'CreateConference', body, { from: address(2 + count) });
    saw(what, reply.status, 400);
    if (/\/|proto|exception|line \d|src/i.test(reply.body.replace(/"type":"huitang.v1.Refused"/, ''))) wrong.push(`${what}: the answer tells of our inside: ${reply.body}`);
  });
  saw('binary that is no message', (await callApi(server, 'CreateConference', crypto.randomBytes(3_000), { headers: { 'content-type': 'application/proto' }, from: address(300) })).status, 400);
  await forAll(brokenFrames(), async (what, { frames, code, compress = false }) => {
    const socket = await RawSocket.hello(server, { from: address(400 + count), compress });
    for (const bytes of frames) socket.sendFrame(bytes);
    const how = await Promise.race([socket.ended, sleep(20_000).then(() => ({ code: 'open' }))]);
    saw(what, how.code, code);
    socket.cut();
  });
  await forAll(brokenMessages(conference.number), async (what, { body, text, code }) => {
    const socket = await RawSocket.hello(server, { from: address(600 + count) });
    const began = socket.messages.length;
    if (body) socket.say({ id: 77, ...body });
    else socket.sendText(text);
    const end = Date.now() + 20_000;
    while (socket.messages.length === began && !socket.closed && Date.now() < end) await sleep(10);
    saw(what, socket.messages[began]?.refused?.code ?? `closed ${socket.closed?.code}`, code);
    if (!socket.closed && !(await socket.ask({ ping: { at: 1 } })).pong) wrong.push(`${what}: ended the socket's other traffic`);
    socket.cut();
  });
  const inside = await RawSocket.hello(server, { from: address(900) });
  await inside.join(conference.number, 'Inside');
  const { limit, ...commands } = brokenCommands();
  for (const [what, [op, id]] of Object.entries(commands)) {
    const reply = await inside.command(op, id);
    saw(what, reply.refused?.code ?? JSON.stringify(reply).slice(0, 80), [...limit, 'REFUSAL_CODE_NOT_CHAIR']);
  }
  const many = await inside.ask({ setView: { slots: Array.from({ length: 2_000 }, (_, i) => ({ use: 'LINE_USE_VIDEO_SLOT', index: i, source: 1 })) } });
  saw('a view of 2000 slots', many.refused?.code, 'REFUSAL_CODE_BAD_REQUEST');
  // What a message says of its sender is nobody's business: identity comes from the session.
  const other = await RawSocket.hello(server, { from: address(901) });
  const { joined } = await other.join(conference.number, 'Other');
  const forged = await inside.command({ rename: { name: 'Mallory' }, participantId: joined.participantId, from: joined.participantId, byParticipantId: joined.participantId, sessionId: other.welcome.sessionId });
  saw('a sender in the message', Boolean(forged.commandDone), true);
  const { state } = await inside.ask({ resync: {} });
  saw('whom it renamed', state.participants.find((p) => p.id === joined.participantId).name, 'Other');
  inside.cut();
  other.cut();
  // Fragments without a byte, a second long: they end nothing, and hold nobody up.
  const endless = await RawSocket.hello(server, { from: address(902) });
  endless.sendFrame(frame(TEXT, '{', { fin: false }));
  const nothing = Buffer.concat(Array.from({ length: 500 }, () => frame(0, '', { fin: false })));
  for (const end = Date.now() + 1_000; Date.now() < end; await sleep(5)) endless.sendFrame(nothing);
  endless.cut();
  const drip = await RawSocket.hello(server, { from: address(903) });
  for (let i = 0; i < 200; ++i) drip.sendFrame(frame(BINARY, '{'));
  drip.cut();
  check(wrong.length === 0, `${wrong.length} wrong of ${count}:\n       ${wrong.join('\n       ')}`);
  if (!quiet) t.note(`${count} kinds of oversize, bombs and broken text, each refused with its code`);
  return count;
}

test('R12: oversize, bombs and broken text are refused with the right code, and harm nobody', async (t) => {
  const server = await startServer(t, { binary: HUITANG_SANITIZED });
  const witness = await Witness.start(t, server);
  const count = await attack(t, server);
  const { lines, p95 } = await witness.lostNothing();
  checkHealthy(server);
  check((await ask(server, 'GET', '/healthz')).status === 200, 'not well');
  const ended = await server.child.stop();
  check(ended.code === 0, `serve ended with ${JSON.stringify(ended)}:\n${server.child.err.slice(-3000)}`);
  checkLeaks(server);
  t.row('R12', `${count} kinds refused with their codes by the sanitized box; ${lines} lines of others meanwhile, none lost (p95 ${p95.toFixed(0)} ms)`);
}, { timeout: 240_000 });

function checkLeaks(server) {
  const report = /.*(AddressSanitizer|LeakSanitizer|runtime error:).*/.exec(server.child.err);
  check(!report, report?.[0]);
}

test('R12: bombs leave no memory behind', async (t) => {
  const server = await startServer(t, { binary: HUITANG });
  await attack(t, server, { quiet: true });
  const before = residentBytes(server.child.pid);
  const rounds = DEEP ? 20 : 1;
  for (let i = 0; i < rounds; ++i) await attack(t, server, { quiet: true });
  const grown = residentBytes(server.child.pid) - before;
  check(grown < 10 * MB, `grew by ${(grown / MB).toFixed(1)} MB in ${rounds} rounds`);
  t.row('R12', `resident memory of serve grew by ${(grown / MB).toFixed(1)} MB in ${rounds} rounds after the first`);
}, { timeout: DEEP ? 1_800_000 : 240_000 });

test('R12, planted fault: a sanitizer\'s report, a death and growth are noticed', () => {
  const noticed = (server) => {
    try {
      checkHealthy(server);
      return false;
    } catch {
      return true;
    }
  };
  check(!noticed({ child: { hasEnded: false, err: 'info  ready' } }), 'sees a report where there is none');
  check(noticed({ child: { hasEnded: true, err: '' } }), 'a dead server goes unnoticed');
  check(noticed({ child: { hasEnded: false, err: 'x\n==1==ERROR: AddressSanitizer: heap-use-after-free' } }), 'a report goes unnoticed');
  check(noticed({ child: { hasEnded: false, err: 'src/a.cpp:1: runtime error: shift' } }), 'undefined behaviour goes unnoticed');
  check(noticed({ child: { hasEnded: false, err: 'CHECK failed: is_consistent()' } }), 'an inconsistency goes unnoticed');
});
