/** Where a structure may lie inside a segment. */
import type { Mapping } from "../memory/mapping.ts";

/** What a structure needs to know of its segment. */
export interface Place {
  readonly name: string;
  readonly access: "readwrite" | "read";
  readonly mapping: Mapping;
}

/** A structure starts at a multiple of this, so that it has its cache lines alone. */
export const PLACE_ALIGNMENT = 128;

/**
 * The words of a structure. Once the segment is closed or mapped anew, they have no length.
 *
 * @param what For messages, as in `mutex`.
 * @throws RangeError when it does not fit there; TypeError when the segment is mapped for reading.
 */
export function placeWords(what: string, place: Place, offset: number, length: number): Int32Array {
  const { buffer } = place.mapping;
  const action = `Cannot place a ${what} at offset ${String(offset)} of segment "${place.name}"`;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % PLACE_ALIGNMENT !== 0) {
    throw new RangeError(`${action}: it must be a multiple of ${PLACE_ALIGNMENT}`);
  }
  if (offset + length > buffer.byteLength) {
    throw new RangeError(
      `${action}: its ${length} bytes end beyond the segment's ${buffer.byteLength}`,
    );
  }
  if (place.access === "read") throw new TypeError(`${action}: the segment is read-only here`);
  return new Int32Array(buffer, offset, length / 4);
}
