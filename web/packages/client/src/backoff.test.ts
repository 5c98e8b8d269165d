import { expect, it } from 'vitest';
import { LONGEST_RETRY_MS, retryDelay } from './backoff';

it('grows to a limit and is never below half a step', () => {
  for (let attempt = 0; attempt < 40; attempt++) {
    const least = retryDelay(attempt, () => 0);
    const most = retryDelay(attempt, () => 0.999_999);
    expect(least).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(LONGEST_RETRY_MS);
    expect(most).toBeLessThanOrEqual(least * 2);
  }
  expect(retryDelay(30, () => 1)).toBe(LONGEST_RETRY_MS);
});
