// Captures golden offers from the installed browsers and proves that they take our golden answers.
//
//   node tests/golden/capture.mjs            writes tests/golden/sdp/BROWSER-MAJOR-SHAPE.offer.sdp
//   node tests/golden/capture.mjs --verify   applies the committed *.answer.sdp in each browser
//
// The answers are written by `HUITANG_UPDATE_GOLDEN=1 sdp_test --gtest_filter=Golden*` from the offers; an answer
// depends on an offer's structure only (payload types, extension ids, mids, rids), which a browser version repeats.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, majorOf, versionOf } from '../e2e/lib/browsers.mjs';

const OUT = path.join(path.dirname(fileURLToPath(import.meta.url)), 'sdp');
const SHAPES = ['pruned', 'full'];

// Runs in the page: the client's PeerConnection with all its lines (DESIGN.md section 4).
async function makePeer(shape) {
  const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  window.pc = pc;
  window.seen = [];
  pc.ontrack = (e) => window.seen.push({ mid: e.transceiver.mid, streams: e.streams.map((s) => s.id), track: e.track.id });
  const audio = { direction: 'sendonly' };
  const camera = {
    direction: 'sendonly',
    sendEncodings: [
      { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
      { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
      { rid: 'f', maxBitrate: 1_500_000 },
    ],
  };
  pc.addTransceiver('audio', audio);
  pc.addTransceiver('video', camera);
  pc.addTransceiver('video', { direction: 'sendonly' });
  pc.addTransceiver('audio', audio);
  for (let i = 0; i < 6; ++i) pc.addTransceiver('audio', { direction: 'recvonly' });
  for (let i = 0; i < 18; ++i) pc.addTransceiver('video', { direction: 'recvonly' });
  const facts = { setCodecPreferences: 'setCodecPreferences' in RTCRtpTransceiver.prototype };
  if (shape === 'pruned' && facts.setCodecPreferences) {
    const wanted = { audio: ['audio/opus', 'audio/red'], video: ['video/vp8', 'video/rtx'] };
    for (const t of pc.getTransceivers()) {
      const kind = t.receiver.track.kind;
      const codecs = RTCRtpReceiver.getCapabilities(kind).codecs;
      t.setCodecPreferences(
        wanted[kind].flatMap((name) => codecs.filter((c) => c.mimeType.toLowerCase() === name)),
      );
    }
  }
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  return { sdp: offer.sdp, facts };
}

// Runs in the page: takes the answer and tells what came of it.
async function takeAnswer(sdp) {
  await window.pc.setRemoteDescription({ type: 'answer', sdp });
  return {
    state: window.pc.signalingState,
    lines: window.pc.getTransceivers().map((t) => ({ mid: t.mid, direction: t.currentDirection })),
    seen: window.seen,
    simulcast: window.pc.getTransceivers()[1].sender.getParameters().encodings.map((e) => e.rid),
  };
}

function check(condition, text) {
  if (!condition) throw new Error(text);
}

function checkAccepted(result) {
  check(result.state === 'stable', `signaling state is ${result.state}`);
  check(result.lines.every((l, i) => l.direction === (i < 4 ? 'sendonly' : 'recvonly')), JSON.stringify(result.lines));
  check(JSON.stringify(result.simulcast) === '["q","h","f"]', `encodings ${result.simulcast}`);
  const streamOf = (i) => result.seen.find((s) => s.mid === result.lines[i].mid)?.streams.join();
  for (let k = 0; k < 6; ++k) {
    check(streamOf(4 + k) === `pair-${k}`, `audio slot ${k} is in stream ${streamOf(4 + k)}`);
    check(streamOf(10 + k) === `pair-${k}`, `video slot ${k} is in stream ${streamOf(10 + k)}`);
  }
  for (let k = 6; k < 16; ++k) check(streamOf(10 + k) === `video-${k}`, `video slot ${k}: ${streamOf(10 + k)}`);
  for (let k = 0; k < 2; ++k) check(streamOf(26 + k) === `share-${k}`, `share slot ${k}: ${streamOf(26 + k)}`);
}

async function main() {
  const verify = process.argv.includes('--verify');
  const server = http.createServer((_, res) => res.setHeader('content-type', 'text/html').end('<!doctype html>'));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}/`;
  let passed = 0;
  let failed = 0;
  for (const kind of ['chromium', 'firefox']) {
    const browser = await launch(kind);
    try {
      for (const shape of SHAPES) {
        const page = await browser.newPage();
        await page.goto(url);
        const { sdp, facts } = await page.evaluate(makePeer, shape);
        const base = path.join(OUT, `${kind}-${majorOf(kind)}-${shape}`);
        console.log(`${versionOf(kind)} ${shape}: offer ${sdp.length} bytes, ${JSON.stringify(facts)}`);
        if (!verify) {
          writeFileSync(`${base}.offer.sdp`, sdp);
        } else {
          try {
            checkAccepted(await page.evaluate(takeAnswer, readFileSync(`${base}.answer.sdp`, 'utf8')));
            ++passed;
            console.log('  answer accepted, slots paired by msid');
          } catch (error) {
            ++failed;
            console.log(`  FAILED: ${error.message}`);
          }
        }
        await page.close();
      }
    } finally {
      await browser.close();
    }
  }
  server.close();
  if (verify) console.log(`${passed} passed, ${failed} failed`);
  else console.log(`${readdirSync(OUT).length} files in ${OUT}`);
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
