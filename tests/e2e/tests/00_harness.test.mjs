// The measuring instruments themselves, on two connections inside one page: each must tell right from wrong.
import http from 'node:http';
import { openPage } from '../lib/participant.mjs';
import { check, median, test } from '../lib/runner.mjs';

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
