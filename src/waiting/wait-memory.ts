/**
 * The memory in which a thread sleeps on behalf of a wait. A wait that is given up leaves its
 * thread there for up to a slice, and nobody waits for that: handle and segment can be
 * closed at once, and the memory lasts until the thread has left.
 */
import { shown } from "../arguments.ts";
import { fail } from "../libc/errno.ts";
import { close, dup } from "../libc/fcntl.ts";
import { mapAgain, unmap } from "../libc/mman.ts";
import type { Mapping } from "../memory/mapping.ts";

/** A segment, as much of it as a wait needs. */
export interface SharedMemory {
  readonly mapping: Mapping;
  /** What keeps the segment's lock, where it has one. */
  readonly descriptor?: number | undefined;
  readonly name: string;
}

/** Memory that somebody uses. */
export interface WaitMemory {
  readonly address: number;
  /** Ends the use; to be called once. */
  leave(): void;
}

/** Memory that ends with its last user. */
export class CountedMemory {
  readonly address: number;
  readonly #end: (address: number) => void;
  #users = 0;

  /** @param end Gives the memory back, after the last user has left. */
  constructor(address: number, end: (address: number) => void) {
    this.address = address;
    this.#end = end;
  }

  enter(): this {
    this.#users++;
    return this;
  }

  leave(): void {
    if (--this.#users === 0) this.#end(this.address);
  }
}

/** The second mapping of each segment in which threads sleep. */
const again: WeakMap<Mapping, CountedMemory> = new WeakMap();

/**
 * Maps a segment's memory a second time, for all threads that sleep in it. A descriptor of its own
 * keeps the segment's lock, so that others see the memory in use, and do not cut it off.
 *
 * @param offset What the thread waits for, in bytes from the start of the segment's memory.
 * @throws SystemError ENOMEM, EMFILE.
 */
export function memoryIn(segment: SharedMemory, offset: number): WaitMemory {
  const { mapping } = segment;
  let memory = again.get(mapping);
  if (memory === undefined) {
    memory = mapSegmentAgain(segment);
    again.set(mapping, memory);
  }
  const entered = memory.enter();
  return { address: entered.address + offset, leave: () => entered.leave() };
}

function mapSegmentAgain(segment: SharedMemory): CountedMemory {
  const { mapping, descriptor, name } = segment;
  const action = `Cannot wait in the memory of segment ${shown(name)}`;
  const kept = descriptor === undefined ? undefined : dup(descriptor);
  if (kept !== undefined && kept < 0) fail(action, kept, "fcntl", name);
  const closeKept = (): void => void (kept !== undefined && close(kept));
  const length = mapping.buffer.byteLength;
  const address = mapAgain(mapping.address, length);
  if (address < 0) {
    closeKept();
    fail(action, address, "mremap", name);
  }
  return new CountedMemory(address, () => {
    again.delete(mapping);
    unmap(address, length);
    closeKept();
  });
}
