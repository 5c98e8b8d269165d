// A raw client of the box's HTTPS port, by node's own modules alone: TLS connections from any loopback address,
// hand-made WebSocket frames, the signaling protocol upon them. What a browser would never send can be sent.
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import zlib from 'node:zlib';

/** 127.x.y.z by number: the box sees as many addresses as a test wants. */
export function address(n) {
  return `127.${1 + Math.floor(n / 62_500) % 250}.${Math.floor(n / 250) % 250}.${1 + (n % 250)}`;
}

export function openTcp(server, { from = '127.0.0.1' } = {}) {
  return new Promise((done, fail) => {
    const socket = net.connect({ host: '127.0.0.1', port: server.httpsPort, localAddress: from });
    socket.once('connect', () => done(socket));
    socket.once('error', fail);
  });
}

export function openTls(server, { from = '127.0.0.1', session } = {}) {
  return new Promise((done, fail) => {
    const socket = tls.connect({ host: '127.0.0.1', port: server.httpsPort, localAddress: from, rejectUnauthorized: false, session });
    socket.setNoDelay(true);
    socket.once('secureConnect', () => done(socket));
    socket.once('error', fail);
    socket.once('close', () => fail(new Error('closed before TLS was up')));
  });
}

/** Sends bytes over a fresh TLS connection and gives all that comes back until the other end closes (or `patience`). */
export async function exchange(server, bytes, { from, patience = 5_000 } = {}) {
  const socket = await openTls(server, { from });
  return new Promise((done) => {
    const parts = [];
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(parts).toString('latin1');
      done({ text, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0) });
    };
    const timer = setTimeout(finish, patience);
    socket.on('data', (data) => parts.push(data));
    socket.on('error', () => undefined);
    socket.on('close', finish);
    if (bytes.length > 0) socket.write(bytes);
  });
}

/** A well-formed request from any loopback address: {status, headers, body}. */
export function ask(server, method, path, { from = '127.0.0.1', headers = {}, body } = {}) {
  return new Promise((done, fail) => {
    const call = https.request(
      { host: '127.0.0.1', port: server.httpsPort, localAddress: from, method, path, headers, rejectUnauthorized: false, agent: false },
      (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => done({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
      },
    );
    call.once('error', fail);
    call.end(body);
  });
}

export function callApi(server, method, body, options = {}) {
  return ask(server, 'POST', `/huitang.v1.ConferenceService/${method}`, {
    ...options,
    headers: { 'content-type': 'application/json', ...options.headers },
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  });
}

/** The counters of /metrics by name. */
export async function metrics(server) {
  const { body } = await ask(server, 'GET', '/metrics');
  return Object.fromEntries([...body.matchAll(/^(huitang_\w+) (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]));
}

export function residentBytes(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** One frame as a client sends it. `length` lies about the size, `mask: false` breaks the rule, `rsv` sets bits. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, mask = true, length } = {}) {
  const data = Buffer.from(payload);
  const claimed = length ?? data.length;
  const size = claimed < 126 ? Buffer.from([claimed]) : claimed < 65_536 ? Buffer.alloc(3) : Buffer.alloc(9);
  if (size.length === 3) {
    size[0] = 126;
    size.writeUInt16BE(claimed, 1);
  } else if (size.length === 9) {
    size[0] = 127;
    size.writeBigUInt64BE(BigInt(claimed), 1);
  }
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode]);
  if (!mask) return Buffer.concat([head, size, data]);
  size[0] |= 0x80;
  const key = crypto.randomBytes(4);
  const masked = Buffer.alloc(data.length);
  for (let i = 0; i < data.length; ++i) masked[i] = data[i] ^ key[i & 3];
  return Buffer.concat([head, size, key, masked]);
}

/** What a permessage-deflate message of this text is on the wire. */
export function deflated(text, options) {
  return zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options }).subarray(0, -4);
}

