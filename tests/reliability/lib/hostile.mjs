// What hostile bytes against the media port need: a relay that hears everything, strangers, floods at a bounded rate, and
// the figures by which the node says what it did. Loopback only.
import dgram from 'node:dgram';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { eventually, sleep } from '../../e2e/lib/runner.mjs';
import { mediaPid, request } from '../../e2e/lib/server.mjs';

function bound(address = '127.0.0.1', port = 0) {
  return new Promise((done, fail) => {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    socket.once('error', fail);
    socket.bind(port, address, () => {
      socket.removeListener('error', fail);
      socket.on('error', () => undefined); // ICMP of a port that is closed meanwhile
      done(socket);
    });
  });
}

/** First bytes, as RFC 7983 tells apart what shares a port. */
export function kindOf(bytes) {
  if (bytes.length < 2) return 'short';
  if (bytes[0] <= 3) return 'stun';
  if (bytes[0] >= 20 && bytes[0] <= 63) return 'dtls';
  if (bytes[0] >= 128 && bytes[0] <= 191) return bytes[1] >= 192 && bytes[1] <= 223 ? 'rtcp' : 'rtp';
  return 'other';
}

/**
 * Between one bot (`--via relay.port`) and the node: hears what the bot sends, can hold it back (all but checks, by which
 * the bot consents to go on), change it, and send anything from the address that the node takes for the bot's.
 */
export class Relay {
  static async start(t, nodePort) {
    const relay = new Relay();
    relay.nodePort = nodePort;
    relay.inner = await bound();
    relay.outer = await bound();
    relay.port = relay.inner.address().port;
    relay.tape = [];
    relay.holds = false;
    relay.change = (bytes) => [bytes];
    relay.inner.on('message', (bytes, from) => {
      relay.client = from;
      if (relay.tape.length < 20_000) relay.tape.push(bytes);
      if (!relay.holds || kindOf(bytes) === 'stun') for (const piece of relay.change(bytes)) relay.inject(piece);
    });
    relay.outer.on('message', (bytes) => relay.client && relay.inner.send(bytes, relay.client.port, relay.client.address));
    t.after(() => (relay.inner.close(), relay.outer.close()));
    return relay;
  }
  /** To the node, as if the bot had sent it. */
  inject(bytes) {
    this.outer.send(bytes, this.nodePort, '127.0.0.1');
  }
  heard(...kinds) {
    return this.tape.filter((bytes) => kinds.includes(kindOf(bytes)));
  }
}

/** Addresses that no check has proven: 127.0.0.x, each with a socket that hears what comes back. */
export class Strangers {
  static async start(t, count) {
    const strangers = new Strangers();
    strangers.sockets = await Promise.all(Array.from({ length: count }, (_, i) => bound(`127.0.0.${2 + (i % 250)}`)));
    strangers.sent = 0;
    strangers.sentBytes = 0;
    strangers.heardBytes = 0;
    for (const socket of strangers.sockets) socket.on('message', (bytes) => (strangers.heardBytes += bytes.length));
    t.after(() => strangers.sockets.forEach((socket) => socket.close()));
    return strangers;
  }
  /** `make(n)` gives datagram n. At most `rate` a second, in steps of 10 ms. */
  async flood(port, { seconds, rate, make }) {
    const began = Date.now();
    for (let n = 0; Date.now() - began < seconds * 1000; ) {
      const due = Math.min(((Date.now() - began) / 1000) * rate, n + rate / 20);
      for (; n < due; ++n) {
        const bytes = make(n);
        this.sockets[n % this.sockets.length].send(bytes, port, '127.0.0.1');
        this.sent += 1;
        this.sentBytes += bytes.length;
      }
      await sleep(10);
    }
  }
}

/** STUN binding request; attributes as given, without or with a wrong MESSAGE-INTEGRITY. */
export function stunRequest(username, { integrity = true } = {}) {
  const attribute = (type, value) => {
    const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
    padded.writeUInt16BE(type, 0);
    padded.writeUInt16BE(value.length, 2);
    value.copy(padded, 4);
    return padded;
  };
  const attributes = [attribute(0x0006, Buffer.from(username)), attribute(0x0024, randomBytes(4)), attribute(0x0025, Buffer.alloc(0))];
  if (integrity) attributes.push(attribute(0x0008, randomBytes(20)));
  const body = Buffer.concat(attributes);
  const header = Buffer.alloc(20);
  header.writeUInt16BE(1, 0);
  header.writeUInt16BE(body.length, 2);
  header.writeUInt32BE(0x2112a442, 4);
  randomBytes(12).copy(header, 8);
  return Buffer.concat([header, body]);
}

