// People in Chromium and in Firefox and two bots in one conference: everyone sees and hears everyone, comes, goes
// and shares, and nobody's browser ever negotiates a second time.
import { openPage, HEARD, SILENT, id } from '../lib/participant.mjs';
import { check, eventually, median, quantile, sleep, test } from '../lib/runner.mjs';
import { createConference, startBot, startServer } from '../lib/server.mjs';

const BOTS = [
  { name: 'Bot Anton', mark: 201, tone: 500 },
  { name: 'Bot Berta', mark: 202, tone: 640 },
];
const CHROMIUM = { mark: 31, tone: 820 };
const FIREFOX = { mark: 32, tone: 1040 };

/** Server, conference, two bots, one page in each browser, all in. */
async function meeting(t) {
  const server = await startServer(t);
  const conference = await createConference(server);
  const link = `${server.url}/j/${conference.number}`;
  const bots = BOTS.map((bot) => startBot(t, { url: link, ...bot }));
  const chromium = await openPage(t, 'chromium', CHROMIUM);
  const firefox = await openPage(t, 'firefox', FIREFOX);
  await chromium.join(conference.chairLink ?? link, 'Chrome Person');
  await firefox.join(link, 'Firefox Person');
  return { server, conference, link, bots, chromium, firefox };
}

