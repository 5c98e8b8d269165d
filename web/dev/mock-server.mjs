// A stand-in for `huitang serve` while working on the pages: serves web/dist with the same Content-Security-Policy
// and speaks signaling (proto3 JSON). It has no media: its answers are well formed but lead nowhere, so tiles show
// names in place of pictures. Not used by anything but people and the page checks.
//
//   node dev/mock-server.mjs [--port 8788] [--people 5] [--no-answer]
//
// Chat texts starting with "/" make it act: /people N · /share · /talk · /ask · /mute · /hand · /chair · /drop · /end

import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';

const NAMES = ['桥西区会场', '李建国', '王秀英', '长安区会场', '张伟', '刘洋（县应急局）', '赵敏', 'Anna Schmidt', '孙丽', '周强', '新华区会场', '吴刚', '郑爽', '冯雪', '陈晨', '褚亮', '卫平', '蒋欣', '沈静', '韩梅梅', '杨帆', '朱琳', '秦岚', '尤勇'];
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const CSP = "default-src 'self'; connect-src 'self' ws: wss:; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

export function startMock({ port = 8788, people = 5, answer = true, chair = true } = {}) {
  const dist = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'dist');
  const http = createServer((request, response) => serve(dist, request, response));
  const sockets = new WebSocketServer({ server: http, handleProtocols: () => 'huitang.v1' });
  sockets.shouldHandle = (request) => /^\/ws(\/\d+)?$/.test(request.url);
  sockets.on('connection', (socket) => new Session(socket, { people, answer, chair }));
  return new Promise((resolve) => http.listen(port, '127.0.0.1', () => resolve({ port: http.address().port, close: () => (sockets.close(), http.close(), http.closeAllConnections()) })));
}

