// A participant whose picture comes 400 ms late is heard in step with it in a paired slot, and (so that we know the
// measurement can fail) out of step in an unpaired one.
import { openPage } from '../lib/participant.mjs';
import { check, eventually, median, quantile, sleep, test } from '../lib/runner.mjs';
import { createConference, startBot, startServer } from '../lib/server.mjs';

const CLAPPER = { name: 'Bot Clap', mark: 210, tone: 1000 };
const LATE_MS = 400;
const IN_STEP_MS = 80;

/** Sound after picture in one slot, a value a clap; the sound is taken from the audio slot that carries it. */
async function measure(person, slot, stretchesAtMost) {
  await person.page.evaluate(
    async (index, name, mark) => {
      await raw.view([{ index, source: raw.source(name) }]);
      await raw.untilShown(index, mark, 15_000);
    },
    slot,
    CLAPPER.name,
    CLAPPER.mark,
  );
  await sleep(5_000);
  const audioSlot = await person.page.evaluate(async () => {
    const level = raw.sounds.map(() => 0);
    for (const sound of raw.sounds) {
      const track = sound.srcObject.getAudioTracks()[0];
      const context = (raw.context ??= new AudioContext());
      const analyser = new AnalyserNode(context, { fftSize: 32768 });
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      sound.analyser = analyser;
    }
    const samples = new Float32Array(32768);
    for (let turn = 0; turn < 6; ++turn) {
      await new Promise((done) => setTimeout(done, 500));
      raw.sounds.forEach((sound, k) => {
        sound.analyser.getFloatTimeDomainData(samples);
        level[k] = Math.max(level[k], samples.reduce((a, b) => Math.max(a, Math.abs(b)), 0));
      });
    }
    return level.indexOf(Math.max(...level));
  });
  // Browsers approach the right delay in steps; the last stretch counts.
  const stretches = [];
  let claps = [];
  for (let n = 0; n < stretchesAtMost; ++n) {
    claps = await person.page.evaluate(
      (index, k) => e2e.clapOffsets(raw.videos[index], raw.sounds[k].srcObject.getAudioTracks()[0], 10_000),
      slot,
      audioSlot,
    );
    if (claps.length < 5) continue;
    stretches.push(Math.round(median(claps)));
    if (Math.abs(stretches.at(-1)) < IN_STEP_MS / 2) break;
  }
  return { audioSlot, claps, stretches };
}

function describe({ audioSlot, claps, stretches }) {
  return `sound in audio slot ${audioSlot} after picture by ${median(claps).toFixed(0)} ms (${quantile(claps, 0.1).toFixed(0)} to ${quantile(claps, 0.9).toFixed(0)}, ${claps.length} claps); each 10 s: ${stretches}`;
}

for (const kind of ['chromium', 'firefox']) {
  test(`lip sync: ${kind} plays a picture that is 400 ms late in step in a paired slot only`, async (t) => {
    const server = await startServer(t);
    const { number } = await createConference(server);
    startBot(t, { url: `${server.url}/j/${number}`, ...CLAPPER, args: ['--clap', '--video-delay', String(LATE_MS)] });
    const person = await openPage(t, kind, { mark: 34, tone: 300 });
    await person.joinRaw(server, number, 'Listener', { media: false });
    await eventually(() => person.page.evaluate((name) => raw.source(name), CLAPPER.name), 'the bot does not come in', { timeout: 40_000 });

    // Unpaired first: what a browser once learned about the delay of a sound, it keeps for a while.
    const unpaired = await measure(person, 9, 1);
    t.note(`${kind}, unpaired slot 9: ${describe(unpaired)}`);
    const paired = await measure(person, 0, 6);
    t.note(`${kind}, paired slot 0: ${describe(paired)}`);
    check(paired.claps.length >= 5 && unpaired.claps.length >= 5, 'too few claps were seen');
    check(paired.audioSlot === 0, `the sound of the paired slot is in audio slot ${paired.audioSlot}`);
    check(Math.abs(median(paired.claps)) <= IN_STEP_MS, `out of step by ${median(paired.claps).toFixed(0)} ms in the paired slot`);
    check(median(unpaired.claps) < -LATE_MS / 2, `the unpaired slot should be out of step, measured ${median(unpaired.claps).toFixed(0)} ms`);
  }, { timeout: 240_000 });
}
