// R2 with whole processes: one joins and one leaves each second, and nothing stays behind. The wraps of all counters are
// crossed in virtual time by src/worker/soak_test.cpp. The deep form meets for an hour and looks at resident memory, too.
import { DEEP, check, eventually, sleep, test } from '../../e2e/lib/runner.mjs';
import { createConference, mediaPid, request, startBot, startServer } from '../../e2e/lib/server.mjs';
import { figuresOf, leftovers, slopePerHour } from '../lib/soak.mjs';

const SECONDS = DEEP ? 3600 : 12;
const STAY_SECONDS = 4;
/** Caches and arenas fill at first. */
const SETTLE_SECONDS = 900;
const MAX_SLOPE = 0.5; // MB in an hour
const GAUGES = [
  'huitang_participants', 'huitang_sessions', 'huitang_sockets_open', 'huitang_media_live_sources',
  'huitang_media_live_receivers', 'huitang_media_live_slots', 'huitang_media_live_groups', 'huitang_media_live_addresses',
  'huitang_media_live_fragments', 'huitang_media_live_history_packets', 'huitang_media_live_packet_buffers',
];

async function gauges(server) {
  const { body } = await request(server, 'GET', '/metrics');
  return Object.fromEntries(GAUGES.map((name) => [name, Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1] ?? NaN)]));
}
/** All that must come back to what it was; connections of the asking itself are closed by then. */
async function state(server) {
  const live = await gauges(server);
  return { ...live, 'descriptors of serve': figuresOf(server.child.pid).descriptors, 'descriptors of media': figuresOf(mediaPid(server)).descriptors };
}

let marks = 100;
function join(t, server, conference, sends) {
  const mark = 100 + (marks++ % 900);
  return startBot(t, { url: `${server.url}/j/${conference.number}`, name: `Bot ${mark}`, mark, tone: 500, args: ['--json', ...(sends ? [] : ['--receive-only'])] });
}
const hasJoined = (bot) => bot.child.out.includes('joined');

test('soak: with a join and a leave a second no object, descriptor or memory stays behind', async (t) => {
  const server = await startServer(t);
  const conference = await createConference(server);
  const first = join(t, server, conference, true);
  await eventually(() => hasJoined(first), 'the first bot does not join', { timeout: 30_000 });
  await eventually(async () => (await gauges(server)).huitang_media_live_receivers > 0, 'the gauges show nobody');
  await first.child.stop();
  const isDrained = (s) => s.huitang_participants === 0 && s.huitang_media_live_receivers === 0 && s.huitang_media_live_history_packets === 0;
  await eventually(async () => isDrained(await gauges(server)), async () => 'the first bot stays', { timeout: 60_000 });
  await sleep(1500); // the media process tells its figures once a second
  const before = await state(server);
  check(Object.values(before).every(Number.isFinite), `a gauge is missing: ${JSON.stringify(before)}`);

  const stays = join(t, server, conference, true);
  await eventually(() => hasJoined(stays), 'the one who stays does not join', { timeout: 30_000 });
  const guests = [];
  const memory = { serve: [], media: [] };
  let joined = 0;
  const leave = async (guest) => {
    joined += hasJoined(guest) ? 1 : 0;
    // Without a word, now and then; not in the quick form, which has no time to wait until it is given up.
    if (DEEP && guest.mark % 7 === 0) guest.child.signal('SIGKILL');
    await guest.child.stop();
  };
  const began = Date.now();
  const leaving = [];
  for (let second = 0; second < SECONDS; ++second) {
    guests.push(join(t, server, conference, second % 4 === 0));
    if (guests.length > STAY_SECONDS) leaving.push(leave(guests.shift()));
    if (second % 5 === 0) for (const [what, pid] of [['serve', server.child.pid], ['media', mediaPid(server)]])
      memory[what].push([(Date.now() - began) / 1000, figuresOf(pid).residentMb]);
    await sleep(Math.max(0, began + (second + 1) * 1000 - Date.now()));
  }
  check(!stays.child.hasEnded, 'the one who stays did not'); // of what it said only the last part is kept
  // On a busy machine they join late: the last ones get the time for it.
  await eventually(() => guests.every(hasJoined), 'the last guests do not join', { timeout: 30_000 });
  const during = await gauges(server);
  check(during.huitang_participants > 0 && during.huitang_media_live_receivers > 0, `the gauges show nobody: ${JSON.stringify(during)}`);
  await Promise.all([...leaving, ...guests.map(leave), stays.child.stop()]);

  // A session outlives its socket by the 60 s within which it may be resumed.
  let left = [];
  await eventually(async () => (left = leftovers(before, await state(server))).length === 0, () => `left behind: ${left.join('; ')}`, { timeout: DEEP ? 300_000 : 100_000, every: 1000 });
  check(joined > SECONDS / 2, `only ${joined} of ${SECONDS} got in`);
  check(!server.child.hasEnded && server.child.err.match(/child started what=media/g)?.length === 1, 'a process did not live through it');
  const slopes = Object.fromEntries(Object.entries(memory).map(([what, series]) => [what, DEEP ? slopePerHour(series.filter(([at]) => at > SETTLE_SECONDS)) : NaN]));
  if (DEEP) for (const [what, slope] of Object.entries(slopes)) check(slope < MAX_SLOPE, `resident memory of ${what} grows by ${slope.toFixed(2)} MB/h`);
  const end = Object.entries(memory).map(([what, series]) => `${what} ${series.at(-1)[1].toFixed(0)} MB${DEEP ? ` (${slopes[what].toFixed(2)} MB/h)` : ''}`).join(', ');
  t.row('R2', `${joined} joins and leaves in ${SECONDS} s: live objects and descriptors back at baseline; resident ${end}`);
}, { timeout: SECONDS * 1000 + 600_000 });

test('soak: a growing memory, a kept peer and a kept descriptor are noticed', async (t) => {
  // The planted faults. Noise of 2 MB does not hide a leak of 1 MB an hour, nor make one up.
  let state = 1;
  const noise = () => ((state = (state * 48271) % 0x7fffffff) / 0x7fffffff - 0.5) * 2;
  const series = (perHour) => Array.from({ length: 540 }, (_, i) => [900 + i * 5, 80 + noise() + (perHour * (900 + i * 5)) / 3600]);
  const leaking = slopePerHour(series(1));
  const steady = slopePerHour(series(0));
  check(leaking > MAX_SLOPE, `a leak of 1 MB/h reads as ${leaking.toFixed(2)}`);
  check(steady < MAX_SLOPE, `no leak reads as ${steady.toFixed(2)} MB/h`);
  const kept = leftovers({ live_receivers: 0, 'descriptors of media': 20 }, { live_receivers: 1, 'descriptors of media': 21 });
  check(kept.length === 2, 'what is kept is not noticed');

  const server = await startServer(t);
  const conference = await createConference(server);
  const before = await eventually(async () => {
    const now = await gauges(server);
    return Object.values(now).every(Number.isFinite) && now;
  }, 'the gauges are not told');
  const bot = join(t, server, conference, true);
  await eventually(() => hasJoined(bot), 'the bot does not join', { timeout: 30_000 });
  await eventually(async () => leftovers(before, await gauges(server)).some((line) => line.startsWith('huitang_media_live_receivers')), 'a bot that is still there does not show');
  await bot.child.stop();
  t.row('R2', `planted: a leak of 1 MB/h reads as ${leaking.toFixed(2)} MB/h and fails, none as ${steady.toFixed(2)}; a bot that is kept shows in the gauges`);
});
