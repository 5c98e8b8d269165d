// The media control protocol (proto/huitang/v1/media.proto) and the frames of a hand-over (handover.proto), as much of
// them as tests need: fields by number, in a few lines instead of generated code.
import { createHash } from 'node:crypto';
import net from 'node:net';

/** [[number, value]…] to bytes: numbers as varints, strings and buffers with their length. */
export function encode(fields) {
  const parts = [];
  const varint = (value) => {
    let v = BigInt(value);
    for (; v >= 0x80n; v >>= 7n) parts.push(Buffer.from([Number(v & 0x7fn) | 0x80]));
    parts.push(Buffer.from([Number(v)]));
  };
  for (const [number, value] of fields) {
    const isBytes = typeof value === 'string' || Buffer.isBuffer(value);
    varint(number * 8 + (isBytes ? 2 : 0));
    if (!isBytes) varint(value);
    else {
      const bytes = Buffer.from(value);
      varint(bytes.length);
      parts.push(bytes);
    }
  }
  return Buffer.concat(parts);
}

/** Bytes to a Map of number → values in order; values are numbers or buffers. */
export function decode(bytes) {
  const fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    let value;
    if (key % 8 === 0) value = varint();
    else {
      const length = key % 8 === 2 ? varint() : key % 8 === 1 ? 8 : 4;
      value = bytes.subarray(at, at + length);
      at += length;
    }
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const BODY = { hello: 3, welcome: 4, error: 6, getSnapshot: 18, snapshot: 19, handOver: 21, handedOver: 22, health: 33 };

/** One connection to a media process. */
export class MediaControl {
  static async connect(path, { min = 1, max = 2 } = {}) {
    const control = new MediaControl();
    control.socket = net.connect(path);
    control.waiting = new Map();
    control.nextId = 1;
    control.events = [];
    let buffer = Buffer.alloc(0);
    control.socket.on('data', (data) => {
      buffer = Buffer.concat([buffer, data]);
      while (buffer.length >= 4 && buffer.length >= 4 + buffer.readUInt32BE(0)) {
        const size = buffer.readUInt32BE(0);
        control.#take(decode(buffer.subarray(4, 4 + size)));
        buffer = buffer.subarray(4 + size);
      }
    });
    control.closed = new Promise((done) => control.socket.once('close', done));
    await new Promise((done, fail) => control.socket.once('connect', done).once('error', fail));
    control.hello = await control.ask(BODY.hello, [[1, min], [2, max], [3, 'test']]);
    return control;
  }
  #take(message) {
    const to = message.get(2)?.[0];
    if (to === undefined) return this.events.push(message);
    this.waiting.get(to)?.(message);
    this.waiting.delete(to);
  }
  /** The answer as {kind, fields}. */
  async ask(body, fields) {
    const id = this.nextId++;
    const bytes = encode([[1, id], [body, encode(fields)]]);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes.length);
    const answer = new Promise((done) => this.waiting.set(id, done));
    this.socket.write(Buffer.concat([head, bytes]));
    const message = await Promise.race([answer, this.closed.then(() => undefined)]);
    if (message === undefined) return { kind: 'closed', fields: new Map() };
    for (const [kind, number] of Object.entries(BODY))
      if (message.has(number)) return { kind, fields: decode(message.get(number)[0]) };
    return { kind: 'other', fields: message };
  }
  get version() {
    return this.hello.fields.get(1)?.[0];
  }
  async snapshot() {
    const { fields } = await this.ask(BODY.getSnapshot, []);
    return (fields.get(1) ?? []).map((bytes) => {
      const peer = decode(bytes);
      return { peer: peer.get(1)?.[0], state: peer.get(2)?.[0], packetsIn: peer.get(8)?.[0] ?? 0, packetsOut: peer.get(9)?.[0] ?? 0 };
    });
  }
  /** {pid, build, peers, frozenMs}, or {refusal}. */
  async handOver(executable = '') {
    const { kind, fields } = await this.ask(BODY.handOver, executable ? [[1, executable]] : []);
    if (kind !== 'handedOver') return { refusal: fields.get(2)?.[0]?.toString() ?? kind };
    return {
      pid: fields.get(1)[0], build: fields.get(2)?.[0]?.toString(), peers: fields.get(3)?.[0] ?? 0,
      frozenMs: (fields.get(4)?.[0] ?? 0) / 1000,
    };
  }
  close() {
    this.socket.destroy();
  }
}

/** A frame between two media processes: length, first bytes of the digest, message. */
export function handOverFrame(fields) {
  const body = encode(fields);
  const head = Buffer.alloc(12);
  head.writeUInt32BE(body.length);
  createHash('sha256').update(body).digest().copy(head, 4, 0, 8);
  return Buffer.concat([head, body]);
}
