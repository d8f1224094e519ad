/**
 * The marks of structures that have no header: a magic word, at another offset in each structure,
 * which is written last.
 *
 * The readers-writer lock and the barrier begin with a mutex, which has a mark too. They are
 * finished when both marks are there, and their own mark is written first. So a mutex is never
 * taken for one of them, nor one of them for a mutex.
 */
import { hex } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { load, store } from "../memory/atomics.ts";
import { MAKING, type Making } from "./making.ts";
import { BARRIER_MAGIC, BARRIER_MAGIC_OFFSET } from "./barrier-layout.ts";
import { CONDITION_MAGIC, CONDITION_MAGIC_OFFSET } from "./condition-layout.ts";
import { EVENT_MAGIC, EVENT_MAGIC_OFFSET } from "./event-layout.ts";
import { LEASE_MAGIC, LEASE_MAGIC_OFFSET } from "./lease-layout.ts";
import { MUTEX_MAGIC, MUTEX_MAGIC_OFFSET } from "./mutex-layout.ts";
import { RW_LOCK_MAGIC, RW_LOCK_MAGIC_OFFSET } from "./rw-lock-layout.ts";

/** How a structure is recognised. */
export interface Mark {
  /** What it is, for messages: "mutex". */
  readonly noun: string;
  readonly magic: number;
  /** Bytes from the structure's start to the magic word. */
  readonly offset: number;
  /** Whether the structure begins with a mutex. */
  readonly hasMutex: boolean;
}

function mark(noun: string, magic: number, offset: number, hasMutex = false): Mark {
  return { noun, magic, offset, hasMutex };
}

export const CONDITION_MARK: Mark = mark("condition", CONDITION_MAGIC, CONDITION_MAGIC_OFFSET);
export const EVENT_MARK: Mark = mark("event", EVENT_MAGIC, EVENT_MAGIC_OFFSET);
export const LEASE_MARK: Mark = mark("lease", LEASE_MAGIC, LEASE_MAGIC_OFFSET);
export const RW_LOCK_MARK: Mark = mark(
  "readers-writer lock",
  RW_LOCK_MAGIC,
  RW_LOCK_MAGIC_OFFSET,
  true,
);
export const BARRIER_MARK: Mark = mark("barrier", BARRIER_MAGIC, BARRIER_MAGIC_OFFSET, true);
export const MUTEX_MARK: Mark = mark("mutex", MUTEX_MAGIC, MUTEX_MAGIC_OFFSET);

// Structures whose first word is the mark come first: a mutex never has such a value there.
const MARKS: readonly Mark[] = [
  CONDITION_MARK,
  EVENT_MARK,
  LEASE_MARK,
  RW_LOCK_MARK,
  BARRIER_MARK,
  MUTEX_MARK,
];

/** @returns The finished structure there, if any. SYNC lock-made: pairs with `publishMark`. */
export function markAt(words: Int32Array): Mark | undefined {
  const has = ({ magic, offset }: Mark): boolean =>
    words.length > offset >> 2 && load(words, offset >> 2) === magic;
  return MARKS.find((each) => has(each) && (!each.hasMutex || has(MUTEX_MARK)));
}

/** Marks the structure as finished. SYNC lock-made: pairs with `markAt`. */
export function publishMark(words: Int32Array, { magic, offset, hasMutex }: Mark): void {
  store(words, offset >> 2, magic);
  if (hasMutex) store(words, MUTEX_MARK.offset >> 2, MUTEX_MARK.magic);
}

/** How one that is being made is known: by the mark of that, or by a magic without its mutex's. */
export function makingOf({ offset, magic, hasMutex }: Mark): Making {
  return { offset, words: hasMutex ? [MAKING, magic] : [MAKING] };
}

/** Clears the marks, and then everything else; the mark of what is being made comes first. */
export function clearMarked(words: Int32Array, { offset, hasMutex }: Mark): void {
  if (hasMutex) store(words, MUTEX_MARK.offset >> 2, 0);
  store(words, offset >> 2, MAKING);
  words.fill(0, 0, offset >> 2);
  words.fill(0, (offset >> 2) + 1);
}

/**
 * @param words The words from the structure's start to the end of the segment.
 * @param what What it is, for messages: `mutex "/x"`.
 * @param offset Bytes from the segment's start to the structure.
 * @returns Whether a finished structure with this mark lies there.
 * @throws LayoutError when something else lies there.
 */
export function isMarked(wanted: Mark, words: Int32Array, what: string, offset: number): boolean {
  if (markAt(words) === wanted) return true;
  const index = wanted.offset >> 2;
  if (words.length <= index) {
    throw new LayoutError(`Cannot open ${what}: the segment is too small for one`, {
      expected: `at least ${wanted.offset + 4} bytes`,
      found: `${words.byteLength}`,
      offset,
    });
  }
  const word = load(words, index);
  if (word === 0 || makingOf(wanted).words.includes(word)) return false;
  throw new LayoutError(`Cannot open ${what}: there is no ${wanted.noun}`, {
    expected: hex(wanted.magic),
    found: hex(word),
    offset: offset + wanted.offset,
  });
}
