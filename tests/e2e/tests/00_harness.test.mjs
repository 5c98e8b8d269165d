// The measuring instruments themselves, on two connections inside one page: each must tell right from wrong.
import http from 'node:http';
import { continuityOf, SWEEP } from '../lib/continuity.mjs';
import { openPage } from '../lib/participant.mjs';
import { check, median, sleep, test } from '../lib/runner.mjs';

async function blankSite(t) {
  const server = http.createServer((_, res) => res.setHeader('content-type', 'text/html').end('<!doctype html>'));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => new Promise((done) => (server.closeAllConnections?.(), server.close(done))));
  return `http://127.0.0.1:${server.address().port}/`;
}

// In the page: calls itself; `picture` of a marked canvas, `sound` of a tone, both in one stream or not.
async function callItself({ clap }) {
  window.pictureLate = 0;
  const flashing = (now) => (now - window.pictureLate) % 1000 < 100;
  const video = e2e.markedTrack({ id: e2e.settings.mark, flash: clap ? flashing : undefined, width: 320, height: 180, fps: 30 });
  const sound = e2e.toneTrack(e2e.settings.tone);
  // Never quite silent: Firefox sends no packets for digital silence, and the gap would shift the sound.
  if (clap) setInterval(() => e2e.loudness(performance.now() % 1000 < 100 ? 0.25 : 0.002), 4);
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
  a.onicecandidate = (e) => b.addIceCandidate(e.candidate ?? undefined);
  b.onicecandidate = (e) => a.addIceCandidate(e.candidate ?? undefined);
  const shown = new Promise((done) => {
    b.ontrack = (e) => {
      const element = document.createElement(e.track.kind);
      element.autoplay = true;
      element.muted = e.track.kind === 'video';
      element.srcObject = new MediaStream([e.track]);
      document.body.append(element);
      if (e.track.kind === 'video') element.onplaying = () => done();
    };
  });
  const stream = new MediaStream();
  a.addTrack(sound, stream);
  a.addTrack(video, stream);
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  await shown;
}

for (const kind of ['chromium', 'firefox']) {
  test(`harness: ${kind} reads its own mark and tone and counts its connections`, async (t) => {
    const person = await openPage(t, kind, { mark: 613, tone: 700 });
    await person.page.goto(await blankSite(t));
    await person.page.evaluate(callItself, {});
    const mark = await person.page.evaluate(() => e2e.readMark(document.querySelector('video')));
    check(mark === 613, `the mark reads ${mark}`);
    const [own, other] = await person.levels([700, 900]);
    check(own > -16 && own < -8, `the tone is heard at ${own} dBFS`);
    check(other < -45, `a tone nobody makes is heard at ${other} dBFS`);
    await person.loudness(0);
    await new Promise((done) => setTimeout(done, 600));
    const [silenced] = await person.levels([700]);
    check(silenced < -55, `the silenced tone is heard at ${silenced} dBFS`);
    const counters = await person.counters();
    check(counters.peerConnections === 2 && counters.setLocalDescription === 2, JSON.stringify(counters));
    t.note(`${kind}: tone at ${own.toFixed(1)} dBFS, absent tone at ${other.toFixed(1)}, silenced at ${silenced.toFixed(1)}`);
  });

  test(`harness: ${kind} measures the step between a flash and its sound, planted offsets too`, async (t) => {
    const person = await openPage(t, kind, { mark: 21, tone: 700 });
    await person.page.goto(await blankSite(t));
    await person.page.evaluate(callItself, { clap: true });
    const offsets = {};
    for (const pictureLate of [0, 300]) {
      await person.page.evaluate((late) => (window.pictureLate = late), pictureLate);
      await new Promise((done) => setTimeout(done, 2000));
      const claps = await person.page.evaluate(() =>
        e2e.clapOffsets(document.querySelector('video'), e2e.peers[1].getReceivers()[0].track, 9000),
      );
      check(claps.length >= 5, `only ${claps.length} claps`);
      offsets[pictureLate] = median(claps);
    }
    t.note(`${kind}: sound after picture ${offsets[0].toFixed(0)} ms; with the picture planted 300 ms late ${offsets[300].toFixed(0)} ms`);
    check(Math.abs(offsets[0]) < 120, `in step measured as ${offsets[0]} ms`);
    check(Math.abs(offsets[300] - offsets[0] + 300) < 80, `300 ms late measured as ${offsets[300]} ms`);
  });
}

