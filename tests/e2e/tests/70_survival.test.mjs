// Either process may be killed at any moment: the meeting goes on. Rows R3 (media) and R4 (serve) of the scorecard,
// with Chromium and Firefox in the meeting; the long form kills more often and at random moments.
import { HEARD, SILENT, id, openPage } from '../lib/participant.mjs';
import { check, DEEP, eventually, median, quantile, sleep, test } from '../lib/runner.mjs';
import { createConference, mediaPid, restartServer, startBot, startServer } from '../lib/server.mjs';

const BOT = { name: 'Bot Anton', mark: 201, tone: 500 };
const SPEAKER = { mark: 33, tone: 700, sweep: true, video: { width: 320, height: 180, fps: 10 } };
const CHROMIUM = { mark: 31, tone: 820, video: { width: 320, height: 180, fps: 10 } };
const FIREFOX = { mark: 32, tone: 930, video: { width: 320, height: 180, fps: 10 } };
const SMOOTH_MS = 20;

/** A speaker whose pitch tells the time, a bot, and one listener in each browser; the speaker is in the chair. */
async function meeting(t) {
  const server = await startServer(t);
  const conference = await createConference(server);
  const link = `${server.url}/j/${conference.number}`;
  const bot = startBot(t, { url: link, ...BOT });
  const speaker = await openPage(t, 'chromium', SPEAKER);
  const chromium = await openPage(t, 'chromium', CHROMIUM);
  const firefox = await openPage(t, 'firefox', FIREFOX);
  await speaker.join(conference.chairLink, 'Speaker');
  await chromium.join(link, 'Chrome Person');
  await firefox.join(link, 'Firefox Person');
  for (const person of [chromium, firefox]) {
    await person.sees([BOT.mark, SPEAKER.mark], 60_000);
    await person.hears([BOT.tone], 60_000);
  }
  return { server, conference, link, bot, speaker, chromium, firefox };
}

/** Everyone's name in the panel of participants, sorted; a duplicate would stand there twice. */
async function roster(person) {
  return person.page.evaluate(() =>
    [...document.querySelectorAll('[data-testid="tile"]')].map((tile) => tile.dataset.name).filter(Boolean).sort());
}

/** Waits until `person` has resumed its session and was told the whole state after the first `before`. */
const controlIsBack = (person, before) =>
  eventually(
    () => person.page.evaluate((then) => e2e.signaling.resumes > then.resumes && e2e.signaling.states > then.states, before),
    `${person.kind} (${person.mark}) does not resume`,
    { timeout: 60_000, every: 50 },
  );
const signalingOf = (person) => person.page.evaluate(() => ({ resumes: e2e.signaling.resumes, states: e2e.signaling.states }));

/** Milliseconds from now until a tone that stops at once is heard again. */
function soundBack(person, tone) {
  return person.page.evaluate(
    async (hertz, heard, silent) => {
      const began = performance.now();
      const until = async (holds, patience) => {
        while (!holds(e2e.hear([hertz])[0])) {
          if (performance.now() - began > patience) throw new Error(`${hertz} Hz at ${e2e.hear([hertz])[0].toFixed(0)} dBFS`);
          await new Promise((done) => setTimeout(done, 40));
        }
      };
      await until((level) => level < silent, 10_000);
      await until((level) => level > heard, 60_000);
      return performance.now() - began;
    },
    tone,
    HEARD,
    SILENT,
  );
}

const words = (heard) =>
  `gap ${heard.longestGapMs.toFixed(0)} ms, jump ${heard.largestJumpMs.toFixed(0)} ms, concealed ${heard.concealedMs.toFixed(0)} ms in ${heard.seconds.toFixed(1)} s`;

