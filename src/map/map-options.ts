/** The options of a map, and its numbers in a segment's header. */
import { LayoutError } from "../errors.ts";
import { FIRST_HEAD } from "../layout/map-layout.ts";
import type { SegmentHeader } from "../layout/segment-header.ts";
import { type MapShape, isShape } from "./algorithm/map-shape.ts";

/** How large a map is, and how it behaves. */
export interface MapOptions {
  /** Bytes of the whole segment: all the memory that the map ever has. At least 16 KiB. */
  readonly size: number;
  /** What `keys` and `entries` give keys as. Default "utf8". */
  readonly keys?: "utf8" | "bytes";
  /** "refuse": `set` answers false. "evict": what was not read lately goes. Default "refuse". */
  readonly whenFull?: "refuse" | "evict";
  /**
   * Bytes of a typical key and its value together; decides how large the index is. Rather too small
   * than too large: where entries are much smaller, the index is full before the memory. Default
   * 96.
   */
  readonly entryLength?: number;
  /**
   * Bytes of a unit, in which memory is given out; a power of two from 64 to 4096. Large values
   * are faster in large units, small ones waste the rest of one. Default: the least that takes a
   * whole typical entry, but at most 512.
   */
  readonly unitLength?: number;
}

/** An entry in one unit is together in memory; beyond 512 bytes the waste matters more. */
export function defaultUnitLength(entryLength: number): number {
  let length = 64;
  while (length < 512 && length < entryLength + FIRST_HEAD * 4) length *= 2;
  return length;
}

/** @throws RangeError for an option that makes no map. */
export function checkMapOptions(options: MapOptions): void {
  const { size, entryLength = 96, unitLength = 64, keys = "utf8", whenFull = "refuse" } = options;
  const refuse = (option: string, value: unknown, rule: string): never => {
    throw new RangeError(`Cannot make a map with ${option} ${String(value)}: it must be ${rule}`);
  };
  if (!Number.isInteger(size) || size < 2 ** 14 || size > 2 ** 32) {
    refuse("size", size, "an integer from 16 KiB to 4 GiB");
  }
  if (!(entryLength >= 1 && entryLength <= size)) {
    refuse("entryLength", entryLength, "from 1 to the map's size");
  }
  if (!Number.isInteger(Math.log2(unitLength)) || unitLength < 64 || unitLength > 4096) {
    refuse("unitLength", unitLength, "a power of two from 64 to 4096");
  }
  if (keys !== "utf8" && keys !== "bytes") refuse("keys", keys, '"utf8" or "bytes"');
  if (whenFull !== "refuse" && whenFull !== "evict") {
    refuse("whenFull", whenFull, '"refuse" or "evict"');
  }
}

/** The numbers of a map that another process made, checked. @throws LayoutError */
export function readMapShape(
  what: string,
  header: SegmentHeader,
  codecHash: number,
  mutexAbi: number,
): MapShape {
  const { dataLength, dataOffset, parameters = [] } = header;
  const [stripeCount = 0, bucketCount = 0, unitCount = 0, unitWords = 0, , , flags = 0] =
    parameters;
  const wrong = (field: string, expected: string, found: string, offset: number): never => {
    throw new LayoutError(`Cannot open ${what}: ${field}`, { expected, found, offset });
  };
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const shape = { stripeCount, bucketCount, unitCount, unitWords };
  if (!isShape(shape, dataLength) || dataOffset % 128 !== 0) {
    wrong("its numbers make no map", `${dataLength} bytes`, JSON.stringify(shape), 32);
  }
  if (flags >>> 8 !== mutexAbi) {
    wrong("another libc or processor made its locks", hex(mutexAbi), hex(flags >>> 8), 56);
  }
  const found = parameters[7] ?? 0;
  if (found !== codecHash) {
    wrong("it has values of another type", hex(codecHash), hex(found), 60);
  }
  return shape;
}
