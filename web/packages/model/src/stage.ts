// What stands on the stage: one pure function from (who is here, what the person chose, how large the stage is) to
// tiles with places, and from those to the view that the node is asked for.

import type { Participant, SlotId, SlotView, SourceNumber } from '@huitang/client';
import { slotKey } from '@huitang/client';
import { fitInside, gridCapacity, gridRects, splitStage, TILE_ASPECT, type Rect, type Size } from './geometry';
import { activeSource } from './roster';
import { assignSlots, type Assignment } from './slot_assignment';

export type LayoutChoice = 'gallery' | 'speaker';

export type Wanted = { readonly kind: 'source'; readonly source: SourceNumber } | { readonly kind: 'speaker' };

export interface Tile {
  /** Stable while the tile shows the same thing; unique on the stage. */
  readonly key: string;
  readonly participantId: string;
  readonly content: 'camera' | 'share' | 'self';
  readonly rect: Rect;
  readonly large: boolean;
  /** Undefined: a name in place of a picture. */
  readonly slot: SlotId | undefined;
  readonly wanted: Wanted | undefined;
}

export interface StagePlan {
  readonly kind: 'gallery' | 'speaker' | 'share' | 'empty';
  readonly tiles: readonly Tile[];
  readonly page: number;
  readonly pages: number;
  /** People who are here but not on this page or in the strip. */
  readonly hidden: number;
  readonly assignment: Assignment;
}

export interface StageInput {
  readonly participants: readonly Participant[];
  readonly meId: string;
  readonly hideSelf: boolean;
  readonly layout: LayoutChoice;
  /** A participant's id, or `share:` and the id of the one who shares; undefined: automatic. */
  readonly pinned: string | undefined;
  readonly page: number;
  readonly area: Size;
  /** Who speaks, as the node decides (a participant's id), never myself. */
  readonly speakerId: string | undefined;
  readonly previous: Assignment;
  readonly videoSlots: number;
  readonly shareSlots: number;
}

export const EMPTY_STAGE: StagePlan = { kind: 'empty', tiles: [], page: 0, pages: 1, hidden: 0, assignment: new Map() };

const GAP = 8;
const LEAST_TILE_WIDTH = 148;
const MOST_TILES = 16;
const STRIP_TILE_WIDTH = 232;
/** The row of the page buttons below a gallery of several pages. */
const PAGER_HEIGHT = 60;
/** The speaker's place: the first slot, whose sound is in step with it. */
const SPEAKER_SLOT = 0;

export function pinOfShare(participantId: string): string {
  return `share:${participantId}`;
}

export function planStage(input: StageInput): StagePlan {
  if (input.area.width <= 0 || input.area.height <= 0 || input.participants.length === 0) return { ...EMPTY_STAGE, assignment: input.previous };
  const sharer = chooseSharer(input);
  if (sharer !== undefined) return planShare(input, sharer);
  return input.layout === 'speaker' || input.pinned !== undefined ? planSpeaker(input) : planGallery(input);
}

function others(input: StageInput): Participant[] {
  return input.participants.filter((participant) => participant.id !== input.meId);
}

function wholeArea(input: StageInput): Rect {
  return { x: 0, y: 0, ...input.area };
}

/** The share that takes the large place: the pinned one, else the newest; none when a person is pinned. */
function chooseSharer(input: StageInput): Participant | undefined {
  const sharers = others(input).filter((participant) => activeSource(participant, 'screen') !== undefined);
  const pinned = sharers.find((participant) => pinOfShare(participant.id) === input.pinned);
  if (pinned !== undefined) return pinned;
  if (input.pinned !== undefined && input.participants.some((participant) => participant.id === input.pinned)) return undefined;
  return sharers[sharers.length - 1];
}

function planGallery(input: StageInput): StagePlan {
  const people = others(input);
  const self = selfTiles(input);
  const capacity = Math.max(1, Math.min(MOST_TILES, gridCapacity(input.area, LEAST_TILE_WIDTH, GAP)) - self.length);
  const pages = Math.max(1, Math.ceil(people.length / capacity));
  const page = Math.min(Math.max(0, input.page), pages - 1);
  // My own picture is on each page.
  const shown = [...people.slice(page * capacity, (page + 1) * capacity), ...self];
  const places = pages > 1 ? capacity + self.length : shown.length;
  const area = pages > 1 ? { ...wholeArea(input), height: Math.max(1, input.area.height - PAGER_HEIGHT) } : wholeArea(input);
  const rects = gridRects(places, area, GAP, galleryAspect(input.area, places));
  const assignment = assignSlots(input.previous, pictured(shown, input.meId), input.videoSlots, new Set());
  const tiles = shown.map((person, n) => personTile(input, person, rects[n] ?? wholeArea(input), false, assignment));
  return { kind: 'gallery', tiles, page, pages, hidden: people.length + self.length - shown.length, assignment };
}

function selfTiles(input: StageInput): Participant[] {
  if (input.hideSelf && input.participants.length > 1) return [];
  return input.participants.filter((participant) => participant.id === input.meId);
}

/** On a tall screen, two or more people get squarer tiles, which fill it better. */
function galleryAspect(area: Size, count: number): number {
  return area.height > area.width && count > 1 ? 1.2 : TILE_ASPECT;
}

