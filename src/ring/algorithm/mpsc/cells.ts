/** The cells and the release words of a ring with many producers, for both of its sides. */
import { hex } from "../../../arguments.ts";
import type { LayoutError } from "../../../errors.ts";
import * as layout from "../../../layout/mpsc-layout.ts";
import { load } from "../../../memory/atomics.ts";
import { type RingMemory, type RingViews, corrupt, viewsOf } from "../views.ts";

export const INTENT_WORD: number = layout.RELEASE_INTENT_OFFSET >> 2;
export const DONE_WORD: number = layout.RELEASE_DONE_OFFSET >> 2;
const VERSIONS_WORD = layout.RELEASE_VERSIONS_OFFSET >> 2;
const VERSION_WORDS = layout.RELEASE_VERSION_LENGTH >> 2;

/** The views of a ring, and its cells. */
export interface MpscViews extends RingViews {
  readonly memory: RingMemory;
  readonly cells: Int32Array;
}

export function mpscViewsOf(memory: RingMemory): MpscViews {
  const { buffer, byteOffset, capacity } = memory;
  const cells = byteOffset + layout.CELLS_OFFSET;
  return {
    ...viewsOf(memory),
    memory,
    cells: new Int32Array(buffer, cells, layout.cellCount(capacity)),
  };
}

/** A place in the order of records: a lap, a cell, and where the record's bytes start. */
export interface Place {
  lap: number;
  cell: number;
  /** Bytes, mod 2^32. */
  position: number;
}

/** @returns The index of the first word of a release's version. */
export function versionIndex(release: number): number {
  return VERSIONS_WORD + (release & 1) * VERSION_WORDS;
}

/** Reads a release's version into a place. @throws LayoutError when it cannot be one. */
export function readVersion(views: MpscViews, release: number, into: Place): void {
  const at = versionIndex(release);
  const lap = load(views.control, at);
  const cell = load(views.control, at + 1);
  const position = load(views.control, at + 2);
  if (
    (lap & ~layout.LAP_MASK) !== 0 ||
    cell < 0 ||
    cell >= views.cells.length ||
    position % layout.UNIT_LENGTH !== 0
  ) {
    throw corrupt(views.memory, "its consumer's position is wrong", {
      expected: `a lap, a cell below ${views.cells.length} and a multiple of ${layout.UNIT_LENGTH}`,
      found: `${lap}, ${cell} and ${position}`,
      offset: at << 2,
    });
  }
  into.lap = lap;
  into.cell = cell;
  into.position = position;
}

export function copyPlace(from: Place, to: Place): void {
  to.lap = from.lap;
  to.cell = from.cell;
  to.position = from.position;
}

/** @returns Whether b comes after a in the order of records. Laps wrap at 2^30. */
export function isAfter(b: Place, a: Place): boolean {
  const laps = ((b.lap - a.lap) << 2) >> 2;
  return laps > 0 || (laps === 0 && b.cell > a.cell);
}

/** Moves a place over one record. */
export function advance(place: Place, units: number, cellCount: number): void {
  place.position = (place.position + (units << layout.UNIT_SHIFT)) | 0;
  if (++place.cell < cellCount) return;
  place.cell = 0;
  place.lap = (place.lap + 1) & layout.LAP_MASK;
}

export function corruptCell({ memory }: MpscViews, cell: number, word: number): LayoutError {
  return corrupt(memory, "a cell is wrong", {
    expected: "a cell that is free in its lap, or a record within the ring",
    found: hex(word),
    offset: layout.CELLS_OFFSET + cell * 4,
  });
}

/**
 * @returns The committed records that are not given back yet, and the bytes of all claims there.
 */
export function mpscUnread(memory: RingMemory): { records: number; bytes: number } {
  const views = mpscViewsOf(memory);
  const at: Place = { lap: 0, cell: 0, position: 0 };
  readVersion(views, load(views.control, DONE_WORD), at);
  let records = 0;
  let bytes = 0;
  // Others use the ring meanwhile: this walks at most one lap, whatever the cells say.
  for (let step = 0; step < views.cells.length && bytes < memory.capacity; step++) {
    const word = load(views.cells, at.cell);
    if (word >= 0) break;
    const committed = (word & layout.STATE_MASK) === layout.COMMITTED;
    if (committed && (word & ~layout.UNITS_MASK) !== layout.PADDING) records++;
    const units = word & layout.UNITS_MASK;
    bytes += units << layout.UNIT_SHIFT;
    advance(at, units, views.cells.length);
  }
  return { records, bytes };
}

export function corruptRelease({ memory }: MpscViews, found: number): LayoutError {
  return corrupt(memory, "its release is wrong", {
    expected: "an intent that is the last release or the next",
    found,
    offset: layout.RELEASE_INTENT_OFFSET,
  });
}
