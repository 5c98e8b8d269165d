// Which video slot shows whom. A picture stays in its slot while it is visible, whatever the layout does, so that a
// layout change costs no key frame; new pictures take the lowest free slot, because the first ones are in step with
// their sound.

export type Assignment = ReadonlyMap<string, number>;

/**
 * `wanted` in order of importance; those beyond the free slots get none. Slots in `reserved` are never given out.
 */
export function assignSlots(previous: Assignment, wanted: readonly string[], slotCount: number, reserved: ReadonlySet<number>): Assignment {
  const next = new Map<string, number>();
  const free = new Set(Array.from({ length: slotCount }, (_, n) => n).filter((n) => !reserved.has(n)));
  const important = wanted.slice(0, free.size);
  for (const id of important) {
    const slot = previous.get(id);
    if (slot !== undefined && free.delete(slot)) next.set(id, slot);
  }
  for (const id of important) {
    if (next.has(id)) continue;
    const [slot] = free;
    if (slot === undefined) break;
    free.delete(slot);
    next.set(id, slot);
  }
  return next;
}
