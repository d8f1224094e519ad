/** What every handle of a lock has: where the lock lies, and how its use ends. */
import { Segment } from "../segment/segment.ts";
import type { LockMemory } from "./lock-memory.ts";

/** A handle of something that lies in a segment, of its own or of the user's. */
export abstract class LockHandle {
  readonly #memory: LockMemory;

  /** @internal */
  constructor(memory: LockMemory) {
    this.#memory = memory;
  }

  /**
   * Removes a name. Processes that have it open keep it, and its memory is freed when the last of
   * them has closed it; whoever makes the name afterwards gets a new one. Blocks only while another
   * process is removing the same name, for up to a second.
   *
   * @returns Whether the name existed.
   * @throws SystemError EACCES, EPERM; RangeError, TypeError for a bad name.
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

  /** Whether it is closed, or its segment was closed, resized or mapped again. */
  get closed(): boolean {
    return this.#memory.closed;
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. @throws ClosedError; SystemError EACCES.
   */
  get unlinked(): boolean {
    return this.#memory.placed.unlinked;
  }

  /**
   * Removes the segment's name if it still belongs to this segment, and not to a newer one.
   *
   * @returns Whether this call removed it. @throws ClosedError; SystemError EACCES, EPERM.
   */
  unlink(): boolean {
    return this.#memory.placed.unlink();
  }

  /**
   * Ends the use of this handle, and closes the segment if it was opened for it; the name stays.
   * Pending asynchronous waits of this handle are rejected with ClosedError. Calling it again does
   * nothing.
   */
  close(): void {
    this.#memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
