/** What every handle of a lock has: where the lock lies, and how the use of it ends. */
import { ClosedError, LayoutError } from "../errors.ts";
import type { Hold } from "../segment/holds.ts";
import type { Placed } from "../segment/placed.ts";
import { Segment } from "../segment/segment.ts";
import type { AsyncWaitOptions } from "../waiting/wait-options.ts";
import { WaitPoint } from "../waiting/wait-point.ts";

// What a closed handle has for words.
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

/** A handle of something that lies in a segment: of its own, or of the user's. */
export abstract class LockHandle {
  readonly #placed: Placed;
  // Without a length once they cannot be used: closed here, or the segment closed or mapped again.
  #words: Int32Array;
  /** @internal */
  protected readonly waitPoint: WaitPoint;

  /** @internal */
  protected constructor(placed: Placed, byteLength: number, waitPointOffset: number) {
    this.#placed = placed;
    this.#words = wordsAt(placed, byteLength);
    this.waitPoint = new WaitPoint(placed.segment, placed.offset + waitPointOffset);
  }

  /**
   * Removes a name, and so the segment under it as soon as nobody has it open any more. Whoever has
   * it open goes on; who opens or makes the name afterwards gets another one.
   *
   * @returns Whether there was one. @throws SystemError EACCES, EPERM.
   */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /** The segment's name. */
  get name(): string {
    return this.#placed.name;
  }

  /** The segment that it lies in. */
  get segment(): Segment {
    return this.#placed.segment;
  }

  /** Where it lies, in bytes from the segment's start. */
  get offset(): number {
    return this.#placed.offset;
  }

  /** Whether this handle made it. */
  get created(): boolean {
    return this.#placed.created;
  }

  /** Whether it cannot be used any more: closed, or its segment closed, resized or mapped again. */
  get closed(): boolean {
    return this.#words.length === 0;
  }

  /**
   * Removes the segment's name, if it still stands for this very segment.
   *
   * @returns Whether this call removed it. @throws ClosedError; SystemError EACCES, EPERM.
   */
  unlink(): boolean {
    return this.#placed.unlink();
  }

  /**
   * Ends the use of this handle, and of the segment if it was opened for it; the name stays. Waits
   * of this handle in the event loop end in a ClosedError. Again is harmless.
   */
  close(): void {
    if (!this.closed) this.waitPoint.endWaits();
    this.#placed.close();
    this.#words = NOTHING;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** For messages: `mutex "/x"`. @internal */
  protected get what(): string {
    return this.#placed.what;
  }

  /** @throws ClosedError. @internal */
  protected get words(): Int32Array {
    return this.#words.length === 0 ? this.#failClosed() : this.#words;
  }

  /** @throws ClosedError. @internal */
  protected checkOpen(): void {
    if (this.#words.length === 0) this.#failClosed();
  }

  /** Makes the segment refuse to be closed while something here is held. @internal */
  protected registerHold(noun: string): Hold {
    const { segment, offset } = this.#placed;
    return segment.holds.register(this, `the ${noun} at ${offset}`, segment.mapping);
  }

  /** Waits in the event loop. @returns false when the time was over. @internal */
  protected async waitInLoop(
    ready: () => boolean,
    options: AsyncWaitOptions | undefined,
  ): Promise<boolean> {
    let passed = false;
    try {
      passed = await this.waitPoint.waitAsync(ready, options);
    } finally {
      // What ended the wait may be that the memory went.
      if (!passed) this.checkOpen();
    }
    return passed;
  }

  #failClosed(): never {
    throw new ClosedError(this.what);
  }
}
