// Whether a sound went on without a gap and without a jump in time, from its samples alone.
//
// The speaker's pitch tells the time: it rises and falls along SWEEP by a thousand hertz a second, so a piece of the
// sound says from its pitch alone which moment of the speaker it is (a sine of one pitch could not tell a jump of
// 20 ms from none: both are whole periods). What is followed is `offset`, the speaker's time minus the listener's:
//
//   pitch │  /\  /\            offset │────────┐
//         │ /  \/  \                  │        └──── a jump: sound left out, repeated or delayed
//         └──────────▶ heard          └──────────────▶ heard
//
// A gap is a time in which the sound is more than 14 dB below its usual strength.

export const SWEEP = { low: 1900, rate: 1000, seconds: 1 };

const HOP = 0.002;
const STRENGTH_WINDOW = 0.004;
const PITCH_WINDOW = 0.01;
const LAG = 0.0005;
const GAP = 0.2;
/** Near its turns the pitch says little about the time. */
const TURN = 0.05;
/** A jump is the difference between the offsets of so long a time before and after. */
const SIDE = 0.06;

/**
 * `pieces`: Int16Arrays of samples, each without a break. Gives seconds listened to, the longest gap and the largest
 * jump in milliseconds, all gaps over 5 ms and jumps over 10 ms with where they are (`at`, seconds), and the level.
 */
export function continuityOf(pieces, rate, sweep = SWEEP) {
  const gaps = [];
  const jumps = [];
  let seconds = 0;
  let strongest = 0;
  for (const piece of pieces) {
    const samples = highPassed(piece, rate);
    const strengths = strengthsOf(samples, rate);
    const usual = quantile(strengths, 0.7);
    strongest = Math.max(strongest, usual);
    // The recording starts before the first sample that the analyser saw.
    const first = strengths.findIndex((strength) => strength > usual * GAP && strength > 0.003);
    if (first < 0) continue;
    seconds += (strengths.length - first) * HOP;
    const at = (hop) => hop * HOP;
    gaps.push(...gapsOf(strengths, first, usual).map(({ hop, hops }) => ({ at: at(hop), ms: hops * HOP * 1000 })));
    jumps.push(...jumpsOf(samples, rate, strengths, first, usual, sweep).map(({ hop, seconds: by }) => ({ at: at(hop), ms: by * 1000 })));
  }
  const largest = (list) => list.reduce((most, { ms }) => Math.max(most, Math.abs(ms)), 0);
  return {
    seconds,
    levelDb: 20 * Math.log10(Math.max(1e-6, strongest * Math.SQRT2)),
    longestGapMs: largest(gaps),
    largestJumpMs: largest(jumps),
    gaps: gaps.filter(({ ms }) => ms > 5),
    jumps: jumps.filter(({ ms }) => Math.abs(ms) > 10),
  };
}

/** Three times first order at 1.5 kHz: other people's tones below 1 kHz and hum go. */
function highPassed(piece, rate) {
  const a = 1 / (1 + (2 * Math.PI * 1500) / rate);
  let samples = Float32Array.from(piece, (sample) => sample / 32768);
  for (let order = 0; order < 3; ++order) {
    const out = new Float32Array(samples.length);
    for (let i = 1; i < samples.length; ++i) out[i] = a * (out[i - 1] + samples[i] - samples[i - 1]);
    samples = out;
  }
  return samples;
}

/** Root mean square around each hop. */
function strengthsOf(samples, rate) {
  const window = Math.round(STRENGTH_WINDOW * rate);
  const hops = Math.max(0, Math.floor((samples.length - PITCH_WINDOW * 2 * rate) / (HOP * rate)));
  const out = new Float32Array(hops);
  for (let k = 0; k < hops; ++k) {
    const begin = Math.round(k * HOP * rate);
    let sum = 0;
    for (let i = 0; i < window; ++i) sum += samples[begin + i] ** 2;
    out[k] = Math.sqrt(sum / window);
  }
  return out;
}

