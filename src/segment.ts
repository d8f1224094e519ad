import { readdirSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { ClosedError, UnsupportedError } from "./errors.ts";
import { E, fail } from "./libc/errno.ts";
import { pageSize } from "./libc/fcntl.ts";
import { msync } from "./libc/mman.ts";
import { PLATFORM } from "./libc/platform.ts";
import { monotonicMs, sleepMs } from "./libc/time.ts";
import { ByteLock } from "./memory/byte-lock.ts";
import { Descriptor } from "./memory/descriptor.ts";
import { type Hold, registerHold } from "./memory/holds.ts";
import { MAPPING_MAX, Mapping } from "./memory/mapping.ts";
import { NAME_MAX, PORTABLE_NAME_MAX, checkObjectName } from "./memory/object-name.ts";
import {
  adoptObject,
  createObject,
  failSetSize,
  hasUsers,
  openDescriptor,
  openObject,
  setSize,
  statObject,
  truncateObject,
  unlinkObject,
} from "./memory/posix-object.ts";
import { checkTimeout } from "./waiting/timeout.ts";

/** How to make a segment. */
export interface SegmentCreateOptions {
  /** Bytes; an integer from 1 to 4 GiB. The object has exactly this size. */
  size: number;
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  mode?: number;
  /**
   * Reserve memory for every byte now, so that a full /dev/shm is an error here (ENOSPC) and not
   * a SIGBUS at some later write, which nothing can catch. Default true.
   */
  reserve?: boolean;
  /** Refuse names over 31 bytes, which macOS does not take. Default false. */
  portable?: boolean;
}

/** How to make a segment, or attach to the one that is there. */
export interface SegmentOpenOrCreateOptions extends SegmentCreateOptions {
  /**
   * Discard what an existing object holds and give it `size`. Refused (EBUSY) while another
   * handle has it open, since a mapping past the end of its object is a SIGBUS. Default false.
   */
  truncate?: boolean;
}

/** How to attach to a segment. */
export interface SegmentOpenOptions {
  /**
   * "read" maps a private copy-on-write view of a read-only descriptor: it shows what others write,
   * page by page until this process writes to the page itself; from then on that page is this
   * process's own and goes stale. Writing therefore never ends in SIGSEGV and never reaches others.
   * Default "readwrite".
   */
  access?: "readwrite" | "read";
  /** Milliseconds to wait, blocking this thread, for the object to appear. Default 0. */
  wait?: number;
  /** First byte of the window to map; a multiple of the page size. Default 0. */
  offset?: number;
  /** Bytes in the window. Default: to the end of the object. */
  length?: number;
}

/** What is known of an object without opening it. */
export interface SegmentInfo {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Numeric owner. */
  readonly uid: number;
  /** Numeric group. */
  readonly gid: number;
  /** When it was made, or last changed in size or mode. */
  readonly changed: Date;
}

interface Window {
  readonly access: "readwrite" | "read";
  readonly offset: number;
  readonly length: number | undefined;
}

const WHOLE: Window = { access: "readwrite", offset: 0, length: undefined };

/** How long a close waits before it asks again whether the buffer is still pinned, in ms. */
const PINNED_RETRY_MS = 5;

/**
 * A named piece of shared memory, mapped into this process.
 *
 * Every process that opens the same name sees the same bytes. The object lives until its name is
 * removed with `unlink` and the last process has closed it, also when all processes end before.
 * `close()` ends this process's use and never removes the name.
 *
 * What a crash leaves: the object and its bytes, as they were at that instant. The kernel's record
 * of who uses it (`Segment.inUse`) is right at once.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/weather", { size: 4096 });
 * segment.view.setFloat64(0, 21.5, true);
 * // in another process:
 * using same = Segment.open("/weather");
 * console.log(same.view.getFloat64(0, true)); // 21.5
 * Segment.unlink("/weather");
 * ```
 */
export class Segment {
  /** The object's name, with its leading slash. */
  readonly name: string;
  /** Whether this handle made the object, or gave one its size that was left empty. */
  readonly created: boolean;

  readonly #window: Window;
  readonly #descriptor: Descriptor;
  #mapping!: Mapping;
  #size!: number;
  #bytes: Uint8Array | undefined;
  #view: DataView | undefined;
  #closed = false;
  readonly #holds = new Set<Hold>();

  private constructor(name: string, descriptor: Descriptor, created: boolean, window: Window) {
    this.name = name;
    this.created = created;
    this.#descriptor = descriptor;
    this.#window = window;
    this.#map();
  }

  /**
   * Makes a new segment, zero-filled. Does not block but for the time the memory takes to reserve.
   *
   * @throws SystemError EEXIST when the name is taken; ENOSPC when /dev/shm is full (nothing is
   *   left behind); EACCES, EMFILE, ENAMETOOLONG.
   * @throws RangeError, TypeError for a bad name, size or mode.
   */
  static create(name: string, options: SegmentCreateOptions): Segment {
    checkCreate(name, options);
    const descriptor = createObject(name, options);
    if (descriptor !== undefined) return Segment.#attach(name, descriptor, true, WHOLE);
    const hint = "Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink";
    return fail(`Cannot create segment "${name}"`, -E.EEXIST, "shm_open", name, hint);
  }

  /**
   * Attaches to a segment that exists, at whatever size it has. One that its creator is still
   * sizing is waited for, up to a second, so that nobody ever sees a segment of size 0.
   *
   * @throws SystemError ENOENT when there is none; EACCES; ENODATA when it stayed empty.
   * @throws RangeError for a bad window, or an object over 4 GiB without one.
   */
  static open(name: string, options: SegmentOpenOptions = {}): Segment {
    checkObjectName(name, "segment", NAME_MAX);
    const window = checkWindow(name, options);
    const deadline = monotonicMs() + checkTimeout(options.wait ?? 0);
    for (;;) {
      const descriptor = openObject(name, window.access);
      if (descriptor !== undefined) return Segment.#attach(name, descriptor, false, window);
      if (monotonicMs() >= deadline) break;
      sleepMs(1);
    }
    const hint = "Create it first, or use Segment.openOrCreate";
    return fail(`Cannot open segment "${name}"`, -E.ENOENT, "shm_open", name, hint);
  }

  /**
   * Attaches to the segment if there is one, else makes it; `created` tells which. An existing one
   * keeps its size and mode, unless `truncate` is set. One that its creator left empty by dying
   * before it could give it a size is adopted.
   *
   * @throws As `create` and `open`; SystemError EBUSY when `truncate` meets another user.
   */
  static openOrCreate(name: string, options: SegmentOpenOrCreateOptions): Segment {
    checkCreate(name, options);
    for (;;) {
      const made = createObject(name, options);
      if (made !== undefined) return Segment.#attach(name, made, true, WHOLE);
      const found = options.truncate ? truncateObject(name, options) : adoptObject(name, options);
      if (found !== undefined) return Segment.#attach(name, found.descriptor, found.sized, WHOLE);
      // Somebody removed it between the two attempts: begin again.
    }
  }

  /**
   * Removes a name. Processes that have the segment open keep it; the memory is freed after the
   * last of them. @returns Whether there was one.
   * @throws SystemError EACCES, EPERM.
   */
  static unlink(name: string): boolean {
    checkObjectName(name, "segment", NAME_MAX);
    return unlinkObject(name);
  }

  /** Whether an object of this name exists; stale the moment it returns. */
  static exists(name: string): boolean {
    checkObjectName(name, "segment", NAME_MAX);
    const descriptor = openDescriptor(name, "read");
    if (descriptor >= 0) new Descriptor(name, descriptor).close();
    return descriptor !== -E.ENOENT;
  }

  /**
   * Whether a live process (this one included) has the segment open through this package, by the
   * kernel's word: right at once after `kill -9`, and across containers. C programs count when they
   * hold a shared `flock` on the object. Two that ask at the same instant may both be told yes.
   */
  static inUse(name: string): boolean {
    checkObjectName(name, "segment", NAME_MAX);
    return hasUsers(name);
  }

  /**
   * Every shared memory object that this user can see, in order of name; stale the moment it
   * returns. Semaphores are not objects in this sense.
   *
   * @throws UnsupportedError where the system does not show them (macOS, FreeBSD).
   */
  static list(): SegmentInfo[] {
    const directory = PLATFORM?.directory;
    if (directory === undefined) {
      throw new UnsupportedError(`Cannot list segments: ${process.platform} does not show them`);
    }
    const found: SegmentInfo[] = [];
    for (const file of readdirSync(directory).sort()) {
      if (file.startsWith("sem.")) continue;
      // An object may vanish between the two looks.
      const stat = lstatSync(join(directory, file), { throwIfNoEntry: false });
      if (!stat?.isFile()) continue;
      const { size, mode, uid, gid, ctime } = stat;
      found.push({ name: `/${file}`, size, mode: mode & 0o7777, uid, gid, changed: ctime });
    }
    return found;
  }

  /** Bytes of the object when it was last mapped here. */
  get size(): number {
    return this.#size;
  }

  /** Permission bits of the object now. */
  get mode(): number {
    return statObject(this.#descriptor.number).mode;
  }

  /** "read" when writes stay private to this process. */
  get access(): "readwrite" | "read" {
    return this.#window.access;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The mapped bytes. Detached by `close`, `resize` and `remap`. @throws ClosedError. */
  get buffer(): ArrayBuffer {
    return this.mapping.buffer;
  }

  /** The mapped bytes as one array; the same object until they are mapped anew. */
  get bytes(): Uint8Array {
    const { buffer } = this.mapping;
    if (this.#bytes?.buffer !== buffer) this.#bytes = new Uint8Array(buffer);
    return this.#bytes;
  }

  /** The mapped bytes as one view; the same object until they are mapped anew. */
  get view(): DataView {
    const { buffer } = this.mapping;
    if (this.#view?.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
  }

  /** For structures that hand addresses to libc. @internal */
  get mapping(): Mapping {
    if (this.#closed) throw new ClosedError(this.#what);
    return this.#mapping;
  }

  get #what(): string {
    return `segment "${this.name}"`;
  }

  /**
   * Gives the object another size, and maps it anew: the old views are detached. Growing keeps
   * the data, and the new bytes are zero. Others go on with the old size until they `remap()`.
   *
   * Shrinking ends every process that touches a byte beyond the new end, with a SIGBUS that nothing
   * can catch. It is refused unless `force` says that nobody does.
   *
   * @param newSize Bytes, from 1 to 4 GiB.
   * @throws SystemError ENOSPC (the segment stays as it was), EPERM (sealed).
   * @throws RangeError for a bad size, or a smaller one without `force`.
   * @throws TypeError on a read-only handle or a window.
   */
  resize(newSize: number, options: { force?: boolean; reserve?: boolean } = {}): void {
    this.#mustBeFree("resize");
    checkSize(this.name, newSize);
    const action = `Cannot resize ${this.#what} to ${newSize} bytes`;
    if (this.access === "read") throw new TypeError(`${action}: it was opened for reading only`);
    if (this.#window.offset !== 0 || this.#window.length !== undefined) {
      throw new TypeError(`${action}: only a part of it is mapped here`);
    }
    const { size } = statObject(this.#descriptor.number);
    if (newSize < size && options.force !== true) {
      throw new RangeError(
        `${action}: it has ${size}, and shrinking ends any process that touches what is cut off. ` +
          `Pass { force: true } if none does`,
      );
    }
    // Growing first and unmapping after keeps the segment as it was when there is no room. A shrunk
    // object's old mapping must never be touched: there the bytes are let go of first.
    const shrink = newSize < size;
    if (shrink) this.#unmap();
    const result = setSize(this.#descriptor.number, newSize, !shrink && options.reserve !== false);
    if (result >= 0 && !shrink) this.#unmap();
    if (result >= 0 || shrink) this.#map();
    if (result < 0) failSetSize(action, result, this.name, newSize);
  }

  /**
   * Maps the object at the size that it has now, after another process resized it.
   * @returns Whether the size had changed; if so the old views are detached.
   */
  remap(): boolean {
    this.#mustBeFree("remap");
    if (statObject(this.#descriptor.number).size === this.#size) return false;
    this.#unmap();
    this.#map();
    return true;
  }

  /**
   * Writes a mapped file's bytes back to disk, and blocks meanwhile. Shared memory has no disk, and
   * its writes are visible to others without it. @throws SystemError EIO.
   */
  sync(): void {
    const { address, buffer } = this.mapping;
    const result = msync(address, buffer.byteLength);
    if (result < 0) fail(`Cannot sync ${this.#what}`, result, "msync", this.name);
  }

  /**
   * Takes an exclusive lock on byte `index` of the object, at once. The index is a name and no
   * offset: no data is touched. The kernel releases the lock when this process dies, however.
   *
   * @returns undefined when somebody alive has it, be it in this process.
   * @throws SystemError ENOSYS where the system has no such locks (FreeBSD).
   */
  tryLock(index: number): ByteLock | undefined {
    return ByteLock.tryAcquire(this.#what, this.#descriptor, index);
  }

  /** Whether somebody alive holds the lock on byte `index`; stale the moment it returns. */
  isLocked(index: number): boolean {
    return ByteLock.isHeld(this.#what, this.#descriptor, index);
  }

  /**
   * Refuses `close`, `resize` and `remap` while something lives at this address (a held mutex).
   * @returns The end of it. @internal
   */
  hold(what: string): () => void {
    const hold = { held: true, what };
    this.#holds.add(hold);
    return () => this.#holds.delete(hold);
  }

  /**
   * As `hold`, for a handle that takes and releases often: it sets `held` itself.
   * @internal
   */
  registerHold(handle: object, what: string): Hold {
    const hold = { held: false, what };
    registerHold(handle, hold, this.#holds, this.mapping);
    return hold;
  }

  /**
   * Ends this process's use: every view becomes unusable by exception (length 0, TypeError), and
   * the memory is unmapped at once. The name stays. Again is harmless.
   *
   * While an asynchronous operation holds the buffer (`fs.write`, `gzip` …) it cannot be unmapped:
   * the handle is closed all the same, and the memory is unmapped as soon as the operation ends.
   *
   * @throws Error while a mutex in the segment is held: unmapping would lose it to everyone.
   */
  close(): void {
    if (this.#closed) return;
    this.#mustBeFree("close");
    this.#closed = true;
    this.#finishClose();
  }

  #finishClose(): void {
    if (this.#mapping.close()) this.#descriptor.close();
    else setTimeout(() => this.#finishClose(), PINNED_RETRY_MS).unref();
  }

  /**
   * Removes the segment's name, if it still stands for this very object and not for a newer one.
   * @returns Whether this call removed it. @throws SystemError EACCES, EPERM.
   */
  unlink(): boolean {
    return unlinkObject(this.name, statObject(this.#descriptor.number));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mustBeFree(verb: string): void {
    if (this.#closed) throw new ClosedError(this.#what);
    for (const { held, what } of this.#holds) {
      if (held) throw new Error(`Cannot ${verb} ${this.#what}: ${what} is held`);
    }
  }

  #unmap(): void {
    if (this.#mapping.close()) return;
    throw new Error(
      `Cannot resize ${this.#what}: an asynchronous operation uses its buffer. Await it first`,
    );
  }

  #map(): void {
    const { access, offset } = this.#window;
    const { size } = statObject(this.#descriptor.number);
    const length = this.#window.length ?? size - offset;
    if (offset + length > size || length < 1) {
      throw new RangeError(
        `Cannot map ${length} bytes from offset ${offset} of ${this.#what}: it has ${size}`,
      );
    }
    if (length > MAPPING_MAX) {
      throw new RangeError(
        `Cannot map ${this.#what}: it has ${size} bytes, and one mapping covers at most ` +
          `${MAPPING_MAX}. Open parts of it with offset and length`,
      );
    }
    const mapping = Mapping.map(this.#what, this.#descriptor.number, { offset, length, access });
    if (typeof mapping === "number") fail(`Cannot map ${this.#what}`, mapping, "mmap", this.name);
    this.#descriptor.serve(mapping.buffer);
    this.#mapping = mapping;
    this.#size = size;
  }

  static #attach(name: string, descriptor: Descriptor, created: boolean, window: Window): Segment {
    try {
      return new Segment(name, descriptor, created, window);
    } catch (error) {
      if (created) unlinkObject(name, statObject(descriptor.number));
      descriptor.close();
      throw error;
    }
  }
}

function checkSize(name: string, size: number): void {
  if (Number.isInteger(size) && size >= 1 && size <= MAPPING_MAX) return;
  throw new RangeError(
    `Cannot give segment "${name}" a size of ${String(size)}: it must be an integer from 1 to ` +
      `${MAPPING_MAX} bytes (4 GiB)`,
  );
}

function checkCreate(name: string, { size, mode = 0, portable }: SegmentCreateOptions): void {
  checkObjectName(name, "segment", portable === true ? PORTABLE_NAME_MAX : NAME_MAX);
  checkSize(name, size);
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return;
  throw new RangeError(
    `Cannot create segment "${name}" with mode ${String(mode)}: it must be from 0 to 0o777`,
  );
}

function checkWindow(name: string, options: SegmentOpenOptions): Window {
  const { access = "readwrite", offset = 0, length } = options;
  if (access !== "readwrite" && access !== "read") {
    throw new TypeError(
      `Cannot open segment "${name}" with access ${String(access)}: it is "readwrite" or "read"`,
    );
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % pageSize() !== 0) {
    throw new RangeError(
      `Cannot map segment "${name}" from offset ${String(offset)}: it must be a multiple of the ` +
        `page size, ${pageSize()}`,
    );
  }
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 1)) {
    throw new RangeError(
      `Cannot map ${String(length)} bytes of segment "${name}": it must be an integer above 0`,
    );
  }
  return { access, offset, length };
}