function changed(before, after) {
  return ['peerConnections', 'createOffer', 'createAnswer', 'setLocalDescription', 'setRemoteDescription']
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name} ${before[name]} -> ${after[name]}`);
}

async function expectNoNegotiation(person, before) {
  const differences = changed(before, await person.counters());
  check(differences.length === 0, `${person.kind} negotiated again: ${differences}`);
}

test('meeting: Chromium, Firefox and two bots see and hear each other over one connection each', async (t) => {
  const { link, chromium, firefox, bots } = await meeting(t);
  const everyone = [...BOTS, CHROMIUM, FIREFOX];
  for (const person of [chromium, firefox]) {
    const others = everyone.filter((other) => other.mark !== person.mark);
    await person.sees(others.map((other) => other.mark), 40_000);
    await person.hears(others.map((other) => other.tone), 40_000);
    // The name on each tile is that of the picture in it.
    const names = new Map([...BOTS.map((b) => [b.mark, b.name]), [31, 'Chrome Person'], [32, 'Firefox Person']]);
    for (const tile of await person.tiles())
      if (tile.mark !== null) check(tile.name === names.get(tile.mark), `${person.kind}: picture ${tile.mark} is named ${tile.name}`);
    await person.expectOnePeer();
    const counters = await person.counters();
    t.note(`${person.kind}: ${JSON.stringify(counters)}`);
    check(counters.setRemoteDescription === 1 && counters.createOffer === 1, `${person.kind} negotiated more than once`);
  }
  const before = { chromium: await chromium.counters(), firefox: await firefox.counters() };

  // Somebody comes and goes.
  const third = startBot(t, { url: link, name: 'Bot Carla', mark: 203, tone: 1300 });
  await chromium.sees([203], 40_000);
  await firefox.sees([203], 40_000);
  await firefox.hears([1300]);
  await third.child.stop();
  for (const person of [chromium, firefox])
    await eventually(async () => !(await person.tiles()).some((tile) => tile.name === 'Bot Carla'), `${person.kind} still shows who left`, {
      timeout: 60_000,
    });

  // Chromium shares, Firefox watches.
  await chromium.click('share-screen');
  await firefox.sees([CHROMIUM.mark + 500], 30_000);
  await chromium.click('share-screen');
  await eventually(async () => !(await firefox.marks()).includes(CHROMIUM.mark + 500), 'the share does not end at Firefox');
  await firefox.sees([CHROMIUM.mark]);

  for (const person of [chromium, firefox]) await expectNoNegotiation(person, before[person.kind]);
  check(bots.every((bot) => !bot.child.hasEnded), 'a bot ended by itself');
}, { timeout: 300_000 });

/** The large tile is the widest one. */
async function largeTile(person) {
  return (await person.tiles()).reduce((a, b) => (b.width > a.width ? b : a), { width: 0 });
}

test('meeting: the large tile goes round all participants ten times without further offer or answer', async (t) => {
  const { chromium, firefox } = await meeting(t);
  for (const person of [chromium, firefox]) {
    const others = [...BOTS, person === chromium ? FIREFOX : CHROMIUM];
    await person.sees(others.map((other) => other.mark), 40_000);
    const before = await person.counters();
    const times = [];
    for (let turn = 0; turn < 10; ++turn) {
      const { mark } = others[turn % others.length];
      times.push(
        await person.page.evaluate(async (wanted) => {
          const widest = () => [...document.querySelectorAll('[data-testid="tile"]')].reduce((a, b) =>
            b.getBoundingClientRect().width > a.getBoundingClientRect().width ? b : a);
          const tile = [...document.querySelectorAll('[data-testid="tile"]')].find((element) => {
            const video = element.querySelector('video');
            return video && e2e.readMark(video) === wanted && element !== (document.pinnedTile ?? null);
          });
          if (!tile) throw new Error(`no tile shows ${wanted}`);
          const began = performance.now();
          tile.querySelector('.ht-tile-button').click();
          while (performance.now() - began < 8000) {
            const large = widest();
            const video = large.querySelector('video');
            if (large.classList.contains('ht-tile-large') && video && e2e.readMark(video) === wanted) return performance.now() - began;
            await new Promise((done) => requestAnimationFrame(done));
          }
          throw new Error(`the large tile does not show ${wanted}`);
        }, mark),
      );
      await sleep(400);
      const large = await largeTile(person);
      check(large.mark === mark, `${person.kind}: the large tile fell back to ${large.mark}`);
    }
    await expectNoNegotiation(person, before);
    t.note(`${person.kind}: click to large picture, median ${median(times).toFixed(0)} ms, p95 ${quantile(times, 0.95).toFixed(0)} ms`);
  }
}, { timeout: 300_000 });

for (const kind of ['chromium', 'firefox']) {
  test(`meeting: ${kind} has a slot switched by the node among all participants, new picture timed`, async (t) => {
    const server = await startServer(t);
    const { number } = await createConference(server);
    const link = `${server.url}/j/${number}`;
    const bots = [...BOTS, { name: 'Bot Carla', mark: 203, tone: 1300 }];
    for (const bot of bots) startBot(t, { url: link, ...bot });
    const person = await openPage(t, kind, { mark: 33, tone: 820, video: { width: 320, height: 180, fps: 10 } });
    await person.joinRaw(server, number, 'Switcher');
    await eventually(
      () => person.page.evaluate((names) => names.every((name) => raw.source(name)), bots.map((bot) => bot.name)),
      'the bots do not come in',
      { timeout: 40_000 },
    );
    const before = await person.counters();
    const times = [];
    // The first picture of all waits for the start of everything and is not counted.
    for (let turn = -1; turn < 10; ++turn) {
      const bot = bots[(turn + bots.length) % bots.length];
      const time = await person.page.evaluate(
        async (name, mark, patience) => {
          const shown = raw.untilShown(0, mark, patience);
          await raw.view([{ index: 0, source: raw.source(name) }]);
          return shown;
        },
        bot.name,
        bot.mark,
        turn < 0 ? 20_000 : 8_000,
      );
      if (turn >= 0) times.push(time);
      await sleep(700);
    }
    await expectNoNegotiation(person, before);
    t.note(`${kind}: switch to new picture, median ${median(times).toFixed(0)} ms, p95 ${quantile(times, 0.95).toFixed(0)} ms: ${times.map(Math.round)}`);
    check(median(times) <= 500, `the median switch takes ${median(times).toFixed(0)} ms`);
  }, { timeout: 240_000 });
}
