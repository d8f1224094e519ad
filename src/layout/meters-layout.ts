/**
 * The metrics of a cluster: after the segment's header, a control block; from there upwards the
 * directory of families and series; from the end downwards the pages, which hold the values.
 */
import { type Layout, bytes, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";

/** Bytes from the start of the data. */
export const METERS_LOCK_OFFSET = 0;
export const METERS_DIRECTORY_OFFSET = 128;
export const METERS_PAGES_OFFSET = 132;
export const METERS_OVERFLOWS_OFFSET = 256;
export const METERS_LOST_OFFSET = 264;
export const METERS_CLOCK_OFFSET = 384;
export const METERS_HEAD_LENGTH = 512;

export const METERS_HEAD: Layout = {
  name: "meters_head",
  text: "Starts the data. The directory follows it.",
  length: METERS_HEAD_LENGTH,
  fields: [
    u32("lock", METERS_LOCK_OFFSET, "Whoever adds entries or pages; see the lock.", 2),
    u32(
      "directory_length",
      METERS_DIRECTORY_OFFSET,
      "Bytes of finished entries; stored with release after them, and only grows.",
    ),
    u32(
      "page_count",
      METERS_PAGES_OFFSET,
      "Pages that are taken; stored with release after their heads, and only grows.",
    ),
    u32(
      "overflows",
      METERS_OVERFLOWS_OFFSET,
      "How often labels got the series `other`, since there was no room; like an atomic's counter.",
      2,
    ),
    u32("lost", METERS_LOST_OFFSET, "Updates for which there was no page; likewise.", 2),
    u32("clock", METERS_CLOCK_OFFSET, "Counts the settings of gauges that show the last.", 2),
  ],
};

/** Kinds of entries. */
export const COUNTER_ENTRY = 1;
export const GAUGE_ENTRY = 2;
export const HISTOGRAM_ENTRY = 3;
export const SERIES_ENTRY = 4;

/** Bytes from an entry's start. */
export const ENTRY_LENGTH_OFFSET = 0;
export const ENTRY_KIND_OFFSET = 4;
export const FAMILY_AGGREGATE_OFFSET = 8;
export const FAMILY_DROPS_OFFSET = 12;
export const FAMILY_NAME_OFFSET = 16;
export const FAMILY_HELP_OFFSET = 20;
export const FAMILY_LABELS_OFFSET = 24;
export const FAMILY_BOUNDS_OFFSET = 28;
export const FAMILY_HEAD_LENGTH = 32;

export const METER_FAMILY: Layout = {
  name: "meter_family",
  text: "An entry of the directory: one metric. What follows it is said above.",
  length: FAMILY_HEAD_LENGTH,
  fields: [
    u32("length", ENTRY_LENGTH_OFFSET, "Bytes of the whole entry, a multiple of 8."),
    u32("kind", ENTRY_KIND_OFFSET, "1 counter, 2 gauge, 3 histogram."),
    u32("aggregate", FAMILY_AGGREGATE_OFFSET, "Of a gauge: 0 sum, 1 max, 2 min, 3 last."),
    u32("drops", FAMILY_DROPS_OFFSET, "1 if a gauge's values end with their owner."),
    u32("name_length", FAMILY_NAME_OFFSET, "Bytes of the name."),
    u32("help_length", FAMILY_HELP_OFFSET, "Bytes of the help."),
    u32("label_count", FAMILY_LABELS_OFFSET, "Labels."),
    u32("bound_count", FAMILY_BOUNDS_OFFSET, "Bounds of a histogram's buckets, +Inf not counted."),
  ],
};

export const SERIES_FAMILY_OFFSET = 8;
export const SERIES_CELL_OFFSET = 12;
export const SERIES_HEAD_LENGTH = 16;

export const METER_SERIES: Layout = {
  name: "meter_series",
  text: "An entry of the directory: one set of label values. What follows it is said above.",
  length: SERIES_HEAD_LENGTH,
  fields: [
    u32("length", ENTRY_LENGTH_OFFSET, "Bytes of the whole entry, a multiple of 8."),
    u32("kind", ENTRY_KIND_OFFSET, "4."),
    u32("family", SERIES_FAMILY_OFFSET, "Where its family lies, in bytes of the directory."),
    u32("cell", SERIES_CELL_OFFSET, "Its first cell: block * 64 + the cell in the block."),
  ],
};

/** Cells of a page, which are doubles. */
export const PAGE_SHIFT = 6;
export const PAGE_CELLS: number = 1 << PAGE_SHIFT;
/** Bytes from a page's start. */
export const PAGE_LOCK_OFFSET = 0;
export const PAGE_SEAT_OFFSET: number = LOCK_LENGTH;
export const PAGE_BLOCK_OFFSET = 12;
export const PAGE_READY_OFFSET = 16;
export const PAGE_HEAD_LENGTH = 128;
export const PAGE_LENGTH: number = PAGE_HEAD_LENGTH + PAGE_CELLS * 8;

export const METERS_PAGE: Layout = {
  name: "meters_page",
  text: "One block of cells of one seat. Page n ends n pages before the end of the data.",
  length: PAGE_LENGTH,
  fields: [
    u32("lock", PAGE_LOCK_OFFSET, "In a seat's first page: the seat's owner; see the lock.", 2),
    u32("seat", PAGE_SEAT_OFFSET, "The first page of the seat that it belongs to."),
    u32("block", PAGE_BLOCK_OFFSET, "Which cells these are: those from block * 64 on."),
    u32(
      "ready",
      PAGE_READY_OFFSET,
      "In a seat's first page: 1 once its owner has cleared the gauges that ended with the last.",
    ),
    bytes("reserved", 20, PAGE_HEAD_LENGTH - 20, "Zeros."),
    {
      name: "cells",
      type: "double",
      offset: PAGE_HEAD_LENGTH,
      count: PAGE_CELLS,
      text: "Only the seat's owner writes them, by plain stores of 8 bytes.",
    },
  ],
};

/** How a series' values lie in its cells. A gauge that shows the last has the stamp behind it. */
export const STAMP_CELL = 1;
export const SUM_CELL = 0;
export const MAX_CELL = 1;
export const FIRST_BUCKET_CELL = 2;

/** The most bytes that the directory takes of `dataLength`: pages need the rest. */
export function directoryLimit(dataLength: number): number {
  return Math.floor((dataLength - METERS_HEAD_LENGTH) / 16) * 8;
}

/** Limits of what an entry holds. */
export const MAX_METER_NAME_LENGTH = 200;
export const MAX_HELP_LENGTH = 1000;
export const MAX_LABELS = 32;
export const MAX_LABEL_VALUE_LENGTH = 1000;
export const MAX_BOUNDS = 1000;

/** Sizes of the whole, in bytes. */
export const MIN_METERS_SIZE = 4096;
export const MAX_METERS_SIZE: number = 2 ** 30;