/** Samples of a sweep over `seconds`; `gap` and `jump` are {at, by} in seconds, `tones` sound along. */
function sweepSamples({ seconds = 6, gap, jump, tones = [] }) {
  const rate = 48_000;
  const { low, rate: slope, seconds: side } = SWEEP;
  const half = low * side + (slope * side * side) / 2;  // turns of one rise or fall
  const turns = (t) => {
    const along = t % (2 * side);
    const falling = along - side;
    const within = along < side ? low * along + (slope * along * along) / 2 : half + (low + slope * side) * falling - (slope * falling * falling) / 2;
    return Math.floor(t / (2 * side)) * 2 * half + within;
  };
  const sine = (t) => Math.sin(2 * Math.PI * turns(t));
  return Int16Array.from({ length: seconds * rate }, (_, i) => {
    const t = i / rate;
    const isGap = gap && t > gap.at && t < gap.at + gap.by;
    const spoken = isGap ? 0 : sine(jump && t > jump.at ? t + jump.by : t);
    return 8000 * (spoken + tones.reduce((sum, tone) => sum + Math.sin(2 * Math.PI * tone * t), 0));
  });
}

test('harness: continuity of a sound is told from its samples: planted gaps and jumps are found, and nothing else', async () => {
  const smooth = continuityOf([sweepSamples({ tones: [440, 900] })], 48_000);
  check(smooth.longestGapMs === 0 && smooth.largestJumpMs < 3, `a smooth sweep: ${JSON.stringify(smooth)}`);
  check(smooth.seconds > 5.9, `only ${smooth.seconds} s were looked at`);
  const gap = continuityOf([sweepSamples({ gap: { at: 2.3, by: 0.03 } })], 48_000);
  check(Math.abs(gap.longestGapMs - 30) < 6, `a gap of 30 ms is told as ${gap.longestGapMs}`);
  for (const by of [0.025, -0.025, 0.1, -0.2, 0.7]) {
    const { largestJumpMs } = continuityOf([sweepSamples({ jump: { at: 3.4, by } })], 48_000);
    check(largestJumpMs > 20, `a jump of ${by * 1000} ms is told as ${largestJumpMs}`);
  }
});

for (const kind of ['chromium', 'firefox']) {
  test(`harness: ${kind} records a sound without a break, and hears a planted gap and a planted jump through Opus`, async (t) => {
    const person = await openPage(t, kind, { mark: 21, tone: 700, sweep: true });
    await person.page.goto(await blankSite(t));
    await person.page.evaluate(callItself, {});
    await sleep(3000);  // the jitter buffer has found its length
    const smooth = await person.listen(6);
    const plant = async (fault) => {
      const listening = await person.startListening();
      await sleep(2000);
      await person.page.evaluate(fault);
      await sleep(2000);
      return listening.stop();
    };
    const gap = await plant(() => {
      const at = e2e.gains[0].context.currentTime + 0.1;
      e2e.gains[0].gain.setValueAtTime(0, at);
      e2e.gains[0].gain.setValueAtTime(0.25, at + 0.03);
    });
    const jump = await plant(() => e2e.delays[0].delayTime.setValueAtTime(0.06, e2e.gains[0].context.currentTime + 0.1));
    const words = (heard) => `gap ${heard.longestGapMs.toFixed(0)} ms, jump ${heard.largestJumpMs.toFixed(0)} ms in ${heard.seconds.toFixed(1)} s (${heard.levelDb.toFixed(0)} dBFS, concealed ${heard.concealedMs.toFixed(0)} ms, missed ${heard.missedMs.toFixed(0)} ms)`;
    t.note(`${kind}: untouched ${words(smooth)}; 30 ms of silence ${words(gap)}; 60 ms later ${words(jump)}`);
    check(smooth.seconds > 5 && smooth.missedMs === 0, `recorded ${smooth.seconds} s, missed ${smooth.missedMs} ms`);
    check(smooth.longestGapMs <= 20 && smooth.largestJumpMs <= 20, `untouched: ${JSON.stringify(smooth)}`);
    check(gap.longestGapMs > 20, `the planted gap: ${JSON.stringify(gap)}`);
    check(jump.largestJumpMs > 20, `the planted jump: ${JSON.stringify(jump)}`);
  });
}
