/** The one owner of mapped memory: an ArrayBuffer that cannot be used after it is unmapped. */
import { ClosedError } from "../errors.ts";
import { fail } from "../libc/errno.ts";
import { adoptAttachment, adoptMapping, mapAgain, mmap, unmap } from "../libc/mman.ts";
import { C } from "../libc/platform.ts";
import { shmat } from "../libc/shm.ts";

/** Most bytes that one ArrayBuffer covers. */
export const MAPPING_MAX: number = 2 ** 32;

const IS_MAIN_THREAD: boolean = Bun.isMainThread;

interface Lasting {
  readonly address: number;
  readonly length: number;
}

const forgotten: FinalizationRegistry<Lasting> = new FinalizationRegistry(
  ({ address, length }) => void unmap(address, length),
);

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

  #lasting: Lasting | undefined;

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

  /**
   * As `address`, for what the kernel reads when this thread has ended: the mutexes that it held.
   *
   * A Worker that is terminated frees its ArrayBuffers before its thread ends, and the kernel would
   * find nothing mapped where it looks for held mutexes: they would be lost to everyone. A Worker
   * therefore uses a second mapping, which no ArrayBuffer owns. It goes with `close`, or is
   * collected with this; one that a terminated Worker leaves stays until the process ends.
   */
  get lastingAddress(): number {
    if (IS_MAIN_THREAD) return this.address;
    if (this.#probe.length === 0) throw new ClosedError(this.#what);
    return this.#lasting === undefined ? this.#mapLasting() : this.#lasting.address;
  }

  #mapLasting(): number {
    const length = this.buffer.byteLength;
    const address = mapAgain(this.#address, length);
    if (address < 0) fail(`Cannot map ${this.#what} again`, address, "mremap");
    this.#lasting = { address, length };
    forgotten.register(this, this.#lasting, this);
    return address;
  }

  #unmapLasting(): void {
    if (this.#lasting === undefined) return;
    forgotten.unregister(this);
    unmap(this.#lasting.address, this.#lasting.length);
    this.#lasting = undefined;
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
    if (!this.buffer.detached) return false;
    this.#unmapLasting();
    return true;
  }
}