function gapsOf(strengths, first, usual) {
  const gaps = [];
  let hops = 0;
  for (let k = first; k <= strengths.length; ++k) {
    if (k < strengths.length && strengths[k] < usual * GAP) ++hops;
    else if (hops > 0) {
      gaps.push({ hop: k - hops, hops });
      hops = 0;
    }
  }
  return gaps;
}

/**
 * Pitches by hop. First the sound is brought down by the middle of the sweep and smoothed, sampled every LAG; then the
 * pitch is the mean turn of its phase from sample to sample over PITCH_WINDOW.
 */
function pitchesOf(samples, rate, middle, hops) {
  const lag = Math.round(LAG * rate);
  const taps = 4 * lag;
  const shifted = Array.from({ length: Math.floor((samples.length - taps) / lag) }, (_, k) => {
    let re = 0;
    let im = 0;
    for (let i = 0; i < taps; ++i) {
      const weight = 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / taps);
      const angle = (2 * Math.PI * middle * (k * lag + i)) / rate;
      re += weight * samples[k * lag + i] * Math.cos(angle);
      im -= weight * samples[k * lag + i] * Math.sin(angle);
    }
    return [re, im];
  });
  const perHop = Math.round((HOP * rate) / lag);
  const perWindow = Math.round((PITCH_WINDOW * rate) / lag);
  return Array.from({ length: hops }, (_, hop) => {
    let re = 0;
    let im = 0;
    for (let k = hop * perHop; k < hop * perHop + perWindow && k + 1 < shifted.length; ++k) {
      const [a, b] = [shifted[k], shifted[k + 1]];
      re += b[0] * a[0] + b[1] * a[1];
      im += b[1] * a[0] - b[0] * a[1];
    }
    return middle + (Math.atan2(im, re) * rate) / (2 * Math.PI * lag);
  });
}

function jumpsOf(samples, rate, strengths, first, usual, { low, rate: slope, seconds }) {
  const pitches = pitchesOf(samples, rate, low + (slope * seconds) / 2, strengths.length);
  const period = 2 * seconds;
  const offsets = [];
  let last;
  let doubts = 0;
  for (let k = first + 5; k + 10 < strengths.length; ++k) {
    const along = (pitches[k] - low) / slope;  // seconds since the lowest pitch, or until it
    if (strengths[k] < usual * GAP || along < TURN || along > seconds - TURN) continue;
    const heard = k * HOP;
    // Rising or falling, in which period: what is nearest to the offset before. What the next pitches say counts at
    // first, and when they disagree for long: a long jump may have led to the other side of a turn.
    const seemsRising = pitches[k + 10] > pitches[k];
    if (last === undefined || doubts > 40) {
      const seems = (seemsRising ? along : period - along) - heard;
      last = seems + period * Math.round(((last ?? seems) - seems) / period);
      doubts = 0;
    }
    const [rising, falling] = [along, period - along].map((moment) => {
      const offset = moment - heard;
      return offset + period * Math.round((last - offset) / period);
    });
    last = Math.abs(rising - last) <= Math.abs(falling - last) ? rising : falling;
    doubts = seemsRising === (last === rising) ? 0 : doubts + 1;
    offsets.push({ hop: k, offset: last });
  }
  return stepsOf(offsets);
}

/** The steepest points of the offset's course: one for each step, not for each hop that sees it. */
function stepsOf(offsets) {
  const side = Math.round(SIDE / HOP);
  const steps = [];
  for (let i = 5; i + 5 < offsets.length; ++i) {
    const medianOf = (part) => quantile(part.map(({ offset }) => offset), 0.5);
    const step = medianOf(offsets.slice(i, i + side)) - medianOf(offsets.slice(Math.max(0, i - side), i));
    const before = steps[steps.length - 1];
    if (before !== undefined && offsets[i].hop - before.hop < 2 * side) {
      if (Math.abs(step) > Math.abs(before.seconds)) steps[steps.length - 1] = { hop: offsets[i].hop, seconds: step };
    } else if (Math.abs(step) > 0.004) {
      steps.push({ hop: offsets[i].hop, seconds: step });
    }
  }
  return steps;
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}