function serve(dist, request, response) {
  const { pathname } = new URL(request.url, 'http://mock');
  const json = (body) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  if (pathname === '/api/boot.json') return json({ demo: true, version: '0.1.0', mayCreate: true });
  if (pathname.endsWith('/CreateConference')) return json({ number: '123456789', link: 'http://127.0.0.1/j/123456789', chairLink: 'http://127.0.0.1/j/123456789#chair' });
  const file = join(dist, pathname.startsWith('/assets/') ? normalize(pathname) : 'index.html');
  if (!file.startsWith(dist) || !existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Security-Policy': CSP }).end(readFileSync(file));
}

class Session {
  constructor(socket, options) {
    this.socket = socket;
    this.options = options;
    this.number = 1;
    this.chatId = 0;
    this.people = [];
    this.chat = [];
    this.conference = { number: '123456789', title: '全县防汛工作调度会', locked: false, startedUnixMs: String(Date.now()), link: 'https://box.example/j/123456789' };
    socket.on('message', (data) => this.handle(JSON.parse(data.toString())));
  }

  handle(message) {
    const [kind] = Object.keys(message).filter((key) => key !== 'id');
    const handler = this[`on_${kind}`];
    if (handler === undefined) this.reply(message.id, { refused: { code: 'REFUSAL_CODE_BAD_REQUEST' } });
    else handler.call(this, message.id, message[kind]);
  }

  on_hello(id) {
    this.reply(id, { welcome: { sessionId: 's', resumeToken: 't', slots: { audio: 6, video: 16, share: 2, paired: 6 }, resumeSeconds: 60, serverVersion: 'mock' } });
  }

  on_offer(id, offer) {
    if (this.options.answer) this.reply(id, { answer: { sdp: fakeAnswer(offer.sdp) } });
    else this.reply(id, { refused: { code: 'REFUSAL_CODE_MEDIA_UNAVAILABLE', retryAfterSeconds: 1 } });
  }

  on_join(id, join) {
    this.me = this.person('me', join.name, 1, { role: this.options.chair ? 'ROLE_CHAIR' : 'ROLE_PARTICIPANT', mutedBySelf: !join.microphoneOn, cameraOn: join.cameraOn === true });
    this.people = [this.me, ...NAMES.slice(0, this.options.people).map((name, n) => this.person(`p${n}`, name, 100 + n * 10, this.mood(n)))];
    this.reply(id, { joined: { participantId: 'me', state: this.state() } });
  }

  mood(n) {
    return { mutedBySelf: n % 3 === 1, mutedByChair: n === 4, cameraOn: n % 4 !== 3, handUp: n === 2, handSinceUnixMs: '5', connection: n === 5 ? 'CONNECTION_STATE_RECONNECTING' : 'CONNECTION_STATE_IN' };
  }

  person(id, name, base, more) {
    const person = { id, name, role: 'ROLE_PARTICIPANT', connection: 'CONNECTION_STATE_IN', joinedUnixMs: String(base), ...more };
    person.sources = ['MICROPHONE', 'CAMERA', 'SCREEN', 'SCREEN_AUDIO'].map((kind, k) => ({ number: base + k, kind: `SOURCE_KIND_${kind}`, active: this.isActive(person, k) }));
    return person;
  }

  isActive(person, k) {
    return k === 0 ? !person.mutedBySelf && !person.mutedByChair : k === 1 ? person.cameraOn === true : person.sharing === true;
  }

  on_command(id, command) {
    const { commandId, ...op } = command;
    const [[kind, value]] = Object.entries(op);
    const effect = this[`do_${kind}`]?.(value) ?? {};
    this.reply(id, { commandDone: { commandId } });
    if (kind === 'leave') this.send({ left: { reason: 'LEAVE_REASON_OWN_WISH' } });
    else if (kind === 'end') this.send({ left: { reason: 'LEAVE_REASON_CONFERENCE_ENDED' } });
    else this.change(effect);
  }

  do_setMicrophone({ on = false }) {
    return this.update('me', { mutedBySelf: !on, ...(on ? { mutedByChair: false } : {}) });
  }
  do_setCamera({ on = false }) {
    return this.update('me', { cameraOn: on });
  }
  do_setHand({ up = false, participantId = '' }) {
    return this.update(participantId || 'me', { handUp: up, handSinceUnixMs: String(Date.now()) });
  }
  do_startShare() {
    return this.update('me', { sharing: true });
  }
  do_stopShare({ participantId = '' }) {
    return this.update(participantId || 'me', { sharing: false });
  }
  do_muteOther({ participantId }) {
    return this.update(participantId, { mutedByChair: true }, { muted: participantId });
  }
  do_askUnmute({ participantId }) {
    return this.update(participantId, { mutedByChair: false, mutedBySelf: true });
  }
  do_remove({ participantId }) {
    this.people = this.people.filter((person) => person.id !== participantId);
    return { gone: [participantId], happening: { removed: participantId } };
  }
  do_setLock({ locked = false }) {
    this.conference = { ...this.conference, locked };
    return { conference: this.conference, happening: { locked } };
  }
  do_sendChat({ text, toParticipantId = '' }) {
    if (text.startsWith('/')) return this.act(text.slice(1).split(' '));
    return { chat: [this.say('me', text, toParticipantId)] };
  }

  act([what, count]) {
    switch (what) {
      case 'people': {
        const before = this.people.map((person) => person.id);
        this.people = [this.me, ...NAMES.slice(0, Number(count)).map((name, n) => this.person(`p${n}`, name, 100 + n * 10, this.mood(n)))];
        const now = this.people.map((person) => person.id);
        return { participants: this.people, gone: before.filter((id) => !now.includes(id)), happening: { joined: now[now.length - 1] } };
      }
      case 'share':
        return this.update('p1', { sharing: true }, { shareStarted: 'p1' });
      case 'hand':
        return this.update('p0', { handUp: true }, { handRaised: 'p0' });
      case 'talk':
        this.send({ speakers: { sources: [100, 120], active: 100 } });
        return {};
      case 'ask':
        return this.update('me', { mutedBySelf: true, mutedByChair: false }, { askedToUnmute: 'me' });
      case 'mute':
        return this.update('me', { mutedByChair: true }, { muted: 'me' });
      case 'chat':
        return { chat: [this.say('p1', '请桥西区会场准备发言。', ''), this.say('p2', '收到，材料已经准备好了。', ''), this.say('p4', '我这边网络不太稳定，先关一下摄像头。', 'me')] };
      case 'drop':
        this.socket.terminate();
        return {};
      default:
        return {};
    }
  }

  say(from, text, to) {
    const fromName = this.people.find((person) => person.id === from)?.name ?? '';
    return { id: String(++this.chatId), fromParticipantId: from, fromName, toParticipantId: to, text, atUnixMs: String(Date.now()) };
  }

  update(id, fields, happening) {
    this.people = this.people.map((person) => (person.id === id ? this.person(id, person.name, Number(person.joinedUnixMs), { ...person, ...fields }) : person));
    return { participants: this.people.filter((person) => person.id === id), happening };
  }

  change(effect) {
    this.send({ change: { number: String(++this.number), atUnixMs: String(Date.now()), entrance: 'ENTRANCE_PAGE', ...effect } });
  }

  on_setView(id) {
    this.reply(id, { viewDone: {} });
  }

  on_resync(id) {
    this.reply(id, { state: this.state() });
  }

  on_ping(id, ping) {
    this.reply(id, { pong: ping });
  }

  state() {
    return { number: String(this.number), conference: this.conference, participants: this.people, chat: this.chat };
  }

  reply(id, body) {
    this.send({ replyTo: id, ...body });
  }

  send(body) {
    this.socket.send(JSON.stringify(body));
  }
}

/** Each line of the offer taken with its first codec and the opposite direction; credentials of nobody. */
function fakeAnswer(offer) {
  const [session, ...media] = offer.split(/\r\n(?=m=)/);
  const fingerprint = Array(32).fill('00').join(':');
  const lines = media.map((section) => {
    const mid = /a=mid:(\S+)/.exec(section)[1];
    const [, kind, payload] = /^m=(\w+) \d+ \S+ (\d+)/.exec(section);
    const map = new RegExp(`a=rtpmap:${payload} .*`).exec(section)[0];
    const simulcast = /a=simulcast:send (\S+)/.exec(section)?.[1];
    const rids = simulcast === undefined ? [] : [...simulcast.split(';').map((rid) => `a=rid:${rid} recv`), `a=simulcast:recv ${simulcast}`];
    return [
      `m=${kind} 9 UDP/TLS/RTP/SAVPF ${payload}`,
      'c=IN IP4 127.0.0.1',
      'a=ice-ufrag:mock',
      'a=ice-pwd:mockmockmockmockmockmock',
      `a=fingerprint:sha-256 ${fingerprint}`,
      'a=setup:passive',
      `a=mid:${mid}`,
      'a=rtcp-mux',
      map,
      ...rids,
      /a=sendonly/.test(section) ? 'a=recvonly' : 'a=sendonly',
    ].join('\r\n');
  });
  const group = /a=group:BUNDLE.*/.exec(session)[0];
  return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', group, 'a=ice-lite', ...lines, ''].join('\r\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8788' }, people: { type: 'string', default: '5' }, 'no-answer': { type: 'boolean', default: false } } });
  const { port } = await startMock({ port: Number(values.port), people: Number(values.people), answer: !values['no-answer'] });
  console.log(`http://127.0.0.1:${port}/j/123456789`);
}
