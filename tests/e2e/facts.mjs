// Measures what docs/browsers.md says of the installed browsers, apart from SDP (tests/golden/capture.mjs does that).
//   node tests/e2e/facts.mjs
import http from 'node:http';
import { EXECUTABLES, versionOf } from './lib/browsers.mjs';
import { openPage } from './lib/participant.mjs';

/** In the page: a call to itself with simulcast encodings made before there are tracks. */
async function measure() {
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
  a.onicecandidate = (e) => b.addIceCandidate(e.candidate ?? undefined);
  b.onicecandidate = (e) => a.addIceCandidate(e.candidate ?? undefined);
  const audio = a.addTransceiver('audio', { direction: 'sendonly' });
  const video = a.addTransceiver('video', {
    direction: 'sendonly',
    sendEncodings: [{ rid: 'q', scaleResolutionDownBy: 4 }, { rid: 'h', scaleResolutionDownBy: 2 }, { rid: 'f' }],
  });
  const facts = { 'encodings before a track': video.sender.getParameters().encodings.map((e) => e.rid).join() };
  await video.sender.replaceTrack(e2e.markedTrack({ id: 21, width: 640, height: 360, fps: 20 }));
  await audio.sender.replaceTrack(e2e.toneTrack(700));
  const element = document.createElement('video');
  element.autoplay = element.muted = true;
  b.ontrack = (e) => {
    if (e.track.kind === 'video') element.srcObject = new MediaStream([e.track]);
  };
  await a.setLocalDescription(await a.createOffer());
  facts['rids offered'] = (a.localDescription.sdp.match(/^a=rid:/gm) ?? []).length;
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  await new Promise((done) => setTimeout(done, 4000));
  facts['plays after replaceTrack before connecting'] = e2e.readMark(element) === 21;
  facts['size without simulcast in the answer'] = `${element.videoWidth}x${element.videoHeight}`;
  const names = (kind) => [...new Set(RTCRtpSender.getCapabilities(kind).codecs.map((c) => c.mimeType.split('/')[1]))].join();
  facts['audio codecs'] = names('audio');
  facts['video codecs'] = names('video');
  const receiver = b.getReceivers().find((r) => r.track.kind === 'video');
  facts['getContributingSources of video'] = typeof receiver.getContributingSources;
  facts['getSynchronizationSources of video'] = receiver.getSynchronizationSources?.().some((s) => s.rtpTimestamp > 0) ?? false;
  facts['jitterBufferTarget, playoutDelayHint'] = ['jitterBufferTarget', 'playoutDelayHint'].map((name) => name in receiver).join();
  facts['frame callback'] = await new Promise((done) =>
    element.requestVideoFrameCallback((_, frame) => done(['rtpTimestamp', 'receiveTime', 'captureTime'].filter((n) => frame[n] !== undefined).join())),
  );
  const code = `onrtctransform = async ({ transformer }) => {
    const reader = transformer.readable.getReader(), writer = transformer.writable.getWriter();
    for (;;) { const { value, done } = await reader.read(); if (done) return;
      postMessage(Object.keys(value.getMetadata()).join()); await writer.write(value); } }`;
  if (typeof RTCRtpScriptTransform === 'function') {
    const worker = new Worker(URL.createObjectURL(new Blob([code])));
    const first = new Promise((done) => (worker.onmessage = (e) => done(e.data)));
    receiver.transform = new RTCRtpScriptTransform(worker, {});
    facts['metadata of an encoded frame'] = await Promise.race([first, new Promise((done) => setTimeout(() => done('none seen'), 4000))]);
  }
  return facts;
}

const server = http.createServer((_, res) => res.setHeader('content-type', 'text/html').end('<!doctype html>'));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
for (const kind of Object.keys(EXECUTABLES)) {
  const person = await openPage({ after() {}, onFailure() {} }, kind, { mark: 21, tone: 700 });
  await person.page.goto(`http://127.0.0.1:${server.address().port}/`);
  console.log(versionOf(kind));
  for (const [what, value] of Object.entries(await person.page.evaluate(measure))) console.log(`  ${what}: ${value}`);
  await person.browser.close();
}
process.exit(0);