function planSpeaker(input: StageInput): StagePlan {
  const pinned = input.participants.find((participant) => participant.id === input.pinned);
  const subject = pinned ?? automaticSubject(input);
  const automatic = pinned === undefined && subject !== undefined && subject.id === input.speakerId && activeSource(subject, 'camera') !== undefined;
  if (subject === undefined) return planGallery({ ...input, layout: 'gallery', pinned: undefined });
  // While the node chooses, the strip keeps everyone, so that it does not jump at each change of speaker.
  const strip = [...others(input), ...selfTiles(input)].filter((person) => (automatic && input.participants.length > 2) || person.id !== subject.id);
  const split = splitStage(wholeArea(input), strip.length, { gap: GAP, tileWidth: STRIP_TILE_WIDTH, aspect: TILE_ASPECT });
  const shown = keepVisible(strip, input, split.strip.length);
  const reserved = new Set(automatic ? [SPEAKER_SLOT] : []);
  const people = automatic ? shown : [subject, ...shown];
  const assignment = assignSlots(input.previous, pictured(people, input.meId), input.videoSlots, reserved);
  const main = fitInside(split.main, TILE_ASPECT);
  const large: Tile = automatic
    ? { key: 'speaker', participantId: subject.id, content: 'camera', rect: main, large: true, slot: { use: 'video', index: SPEAKER_SLOT }, wanted: { kind: 'speaker' } }
    : personTile(input, subject, main, true, assignment);
  const small = shown.map((person, n) => personTile(input, person, split.strip[n] ?? main, false, assignment));
  return { kind: 'speaker', tiles: [large, ...small], page: 0, pages: 1, hidden: strip.length - shown.length, assignment };
}

function planShare(input: StageInput, sharer: Participant): StagePlan {
  const source = activeSource(sharer, 'screen');
  const strip = [...others(input), ...selfTiles(input)];
  const split = splitStage(wholeArea(input), strip.length, { gap: GAP, tileWidth: STRIP_TILE_WIDTH, aspect: TILE_ASPECT });
  const shown = keepVisible(strip, input, split.strip.length);
  const assignment = assignSlots(input.previous, pictured(shown, input.meId), input.videoSlots, new Set());
  const large: Tile = {
    key: pinOfShare(sharer.id),
    participantId: sharer.id,
    content: 'share',
    rect: split.main,
    large: true,
    slot: source === undefined || input.shareSlots === 0 ? undefined : { use: 'share', index: 0 },
    wanted: source === undefined ? undefined : { kind: 'source', source },
  };
  const small = shown.map((person, n) => personTile(input, person, split.strip[n] ?? split.main, false, assignment));
  return { kind: 'share', tiles: [large, ...small], page: 0, pages: 1, hidden: strip.length - shown.length, assignment };
}

function automaticSubject(input: StageInput): Participant | undefined {
  const people = others(input);
  const speaker = people.find((person) => person.id === input.speakerId);
  return speaker ?? people.find((person) => activeSource(person, 'camera') !== undefined) ?? people[0];
}

/** When a strip is too short for all, the speaker and myself stay in it. */
function keepVisible(people: readonly Participant[], input: StageInput, places: number): Participant[] {
  if (people.length <= places) return [...people];
  const must = people.filter((person) => person.id === input.speakerId || person.id === input.meId).slice(0, places);
  const rest = people.filter((person) => !must.includes(person)).slice(0, places - must.length);
  return people.filter((person) => must.includes(person) || rest.includes(person));
}

function pictured(people: readonly Participant[], meId: string): string[] {
  return people.filter((person) => person.id !== meId && activeSource(person, 'camera') !== undefined).map((person) => person.id);
}

function personTile(input: StageInput, person: Participant, rect: Rect, large: boolean, assignment: Assignment): Tile {
  const isMe = person.id === input.meId;
  const source = activeSource(person, 'camera');
  const index = isMe || source === undefined ? undefined : assignment.get(person.id);
  return {
    key: isMe ? 'self' : `person:${person.id}`,
    participantId: person.id,
    content: isMe ? 'self' : 'camera',
    rect,
    large,
    slot: index === undefined ? undefined : { use: 'video', index },
    wanted: index === undefined || source === undefined ? undefined : { kind: 'source', source },
  };
}

/** What the node is asked for: each slot on the stage with its size in device pixels; nothing from a hidden page. */
export function viewOf(plan: StagePlan, pixelRatio: number, pageVisible: boolean): SlotView[] {
  if (!pageVisible) return [];
  return plan.tiles.flatMap((tile) => {
    if (tile.slot === undefined || tile.wanted === undefined) return [];
    const width = Math.round(tile.rect.width * pixelRatio);
    const height = Math.round(tile.rect.height * pixelRatio);
    return [{ use: tile.slot.use, index: tile.slot.index, show: tile.wanted, width, height }];
  });
}

export function tileOfSlot(plan: StagePlan, slot: SlotId): Tile | undefined {
  const key = slotKey(slot);
  return plan.tiles.find((tile) => tile.slot !== undefined && slotKey(tile.slot) === key);
}
