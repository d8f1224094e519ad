/** Where something may lie in a segment. */
import { checkInteger, one, shown } from "../arguments.ts";
import { UnsupportedError } from "../errors.ts";
import { Segment } from "./segment.ts";

/** Structures start at a multiple of this many bytes, so that none shares a cache line. */
const ALIGNMENT = 128;

/** Checks how something is to be opened. @throws UnsupportedError for what cannot only be read. */
export function checkAccess(
  { noun, readable }: { readonly noun: string; readonly readable: boolean },
  name: string,
  access: "readwrite" | "read" | undefined,
): void {
  if (access !== "read" || readable) return;
  const why = "a look at a word writes to it on this machine";
  throw new UnsupportedError(`Cannot open ${noun} ${shown(name)} for reading only: ${why}`);
}

/** Checks where something is to lie in a segment. @throws TypeError, RangeError; ClosedError. */
export function checkPlace(
  { noun, readable }: { readonly noun: string; readonly readable: boolean },
  segment: unknown,
  offset: number,
  byteLength: number,
  alignment: number = ALIGNMENT,
): asserts segment is Segment {
  if (!Segment.isOne(segment)) {
    throw new TypeError(`Cannot place ${one(noun)} in ${shown(segment)}: it is not a Segment`);
  }
  const action = `Cannot place ${one(noun)} in segment ${shown(segment.name)}`;
  const size = segment.buffer.byteLength;
  checkInteger(action, "its offset", offset, 0);
  if (offset % alignment !== 0) {
    throw new RangeError(`${action}: its offset must be a multiple of ${alignment}, not ${offset}`);
  }
  if (offset + byteLength > size) {
    throw new RangeError(
      `${action}: its ${byteLength} bytes from offset ${offset} end beyond the segment's ${size}`,
    );
  }
  if (!readable && segment.access === "read") {
    throw new TypeError(`${action}: the segment was opened for reading only`);
  }
}
