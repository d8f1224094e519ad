/** The one owner of mapped memory: an ArrayBuffer that cannot be used after it is unmapped. */
import { ClosedError } from "../errors.ts";
import { E } from "../libc/errno.ts";
import { adoptAttachment, adoptMapping } from "../libc/adopt.ts";
import { mmap, mmapAligned } from "../libc/mman.ts";
import { C } from "../libc/platform.ts";
import { shmat } from "../libc/shm.ts";

/** How many bytes one ArrayBuffer can cover. */
export const MAPPING_MAX: number = 2 ** 32;

/** Which part of an object is mapped, and how. */
export interface MappedPart {
  /** In bytes: a multiple of the page size. */
  readonly offset: number;
  readonly length: number;
  readonly access: "readwrite" | "read";
  /** Of what the address must be a multiple; a page's size by default. */
  readonly alignment?: number | undefined;
}

/**
 * A range of this process's memory that a kernel object backs.
 *
 * Callers read `address` each time they pass it to libc: it throws after the mapping was closed or
 * its buffer was transferred, so that no stale address reaches libc.
 */
export class Mapping {
  readonly buffer: ArrayBuffer;
  readonly #what: string;
  readonly #address: number;
  // Its length is 0 once detached; reading that costs nothing, while `buffer.detached` is a call.
  readonly #probe: Uint8Array;

  private constructor(what: string, address: number, buffer: ArrayBuffer) {
    this.#what = what;
    this.#address = address;
    this.buffer = buffer;
    this.#probe = new Uint8Array(buffer);
  }

  /**
   * Maps `length` bytes of a descriptor from `offset`, a multiple of the page size.
   *
   * With `access` "read" the mapping is private and copy-on-write: a write through its views stays
   * in this process instead of ending it with SIGSEGV.
   *
   * @param pageSize Bytes of the pages that back it, if they are huge.
   * @returns The mapping, or mmap's negated errno.
   */
  static map(
    what: string,
    descriptor: number,
    { offset, length, access, alignment = 1 }: MappedPart,
    pageSize = 1,
  ): Mapping | number {
    const flags = access === "read" ? C.MAP_PRIVATE : C.MAP_SHARED;
    const protection = C.PROT_READ | C.PROT_WRITE;
    // munmap takes a length of whole pages only, and mmap rounds up to them by itself.
    const mapped = Math.ceil(length / pageSize) * pageSize;
    const map = (): number =>
      alignment > 1
        ? mmapAligned(alignment, mapped, protection, flags, descriptor, offset)
        : mmap(mapped, protection, flags, descriptor, offset);
    let address = map();
    if (address === -E.ENOMEM) {
      // Forgotten mappings go when they are collected.
      Bun.gc(true);
      address = map();
    }
    if (address < 0) return address;
    return new Mapping(what, address, adoptMapping(address, length, mapped));
  }

  /**
   * Attaches the first `length` bytes of a System V segment.
   * @returns The mapping, or shmat's negated errno.
   */
  static attach(what: string, id: number, length: number): Mapping | number {
    const address = shmat(id, 0);
    if (address < 0) return address;
    return new Mapping(what, address, adoptAttachment(address, length));
  }

  /** The memory's address, for libc. @throws ClosedError once the buffer is detached. */
  get address(): number {
    if (this.#probe.length === 0) throw new ClosedError(this.#what);
    return this.#address;
  }

  /** Whether the memory is unmapped: closed here, or the buffer was transferred. */
  get detached(): boolean {
    return this.#probe.length === 0;
  }

  /**
   * Detaches every view, and unmaps the memory.
   *
   * @returns Whether it did: false while an asynchronous operation (`fs.write`, `gzip` …) pins the
   *   buffer; then nothing has changed, and the caller tries again later.
   */
  close(): boolean {
    if (!this.buffer.detached) this.buffer.transfer(0);
    return this.buffer.detached;
  }
}
