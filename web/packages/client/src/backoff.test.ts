import { expect, it } from 'vitest';
import { LONGEST_LATE_RETRY_MS, LONGEST_RETRY_MS, retryDelay } from './backoff';

it('spreads a thousand clients evenly over the whole of two seconds, from the first retry on', () => {
  const delays = Array.from({ length: 1000 }, (_, n) => retryDelay(false, () => n / 1000));
  const tenths = Array.from({ length: 10 }, (_, tenth) => delays.filter((delay) => Math.floor((delay * 10) / LONGEST_RETRY_MS) === tenth).length);
  expect(tenths).toEqual(Array.from({ length: 10 }, () => 100));
  expect(LONGEST_RETRY_MS).toBeGreaterThanOrEqual(2_000);
});

it('takes more time once the session is gone', () => {
  expect(retryDelay(true, () => 0.999_999)).toBeCloseTo(LONGEST_LATE_RETRY_MS, 0);
});
