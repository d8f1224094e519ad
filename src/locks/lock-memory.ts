/** The memory of a lock, as the handle that uses it sees it. */
import { checkInside } from "../arguments.ts";
import { ClosedError, LayoutError } from "../errors.ts";
import { monotonicMs } from "../libc/time.ts";
import { load } from "../memory/atomics.ts";
import type { Hold } from "../segment/holds.ts";
import { Placed } from "../segment/placed.ts";
import type { AsyncLine } from "../waiting/async-line.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import { type AsyncWaitOptions, checkTimeout } from "../waiting/wait-options.ts";
import { WaitPoint } from "../waiting/wait-point.ts";
import { OwnedLock } from "./owned-lock.ts";

// The words of a closed handle.
const NOTHING: Int32Array = new Int32Array(0);

/** The words of what was found. @throws LayoutError when the segment ends before it does. */
export function wordsAt(placed: Placed, byteLength: number): Int32Array {
  const { segment, offset, what } = placed;
  const left = segment.buffer.byteLength - offset;
  if (left >= byteLength) return placed.words(byteLength);
  throw new LayoutError(`Cannot open ${what}: the segment ends before it does`, {
    expected: `${byteLength} bytes`,
    found: `${left}`,
    offset,
  });
}

/**
 * How many of something a lock that was found has room for.
 *
 * @param noun Of what, for messages: "readers".
 * @param at Where the lock has the number, in bytes from its start.
 * @param wanted The number that the caller asks for; undefined accepts any.
 * @throws LayoutError when the number is not from 1 to `max`, or not the wanted one.
 */
export function countIn(
  placed: Placed,
  words: Int32Array,
  { noun, at, max }: { noun: string; at: number; max: number },
  wanted: number | undefined,
): number {
  const count = load(words, at >> 2);
  if (count < 1 || count > max) {
    throw new LayoutError(`Cannot open ${placed.what}: it is corrupt`, {
      expected: `1 to ${max} ${noun}`,
      found: String(count),
      offset: placed.offset + at,
    });
  }
  placed.mustHave(`number of ${noun}`, at, count, wanted);
  return count;
}

/**
 * The words of one handle, while it can be used. They are not in the handles' base class, because
 * the engine would then have to look up the class of the handle at each access.
 */
export class LockMemory {
  readonly placed: Placed;
  /** For messages: `mutex "/x"`. */
  readonly what: string;
  readonly waitPoint: WaitPoint;
  // Their length is 0 once they cannot be used: closed here, or the segment closed or mapped again.
  #words: Int32Array;

  /**
   * @param name Of the class of the lock.
   * @param forHolder Whether it is waited for somebody who may die. Default true.
   * @throws TypeError for a place that is none.
   */
  constructor(
    name: string,
    placed: Placed,
    byteLength: number,
    waitPointOffset: number,
    forHolder = true,
  ) {
    checkInside(placed instanceof Placed, name);
    this.placed = placed;
    this.what = placed.what;
    this.#words = wordsAt(placed, byteLength);
    this.waitPoint = new WaitPoint(placed.segment, placed.offset + waitPointOffset, {
      forHolder,
    });
  }

  /** The words. @throws ClosedError. */
  get words(): Int32Array {
    const words = this.#words;
    if (words.length === 0) this.#failClosed();
    return words;
  }

  get closed(): boolean {
    return this.#words.length === 0;
  }

  /** @throws ClosedError. */
  checkOpen(): void {
    if (this.#words.length === 0) this.#failClosed();
  }

  /** Ends the use. Pending asynchronous waits are rejected with ClosedError. */
  close(): void {
    if (!this.closed) this.waitPoint.endWaits();
    this.placed.close();
    this.#words = NOTHING;
  }

  /** Registers what makes the segment refuse to be closed while the handle holds something. */
  registerHold(handle: object, noun: string): Hold {
    const { segment, offset } = this.placed;
    return segment.holds.register(handle, `the ${noun} at ${offset}`, segment.mapping);
  }

  /**
   * @param byteOffset Where it lies in this lock, in bytes.
   * @param bells Where those wait who wait for it in an event loop.
   */
  lockAt(byteOffset: number, bells?: WaitPoint): OwnedLock {
    const { segment, offset, what } = this.placed;
    return new OwnedLock(segment, offset + byteOffset, what, bells);
  }

  /** Waits, blocking this thread. @returns Whether it is ready: false when the timeout passed. */
  wait(ready: () => boolean, options: Parameters<WaitPoint["wait"]>[1]): boolean {
    return this.waitPoint.wait(ready, options);
  }

  /**
   * Waits in the event loop.
   *
   * @param line Where calls of this handle wait for their turn, if only one at a time can pass.
   * @returns Whether it is ready: false when the timeout passed. @throws ClosedError.
   */
  async waitAsync(
    ready: () => boolean,
    options: AsyncWaitOptions | undefined,
    line?: AsyncLine,
  ): Promise<boolean> {
    let passed = false;
    try {
      passed = await (line === undefined
        ? this.waitPoint.waitAsync(ready, options)
        : this.#waitInLine(ready, options, line));
    } finally {
      // The wait may have ended because the memory was unmapped.
      if (!passed) this.checkOpen();
    }
    if (passed && isTurnDue()) await takeTurn();
    return passed;
  }

  async #waitInLine(
    ready: () => boolean,
    { timeoutMs, signal, ref }: AsyncWaitOptions = {},
    line: AsyncLine,
  ): Promise<boolean> {
    if (!line.taken && ready()) return true;
    const limitMs = checkTimeout(timeoutMs);
    const deadline = monotonicMs() + limitMs;
    if (!(await line.enter(limitMs, signal, ref))) return false;
    try {
      const leftMs = Math.max(deadline - monotonicMs(), 0);
      return await this.waitPoint.waitAsync(ready, { timeoutMs: leftMs, signal, ref });
    } finally {
      line.leave();
    }
  }

  #failClosed(): never {
    throw new ClosedError(this.what);
  }
}
