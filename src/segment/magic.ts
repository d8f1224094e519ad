/** The word that says what the bytes after it are, and that they are complete. */
import { LayoutError } from "../errors.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import { load } from "../memory/atomics.ts";

/** How long, in ms, an opener waits for a creator that is between two steps. */
const PATIENCE_MS = 1000;

/** A word for a message: in hexadecimal, unsigned. */
export function hex(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, "0")}`;
}

/**
 * Waits, blocking for a second at most, until a creator has written its magic word; then what it
 * wrote before can be read.
 *
 * @param index The word's index in `words`.
 * @param offset The word's offset in the segment, for the message.
 * @throws LayoutError when it stays 0, or is another.
 */
export function checkMagic(
  what: string,
  words: Int32Array,
  index: number,
  magic: number,
  offset: number,
): void {
  const deadline = monotonicMs() + PATIENCE_MS;
  let found = load(words, index);
  while (found === 0 && monotonicMs() < deadline) {
    sleepMs(0.2);
    found = load(words, index);
  }
  if (found === magic) return;
  const shown = found === 0 ? "0: nobody has made one here" : hex(found);
  throw new LayoutError(`There is no ${what} here`, { expected: hex(magic), found: shown, offset });
}
