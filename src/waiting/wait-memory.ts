/**
 * The memory in which a thread sleeps on behalf of a wait. A wait that is given up leaves its
 * thread there for up to a slice, and nobody waits for that: handle and segment can be closed at
 * once. So the thread gets a mapping of its own, which ends with it.
 */
import { shown } from "../arguments.ts";
import { E, fail } from "../libc/errno.ts";
import { pageSize } from "../libc/fcntl.ts";
import { mapAgain, unmap } from "../libc/mman.ts";
import type { Descriptor } from "../memory/descriptor.ts";
import type { Mapping } from "../memory/mapping.ts";

/** A segment, as much of it as a wait needs. */
export interface SharedMemory {
  readonly mapping: Mapping;
  readonly name: string;
  /** "read": nobody can be told of a wait. */
  readonly access: "readwrite" | "read";
  /** A descriptor that keeps the object in use beyond the segment; undefined without one. */
  keepInUse(): Descriptor | undefined;
}

/** Whole pages of this process's memory. */
export interface Pages {
  readonly address: number;
  readonly byteLength: number;
}

/** Memory that somebody uses. */
export interface WaitMemory {
  readonly address: number;
  /** What the thread takes over, and unmaps; undefined where the memory outlasts its wait. */
  readonly pages?: Pages | undefined;
  /** Ends the use; to be called once. @param isTaken Whether a thread has taken the pages over. */
  leave(isTaken: boolean): void;
}

/** Something that ends with its last user. */
class Counted {
  readonly #end: () => void;
  #users = 0;

  constructor(end: () => void) {
    this.#end = end;
  }

  enter(): this {
    this.#users++;
    return this;
  }

  leave(): void {
    if (--this.#users === 0) this.#end();
  }
}

/** Memory that ends with its last user. */
export class CountedMemory extends Counted {
  readonly address: number;

  /** @param end Gives the memory back, after the last user has left. */
  constructor(address: number, end: (address: number) => void) {
    super(() => end(address));
    this.address = address;
  }
}

/** What keeps the object of each segment in use in which threads sleep. */
const kept: WeakMap<Mapping, Counted> = new WeakMap();

/**
 * Maps a part of a segment's memory a second time, for a thread that sleeps in it. Until the thread
 * has left, others see the object in use, and do not cut it off.
 *
 * @param offset What the thread waits for, in bytes from the start of the segment's memory.
 * @param byteLength How many bytes it looks at.
 * @throws SystemError ENOMEM, EMFILE.
 */
export function memoryIn(segment: SharedMemory, offset: number, byteLength: number): WaitMemory {
  const { mapping } = segment;
  let keeper = kept.get(mapping);
  if (keeper === undefined) {
    const descriptor = segment.keepInUse();
    keeper = new Counted(() => (kept.delete(mapping), descriptor?.close()));
    kept.set(mapping, keeper);
  }
  keeper.enter();
  let pages: Part;
  try {
    pages = mapPartAgain(segment, offset, byteLength);
  } catch (error) {
    keeper.leave();
    throw error;
  }
  return {
    address: pages.address + pages.skipped,
    pages,
    leave(isTaken) {
      if (!isTaken) unmap(pages.address, pages.byteLength);
      keeper.leave();
    },
  };
}

/** Pages, and how many bytes of them lie before what the thread looks at. */
interface Part extends Pages {
  readonly skipped: number;
}

function mapPartAgain({ mapping, name }: SharedMemory, offset: number, byteLength: number): Part {
  const page = pageSize();
  const skipped = offset % page;
  const length = Math.ceil((skipped + byteLength) / page) * page;
  const address = mapAgain(mapping.address + offset - skipped, length);
  if (address >= 0) return { address, byteLength: length, skipped };
  // Huge pages cannot be mapped in parts.
  const whole = mapping.buffer.byteLength;
  const again = address === -E.EINVAL ? mapAgain(mapping.address, whole) : address;
  if (again >= 0) return { address: again, byteLength: whole, skipped: offset };
  return fail(`Cannot wait in the memory of segment ${shown(name)}`, again, "mremap", name);
}
