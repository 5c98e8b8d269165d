// The name under a picture is right within one frame of a switch, also while `serve` is stopped: it travels with the
// picture (CSRC), not with signaling.
import { openPage } from '../lib/participant.mjs';
import { check, eventually, sleep, test } from '../lib/runner.mjs';
import { createConference, startServer } from '../lib/server.mjs';

const PEOPLE = [
  { name: 'Ada', mark: 41, tone: 600 },
  { name: 'Bela', mark: 42, tone: 900 },
];

/** Frames that carried a wrong name, as runs: the longest run of wrong frames and the number of switches. */
function judge(seen, names) {
  let longest = 0;
  let run = 0;
  let switches = 0;
  let last = null;
  for (const { mark, name } of seen) {
    if (mark === null) continue;
    if (last !== null && mark !== last) ++switches;
    last = mark;
    run = name === names.get(mark) ? 0 : run + 1;
    longest = Math.max(longest, run);
  }
  return { longest, switches, frames: seen.length };
}

for (const kind of ['chromium', 'firefox']) {
  test(`names: in ${kind} they follow the picture within one frame, with serve stopped too`, async (t) => {
    const server = await startServer(t);
    const { number } = await createConference(server);
    const video = { width: 320, height: 180, fps: 15 };
    const talkers = [];
    for (const person of PEOPLE) {
      const page = await openPage(t, 'chromium', { ...person, video });
      talkers.push(await page.joinRaw(server, number, person.name));
    }
    const watcher = await openPage(t, kind, { mark: 43, tone: 0.1, video });
    await watcher.join(`${server.url}/j/${number}`, 'Watcher');
    await watcher.sees([41, 42], 40_000);
    await talkers[0].loudness(0.25);
    await talkers[1].loudness(0);
    await chooseSpeakerLayout(watcher);
    const names = new Map(PEOPLE.map((person) => [person.mark, person.name]));
    await largeShows(watcher, 41);
    await watcher.page.evaluate(() => {
      window.watch = e2e.watchNames(document.querySelector('.ht-tile-large'));
    });
    // Talk in turns; for the second half serve does not run at all.
    for (let turn = 1; turn <= 8; ++turn) {
      if (turn === 5) server.child.signal('SIGSTOP');
      await talkers[turn % 2].loudness(0.25);
      await talkers[(turn + 1) % 2].loudness(0);
      await largeShows(watcher, PEOPLE[turn % 2].mark, `turn ${turn}${turn >= 5 ? ' with serve stopped' : ''}`);
      await sleep(800);
    }
    const seen = await watcher.page.evaluate(() => watch.stop());
    server.child.signal('SIGCONT');
    const { longest, switches, frames } = judge(seen, names);
    t.note(`${kind}: ${frames} frames, ${switches} switches, at most ${longest} frames in a row with a wrong name`);
    check(switches >= 8, `only ${switches} switches were seen`);
    check(longest <= 1, `${longest} frames in a row had a wrong name`);
  }, { timeout: 240_000 });
}

async function chooseSpeakerLayout(person) {
  await person.page.keyboard.press('l');
  const isLarge = () => person.page.$('.ht-tile-large');
  await eventually(isLarge, 'no large tile: the speaker layout is not chosen', { timeout: 5_000 });
}

async function largeShows(person, mark, when = '') {
  await eventually(
    () =>
      person.page.evaluate((wanted) => {
        const video = document.querySelector('.ht-tile-large video');
        return video && e2e.readMark(video) === wanted;
      }, mark),
    `the large tile does not show ${mark} ${when}`,
    { timeout: 15_000, every: 100 },
  );
}
