// Row R7, the clients' part: the network between the browsers and the box goes away and comes back, the machine gets
// another address or sleeps, and everyone is back on the same page, in the same session, and with the same PeerConnection
// where the browser can (docs/browsers.md: Firefox takes no restart of ours, so its page makes a new one; Chromium clings to
// the way of an address that is gone, so there, too, a new one is faster).
import { processesOf } from '../lib/browsers.mjs';
import { canMakeNetworks, Network } from '../lib/network.mjs';
import { id, openPage } from '../lib/participant.mjs';
import { check, DEEP, eventually, quantile, sleep, test } from '../lib/runner.mjs';
import { createConference, restartServer, startBot, startServer } from '../lib/server.mjs';

const BOT = { name: 'Bot Anton', mark: 201, tone: 500 };
const VIDEO = { width: 320, height: 180, fps: 10 };
const CHROMIUM = { mark: 31, tone: 820, video: VIDEO };
const FIREFOX = { mark: 32, tone: 930, video: VIDEO };
/** Generous: what is aimed at is three seconds, and that is measured. */
const PATIENCE = 40_000;
const BACK_MS = 3_000;
/** So many looks of 40 ms in a row without a tone are a break; so long with it is for good. */
const BREAK_LOOKS = 10;
const STEADY_MS = 2_500;

/** A box and a bot in a network that can be cut, one person in each browser outside. */
async function meeting(t) {
  const network = new Network(t);
  const server = await startServer(t, { network });
  const conference = await createConference(server);
  const link = `${server.url}/j/${conference.number}`;
  startBot(t, { url: link, ...BOT, network });
  const chromium = await openPage(t, 'chromium', CHROMIUM);
  const firefox = await openPage(t, 'firefox', FIREFOX);
  const people = [chromium, firefox];
  await chromium.join(conference.chairLink, 'Chrome Person');
  await firefox.join(link, 'Firefox Person');
  await chromium.sees([BOT.mark, FIREFOX.mark], 60_000);
  await firefox.sees([BOT.mark, CHROMIUM.mark], 60_000);
  await chromium.hears([BOT.tone, FIREFOX.tone], 60_000);
  await firefox.hears([BOT.tone, CHROMIUM.tone], 60_000);
  return { network, server, conference, people, chromium, firefox };
}

/** What must stay: the page, its connection and the place in the conference. */
const standing = (person) =>
  person.page.evaluate(() => ({
    joins: e2e.signaling.joins,
    peerConnections: e2e.counters.peerConnections,
    loadedAt: performance.timeOrigin,
  }));

/** Everything that is not as before, in words; nothing when it went on as it should. */
async function differences(person, before, { keepsPeer = true } = {}) {
  const now = await standing(person);
  const found = [];
  if (now.loadedAt !== before.loadedAt) found.push('the page was loaded again');
  if (now.joins !== before.joins) found.push('the session was not resumed: it joined again');
  if (now.peerConnections !== before.peerConnections && keepsPeer && person.kind !== 'firefox') found.push('the PeerConnection was replaced');
  if (await person.page.$(id('join-submit'))) found.push('it stands on the join page');
  const names = (await person.tiles()).map((tile) => tile.name);
  if (new Set(names).size !== names.length) found.push(`somebody is there twice: ${names}`);
  return found;
}

const toneOfOther = (person) => (person.kind === 'chromium' ? FIREFOX.tone : CHROMIUM.tone);
const markOfOther = (person) => (person.kind === 'chromium' ? FIREFOX.mark : CHROMIUM.mark);
const startWatch = (person) => person.page.evaluate((tones) => void (e2e.watch = e2e.watchTones(tones)), [BOT.tone, toneOfOther(person)]);

/** Since when a tone is heard without a break, when that is so for a while. */
function unbrokenSince(looks, healed) {
  const after = looks.filter(({ at }) => at >= healed);
  if (after.length === 0) return undefined;
  const breaks = after.findLastIndex(({ look }, i) => i > 0 && look - after[i - 1].look > BREAK_LOOKS);
  const since = after[Math.max(0, breaks)].at;
  return after.at(-1).at - since >= STEADY_MS ? since : undefined;
}

