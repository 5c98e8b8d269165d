// R21: the media process of a running meeting is replaced, again and again; nobody notices, and no index is used twice
// (an honest receiver refuses what repeats one, and bots count that). A new process that is not well leaves the old one
// running. Old and new control protocols work together.
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEEP, check, eventually, quantile, test } from '../../e2e/lib/runner.mjs';
import { Child, HUITANG, HUITANG_SANITIZED, createConference, request, startBot, startServer } from '../../e2e/lib/server.mjs';
import { MediaControl } from '../../e2e/lib/media_control.mjs';

const ROUNDS = DEEP ? 40 : 3;
const LIB = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../e2e/lib');

const events = (bot) => bot.child.out.split('\n').filter((line) => line.startsWith('{')).flatMap((line) => {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];  // the first line may be cut
  }
});
const statistics = (bot) => events(bot).findLast((event) => event.event === 'statistics');
const packetsOf = (bot) => (statistics(bot)?.slots ?? []).reduce((sum, slot) => sum + slot.packets, 0);

/** Media processes of this box, by their command line. */
function mediaPids(server) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words.includes('media') && words.includes(`${server.data}/media.sock`);
    } catch {
      return false;
    }
  });
}

async function metric(server, name) {
  const { body } = await request(server, 'GET', '/metrics');
  const line = body.split('\n').find((l) => l.startsWith(`${name} `) || l.startsWith(`${name}{`));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

/** A box with three bots that all hear and see each other. */
async function meeting(t) {
  const server = await startServer(t, { settings: '[media]\nworkers = 2\n' });
  const conference = await createConference(server);
  const bots = ['Anton', 'Berta', 'Cäsar'].map((name, i) =>
    startBot(t, { url: conference.link, name, mark: 201 + i, tone: 500 + 150 * i, args: ['--json'] }));
  await eventually(() => bots.every((bot) => (statistics(bot)?.slots ?? []).filter((s) => s.packets > 50).length >= 4),
    'the bots do not all receive each other', { timeout: 40_000 });
  return { server, bots };
}

/** What must be true of each bot of a meeting that nothing disturbed. */
function complaints(bots) {
  return bots.flatMap((bot) => {
    const all = events(bot);
    const last = statistics(bot);
    const connectedAt = all.findIndex((e) => e.event === 'media' && e.connected);
    const faults = (last?.slots ?? []).flatMap((slot) =>
      ['restarts', 'timestamp_faults', 'picture_id_faults', 'undecodable'].filter((fault) => slot[fault] > 0)
        .map((fault) => `${bot.name}: ${slot.slot} ${slot.index} ${fault} ${slot[fault]}`));
    if (last?.refused_in > 0) faults.push(`${bot.name}: ${last.refused_in} packets refused (an index used twice?)`);
    const change = all.slice(connectedAt + 1).find((e) => e.event === 'media');
    if (change !== undefined) {
      // Seconds on loopback are a bot that gets no processor time; its checks then expire without anybody's fault.
      const slowest = Math.max(...all.filter((e) => e.event === 'statistics').map((e) => e.round_trip_us)) / 1e6;
      faults.push(`${bot.name}: its connection changed (${change.detail}; its slowest round trip was ${slowest.toFixed(1)} s)`);
    }
    if (all.some((e) => e.event === 'left' || e.event === 'refused')) faults.push(`${bot.name}: it left`);
    if (all.filter((e) => e.event === 'joined').length > 1) faults.push(`${bot.name}: it joined again`);
    return faults;
  });
}

const lostOf = (bots) => bots.reduce((sum, bot) => sum + (statistics(bot)?.slots ?? []).reduce((s, slot) => s + slot.lost, 0), 0);

async function upgrade(t, server, args = []) {
  const child = new Child(HUITANG, ['upgrade', '--data', server.data, ...args]);
  t.onFailure(async (folder) => child.writeLogs(folder, 'upgrade'));
  const { code } = await child.ended;
  return { code, text: child.out + child.err, stillMs: Number(/still for ([\d.]+) ms/.exec(child.out)?.[1]) };
}

/** What a peer of each version meets. */
async function expectVersions(socket, peers) {
  const old = await MediaControl.connect(socket, { min: 1, max: 1 });
  check(old.version === 1, `version ${old.version} for a peer that speaks only 1`);
  check((await old.snapshot()).length === peers, 'an old serve gets no snapshot');
  check((await old.handOver()).refusal !== undefined, 'a message of version 2 was taken on a connection of version 1');
  const next = await MediaControl.connect(socket, { min: 1, max: 7 });
  check(next.version === 2, `version ${next.version} for a peer from the future`);
  const none = await MediaControl.connect(socket, { min: 8, max: 9 });
  check(none.hello.kind === 'error', 'a version that nobody here speaks was welcomed');
  for (const control of [old, next, none]) control.close();
}

test('R21: the media process is replaced under a talking meeting and nobody notices', async (t) => {
  const { server, bots } = await meeting(t);
  const lostBefore = lostOf(bots);
  const still = [];
  let pids = mediaPids(server);
  check(pids.length === 1, `${pids.length} media processes at the start`);
  let packetsIn = 0;
  for (let round = 0; round < ROUNDS; ++round) {
    const before = bots.map(packetsOf);
    const { code, text, stillMs } = await upgrade(t, server);
    check(code === 0, `round ${round}: upgrade said\n${text}`);
    still.push(stillMs);
    await eventually(() => mediaPids(server).length === 1, 'the old process does not end', { timeout: 15_000 });
    const now = mediaPids(server);
    check(now[0] !== pids[0], 'the process is the same as before');
    pids = now;
    await eventually(() => bots.every((bot, i) => packetsOf(bot) > before[i] + 100), () => `round ${round}: packets stop`);
    const node = await MediaControl.connect(`${server.data}/media.sock`);
    const peers = await node.snapshot();
    check(peers.filter((peer) => peer.state === 3).length === bots.length, `round ${round}: ${peers.length} peers`);
    const sum = peers.reduce((s, peer) => s + peer.packetsIn, 0);
    check(sum > packetsIn, `counters stepped back: ${packetsIn} to ${sum}`);
    packetsIn = sum;
    node.close();
  }
  // Serve is attached again, has started nothing and asked nobody to reconnect.
  await eventually(async () => (await request(server, 'GET', '/readyz')).status === 200, 'serve has no media');
  const found = complaints(bots);
  check(found.length === 0, found.join('\n'));
  const lost = lostOf(bots) - lostBefore;
  const sorted = [...still].sort((a, b) => a - b);
  t.row('R21', `media process replaced ${ROUNDS} times under 3 talking bots: no reconnect, 0 indices used twice, ${lost} packets lost, `
    + `still for ${quantile(sorted, 0.5).toFixed(1)} ms (median), ${sorted.at(-1).toFixed(1)} ms at most`);
  await server.child.stop();
  await eventually(() => mediaPids(server).length === 0, 'serve ended, but not the media process that it never started itself');
}, { timeout: DEEP ? 900_000 : 180_000 });

test('R21: old and new control protocols work together; a successor that is not well leaves the media process running', async (t) => {
  const { server, bots } = await meeting(t);
  const [pid] = mediaPids(server);
  await expectVersions(`${server.data}/media.sock`, bots.length);
  const node = await MediaControl.connect(`${server.data}/media.sock`);
  const hows = ['garbage', 'future', 'refuses', 'vanishes', ...(DEEP ? ['ends', 'silent', 'unprepared', 'stalls'] : [])];
  for (const how of hows) symlinkSync(path.join(LIB, 'fake_successor.mjs'), path.join(server.data, how));
  const executables = ['/bin/false', '/nowhere/huitang', server.data, ...hows.map((how) => path.join(server.data, how))];
  for (const executable of executables) {
    const before = bots.map(packetsOf);
    const { refusal } = await node.handOver(executable);
    check(refusal !== undefined, `${executable} was taken for a successor`);
    t.note(refusal.replaceAll(server.data, '…'));
    check(mediaPids(server).join() === String(pid), `${executable}: the media process is another one now`);
    await eventually(() => bots.every((bot, i) => packetsOf(bot) > before[i] + 50), () => `${executable}: packets stop`);
  }
  const { refusal } = await node.handOver('bin/huitang');
  check(/absolute/.test(refusal), `a relative path: ${refusal}`);
  const { code, text } = await upgrade(t, server, ['--executable', '/bin/false']);
  check(code === 1 && text.includes('does not run'), `upgrade to /bin/false: ${code} ${text}`);
  const found = complaints(bots);
  check(found.length === 0, found.join('\n'));
  // After all that it still hands over to a good one.
  const good = await node.handOver(HUITANG);
  check(good.refusal === undefined && good.peers === bots.length, JSON.stringify(good));
  await eventually(() => mediaPids(server).join() === String(good.pid), 'the good one does not run alone');
  node.close();
  t.row('R21', `${executables.length} successors that were not well: each time the old process went on, no bot noticed`);
  // The planted fault: without a hand-over the same checker complains.
  process.kill(good.pid, 'SIGKILL');
  await eventually(() => complaints(bots).length > 0, 'a killed media process is not noticed by the checker', { timeout: 60_000 });
});

test('R21: an upgrade whose new process hears nothing is taken back, and the meeting goes on', async (t) => {
  const { server, bots } = await meeting(t);
  const deaf = path.join(server.data, 'deaf');
  writeFileSync(deaf, `#!/bin/sh\nHUITANG_FAULT=deaf exec ${HUITANG_SANITIZED} "$@"\n`, { mode: 0o755 });
  const [pid] = mediaPids(server);
  const { code, text } = await upgrade(t, server, ['--executable', deaf]);
  check(code === 1 && text.includes('packets no longer flow') && text.includes('Back to the executable from before'), text);
  await eventually(() => mediaPids(server).length === 1, 'not one media process');
  check(mediaPids(server)[0] !== pid, 'no hand-over was tried');
  check(readlinkSync(`/proc/${mediaPids(server)[0]}/exe`) === HUITANG, 'it is not the executable from before');
  const before = bots.map(packetsOf);
  await eventually(() => bots.every((bot, i) => packetsOf(bot) > before[i] + 200), 'packets do not flow again');
  const found = complaints(bots).filter((text) => !text.includes('undecodable'));  // pictures were lost meanwhile
  check(found.length === 0, found.join('\n'));
  t.row('R21', 'an upgrade to a process that hears nothing was taken back: no reconnect, no index used twice');
});

const PREVIOUS = process.env.HUITANG_PREVIOUS_BIN;
if (PREVIOUS) {
  test('R21: a build of an earlier commit and this one work together, either way round', async (t) => {
    for (const [serve, media] of [[HUITANG, PREVIOUS], [PREVIOUS, HUITANG]]) {
      const folder = mkdtempSync(path.join(os.tmpdir(), 'huitang-r21-'));
      const socket = path.join(folder, 'media.sock');
      const node = new Child(media, ['media', '--socket', socket, '--udp-port', String(20_000 + Math.floor(Math.random() * 30_000)),
        '--public-address', '127.0.0.1', '--workers', '1']);
      t.onFailure(async (out) => node.writeLogs(out, 'media'));
      t.after(async () => (await node.stop(), rmSync(folder, { recursive: true, force: true })));
      const server = await startServer(t, { binary: serve, args: ['--no-spawn-media'], settings: `[media]\nsocket = "${socket}"\n` });
      const conference = await createConference(server);
      const bots = ['Anton', 'Berta'].map((name, k) =>
        startBot(t, { url: conference.link, name, mark: 211 + k, tone: 500 + 150 * k, args: ['--json'] }));
      await eventually(() => bots.every((bot) => packetsOf(bot) > 200), 'no media between old and new', { timeout: 40_000 });
      const control = await MediaControl.connect(socket);
      t.note(`serve ${serve === HUITANG ? 'new' : 'old'}, media ${media === HUITANG ? 'new' : 'old'}: version ${control.version}`);
      control.close();
      const found = complaints(bots);
      check(found.length === 0, found.join('\n'));
      for (const bot of bots) await bot.child.stop();
      await server.child.stop();
      await node.stop();
    }
  });
}
