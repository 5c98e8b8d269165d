// Overload, the order of sacrifice: with a load limit set so low that a flood of strangers reaches it, newcomers and new
// conferences are refused first, then pictures go, and sound never does. All of it comes back by itself.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { check, eventually, sleep, test } from '../../e2e/lib/runner.mjs';
import { createConference, request, startBot } from '../../e2e/lib/server.mjs';
import { eventsOf, startSanitized } from '../lib/call.mjs';
import { Strangers, freshlyHeardBy, heardBy, nodeCounters, statisticsOf, stunRequest } from '../lib/hostile.mjs';

async function metric(server, name) {
  const { body } = await request(server, 'GET', '/metrics');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body)?.[1] ?? NaN);
}
const level = (server) => metric(server, 'huitang_media_worker_0_load_level');

async function startPair(t, limit) {
  const server = await startSanitized(t, `workers = 1\nload_limit_percent = ${limit}`);
  const conference = await createConference(server);
  const speaker = startBot(t, { url: conference.link, name: 'Bot Anton', mark: 201, tone: 500, args: ['--json'] });
  const listener = startBot(t, { url: conference.link, name: 'Bot Berta', mark: 202, tone: 900, args: ['--json', '--receive-only'] });
  await eventually(() => heardBy(listener).frames > 5, 'the listener sees nothing', { timeout: 60_000 });
  return { server, conference, speaker, listener };
}

function lostSound(bot) {
  return (statisticsOf(bot)?.slots ?? []).filter((slot) => slot.slot === 'audio').reduce((sum, slot) => sum + slot.lost, 0);
}

const LEVELS = ['normal', 'no new peers', 'low layers only', 'sound only'];
/** As the media process noted each change. */
function levelsOf(server) {
  const log = readFileSync(path.join(server.data, 'media.log'), 'utf8');
  return [0, ...[...log.matchAll(/load level level="?([a-z ]+?)"? share/g)].map(([, name]) => LEVELS.indexOf(name))];
}

/** Levels one after the other: each may only be one above or below the one before. */
function jumpsIn(levels) {
  return levels.filter((now, i) => i > 0 && Math.abs(now - levels[i - 1]) > 1).length;
}

test('overload: newcomers are refused before pictures go, sound goes on, all comes back', async (t) => {
  // How much of a core this meeting takes on this machine, in this build.
  const probe = await startPair(t, 100);
  await sleep(3000);
  await nodeCounters(probe.server);
  const share = await metric(probe.server, 'huitang_media_worker_0_load_percent');
  for (const bot of [probe.speaker, probe.listener]) await bot.child.stop();
  await probe.server.child.stop();

  const limit = Math.min(60, Math.ceil(share * 1.6) + 4);
  const { server, conference, listener } = await startPair(t, limit);
  await eventually(async () => (await level(server)) === 0, 'the node does not settle', { timeout: 60_000 });
  const strangers = await Strangers.start(t, 50);
  const lost = lostSound(listener);

  // A flood that grows until the node has given up all it may.
  let rate = 1000;
  for (const end = Date.now() + 90_000; (await level(server)) !== 3; rate = Math.min(rate * 1.5, 40_000)) {
    check(Date.now() < end, `level ${await level(server)} with ${rate} datagrams a second, limit ${limit} %`);
    await strangers.flood(server.udpPort, { seconds: 1, rate, make: (n) => stunRequest(`nobody${n % 9}:x`) });
  }
  let flooding = true;
  const flood = (async () => {
    while (flooding) await strangers.flood(server.udpPort, { seconds: 0.5, rate, make: () => stunRequest('nobody:x') });
  })();
  check((await request(server, 'GET', '/readyz')).body.includes('full'), 'readyz does not say that the box is full');
  check((await metric(server, 'huitang_box_full')) === 1, 'the metrics do not say that the box is full');
  const refused = await createConference(server).then(() => 'made', (error) => error.message);
  check(refused.includes('BOX_FULL') || refused.includes('resource_exhausted'), `a new conference: ${refused}`);
  const late = startBot(t, { url: conference.link, name: 'Bot Carl', mark: 203, tone: 1100, args: ['--json', '--receive-only'] });
  await eventually(() => eventsOf(late, 'refused').some((e) => e.code.includes('BOX_FULL')), 'a newcomer is not told that the box is full', { timeout: 30_000 });

  // Without pictures the node has less to do and may give them back: what counts is a stretch spent at the last level
  // from its beginning to its end, as the node itself noted, under a flood that grows until there is one.
  let paused, still, stayed;
  for (let tries = 0; tries < 8 && !stayed; ++tries) {
    const before = levelsOf(server);
    paused = await freshlyHeardBy(listener);
    still = await freshlyHeardBy(listener);
    stayed = before.at(-1) === 3 && levelsOf(server).length === before.length;
    if (!stayed) rate = Math.min(rate * 1.5, 60_000);
  }
  const pictures = still.frames - paused.frames;
  const packets = still.packets - paused.packets;
  flooding = false;
  await flood;
  check(stayed, `the node does not stay at the last level: ${levelsOf(server).join(' ')}`);
  check(pictures === 0, `${pictures} pictures came through`);
  check(packets > 60, `only ${packets} packets of sound in five seconds`);

  await eventually(async () => (await level(server)) === 0, 'the level does not fall', { timeout: 120_000, every: 300 });
  await eventually(() => heardBy(listener).frames > still.frames + 5, 'the pictures do not come back', { timeout: 60_000 });
  const levels = levelsOf(server);
  check(levels.includes(3) && levels.at(-1) === 0 && jumpsIn(levels) === 0, `levels jumped: ${levels.join(' ')}`);
  check(lostSound(listener) === lost, `${lostSound(listener) - lost} packets of sound were lost`);
  const again = startBot(t, { url: conference.link, name: 'Bot Dora', mark: 204, tone: 1300, args: ['--json', '--receive-only'] });
  await eventually(() => eventsOf(again, 'joined').length > 0, 'nobody can join afterwards', { timeout: 60_000 });
  // Planted fault: a node that pauses pictures before it refuses anybody.
  check(jumpsIn([0, 2, 3]) === 1, 'a skipped level goes unnoticed');
  t.note(`meeting ${share} % of a core, limit ${limit} %, levels ${levels.join(' → ')} at up to ${Math.round(rate)} strangers' datagrams a second; no packet of sound lost`);
}, { timeout: 420_000 });