/** Milliseconds from `healed` (Date.now) until both tones are heard for good. */
async function timeBack(person, healed, resumesBefore, controlWasLost) {
  let since = [];
  await eventually(
    async () => {
      const heardAt = await person.page.evaluate(() => e2e.watch.heardAt);
      since = heardAt.map((looks) => unbrokenSince(looks, healed));
      return since.every((at) => at !== undefined);
    },
    () => `${person.kind} does not hear everybody again: ${since.map((at) => at !== undefined)}`,
    { timeout: PATIENCE, every: 250 },
  );
  await eventually(() => person.page.evaluate(() => document.querySelector('[data-testid="reconnecting"]') === null), `${person.kind} still says that it is reconnecting`, { timeout: PATIENCE });
  if (controlWasLost) check((await person.page.evaluate(() => e2e.signaling.resumes)) > resumesBefore, `${person.kind} has not resumed`);
  await person.page.evaluate(() => void e2e.watch.stop());
  return Math.max(...since) - healed;
}

/**
 * Takes the network away by `away`, brings it back by `back` after `seconds`, and looks at what must hold. `says`: the
 * pages have to tell; `asleep`: they cannot be asked meanwhile. Gives milliseconds until the sound is back.
 */
async function interruption(t, { people }, { what, away, back, seconds, losesControl = false, says = seconds >= 10, asleep = false, keepsPeer = true }) {
  const before = await Promise.all(people.map(standing));
  const resumes = await Promise.all(people.map((person) => person.page.evaluate(() => e2e.signaling.resumes)));
  const began = Date.now();
  if (asleep) await Promise.all(people.map(startWatch));
  await away();
  if (says) {
    for (const person of people) {
      await person.page.waitForSelector(id('reconnecting'), { timeout: PATIENCE });
      const marks = await person.marks();
      check(marks.includes(BOT.mark) && marks.includes(markOfOther(person)), `${person.kind} keeps no last picture: ${marks}`);
    }
  }
  await sleep(Math.max(0, began + seconds * 1000 - Date.now()));
  if (!asleep) await Promise.all(people.map(startWatch));
  await back();
  const healed = Date.now();
  const times = await Promise.all(people.map((person, i) => timeBack(person, healed, resumes[i], losesControl)));
  t.note(`sound back after ${what}: ${words(times)}`);
  for (const [i, person] of people.entries()) {
    const found = await differences(person, before[i], { keepsPeer });
    check(found.length === 0, `${person.kind}: ${found.join('; ')}`);
    await person.sees([BOT.mark, markOfOther(person)]);
  }
  return times;
}

const words = (times) => `chromium ${times[0]} ms, firefox ${times[1]} ms`;

test('network: cuts of 5 s and 30 s and another address, everyone is back on the same page by himself', async (t) => {
  if (!canMakeNetworks()) return t.note('not shown: network namespaces need root');
  const here = await meeting(t);
  const { network } = here;
  const cut = { away: () => network.cut(), back: () => network.heal() };
  const short = await interruption(t, here, { ...cut, what: 'a cut of 5 s', seconds: 5 });
  const moved = await interruption(t, here, { what: 'a change of address', away: () => undefined, back: () => network.changeAddress(), seconds: 1, keepsPeer: false });
  const long = await interruption(t, here, { ...cut, what: 'a cut of 30 s', seconds: 30, losesControl: true });
  // Firefox has sockets of the cut left, which connect when it heals and are dead once the address is another one.
  const movedAgain = await interruption(t, here, { what: 'a change of address right after that cut', away: () => undefined, back: () => network.changeAddress(), seconds: 1, keepsPeer: false });
  const all = [...short, ...moved, ...long, ...movedAgain];
  t.row('R7', `clients: cut 5 s: ${words(short)}; cut 30 s: ${words(long)}; another address: ${words(moved)}; another one seconds after the long cut: ${words(movedAgain)}; ${all.filter((ms) => ms <= BACK_MS).length} of ${all.length} within 3 s`);

  // The planted fault: a page that has forgotten its session during the cut comes back as somebody new, and that is seen.
  const [chromium] = here.people;
  const before = await standing(chromium);
  await chromium.page.evaluate(() => {
    e2e.alterSent = (data) => {
      const message = JSON.parse(data);
      if (message.hello) delete message.hello.resumeToken;
      return JSON.stringify(message);
    };
  });
  network.cut();
  await chromium.page.waitForSelector(id('reconnecting'), { timeout: PATIENCE });
  const { webSockets } = await chromium.counters();
  await eventually(async () => (await chromium.counters()).webSockets > webSockets, 'the socket is not given up', { timeout: PATIENCE });
  network.heal();
  await eventually(async () => (await standing(chromium)).joins > before.joins, 'it does not come back at all', { timeout: PATIENCE });
  const found = await differences(chromium, before);
  check(found.some((text) => text.includes('not resumed')), `a lost session goes unnoticed: ${found}`);
}, { timeout: 400_000 });

