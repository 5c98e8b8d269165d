// When to try a lost connection again: soon at first, then slower, always spread by chance so that a thousand
// clients that lost the same server do not come back in step.

import type { Random } from './environment';

export const FIRST_RETRY_MS = 250;
export const LONGEST_RETRY_MS = 5_000;

/** Delay before retry number `attempt` (from 0): uniform between half of the step and the whole step. */
export function retryDelay(attempt: number, random: Random): number {
  const step = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt, 16));
  return step / 2 + random() * (step / 2);
}
