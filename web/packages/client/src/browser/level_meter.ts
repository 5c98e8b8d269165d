// The level of a sound track, for meters and for the "speaking while muted" reminder.

import type { Cancel } from '../environment';

const INTERVAL_MS = 50;

let shared: AudioContext | undefined;

export function sharedAudioContext(): AudioContext {
  shared ??= new AudioContext({ latencyHint: 'interactive' });
  if (shared.state === 'suspended') void shared.resume().catch(() => undefined);
  return shared;
}

/** Peak of the last samples on a scale where −60 dBFS is 0 and full scale is 1. */
export function levelOf(samples: Float32Array): number {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak === 0 ? 0 : Math.min(1, Math.max(0, 1 + (20 * Math.log10(peak)) / 60));
}

export function measureLevel(track: MediaStreamTrack, onLevel: (level: number) => void): Cancel {
  const context = sharedAudioContext();
  const input = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = context.createAnalyser();
  analyser.fftSize = 2048;
  input.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    if (context.state === 'suspended') void context.resume().catch(() => undefined);
    analyser.getFloatTimeDomainData(samples);
    onLevel(levelOf(samples));
  }, INTERVAL_MS);
  return () => {
    clearInterval(timer);
    input.disconnect();
  };
}
