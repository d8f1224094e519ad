/** The one owner of mapped memory: an ArrayBuffer that cannot be used after it is unmapped. */
import { ClosedError } from "../errors.ts";
import { adoptAttachment, adoptMapping, mmap } from "../libc/mman.ts";
import { C } from "../libc/platform.ts";
import { shmat } from "../libc/shm.ts";

/** Most bytes that one ArrayBuffer covers. */
export const MAPPING_MAX: number = 2 ** 32;

/**
 * A range of this process's memory that a kernel object backs.
 *
 * Whoever passes an address into libc takes it from `address` at that moment: a mapping that was
 * closed, transferred or collected throws there, and never reaches libc.
 */
export class Mapping {
  readonly buffer: ArrayBuffer;
  readonly #what: string;
  readonly #address: number;
  // A detached view has length 0, and the JIT reads that for free; `buffer.detached` is a call.
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
   * @returns The mapping, or mmap's negated errno.
   */
  static map(
    what: string,
    descriptor: number,
    options: { offset: number; length: number; access: "readwrite" | "read" },
  ): Mapping | number {
    const flags = options.access === "read" ? C.MAP_PRIVATE : C.MAP_SHARED;
    const protection = C.PROT_READ | C.PROT_WRITE;
    const address = mmap(options.length, protection, flags, descriptor, options.offset);
    if (address < 0) return address;
    return new Mapping(what, address, adoptMapping(address, options.length));
  }

  /** Attaches the first `length` bytes of a System V segment. @returns Or shmat's negated errno. */
  static attach(what: string, id: number, length: number): Mapping | number {
    const address = shmat(id, 0);
    if (address < 0) return address;
    return new Mapping(what, address, adoptAttachment(address, length));
  }

  /** Where the memory is, for libc. @throws ClosedError once the buffer is detached. */
  get address(): number {
    if (this.#probe.length === 0) throw new ClosedError(this.#what);
    return this.#address;
  }

  /** Whether the memory is gone: closed here, or the buffer was transferred elsewhere. */
  get detached(): boolean {
    return this.#probe.length === 0;
  }

  /**
   * Detaches every view and unmaps.
   *
   * @returns false while an asynchronous operation (`fs.write`, `gzip` …) pins the buffer: then
   * nothing has happened, and the caller tries again later.
   */
  close(): boolean {
    if (!this.buffer.detached) this.buffer.transfer(0);
    return this.buffer.detached;
  }
}
