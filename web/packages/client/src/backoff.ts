// When to try a lost connection again. All of the delay is left to chance, from the first retry on: a thousand clients
// that lost the same server at the same moment come back spread over two seconds, and nobody waits long for one that
// answers again. Once the session is beyond saving there is no hurry any more.

import type { Random } from './environment';

/** While the session can be resumed. */
export const LONGEST_RETRY_MS = 2_000;
export const LONGEST_LATE_RETRY_MS = 5_000;

/** Uniform from nothing to the longest. */
export function retryDelay(isLate: boolean, random: Random): number {
  return random() * (isLate ? LONGEST_LATE_RETRY_MS : LONGEST_RETRY_MS);
}
