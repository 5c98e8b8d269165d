// R3 without browsers: a media process that stops, one that cannot live, and a killed `serve` whose demo bots stay.
// The kills under real browsers, with sound and picture measured, are in tests/e2e/tests/70_survival.test.mjs.
import dgram from 'node:dgram';
import os from 'node:os';
import { check, eventually, test } from '../../e2e/lib/runner.mjs';
import { createConference, mediaPid, request, restartServer, startBot, startServer } from '../../e2e/lib/server.mjs';

/** Reports of a bot's --json that came after `from` characters of its output. */
const heardSince = (bot, from, hertz) => bot.child.out.slice(from).split('\n').some((line) => line.includes('"tones"') && line.includes(String(hertz)));

async function ready(server) {
  return (await request(server, 'GET', '/readyz').catch(() => ({ status: 0, body: '' })));
}
async function metric(server, name) {
  const { body } = await request(server, 'GET', '/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1] ?? NaN);
}

async function pair(t) {
  const server = await startServer(t);
  const { number } = await createConference(server);
  const url = `${server.url}/j/${number}`;
  const speaker = startBot(t, { url, name: 'Bot Anton', mark: 201, tone: 500 });
  const listener = startBot(t, { url, name: 'Bot Berta', mark: 202, tone: 640, args: ['--json'] });
  await eventually(() => heardSince(listener, 0, 500), 'the bots do not hear each other', { timeout: 40_000 });
  return { server, speaker, listener };
}

test('media gone: one that is stopped is replaced, and the bots hear each other again', async (t) => {
  const { server, listener } = await pair(t);
  const pid = mediaPid(server);
  process.kill(pid, 'SIGSTOP');
  const began = Date.now();
  await eventually(() => mediaPid(server) !== undefined && mediaPid(server) !== pid, 'the stopped process is not replaced', { timeout: 60_000 });
  const replaced = Date.now() - began;
  const from = listener.child.out.length;
  await eventually(() => heardSince(listener, from, 500), 'the tone does not come back', { timeout: 60_000 });
  check((await metric(server, 'huitang_media_nodes_silent_total')) >= 1, 'the silence was not counted');
  t.row('R3', `media process stopped (SIGSTOP): replaced after ${replaced} ms, tone back after ${Date.now() - began} ms`);
}, { timeout: 200_000 });

test('media gone: one that cannot live is an alarm in plain words, serve stays, and all is well once it can', async (t) => {
  const { server, listener } = await pair(t);
  const count = os.cpus().length;
  // The planted fault: the ports of the media process are taken as soon as it is gone.
  const thieves = Array.from({ length: count }, () => dgram.createSocket('udp4'));
  t.after(() => thieves.forEach((socket) => socket.close()));
  process.kill(mediaPid(server), 'SIGKILL');
  await Promise.all(thieves.map(async (socket, i) => {
    for (;;) {
      const taken = await new Promise((done) => {
        socket.once('error', () => done(false));
        socket.bind(server.udpPort + i, '0.0.0.0', () => done(true));
      });
      if (taken) return;
      const pid = mediaPid(server);
      if (pid !== undefined) try { process.kill(pid, 'SIGKILL'); } catch { /* it was faster */ }
      await new Promise((done) => setImmediate(done));
    }
  }));
  const alarm = await eventually(async () => {
    const { status, body } = await ready(server);
    return status !== 200 && /times in a row/.test(body) && body;
  }, 'no alarm about a media process that ends again and again', { timeout: 60_000 });
  check((await metric(server, 'huitang_media_crash_loop')) === 1, 'the metric does not show the crash loop');
  check(!server.child.hasEnded, 'serve went along');
  const starts = await metric(server, 'huitang_media_starts_total');
  const conferences = await createConference(server);
  check(/^\d{9}$/.test(conferences.number), 'no conference can be made while the media process is away');
  t.note(`after ${starts} starts: ${alarm.trim()}`);
  thieves.splice(0).forEach((socket) => socket.close());
  const from = listener.child.out.length;
  await eventually(async () => (await ready(server)).status === 200, 'it does not recover', { timeout: 60_000 });
  await eventually(() => heardSince(listener, from, 500), 'the tone does not come back', { timeout: 60_000 });
  await eventually(async () => (await metric(server, 'huitang_media_crash_loop')) === 0, 'the alarm stays');
  t.row('R3', `crash loop: alarm in /readyz after ${starts} starts, recovered by itself`);
}, { timeout: 240_000 });

test('media gone: the demo bots of a killed serve are taken over, none is doubled', async (t) => {
  const server = await startServer(t, { demoBots: 3 });
  const watcher = startBot(t, { url: server.demoUrl, name: 'Watcher', mark: 301, tone: 1500, args: ['--json', '--listen', '440,550,660'] });
  await eventually(() => [440, 550, 660].every((hertz) => heardSince(watcher, 0, hertz)), 'the demo bots are not heard', { timeout: 60_000 });
  const bots = () => [...(server.earlier ?? []), server.child].flatMap((child) => [...child.err.matchAll(/child (?:started|taken over) what=bot pid=(\d+)/g)].map(([, pid]) => pid));
  const before = bots().sort();
  const heard = watcher.child.out.length;
  server.child.signal('SIGKILL');
  await restartServer(server);
  await eventually(() => bots().length === 6, () => `bots by now: ${bots()}`, { timeout: 30_000 });
  const after = bots().slice(3).sort();
  check(JSON.stringify(after) === JSON.stringify(before), `the bots were ${before} and are ${after}`);
  // Sound never stopped: a change of what is heard would have been reported.
  const reports = watcher.child.out.slice(heard).split('\n').filter((line) => line.includes('"tones"'));
  check(reports.every((line) => line.includes('440')), `a demo bot was not heard meanwhile: ${reports.find((line) => !line.includes('440'))}`);
  check(!watcher.child.hasEnded, 'the watcher gave up');
}, { timeout: 200_000 });
