/** Which structure of this package lies somewhere, for whoever expects another one there. */
import { one } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { load } from "../memory/atomics.ts";
import { markAt } from "./lock-marks.ts";
import { QUEUE_MAGIC } from "./message-queue-layout.ts";
import { PORTABLE_MAGIC } from "./portable-layout.ts";
import { HEADER_KIND_OFFSET, SEGMENT_MAGIC, kindName } from "./segment-header.ts";

/** What those structures are that have a header of their own kind: a ring, a record, a map. */
export const HEADED = "headed";

/** How a finished structure is known. */
interface Recognised {
  /** Its noun; `HEADED` for those whose header says which they are. */
  readonly family: string;
  /** For messages: "a mutex". */
  readonly name: string;
  /** Where that is said, in bytes from its start. */
  readonly offset: number;
}

function structureAt(words: Int32Array): Recognised | undefined {
  const magic = words.length > 0 ? load(words, 0) : 0;
  if (magic === QUEUE_MAGIC) return headless("message queue", 0);
  if (magic === PORTABLE_MAGIC) return headless("portable segment", 0);
  if (magic === SEGMENT_MAGIC && words.length > HEADER_KIND_OFFSET >> 2) {
    return {
      family: HEADED,
      name: kindName(load(words, HEADER_KIND_OFFSET >> 2)),
      offset: HEADER_KIND_OFFSET,
    };
  }
  const mark = markAt(words);
  return mark === undefined ? undefined : headless(mark.noun, mark.offset);
}

function headless(noun: string, offset: number): Recognised {
  return { family: noun, name: one(noun), offset };
}

/**
 * Refuses what is finished and something else.
 *
 * @param family What it must be, if it is anything: a noun, or `HEADED`.
 * @param noun For the message.
 * @param words From its start to the end of the segment.
 * @param what As in `mutex "/x"`.
 * @param offset Of its start in the segment.
 * @throws LayoutError that names both.
 */
export function refuseOther(
  { family, noun }: { readonly family: string; readonly noun: string },
  words: Int32Array,
  what: string,
  offset: number,
): void {
  const found = structureAt(words);
  if (found === undefined || found.family === family) return;
  throw new LayoutError(`Cannot open ${what}: it is another structure`, {
    expected: one(noun),
    found: found.name,
    offset: offset + found.offset,
  });
}