/** A signaling socket. `messages` holds what came, `closed` is {code} once the other end closed it. */
export class RawSocket {
  static async open(server, { from, compress = false, origin, path = '/ws', protocol = 'huitang.v1', host } = {}) {
    const stream = await openTls(server, { from });
    const socket = new RawSocket(stream);
    const fields = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host ?? `127.0.0.1:${server.httpsPort}`}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}`,
      `Sec-WebSocket-Protocol: ${protocol}`,
      ...(compress ? ['Sec-WebSocket-Extensions: permessage-deflate'] : []),
      ...(origin ? [`Origin: ${origin}`] : []),
    ];
    stream.write(`${fields.join('\r\n')}\r\n\r\n`);
    await socket.upgraded;
    return socket;
  }

  /** Opens and says Hello. */
  static async hello(server, { token = '', ...options } = {}) {
    const socket = await RawSocket.open(server, options);
    const reply = await socket.ask({ hello: { protocol: 1, language: 'en', client: 'raw', resumeToken: token } });
    socket.welcome = reply.welcome;
    socket.helloReply = reply;
    return socket;
  }

  constructor(stream) {
    this.stream = stream;
    this.buffer = Buffer.alloc(0);
    this.messages = [];
    this.waiting = new Map();
    this.nextId = 1;
    this.closed = null;
    this.welcome = null;
    this.answersPings = true;
    this.onMessage = () => undefined;
    this.onClose = () => undefined;
    this.upgraded = new Promise((done, fail) => {
      this.isUp = done;
      this.isRefused = fail;
    });
    this.upgraded.catch(() => undefined);
    this.ended = new Promise((done) => (this.isEnded = done));
    stream.on('data', (data) => this.take(data));
    stream.on('error', () => undefined);
    stream.on('close', () => this.end({ code: 0 }));
  }

  take(data) {
    this.buffer = this.buffer.length === 0 ? data : Buffer.concat([this.buffer, data]);
    if (this.isUp) {
      const end = this.buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.buffer.subarray(0, end).toString('latin1');
      this.buffer = this.buffer.subarray(end + 4);
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
      if (status !== 101) return this.isRefused(Object.assign(new Error(`upgrade refused: ${status}`), { status }));
      this.isUp();
      this.isUp = null;
    }
    while (this.takeFrame());
  }

  takeFrame() {
    if (this.buffer.length < 2) return false;
    let size = this.buffer[1] & 0x7f;
    let at = 2;
    if (size === 126) {
      if (this.buffer.length < 4) return false;
      size = this.buffer.readUInt16BE(2);
      at = 4;
    } else if (size === 127) {
      if (this.buffer.length < 10) return false;
      size = Number(this.buffer.readBigUInt64BE(2));
      at = 10;
    }
    if (this.buffer.length < at + size) return false;
    const opcode = this.buffer[0] & 0x0f;
    const isCompressed = (this.buffer[0] & 0x40) !== 0;
    const payload = this.buffer.subarray(at, at + size);
    this.buffer = this.buffer.subarray(at + size);
    if (opcode === PING && this.answersPings) this.sendFrame(frame(PONG, payload));
    if (opcode === CLOSE) this.end({ code: size >= 2 ? payload.readUInt16BE(0) : 1005 });
    if (opcode === TEXT && !isCompressed) this.handle(JSON.parse(payload.toString()));
    return true;
  }

  handle(message) {
    this.messages.push(message);
    const done = this.waiting.get(message.replyTo);
    if (done) {
      this.waiting.delete(message.replyTo);
      done(message);
    }
    this.onMessage(message);
  }

  end(how) {
    if (this.closed) return;
    this.closed = how;
    this.isRefused(new Error('closed before the upgrade'));
    for (const done of this.waiting.values()) done({ closed: how });
    this.waiting.clear();
    this.isEnded(how);
    this.onClose(how);
  }

  sendFrame(bytes) {
    if (!this.stream.destroyed) this.stream.write(bytes);
  }

  sendText(text, options) {
    this.sendFrame(frame(TEXT, text, options));
  }

  say(body) {
    this.sendText(JSON.stringify(body));
  }

  /** The reply, {closed} when the socket ends before, {silent} after `patience` ms. */
  ask(body, patience = 20_000) {
    const id = this.nextId++;
    return new Promise((done) => {
      const timer = setTimeout(() => done({ silent: true }), patience);
      this.waiting.set(id, (message) => {
        clearTimeout(timer);
        done(message);
      });
      if (this.closed) return this.waiting.get(id)({ closed: this.closed });
      this.say({ id, ...body });
    });
  }

  join(number, name, { invite = '' } = {}) {
    return this.ask({ join: { number, name, invite } });
  }

  command(op, commandId = crypto.randomUUID()) {
    return this.ask({ command: { commandId, ...op } });
  }

  /** Cuts the connection without a word. */
  cut() {
    this.stream.destroy();
  }
}

export function inviteOf(link) {
  return link.split('#invite=')[1];
}
