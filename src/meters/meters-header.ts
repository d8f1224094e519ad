/** The header of meters, and how large they are. */
import { LayoutError } from "../errors.ts";
import { layoutHash } from "../layout/description.ts";
import {
  FIRST_BUCKET_CELL,
  MAX_METERS_SIZE,
  METERS_HEAD,
  METERS_HEAD_LENGTH,
  METERS_PAGE,
  METER_FAMILY,
  METER_SERIES,
  MIN_METERS_SIZE,
  PAGE_CELLS,
  PAGE_LENGTH,
} from "../layout/meters-layout.ts";
import {
  HEADER_DATA_LENGTH_OFFSET,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_KINDS,
} from "../layout/segment-header.ts";
import { accessesPlainly } from "../memory/atomics.ts";
import type { NewHeader, Structure, StructureKind } from "../segment/structure.ts";
import { MetersMemory, blocksOf } from "./algorithm/meters-memory.ts";

const HASH = layoutHash(METERS_HEAD, METER_FAMILY, METER_SERIES, METERS_PAGE);

export const METERS_KIND: StructureKind = {
  noun: "meters",
  kinds: { [SEGMENT_KINDS.meters]: { layoutHash: HASH } },
  // A private mapping shows what others write until it is written to, by a look too.
  readable: accessesPlainly(),
};

/** Bytes of a series of usual names and labels in the directory, its share of a family included. */
const SERIES_LENGTH = 128;
/** Sizes are rounded up to whole pages of memory. */
const SIZE_STEP = 4096;

export function metersHeader(size: number): NewHeader {
  const dataLength = size - SEGMENT_HEADER_LENGTH;
  return { kind: SEGMENT_KINDS.meters, layoutHash: HASH, dataLength };
}

/** The memory of meters that were found. @throws LayoutError when they cannot have that size. */
export function metersMemory(structure: Structure): MetersMemory {
  const { segment, dataOffset, header, what, placed } = structure;
  const size = header.dataLength + SEGMENT_HEADER_LENGTH;
  if (size < MIN_METERS_SIZE || size > MAX_METERS_SIZE) {
    throw new LayoutError(`Cannot open ${what}: its size cannot be that of meters`, {
      expected: `${MIN_METERS_SIZE} to ${MAX_METERS_SIZE} bytes`,
      found: String(size),
      offset: placed.offset + HEADER_DATA_LENGTH_OFFSET,
    });
  }
  return new MetersMemory(segment.buffer, dataOffset, header.dataLength, what);
}

/**
 * @param buckets The bounds of each series' histogram; 0 for counters and gauges.
 * @returns The size, in bytes, in which so many series and processes have room.
 */
export function sizeFor(series: number, processes: number, buckets: number): number {
  const cells = buckets === 0 ? 1 : FIRST_BUCKET_CELL + buckets + 1;
  const blocks =
    cells > PAGE_CELLS
      ? series * blocksOf(cells)
      : Math.ceil(series / Math.floor(PAGE_CELLS / cells));
  const directory = (series + 1) * (SERIES_LENGTH + (buckets * 8) / 4);
  const pages = blocks * processes * PAGE_LENGTH;
  const head = SEGMENT_HEADER_LENGTH + METERS_HEAD_LENGTH;
  // The directory gets half of the memory at most.
  const size = head + SIZE_STEP + Math.max(2 * directory, directory + pages);
  return Math.ceil(size / SIZE_STEP) * SIZE_STEP;
}

/** @returns The bytes that are in use, with a directory and pages of that size. */
export function usedLength(directoryLength: number, pageCount: number): number {
  const head = SEGMENT_HEADER_LENGTH + METERS_HEAD_LENGTH;
  return head + directoryLength + pageCount * PAGE_LENGTH;
}
