// `huitang serve` and `huitang bot` as child processes of a test. Ends only what it started, by process id.
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import dgram from 'node:dgram';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { ROOT } from './runner.mjs';

export const HUITANG = process.env.HUITANG_BIN ?? path.join(ROOT, 'build', 'release', 'huitang');
/** With address and undefined-behaviour sanitizers and consistency checks on; for hostile input. */
export const HUITANG_SANITIZED = process.env.HUITANG_SANITIZED_BIN ?? path.join(ROOT, 'build', 'sanitize', 'huitang');

export function freeTcpPort() {
  return new Promise((done, fail) => {
    const server = net.createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

function canBindUdp(port) {
  return new Promise((done) => {
    const socket = dgram.createSocket('udp4');
    socket.once('error', () => done(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => done(true)));
  });
}

/** The first of `count` free neighbouring UDP ports: each worker has its own. */
export async function freeUdpPorts(count) {
  for (let tries = 0; tries < 200; ++tries) {
    const base = 20_000 + Math.floor(Math.random() * 30_000);
    const free = await Promise.all(Array.from({ length: count }, (_, i) => canBindUdp(base + i)));
    if (free.every(Boolean)) return base;
  }
  throw new Error('no free UDP ports');
}

// Should the runner itself end early, its children are told to end in order (serve takes its media process along).
const alive = new Set();
process.once('exit', () => alive.forEach((child) => child.signal('SIGTERM')));

/** A child process whose output is kept. */
export class Child {
  constructor(command, args, { env } = {}) {
    this.command = `${path.basename(command)} ${args.join(' ')}`;
    this.out = '';
    this.err = '';
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.process.stdout.on('data', (data) => (this.out = (this.out + data).slice(-400_000)));
    this.process.stderr.on('data', (data) => (this.err = (this.err + data).slice(-400_000)));
    this.ended = new Promise((done) => {
      this.process.once('exit', (code, signal) => done({ code, signal }));
      this.process.once('error', (error) => done({ code: -1, signal: String(error) }));
    });
    this.hasEnded = false;
    alive.add(this);
    void this.ended.then(() => {
      this.hasEnded = true;
      alive.delete(this);
    });
  }
  get pid() {
    return this.process.pid;
  }
  signal(name) {
    if (!this.hasEnded) this.process.kill(name);
  }
  /** SIGTERM, and SIGKILL when that does not end it in `patience` ms. Gives what it ended with. */
  async stop(patience = 10_000) {
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), patience);
    const result = await this.ended;
    clearTimeout(timer);
    return result;
  }
  writeLogs(folder, name) {
    writeFileSync(path.join(folder, `${name}.log`), `$ ${this.command}\n--- stdout\n${this.out}\n--- stderr\n${this.err}\n`);
  }
}

/** The first line of standard output that is JSON. */
export async function readyLine(child, timeout) {
  const end = Date.now() + timeout;
  for (;;) {
    const line = child.out.split('\n').slice(0, -1).find((l) => l.startsWith('{'));
    if (line) return JSON.parse(line);
    if (child.hasEnded) throw new Error(`${child.command} ended at its start:\n${child.err.slice(-2000)}`);
    if (Date.now() > end) throw new Error(`${child.command} is not ready after ${timeout / 1000} s:\n${child.err.slice(-2000)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** A command line, run in that network (lib/network.mjs) if there is one. */
const inNetwork = (network, binary, args) => (network ? network.command(binary, args) : [binary, args]);

/**
 * A box of its own in a fresh data folder, open to all (--demo), its demo conference without bots unless asked for:
 * `url`, `demoUrl`, `number` of the demo conference, `child`; `start` makes the same process again. `demo: false` is a box
 * in which only the administrator makes conferences. With `network` it runs in there (lib/network.mjs).
 */
export async function startServer(
  t,
  { demoBots = 0, settings = '', binary = HUITANG, args = [], env, demo = true, network, publicAddress = network?.address ?? '127.0.0.1' } = {},
) {
  const data = mkdtempSync(path.join(os.tmpdir(), 'huitang-e2e-'));
  const config = path.join(data, 'huitang.toml');
  writeFileSync(config, `[demo]\nbots = ${demoBots}\n${settings}`);
  const httpsPort = await freeTcpPort();
  const udpPort = await freeUdpPorts(os.cpus().length + 2);
  const command = [
    'serve',
    ...(demo ? ['--demo'] : []),
    '--config', config,
    '--data', data,
    '--https-port', String(httpsPort),
    '--udp-port', String(udpPort),
    '--public-address', publicAddress,
    ...args,
  ];
  const server = { data, httpsPort, udpPort, host: publicAddress, start: () => new Child(...inNetwork(network, binary, command), { env }) };
  server.child = server.start();
  t.onFailure(async (folder) => {
    (server.earlier ?? []).forEach((child, i) => child.writeLogs(folder, `serve-${i + 1}`));
    server.child.writeLogs(folder, 'serve');
    for (const name of ['media.log', 'bots.log'])
      if (existsSync(path.join(data, name))) copyFileSync(path.join(data, name), path.join(folder, name));
  });
  t.after(async () => {
    await server.child.stop();
    // A killed serve leaves its media process running, as it should; the test does not.
    const pid = mediaPid(server);
    if (pid !== undefined && isHuitang(pid)) process.kill(pid, 'SIGKILL');
    rmSync(data, { recursive: true, force: true });
  });
  const ready = await readyLine(server.child, 30_000);
  server.url = ready.url;
  server.demoUrl = ready.demo_url;
  server.number = /\/j\/(\d{9})/.exec(ready.demo_url ?? '')?.[1];
  return server;
}

/** Starts `serve` again with the same folder and ports, once it has ended; gives when it says that it is ready. */
export async function restartServer(server) {
  await server.child.ended;
  (server.earlier ??= []).push(server.child);
  server.child = server.start();
  await readyLine(server.child, 30_000);
}

/** The media process that this serve started last, as its log says; undefined when it has ended (it was seen to). */
export function mediaPid(server) {
  let pid;
  const log = [...(server.earlier ?? []), server.child].map((child) => child.err).join('');
  for (const [, started, ended] of log.matchAll(/child started what=media pid=(\d+)|child ended what=media pid=(\d+)/g))
    pid = started ? Number(started) : Number(ended) === pid ? undefined : pid;
  return pid;
}

/** Whether this process lives and is ours to end. */
function isHuitang(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('huitang');
  } catch {
    return false;
  }
}

/** One HTTPS request to the box, its private CA not checked: {status, headers, body}. */
export function request(server, method, where, { headers = {}, body } = {}) {
  return new Promise((done, fail) => {
    const call = https.request(
      { host: server.host, port: server.httpsPort, path: where, method, headers, rejectUnauthorized: false },
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

/** A fresh conference through the API: {number, link, chairLink}. */
export async function createConference(server, title = 'e2e') {
  const { status, body } = await request(server, 'POST', '/huitang.v1.ConferenceService/CreateConference', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ title }),
  });
  if (status !== 200) throw new Error(`CreateConference: ${status} ${body}`);
  return JSON.parse(body);
}

/** A native participant in the conference at `url`. */
export function startBot(t, { url, name, mark, tone, args = [], network }) {
  const command = ['bot', '--url', url, '--insecure', '--name', name, '--mark', String(mark), '--tone', String(tone), ...args];
  const child = new Child(...inNetwork(network, HUITANG, command));
  t.onFailure(async (folder) => child.writeLogs(folder, `bot-${mark}`));
  t.after(() => child.stop(5_000));
  return { child, name, mark, tone };
}
