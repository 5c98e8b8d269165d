import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignSlots } from './slot_assignment';

const ids = fc.uniqueArray(fc.constantFrom(...'abcdefghijklmnopqrstuvwx'), { maxLength: 24 });
const reserved = fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }).map((slots) => new Set(slots));

describe('assignSlots', () => {
  it('gives each at most one slot, no slot twice, none that is reserved', () => {
    fc.assert(
      fc.property(ids, ids, reserved, (before, wanted, taken) => {
        const previous = assignSlots(new Map(), before, 16, new Set());
        const next = assignSlots(previous, wanted, 16, taken);
        const slots = [...next.values()];
        expect(new Set(slots).size).toBe(slots.length);
        expect(slots.every((slot) => slot >= 0 && slot < 16 && !taken.has(slot))).toBe(true);
        expect(next.size).toBe(Math.min(wanted.length, 16 - taken.size));
      }),
    );
  });

  it('leaves whoever stays visible in his slot', () => {
    fc.assert(
      fc.property(ids, ids, (before, wanted) => {
        const previous = assignSlots(new Map(), before, 16, new Set());
        const next = assignSlots(previous, wanted, 16, new Set());
        for (const id of wanted.slice(0, 16)) {
          const slot = previous.get(id);
          if (slot !== undefined) expect(next.get(id)).toBe(slot);
        }
      }),
    );
  });

  it('gives newcomers the lowest free slots, which are in step with their sound', () => {
    const previous = assignSlots(new Map(), ['a', 'b', 'c'], 16, new Set());
    expect([...assignSlots(previous, ['a', 'c', 'x', 'y'], 16, new Set())]).toEqual([
      ['a', 0],
      ['c', 2],
      ['x', 1],
      ['y', 3],
    ]);
  });
});
