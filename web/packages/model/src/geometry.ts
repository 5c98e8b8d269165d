// Where pictures go: pure geometry in CSS pixels. No state, no identities.

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const TILE_ASPECT = 16 / 9;

/** The largest rectangle of `aspect` inside `area`, in its middle. */
export function fitInside(area: Rect, aspect: number): Rect {
  const width = Math.min(area.width, area.height * aspect);
  const height = width / aspect;
  return { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
}

function cellSize(area: Size, columns: number, rows: number, gap: number, aspect: number): Size {
  const width = Math.max(0, (area.width - gap * (columns - 1)) / columns);
  const height = Math.max(0, (area.height - gap * (rows - 1)) / rows);
  const fitted = Math.min(width, height * aspect);
  return { width: fitted, height: fitted / aspect };
}

function bestColumns(count: number, area: Size, gap: number, aspect: number): number {
  let best = 1;
  let bestWidth = -1;
  for (let columns = 1; columns <= count; columns++) {
    const { width } = cellSize(area, columns, Math.ceil(count / columns), gap, aspect);
    if (width > bestWidth + 0.5) {
      best = columns;
      bestWidth = width;
    }
  }
  return best;
}

/** `count` equal rectangles of `aspect`, as large as they can be, rows centred, the last row too. */
export function gridRects(count: number, area: Rect, gap: number, aspect = TILE_ASPECT): Rect[] {
  if (count <= 0 || area.width <= 0 || area.height <= 0) return [];
  const columns = bestColumns(count, area, gap, aspect);
  const rows = Math.ceil(count / columns);
  const cell = cellSize(area, columns, rows, gap, aspect);
  const top = area.y + (area.height - rows * cell.height - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, n) => {
    const row = Math.floor(n / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = area.x + (area.width - inRow * cell.width - (inRow - 1) * gap) / 2;
    return { x: left + (n % columns) * (cell.width + gap), y: top + row * (cell.height + gap), width: cell.width, height: cell.height };
  });
}

/** How many tiles an area holds when none is narrower than `leastWidth`, at least one. */
export function gridCapacity(area: Size, leastWidth: number, gap: number, aspect = TILE_ASPECT): number {
  const columns = Math.max(1, Math.floor((area.width + gap) / (leastWidth + gap)));
  const rows = Math.max(1, Math.floor((area.height + gap) / (leastWidth / aspect + gap)));
  return columns * rows;
}

export interface StageSplit {
  readonly main: Rect;
  /** Undefined when there is no strip. */
  readonly strip: readonly Rect[];
}

export interface StripRule {
  readonly gap: number;
  readonly tileWidth: number;
  readonly aspect: number;
}

/** A large place and a strip of up to `count` small ones: at the right of a wide area, below a tall one. */
export function splitStage(area: Rect, count: number, rule: StripRule): StageSplit {
  if (count <= 0) return { main: area, strip: [] };
  return area.width >= area.height ? stripAtRight(area, count, rule) : stripBelow(area, count, rule);
}

function stripAtRight(area: Rect, count: number, { gap, tileWidth, aspect }: StripRule): StageSplit {
  const width = Math.min(tileWidth, area.width / 4);
  const height = width / aspect;
  const shown = Math.max(1, Math.min(count, Math.floor((area.height + gap) / (height + gap))));
  const top = area.y + (area.height - shown * height - (shown - 1) * gap) / 2;
  const strip = Array.from({ length: shown }, (_, n) => ({ x: area.x + area.width - width, y: top + n * (height + gap), width, height }));
  return { main: { ...area, width: area.width - width - gap }, strip };
}

function stripBelow(area: Rect, count: number, { gap, tileWidth, aspect }: StripRule): StageSplit {
  const width = Math.min(tileWidth, (area.width - 2 * gap) / 3);
  const height = Math.min(width / aspect, area.height / 3);
  const shown = Math.max(1, Math.min(count, Math.floor((area.width + gap) / (width + gap))));
  const left = area.x + (area.width - shown * width - (shown - 1) * gap) / 2;
  const strip = Array.from({ length: shown }, (_, n) => ({ x: left + n * (width + gap), y: area.y + area.height - height, width, height }));
  return { main: { ...area, height: area.height - height - gap }, strip };
}
