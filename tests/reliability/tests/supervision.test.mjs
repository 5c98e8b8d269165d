// What both services tell their supervisor, started by one settings file as the units start them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import dgram from 'node:dgram';
import os from 'node:os';
import path from 'node:path';
import { check, eventually, sleep, test } from '../../e2e/lib/runner.mjs';
import { Child, HUITANG, freeTcpPort, freeUdpPorts, request } from '../../e2e/lib/server.mjs';
import { preload } from '../lib/preload.mjs';

// Node.js has no Unix datagram sockets; Python has. One line for each datagram.
const SUPERVISOR = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0"))
print("listening", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

/** `said` is all that came; `env` is for the service. */
async function supervise(t, name) {
  const socket = `@huitang-test-${process.pid}-${name}`;
  const child = new Child('python3', ['-c', SUPERVISOR, socket]);
  t.after(() => child.stop());
  t.onFailure(async (folder) => child.writeLogs(folder, `supervisor-${name}`));
  await eventually(() => child.out.includes('listening'), 'no supervisor');
  return { child, env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1500000' } };
}

const count = (text, word) => text.split(word).length - 1;

/** One settings file for both services, as the package has it; `ask(path)` asks serve. */
async function makeBox(t) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'huitang-supervision-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = path.join(folder, 'huitang.toml');
  const httpsPort = await freeTcpPort();
  const udpPort = await freeUdpPorts(2);
  writeFileSync(config, [
    '[server]', `data = "${folder}/data"`, `https_port = ${httpsPort}`, 'public_address = "127.0.0.1"',
    '[media]', `udp_port = ${udpPort}`, 'workers = 2', 'spawn = false', `socket = "${folder}/media.sock"`,
    '[demo]', 'bots = 0',
  ].join('\n'));
  const ask = (what) => request({ host: '127.0.0.1', httpsPort }, 'GET', what).catch(() => ({ status: 0, body: '' }));
  return { folder, config, httpsPort, udpPort, ask };
}

/** Starts one of the services: {supervisor, service}. */
async function startService(t, box, name, { args = [], env } = {}) {
  const { child, env: words } = await supervise(t, name);
  const start = () => new Child(HUITANG, [name, '--config', box.config, ...args], { env: { ...words, ...env } });
  const seen = { supervisor: child, service: start(), start };
  t.after(() => seen.service.stop());
  t.onFailure(async (where) => seen.service.writeLogs(where, name));
  return seen;
}

test('supervision: media and serve say ready, alive again and again, how they are, and that they end', async (t) => {
  const box = await makeBox(t);
  const seen = {};
  for (const name of ['serve', 'media']) {
    seen[name] = await startService(t, box, name);
    await eventually(() => seen[name].supervisor.out.includes('READY=1'), `${name} is not ready`);
  }
  for (const name of ['serve', 'media'])
    await eventually(() => count(seen[name].supervisor.out, 'WATCHDOG=1') >= 4, `${name} does not keep saying that it lives`);
  // serve came first, so it told of the missing node before it told of a ready box.
  const serve = seen.serve.supervisor;
  check(serve.out.includes('STATUS=the media process does not answer'), `no word of the missing node: ${serve.out}`);
  await eventually(() => serve.out.includes('STATUS=ready, 0 conferences'), () => `never ready: ${serve.out}`);
  check(seen.media.supervisor.out.includes('STATUS=forwarding, 2 workers'), seen.media.supervisor.out);

  seen.media.service.signal('SIGSTOP');
  const before = count(seen.media.supervisor.out, 'WATCHDOG=1');
  const others = count(serve.out, 'WATCHDOG=1');
  await eventually(() => count(serve.out, 'WATCHDOG=1') >= others + 3, 'a frozen node silences serve');
  check(count(seen.media.supervisor.out, 'WATCHDOG=1') <= before + 1, 'a frozen node still says that it lives');
  seen.media.service.signal('SIGCONT');

  for (const name of ['serve', 'media']) {
    const { code } = await seen[name].service.stop();
    check(code === 0, `${name} ended with ${code}`);
    await eventually(() => seen[name].supervisor.out.includes('STOPPING=1'), `${name} did not say that it ends`);
  }
});

test('supervision: a media service that cannot live waits longer each time, serve raises the alarm, and both end by themselves', async (t) => {
  const box = await makeBox(t);
  const env = { RUNTIME_DIRECTORY: box.folder };
  // The planted fault: the first port of media is taken.
  const thief = dgram.createSocket('udp4');
  t.after(() => thief.close());
  await new Promise((done) => thief.bind(box.udpPort, '0.0.0.0', done));
  const serve = await startService(t, box, 'serve', { env });
  await eventually(() => serve.supervisor.out.includes('READY=1'), 'serve is not ready');
  const media = await startService(t, box, 'media', { env });
  // As systemd does it, without its pause: what ended is started again, four times.
  const lived = [];
  for (let began = Date.now(); lived.length < 4; began = Date.now(), media.service = media.start()) {
    await media.service.ended;
    lived.push(Date.now() - began);
  }
  t.note(`ends after ${lived.join(', ')} ms`);
  check(lived[2] >= 1_000 && lived[3] >= 2_000, `no growing pauses: ${lived}`);
  check(/STATUS=ended 3 times in a row/.test(media.supervisor.out), `no word to the supervisor: ${media.supervisor.out}`);
  check(/EXTEND_TIMEOUT_USEC=6\d{7}/.test(media.supervisor.out), 'no time asked for the pause');
  const metric = async () => Number(/^huitang_media_crash_loop (\d)/m.exec((await box.ask('/metrics')).body)?.[1]);
  await eventually(async () => (await metric()) === 1, 'the metric does not show the crash loop');
  const { status, body } = await box.ask('/readyz');
  check(status !== 200 && /ended \d times in a row/.test(body), `/readyz says ${status} ${body}`);
  check(/media service ends again and again/.test(serve.service.err), 'no line in the log');

  await new Promise((done) => thief.close(done));
  await eventually(() => media.supervisor.out.includes('READY=1'), 'media does not come back', { timeout: 40_000 });
  await eventually(async () => (await box.ask('/readyz')).status === 200, 'serve does not see it');
  await eventually(async () => (await metric()) === 0, 'the alarm stays', { timeout: 40_000 });

  // Told to end in the middle of a pause, it ends in order and has nothing to wait for the next time.
  await media.service.stop();
  writeFileSync(path.join(box.folder, 'media.starts'), '9\n');
  media.service = media.start();
  await eventually(() => media.supervisor.out.includes('STATUS=ended 9 times'), 'no pause after nine ends');
  const { code } = await media.service.stop();
  check(code === 0, `ended with ${code} when told to during its pause`);
  const before = count(media.supervisor.out, 'READY=1');
  const pauses = count(media.supervisor.out, 'STATUS=ended');
  media.service = media.start();
  await eventually(() => count(media.supervisor.out, 'READY=1') > before, 'does not start after an end in order');
  check(count(media.supervisor.out, 'STATUS=ended') === pauses, `a pause after an end in order: ${media.supervisor.out}`);
  t.row('R3', `media service that cannot live, under a supervisor: ends after ${lived.join(', ')} ms, alarm in /readyz, metrics and log, gone by itself`);
}, { timeout: 180_000 });

test('supervision: a disk that hangs is told in /readyz and ends the watchdog of serve, not that of media', async (t) => {
  const box = await makeBox(t);
  const pre = preload(t);
  const serve = await startService(t, box, 'serve', { args: ['--demo'], env: pre.env });
  const media = await startService(t, box, 'media');
  await eventually(async () => (await box.ask('/readyz')).status === 200, 'the box is not ready');
  const beats = () => count(serve.supervisor.out, 'WATCHDOG=1');
  const create = () => request({ host: '127.0.0.1', httpsPort: box.httpsPort }, 'POST', '/huitang.v1.ConferenceService/CreateConference', {
    headers: { 'content-type': 'application/json' }, body: '{"title":"x"}',
  }).catch(() => ({ status: 0 }));

  pre.hang(true);
  t.after(() => pre.hang(false));
  const waits = create(); // a write, behind which everything else waits
  const said = await eventually(async () => {
    const { status, body } = await box.ask('/readyz');
    return status !== 200 && /the store has not answered/.test(body) && body.trim();
  }, '/readyz says nothing of the store', { timeout: 60_000 });
  await eventually(() => serve.supervisor.out.includes('STATUS=the store has not answered'), 'no word to the supervisor');
  check(/store does not answer/.test(serve.service.err), 'no line in the log');
  check(/^huitang_store_silent 1$/m.test((await box.ask('/metrics')).body), 'the metric does not show it');
  // The store has been silent for more than two intervals of the watchdog: no beat from here on, while the loop turns.
  const silent = beats();
  const others = count(media.supervisor.out, 'WATCHDOG=1');
  await eventually(() => count(media.supervisor.out, 'WATCHDOG=1') >= others + 5, 'media falls silent with serve');
  check(beats() === silent, `${beats() - silent} beats while the store hangs`);
  check((await box.ask('/healthz')).status !== 0, 'the loop of serve hangs, too');

  pre.hang(false);
  await eventually(() => beats() >= silent + 3, 'the watchdog stays silent');
  await eventually(async () => (await box.ask('/readyz')).status === 200, 'not ready again');
  await waits;
  check((await create()).status === 200, 'no conference can be made after it');
  t.row('R20', `disk that hangs under the store: /readyz says "${said}", serve's watchdog beat stops (media's does not) and comes back with the disk`);
}, { timeout: 180_000 });