test('survival: serve is killed, sound goes on without a gap, everyone resumes, and nothing is lost or doubled', async (t) => {
  const { server, speaker, chromium, firefox } = await meeting(t);
  const people = [speaker, chromium, firefox];
  // Something to keep: a hand, a mute by the chair, a chat message, the lock.
  await chromium.click('hand');
  await chromium.click('toggle-camera');
  const before = await Promise.all(people.map((person) => person.counters()));
  const names = await roster(chromium);
  const control = [];
  let worst = { longestGapMs: 0, largestJumpMs: 0 };
  for (let round = 0; round < (DEEP ? 20 : 2); ++round) {
    const since = await Promise.all(people.map(signalingOf));
    const listening = await Promise.all([chromium.startListening(), firefox.startListening()]);
    await sleep(1500 + Math.random() * 1500);
    server.child.signal('SIGKILL');
    await server.child.ended;
    await sleep(1000);
    const began = Date.now();
    await restartServer(server);
    await Promise.all(people.map((person, i) => controlIsBack(person, since[i]).then(() => control.push(Date.now() - began))));
    await sleep(1500);
    for (const [i, kind] of ['chromium', 'firefox'].entries()) {
      const heard = await listening[i].stop();
      t.note(`${kind}, round ${round + 1}: ${words(heard)}`);
      check(heard.seconds > 3, `${kind} recorded only ${heard.seconds} s`);
      check(heard.longestGapMs <= SMOOTH_MS && heard.largestJumpMs <= SMOOTH_MS, `${kind}: ${words(heard)}`);
      worst = { longestGapMs: Math.max(worst.longestGapMs, heard.longestGapMs), largestJumpMs: Math.max(worst.largestJumpMs, heard.largestJumpMs) };
    }
    check(JSON.stringify(await roster(chromium)) === JSON.stringify(names), `the tiles are ${await roster(chromium)}, they were ${names}`);
  }
  const after = await Promise.all(people.map((person) => person.counters()));
  for (const [i, person] of people.entries()) {
    check(after[i].peerConnections === 1 && after[i].createOffer === before[i].createOffer, `${person.kind} negotiated because serve was away`);
    check(!(await person.page.$(id('join-submit'))), `${person.kind} was thrown out`);
  }
  // The hand is still up, and commands work again, once each.
  const hands = await speaker.page.evaluate(() => e2e.signaling.state.participants.filter((p) => p.handUp).map((p) => p.name));
  const listed = await speaker.page.evaluate(() => e2e.signaling.state.participants.map((p) => p.name).sort());
  check(JSON.stringify(listed) === JSON.stringify(['Bot Anton', 'Chrome Person', 'Firefox Person', 'Speaker']), `listed are ${listed}`);
  check(JSON.stringify(hands) === '["Chrome Person"]', `hands up: ${hands}`);
  const muted = async () => (await chromium.tiles()).find((tile) => tile.name === 'Firefox Person')?.muted;
  const wasMuted = await muted();
  await firefox.click('toggle-mic');
  await eventually(async () => (await muted()) !== wasMuted, 'a command after the kills has no effect');
  t.row('R4', `${DEEP ? 20 : 2} kills; longest gap ${worst.longestGapMs.toFixed(0)} ms, largest jump ${worst.largestJumpMs.toFixed(0)} ms; control back median ${median(control)} ms, p95 ${quantile(control, 0.95)} ms after the restart`);
}, { timeout: DEEP ? 1_200_000 : 300_000 });

test('survival: the media process is killed, everyone hears and sees again on the same page', async (t) => {
  const { server, speaker, chromium, firefox, bot } = await meeting(t);
  const listeners = [chromium, firefox];
  await chromium.click('hand');
  const back = [];
  for (let round = 0; round < (DEEP ? 20 : 2); ++round) {
    await sleep(1000 + Math.random() * 2000);
    const pid = mediaPid(server);
    check(pid !== undefined, 'no media process is known');
    // The planted fault of R4: this kill has to be heard as a gap.
    const listening = round === 0 ? await chromium.startListening() : undefined;
    process.kill(pid, 'SIGKILL');
    await Promise.all(
      listeners.map(async (person) => {
        back.push(Math.round(await soundBack(person, BOT.tone)));
      }),
    );
    await eventually(() => mediaPid(server) !== undefined && mediaPid(server) !== pid, 'no new media process');
    for (const person of listeners) await person.sees([BOT.mark, SPEAKER.mark], 30_000);
    if (listening !== undefined) {
      const heard = await listening.stop();
      check(heard.longestGapMs > SMOOTH_MS || heard.largestJumpMs > SMOOTH_MS, `the continuity measure does not notice a killed media process: ${words(heard)}`);
    }
  }
  check(!bot.child.hasEnded, 'the bot gave up');
  for (const person of [speaker, ...listeners]) check(await person.page.$(id('leave')), `${person.kind} is not in the meeting any more`);
  const hands = await speaker.page.evaluate(() => document.querySelectorAll('[data-testid="tile"]').length);
  check(hands >= 3, 'tiles are missing');
  t.row('R3', `${DEEP ? 20 : 2} kills; sound back median ${median(back)} ms, p95 ${quantile(back, 0.95)} ms, max ${Math.max(...back)} ms`);
}, { timeout: DEEP ? 1_800_000 : 300_000 });
