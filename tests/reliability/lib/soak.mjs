// Whether something grows: figures of a process, and the slope of a series.
import { readFileSync, readdirSync } from 'node:fs';

/** Of a process of this machine: {descriptors, residentMb}. */
export function figuresOf(pid) {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, residentMb: Number(kilobytes) / 1024 };
}

/** Least squares through [seconds, value]: how much the value grows in an hour. */
export function slopePerHour(series) {
  const n = series.length;
  const meanX = series.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = series.reduce((sum, [, y]) => sum + y, 0) / n;
  const covariance = series.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = series.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return (covariance / variance) * 3600;
}

/** What is wrong with a drained box, by name, against what it was before; empty: nothing. */
export function leftovers(before, after) {
  return Object.entries(after).filter(([name, value]) => value > before[name]).map(([name, value]) => `${name}: ${before[name]}, now ${value}`);
}
