/** What every handle of a lock has: where the lock lies, and how the use of it ends. */
import { Segment } from "../segment/segment.ts";
import type { LockMemory } from "./lock-memory.ts";

/** A handle of something that lies in a segment: of its own, or of the user's. */
export abstract class LockHandle {
  readonly #memory: LockMemory;

  /** @internal */
  constructor(memory: LockMemory) {
    this.#memory = memory;
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
    return this.#memory.placed.name;
  }

  /** The segment that it lies in. */
  get segment(): Segment {
    return this.#memory.placed.segment;
  }

  /** Where it lies, in bytes from the segment's start. */
  get offset(): number {
    return this.#memory.placed.offset;
  }

  /** Whether this handle made it. */
  get created(): boolean {
    return this.#memory.placed.created;
  }

  /** Whether it cannot be used any more: closed, or its segment closed, resized or mapped again. */
  get closed(): boolean {
    return this.#memory.closed;
  }

  /**
   * Removes the segment's name, if it still stands for this very segment.
   *
   * @returns Whether this call removed it. @throws ClosedError; SystemError EACCES, EPERM.
   */
  unlink(): boolean {
    return this.#memory.placed.unlink();
  }

  /**
   * Ends the use of this handle, and of the segment if it was opened for it; the name stays. Waits
   * of this handle in the event loop end in a ClosedError. Again is harmless.
   */
  close(): void {
    this.#memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