/** USERNAME of a check that was heard. */
export function usernameOf(check) {
  for (let at = 20; at + 4 <= check.length; ) {
    const type = check.readUInt16BE(at);
    const length = check.readUInt16BE(at + 2);
    if (type === 0x0006) return check.subarray(at + 4, at + 4 + length).toString();
    at += 4 + Math.ceil(length / 4) * 4;
  }
  throw new Error('a check without USERNAME');
}

export function isClientHello(bytes) {
  return bytes.length > 25 && bytes[0] === 22 && bytes[13] === 1 && bytes.readUInt16BE(3) === 0;
}

/** One ClientHello as `count` datagrams with a fragment each (RFC 6347 section 4.2.3). */
export function cutClientHello(hello, count) {
  const size = hello.readUIntBE(14, 3);
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((size * i) / count);
    const to = Math.floor((size * (i + 1)) / count);
    const head = Buffer.from(hello.subarray(0, 25));
    head.writeUInt16BE(12 + to - from, 11);
    head.writeUIntBE(from, 19, 3);
    head.writeUIntBE(to - from, 22, 3);
    return Buffer.concat([head, hello.subarray(25 + from, 25 + to)]);
  });
}

/** What an eavesdropper can make of a sealed packet: bits turned, another number, another stream, a part of it. */
export function forge(sealed, n) {
  const bytes = Buffer.from(sealed);
  const random = randomBytes(4);
  switch (n % 4) {
    case 0: bytes[12 + (random.readUInt16BE(0) % (bytes.length - 12))] ^= 1 + (random[2] % 255); break;
    case 1: bytes.writeUInt16BE((bytes.readUInt16BE(2) + 1 + (random.readUInt16BE(0) % 2000)) & 0xffff, 2); break;
    case 2: random.copy(bytes, 8); break;
    default: return bytes.subarray(0, 1 + (random.readUInt16BE(0) % (bytes.length - 1)));
  }
  return bytes;
}

/** The node's counters as serve's /metrics gives them (huitang_media_NAME), from a report newer than this call. */
export async function nodeCounters(server) {
  const read = async () => {
    const { body } = await request(server, 'GET', '/metrics');
    return Object.fromEntries([...body.matchAll(/^huitang_media_(\w+) (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]));
  };
  const before = await read();
  // Each report of the node has used some CPU time since the one before, so a new one shows; two of them, because the
  // first may have been on its way.
  let fresh = before;
  for (let i = 0; i < 2; ++i) {
    const last = fresh;
    fresh = await eventually(async () => {
      const now = await read();
      return now.cpu_milliseconds_total !== undefined && now.cpu_milliseconds_total !== last.cpu_milliseconds_total && now;
    }, 'the node reports no health', { timeout: 30_000 });
  }
  return fresh;
}

/** Resident memory of the media process in kB. */
export function residentKilobytes(server) {
  const pid = mediaPid(server);
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** The newest statistics line of a bot. */
export function statisticsOf(bot) {
  const lines = bot.child.out.split('\n').filter((line) => line.includes('"event":"statistics"'));
  return lines.length === 0 ? undefined : JSON.parse(lines.at(-1));
}

/** Packets and losses over all slots of a bot. */
export function heardBy(bot) {
  const slots = statisticsOf(bot)?.slots ?? [];
  const sum = (key, of = slots) => of.reduce((total, slot) => total + (slot[key] ?? 0), 0);
  // Frames of pictures: a slot of sound counts its frames, too.
  const frames = sum('frames', slots.filter((slot) => slot.slot !== 'audio'));
  return { packets: sum('packets'), lost: sum('lost'), frames, faults: sum('timestamp_faults') + sum('picture_id_faults') };
}

/** The same from a report that the bot made after this call; it makes one every five seconds. */
export async function freshlyHeardBy(bot) {
  const reports = () => bot.child.out.split('"event":"statistics"').length;
  const before = reports();
  await eventually(() => reports() > before, 'the bot reports no statistics', { timeout: 30_000 });
  await sleep(50); // the rest of its line
  return heardBy(bot);
}

/** What must be the same of a node that was given nothing authentic; names of what is not. */
export function changedBetween(before, after, names) {
  return names.filter((name) => before[name] !== after[name]).map((name) => `${name} ${before[name]} → ${after[name]}`);
}
