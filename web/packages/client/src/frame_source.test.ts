import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sourceOfFrame } from './frame_source';

describe('sourceOfFrame', () => {
  it('knows nothing when nothing was seen', () => {
    expect(sourceOfFrame([], 1)).toBeUndefined();
  });

  it('names the old source up to its last frame and the new one from its first', () => {
    const seen = [
      { source: 7, rtpTimestamp: 9_000 },
      { source: 4, rtpTimestamp: 6_000 },
    ];
    expect(sourceOfFrame(seen, 3_000)).toBe(4);
    expect(sourceOfFrame(seen, 6_000)).toBe(4);
    expect(sourceOfFrame(seen, 6_001)).toBe(7);
    expect(sourceOfFrame(seen, 9_000)).toBe(7);
  });

  it('takes the newest when the list lags behind the picture or the frame has no timestamp', () => {
    const seen = [
      { source: 4, rtpTimestamp: 6_000 },
      { source: 7, rtpTimestamp: 9_000 },
    ];
    expect(sourceOfFrame(seen, 12_000)).toBe(7);
    expect(sourceOfFrame(seen, undefined)).toBe(7);
  });

  it('gives the same answer wherever on the circle of timestamps the frames stand', () => {
    const around = fc.record({ base: fc.integer({ min: 0, max: 0xffffffff }), ends: fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 5 }), frame: fc.integer({ min: 0, max: 1_000_000 }) });
    fc.assert(
      fc.property(around, ({ base, ends, frame }) => {
        const at = (offset: number) => (base + offset) >>> 0;
        const plain = ends.map((end, source) => ({ source, rtpTimestamp: end }));
        const moved = ends.map((end, source) => ({ source, rtpTimestamp: at(end) }));
        expect(sourceOfFrame(moved, at(frame))).toBe(sourceOfFrame(plain, frame));
      }),
    );
  });
});
