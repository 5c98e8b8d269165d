#!/usr/bin/env node
// A new media process that is not well, in the way that its name says: `ends`, `garbage`, `silent`, `future`,
// `unprepared`, `vanishes`, `refuses`, `stalls`. Speaks handover.proto on the descriptor it is given. Tests link it
// under these names.
import { createHash } from 'node:crypto';
import net from 'node:net';
import path from 'node:path';

const how = path.basename(process.argv[1]);
const fd = Number(process.argv[process.argv.indexOf('--take-over-fd') + 1]);

function frame(bytes) {
  const head = Buffer.alloc(12);
  head.writeUInt32BE(bytes.length);
  createHash('sha256').update(bytes).digest().copy(head, 4, 0, 8);
  return Buffer.concat([head, bytes]);
}
const inner = (number, bytes) => Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
const hello = (min, max) => frame(inner(1, Buffer.from([8, min, 16, max])));
const prepared = frame(inner(3, Buffer.alloc(0)));
const refused = frame(inner(8, inner(1, Buffer.from('I am not well'))));

if (how === 'ends') process.exit(3);
const socket = new net.Socket({ fd, readable: true, writable: true });
socket.on('error', () => process.exit(1));
if (how === 'garbage') socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
else if (how === 'future') socket.write(hello(90, 99));
else if (how !== 'silent') socket.write(hello(1, 1));

let seen = 0;
socket.on('data', (data) => {
  const first = seen === 0;
  seen += data.length;
  if (how === 'unprepared') return;
  if (first) return socket.write(prepared);
  // The old process stands still now and has begun to give its state.
  if (how === 'vanishes') process.exit(0);
  if (how === 'refuses') socket.write(refused);
});
setInterval(() => undefined, 1000);
