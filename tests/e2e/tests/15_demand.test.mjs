// Layers of a camera that nobody watches are not sent, and are back as soon as somebody enlarges the picture.
import { openPage } from '../lib/participant.mjs';
import { check, eventually, sleep, test } from '../lib/runner.mjs';
import { createConference, startServer } from '../lib/server.mjs';

// Large enough for three layers in Chromium, small enough for a machine that is busy with other tests.
const PICTURE = { width: 960, height: 540 };
const SMALL = { width: 240, height: 135 };
const MARK = 36;

const sentOf = (person) => person.page.evaluate(() => e2e.sentLayers());

/** Bytes of each layer that went out within `seconds`. */
async function sentWithin(person, seconds) {
  const before = await sentOf(person);
  await sleep(seconds * 1000);
  const after = await sentOf(person);
  return Object.fromEntries(['q', 'h', 'f'].map((rid) => [rid, (after[rid]?.bytes ?? 0) - (before[rid]?.bytes ?? 0)]));
}

const isLowestOnly = ({ q, h, f }) => q > 0 && h === 0 && f === 0;
const sum = ({ q, h, f }) => q + h + f;
const show = (viewer, size) =>
  viewer.page.evaluate((name, s) => raw.view([{ index: 0, source: raw.source(name), ...s }]), 'Sender', size);

/** Waits until the sender sends the lowest layer only; gives what went out within 3 s then. */
async function untilLowestOnly(sender, why) {
  let last = {};
  await eventually(async () => isLowestOnly((last = await sentWithin(sender, 1))), () => `${why}: ${JSON.stringify(last)}`, { timeout: 40_000 });
  const rest = await sentWithin(sender, 3);
  check(isLowestOnly(rest), `${why}, and again: ${JSON.stringify(rest)}`);
  return rest;
}

/**
 * Widths as they come, counted from the moment at which the viewer asks for the large picture, until one is at least
 * twice as wide. A browser short of time may scale its layers down, so the full width is not waited for.
 */
function enlarge(viewer) {
  return viewer.page.evaluate(
    async (name, size) => {
      const video = raw.videos[0];
      const small = video.videoWidth;
      const began = performance.now();
      const seen = [];
      void raw.view([{ index: 0, source: raw.source(name), ...size }]);
      do {
        await Promise.race([new Promise((done) => video.requestVideoFrameCallback(done)), new Promise((done) => setTimeout(done, 500))]);
        if (seen.at(-1)?.width !== video.videoWidth) seen.push({ width: video.videoWidth, ms: Math.round(performance.now() - began) });
      } while (video.videoWidth < 2 * small && performance.now() - began < 40_000);
      return { small, seen };
    },
    'Sender',
    PICTURE,
  );
}

for (const kind of ['chromium', 'firefox']) {
  test(`demand: ${kind} sends only the layers that somebody watches, without a further offer`, async (t) => {
    const server = await startServer(t);
    const { number } = await createConference(server);
    const sender = await openPage(t, kind, { mark: MARK, tone: 820, video: { ...PICTURE, fps: 10 } });
    await sender.join(`${server.url}/j/${number}`, 'Sender');
    const viewer = await openPage(t, 'chromium', { mark: 37, tone: 300 });
    await viewer.joinRaw(server, number, 'Viewer', { media: false });
    await eventually(() => viewer.page.evaluate(() => raw.source('Sender')), 'the sender does not come in', { timeout: 40_000 });
    const before = await sender.counters();

    await show(viewer, PICTURE);
    let all = {};
    await eventually(async () => (all = await sentWithin(sender, 3)).h + all.f > 0, () => `no upper layer is sent: ${JSON.stringify(all)}`, { timeout: 60_000 });
    await show(viewer, SMALL);
    const few = await untilLowestOnly(sender, 'layers that nobody watches are sent');
    t.note(`${kind}: bytes in 3 s, watched large ${JSON.stringify(all)}, watched small ${JSON.stringify(few)}: ${Math.round((100 * sum(few)) / sum(all))} %`);

    for (let turn = 0; turn < 3; ++turn) {
      const { small, seen } = await enlarge(viewer);
      t.note(`${kind}: enlarged, ${seen.map(({ width, ms }) => `${width} wide after ${ms} ms`).join(', ')}`);
      check(seen.at(-1).width >= 2 * small, `the large picture does not come back: ${JSON.stringify(seen)}`);
      await show(viewer, SMALL);
      await untilLowestOnly(sender, 'layers do not rest again');
    }

    // Nobody watches at all: the lowest goes on, for whoever comes next.
    await viewer.page.evaluate(() => raw.view([]));
    await sleep(6_000);
    const rest = await sentWithin(sender, 2);
    check(isLowestOnly(rest), `with nobody watching: ${JSON.stringify(rest)}`);
    const frames = () => viewer.page.evaluate(() => raw.videos[0].getVideoPlaybackQuality().totalVideoFrames);
    const old = await frames();
    const began = Date.now();
    await show(viewer, PICTURE);
    await eventually(async () => (await frames()) > old, 'no picture of a camera that nobody watched', { timeout: 20_000 });
    t.note(`${kind}: a camera that nobody watched gives a picture after ${Date.now() - began} ms`);
    check((await viewer.page.evaluate(() => e2e.readMark(raw.videos[0]))) === MARK, 'the picture is another one');

    const after = await sender.counters();
    for (const name of ['peerConnections', 'createOffer', 'setLocalDescription', 'setRemoteDescription'])
      check(before[name] === after[name], `${name} ${before[name]} -> ${after[name]}`);
  }, { timeout: 300_000 });
}
