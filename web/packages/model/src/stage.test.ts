import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planStage, pinOfShare, viewOf, type StageInput, type StagePlan } from './stage';
import { person } from './testing/people';

function input(count: number, change: Partial<StageInput> = {}): StageInput {
  const others = Array.from({ length: count }, (_, n) => person(`p${n}`, 100 + n * 10));
  return {
    participants: [person('me', 1), ...others],
    meId: 'me',
    hideSelf: false,
    layout: 'gallery',
    pinned: undefined,
    page: 0,
    area: { width: 1280, height: 640 },
    speakerId: undefined,
    previous: new Map(),
    videoSlots: 16,
    shareSlots: 2,
    ...change,
  };
}

function slotOf(plan: StagePlan, participantId: string): number | undefined {
  return plan.tiles.find((tile) => tile.participantId === participantId && tile.wanted?.kind === 'source')?.slot?.index;
}

const inputs = fc
  .record({
    count: fc.integer({ min: 0, max: 40 }),
    cameras: fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
    sharer: fc.option(fc.integer({ min: 0, max: 39 })),
    layout: fc.constantFrom('gallery' as const, 'speaker' as const),
    pin: fc.option(fc.integer({ min: 0, max: 39 })),
    speaker: fc.option(fc.integer({ min: 0, max: 39 })),
    page: fc.integer({ min: -1, max: 5 }),
    hideSelf: fc.boolean(),
    width: fc.integer({ min: 300, max: 2600 }),
    height: fc.integer({ min: 300, max: 1500 }),
  })
  .map(({ count, cameras, sharer, layout, pin, speaker, page, hideSelf, width, height }) => {
    const others = Array.from({ length: count }, (_, n) => person(`p${n}`, 100 + n * 10, { cameraOn: cameras[n] ?? true, sharing: n === sharer }));
    const id = (n: number | null) => (n !== null && n < count ? `p${n}` : undefined);
    return input(0, { participants: [person('me', 1), ...others], layout, pinned: id(pin), speakerId: id(speaker), page, hideSelf, area: { width, height } });
  });

describe('planStage', () => {
  it('uses no slot twice, shows nobody twice in the same way, and asks for no size that is not shown', () => {
    fc.assert(
      fc.property(inputs, fc.constantFrom(1, 1.5, 2), (given, ratio) => {
        const plan = planStage(given);
        const slots = plan.tiles.flatMap((tile) => (tile.slot === undefined ? [] : [`${tile.slot.use}-${tile.slot.index}`]));
        expect(new Set(slots).size).toBe(slots.length);
        expect(new Set(plan.tiles.map((tile) => tile.key)).size).toBe(plan.tiles.length);
        for (const slot of viewOf(plan, ratio, true)) {
          expect(slot.width).toBeGreaterThan(0);
          expect(slot.width).toBeLessThanOrEqual(Math.ceil(given.area.width * ratio));
          expect(slot.height).toBeLessThanOrEqual(Math.ceil(given.area.height * ratio));
        }
      }),
    );
  });

  it('asks only for sources that are there to be seen', () => {
    fc.assert(
      fc.property(inputs, (given) => {
        const active = new Set(given.participants.flatMap((participant) => participant.sources.filter((source) => source.active).map((source) => source.number)));
        for (const tile of planStage(given).tiles) if (tile.wanted?.kind === 'source') expect(active.has(tile.wanted.source)).toBe(true);
      }),
    );
  });

  it('keeps every picture that stays visible in its slot when the layout changes', () => {
    fc.assert(
      fc.property(inputs, inputs, (first, second) => {
        const before = planStage(first);
        const after = planStage({ ...second, participants: first.participants, pinned: undefined, previous: before.assignment, layout: 'gallery' });
        for (const [id, slot] of after.assignment) {
          const earlier = before.assignment.get(id);
          if (earlier !== undefined) expect(slot).toBe(earlier);
        }
      }),
    );
  });

  it('shows everyone on exactly one page of the gallery, and me on each', () => {
    const seen = new Map<string, number>();
    const { pages } = planStage(input(37));
    for (let page = 0; page < pages; page++) {
      for (const tile of planStage(input(37, { page })).tiles) seen.set(tile.participantId, (seen.get(tile.participantId) ?? 0) + 1);
    }
    expect(seen.get('me')).toBe(pages);
    for (let n = 0; n < 37; n++) expect(seen.get(`p${n}`)).toBe(1);
  });

  it('gives the large place and its first slot to the speaker as the node decides', () => {
    const plan = planStage(input(4, { layout: 'speaker', speakerId: 'p2' }));
    expect(plan.tiles[0]).toMatchObject({ participantId: 'p2', large: true, wanted: { kind: 'speaker' }, slot: { use: 'video', index: 0 } });
    expect(plan.tiles.slice(1).every((tile) => tile.slot?.index !== 0)).toBe(true);
  });

  it('enlarges a pinned person in the slot that shows him already', () => {
    const gallery = planStage(input(6));
    const pinned = planStage(input(6, { pinned: 'p4', previous: gallery.assignment }));
    expect(pinned.tiles[0]).toMatchObject({ participantId: 'p4', large: true });
    expect(slotOf(pinned, 'p4')).toBe(slotOf(gallery, 'p4'));
  });

  it('gives the large place to a share, unless a person is pinned', () => {
    const people = [person('me', 1), person('p0', 100), person('p1', 110, { sharing: true })];
    const plan = planStage(input(0, { participants: people }));
    expect(plan.tiles[0]).toMatchObject({ key: pinOfShare('p1'), content: 'share', slot: { use: 'share', index: 0 }, wanted: { source: 112 } });
    expect(planStage(input(0, { participants: people, pinned: 'p0' })).tiles[0]).toMatchObject({ participantId: 'p0', content: 'camera' });
  });

  it('does not show me my own share', () => {
    const people = [person('me', 1, { sharing: true }), person('p0', 100)];
    expect(planStage(input(0, { participants: people })).kind).toBe('gallery');
  });

  it('shows a name in place of a picture for whoever has no camera on, and takes no slot for it', () => {
    const people = [person('me', 1), person('p0', 100, { cameraOn: false }), person('p1', 110)];
    const plan = planStage(input(0, { participants: people }));
    expect(plan.tiles.find((tile) => tile.participantId === 'p0')?.slot).toBeUndefined();
    expect(slotOf(plan, 'p1')).toBe(0);
  });

  it('wants nothing while the page is hidden', () => {
    expect(viewOf(planStage(input(5)), 1, false)).toEqual([]);
  });
});
