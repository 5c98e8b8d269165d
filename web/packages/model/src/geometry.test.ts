import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitInside, gridCapacity, gridRects, splitStage, type Rect } from './geometry';

const EPSILON = 0.001;

function isInside(rect: Rect, area: Rect): boolean {
  return rect.x >= area.x - EPSILON && rect.y >= area.y - EPSILON && rect.x + rect.width <= area.x + area.width + EPSILON && rect.y + rect.height <= area.y + area.height + EPSILON;
}

function overlap(a: Rect, b: Rect): boolean {
  return a.x + EPSILON < b.x + b.width && b.x + EPSILON < a.x + a.width && a.y + EPSILON < b.y + b.height && b.y + EPSILON < a.y + a.height;
}

function expectApart(rects: readonly Rect[], area: Rect): void {
  rects.forEach((rect, n) => {
    expect(isInside(rect, area)).toBe(true);
    for (const other of rects.slice(n + 1)) expect(overlap(rect, other)).toBe(false);
  });
}

const areas = fc.record({ x: fc.constant(0), y: fc.constant(0), width: fc.integer({ min: 200, max: 4000 }), height: fc.integer({ min: 200, max: 2500 }) });
const counts = fc.integer({ min: 1, max: 28 });
const gaps = fc.integer({ min: 0, max: 12 });

describe('gridRects', () => {
  it('gives as many equal tiles as asked for, inside the area, none over another', () => {
    fc.assert(
      fc.property(areas, counts, gaps, (area, count, gap) => {
        const rects = gridRects(count, area, gap);
        expect(rects).toHaveLength(count);
        expectApart(rects, area);
        for (const rect of rects) expect(rect.width / rect.height).toBeCloseTo(16 / 9, 3);
      }),
    );
  });

  it('never makes tiles smaller when the area grows', () => {
    fc.assert(
      fc.property(areas, counts, fc.integer({ min: 0, max: 500 }), (area, count, more) => {
        const before = gridRects(count, area, 8)[0]?.width ?? 0;
        const after = gridRects(count, { ...area, width: area.width + more, height: area.height + more }, 8)[0]?.width ?? 0;
        expect(after).toBeGreaterThanOrEqual(before - 1);
      }),
    );
  });

  it('centres a last row that is not full', () => {
    const rects = gridRects(3, { x: 0, y: 0, width: 1600, height: 1000 }, 0);
    expect(rects[2]?.x).toBeCloseTo((1600 - (rects[2]?.width ?? 0)) / 2);
  });

  it('gives nothing without room', () => {
    expect(gridRects(4, { x: 0, y: 0, width: 0, height: 300 }, 8)).toEqual([]);
  });
});

describe('gridCapacity', () => {
  it('lets no tile become narrower than asked for', () => {
    fc.assert(
      fc.property(areas, fc.integer({ min: 80, max: 400 }), gaps, (area, least, gap) => {
        const capacity = gridCapacity(area, least, gap);
        const width = gridRects(capacity, area, gap)[0]?.width ?? 0;
        expect(capacity).toBeGreaterThanOrEqual(1);
        if (capacity > 1) expect(width).toBeGreaterThanOrEqual(Math.min(least, area.width, (area.height * 16) / 9) - 1);
      }),
    );
  });
});

describe('splitStage', () => {
  it('keeps the large place and the strip apart and inside', () => {
    fc.assert(
      fc.property(areas, fc.integer({ min: 0, max: 20 }), gaps, (area, count, gap) => {
        const { main, strip } = splitStage(area, count, { gap, tileWidth: 232, aspect: 16 / 9 });
        expect(strip.length).toBeLessThanOrEqual(count);
        if (count > 0) expect(strip.length).toBeGreaterThanOrEqual(1);
        expectApart([main, ...strip], area);
      }),
    );
  });

  it('leaves most of the area to the large place', () => {
    fc.assert(
      fc.property(areas, fc.integer({ min: 0, max: 20 }), (area, count) => {
        const { main } = splitStage(area, count, { gap: 8, tileWidth: 232, aspect: 16 / 9 });
        expect(main.width * main.height).toBeGreaterThan(0.5 * area.width * area.height);
      }),
    );
  });
});

describe('fitInside', () => {
  it('touches two sides, keeps the aspect, stays in the middle', () => {
    fc.assert(
      fc.property(areas, fc.double({ min: 0.3, max: 4, noNaN: true }), (area, aspect) => {
        const rect = fitInside(area, aspect);
        expect(isInside(rect, area)).toBe(true);
        expect(rect.width / rect.height).toBeCloseTo(aspect, 3);
        expect(Math.min(area.width - rect.width, area.height - rect.height)).toBeCloseTo(0, 3);
      }),
    );
  });
});