test('network: whoever stands on the join page while serve is killed goes in as if nothing had been', async (t) => {
  const server = await startServer(t);
  const { number } = await createConference(server);
  const link = `${server.url}/j/${number}`;
  startBot(t, { url: link, ...BOT });
  const people = [await openPage(t, 'chromium', CHROMIUM), await openPage(t, 'firefox', FIREFOX)];
  const loaded = [];
  for (const { page } of people) {
    await page.goto(link, { waitUntil: 'domcontentloaded' });
    await page.waitForSelector('.ht-verdict-good', { timeout: PATIENCE });
    loaded.push(await page.evaluate(() => performance.timeOrigin));
  }
  server.child.signal('SIGKILL');
  await restartServer(server);
  for (const [i, { page, kind, mark }] of people.entries()) {
    await page.type(id('join-name'), kind);
    await page.click(id('join-submit'));
    await page.waitForSelector(id('leave'), { timeout: PATIENCE });
    check((await page.evaluate(() => performance.timeOrigin)) === loaded[i], `${kind} (${mark}) loaded the page again`);
  }
  for (const person of people) {
    await person.sees([BOT.mark, markOfOther(person)], PATIENCE);
    await person.hears([BOT.tone, toneOfOther(person)], PATIENCE);
  }
}, { timeout: 240_000 });

if (DEEP) {
  test('network: the cable is pulled, the machine sleeps, the page is hidden meanwhile', async (t) => {
    if (!canMakeNetworks()) return t.note('not shown: network namespaces need root');
    const here = await meeting(t);
    const { network, people } = here;
    const results = [];
    for (let round = 0; round < 3; ++round) {
      const pulled = await interruption(t, here, { what: 'a pulled cable', away: () => network.pull(), back: () => network.plugIn(), seconds: 15 });
      results.push(...pulled);
    }
    // Nobody is told anything while asleep, so nothing can be looked at meanwhile.
    const processes = people.flatMap((person) => processesOf(person.browser));
    const signal = (name) => processes.forEach((pid) => process.kill(pid, name));
    t.after(() => signal('SIGCONT'));
    const slept = await interruption(t, here, {
      what: '40 s of sleep',
      away: () => signal('SIGSTOP'),
      back: () => signal('SIGCONT'),
      seconds: 40,
      says: false,
      asleep: true,
    });
    await Promise.all(people.map((person) => person.hide()));
    const hidden = await interruption(t, here, {
      what: 'a cut of 20 s with the page hidden',
      away: () => network.cut(),
      back: () => (network.heal(), Promise.all(people.map((person) => person.show()))),
      seconds: 20,
      says: false,
      losesControl: true,
    });
    results.push(...slept, ...hidden);
    t.row('R7', `clients: cable pulled 3 times, sleep of 40 s, hidden page: back after at most ${Math.max(...results)} ms, median ${quantile(results, 0.5)} ms`);
  }, { timeout: 600_000 });
}
