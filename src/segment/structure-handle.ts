/** What every handle of a structure has: where the structure lies, and how its name is removed. */
import type { Placed } from "./placed.ts";
import { Segment } from "./segment.ts";

/** A handle of a structure in a segment, of its own or of the user's. */
export abstract class StructureHandle implements Disposable {
  readonly #placed: Placed;

  /** @internal */
  constructor(placed: Placed) {
    this.#placed = placed;
  }

  /**
   * Removes a name. Open handles go on working, and the memory is freed when the last of them is
   * closed. Blocks only while another process removes the same name, for up to a second.
   *
   * @returns Whether the name existed.
   * @throws SystemError EACCES, EPERM; RangeError, TypeError for a bad name.
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

  /** Whether this handle or its segment was closed, or the segment was mapped again. */
  get closed(): boolean {
    return this.#placed.closed;
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. @throws ClosedError; SystemError EACCES.
   */
  get unlinked(): boolean {
    return this.#placed.unlinked;
  }

  /**
   * Removes the segment's name, if it still belongs to this segment, and not to a newer one.
   * @returns Whether this call removed it. @throws ClosedError; SystemError EACCES, EPERM.
   */
  unlink(): boolean {
    return this.#placed.unlink();
  }

  /** Ends the use of this handle, and closes the segment if it was opened for it. */
  abstract close(): void;

  [Symbol.dispose](): void {
    this.close();
  }
}
