import { readdirSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { ClosedError, UnsupportedError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { msync } from "../libc/mman.ts";
import { PLATFORM } from "../libc/platform.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import { ByteLock } from "../memory/byte-lock.ts";
import { Holds } from "./holds.ts";
import { MAPPING_MAX, type Mapping } from "../memory/mapping.ts";
import { spaceOf } from "../memory/objects/object-spaces.ts";
import { posixObjects } from "../memory/objects/posix-object.ts";
import { WHOLE, type Window, checkCreate, checkSize, checkWindow } from "./segment-checks.ts";
import { checkSegmentName } from "../memory/objects/segment-name.ts";
import type { Backing, SharedObject } from "../memory/objects/shared-object.ts";
import { checkTimeout } from "../waiting/wait-options.ts";

/** How to make a segment. */
export interface SegmentCreateOptions {
  /** Bytes; an integer from 1 to 4 GiB. The object has exactly this size. */
  size: number;
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  mode?: number | undefined;
  /**
   * Reserve memory for every byte now, so that a full /dev/shm is an error here (ENOSPC) and not
   * a SIGBUS at some later write, which nothing can catch. Default true.
   */
  reserve?: boolean;
  /** Refuse names over 31 bytes, which macOS does not take. Default false. */
  portable?: boolean;
  /**
   * Forbid for ever that a memfd shrinks or grows, so that no reader can be ended by a SIGBUS.
   * Default true; other backings have no seals.
   */
  sealed?: boolean;
  /**
   * Use huge pages (memfd and System V; a file on a hugetlbfs has them by itself). The size must
   * be a multiple of theirs, 2 MiB on most machines, and the system must have set some aside.
   */
  hugePages?: boolean;
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
  wait?: number | undefined;
  waitMs?: number | undefined;
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

/** How long a close waits before it asks again whether the buffer is still pinned, in ms. */
const PINNED_RETRY_MS = 5;

/**
 * A named piece of shared memory, mapped into this process.
 *
 * The name chooses where the memory lives:
 *
 * | name | memory |
 * |---|---|
 * | `/weather` | a POSIX shared memory object; until it is unlinked or the machine stops |
 * | `sysv:0x4d51` or `sysv:private`, `sysv:#ID` | a System V segment by key, nameless, by id |
 * | `memfd:LABEL` | nameless and sealed; gone with its last user |
 * | `fd:3`, `/proc/PID/fd/N` | what an inherited or another process's descriptor stands for |
 * | `file:/var/lib/weather` | a file; its bytes outlive the machine once they are synced |
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
  /** The object's name; `sysv:private` has become `sysv:#ID`. */
  readonly name: string;
  /** Whether this handle made the object, or gave one its size that was left empty. */
  readonly created: boolean;

  readonly #window: Window;
  readonly #object: SharedObject;
  #mapping!: Mapping;
  #size!: number;
  #bytes: Uint8Array | undefined;
  #view: DataView | undefined;
  #closed = false;
  /** What is held here. @internal */
  readonly holds: Holds = new Holds();

  private constructor(object: SharedObject, created: boolean, window: Window) {
    this.name = object.name;
    this.created = created;
    this.#object = object;
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
    const object = spaceOf(name).create(name, options);
    if (object !== undefined) return Segment.#attach(object, true, WHOLE);
    const hint = "Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink";
    return fail(`Cannot create segment "${name}"`, -E.EEXIST, openCall(name), name, hint);
  }

  /**
   * Attaches to a segment that exists, at whatever size it has. One that its creator is still
   * sizing is waited for, up to a second, so that nobody ever sees a segment of size 0.
   *
   * @throws SystemError ENOENT when there is none; EACCES; ENODATA when it stayed empty.
   * @throws RangeError for a bad window, or an object over 4 GiB without one.
   */
  static open(name: string, options: SegmentOpenOptions = {}): Segment {
    checkSegmentName(name);
    const window = checkWindow(name, options);
    const deadline = monotonicMs() + checkTimeout(options.waitMs ?? options.wait ?? 0);
    for (;;) {
      const object = spaceOf(name).open(name, window.access);
      if (object !== undefined) return Segment.#attach(object, false, window);
      if (monotonicMs() >= deadline) break;
      sleepMs(1);
    }
    const hint = name.startsWith("memfd:")
      ? "A memfd has no name for others: open its `path`, or hand its descriptor to a child"
      : "Create it first, or use Segment.openOrCreate";
    return fail(`Cannot open segment "${name}"`, -E.ENOENT, openCall(name), name, hint);
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
      const space = spaceOf(name);
      const made = space.create(name, options);
      if (made !== undefined) return Segment.#attach(made, true, WHOLE);
      const found = options.truncate ? space.truncate(name, options) : space.adopt(name, options);
      if (found !== undefined) return Segment.#attach(found.object, found.sized, WHOLE);
      // Somebody removed it between the two attempts: begin again.
    }
  }

  /**
   * Removes a name. Processes that have the segment open keep it; the memory is freed after the
   * last of them. @returns Whether there was one.
   * @throws SystemError EACCES, EPERM.
   */
  static unlink(name: string): boolean {
    checkSegmentName(name);
    return spaceOf(name).unlink(name);
  }

  /** Whether an object of this name exists; stale the moment it returns. */
  static exists(name: string): boolean {
    checkSegmentName(name);
    return spaceOf(name).exists(name);
  }

  /**
   * Whether a live process (this one included) has the segment open through this package, by the
   * kernel's word: right at once after `kill -9`, and across containers. C programs count when they
   * hold a shared `flock` on the object. Two that ask at the same instant may both be told yes.
   * For System V the kernel counts every process that has it attached.
   */
  static inUse(name: string): boolean {
    checkSegmentName(name);
    return spaceOf(name).hasUsers(name);
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
    return this.#open.stat().mode;
  }

  /** Where the memory lives. */
  get backing(): Backing {
    return this.#object.backing;
  }

  /** Whether the kernel keeps everybody from shrinking it under its users. */
  get sealed(): boolean {
    return this.#open.isSealed();
  }

  /**
   * The descriptor, to hand to a child: `Bun.spawn({ stdio: [0, 1, 2, segment.descriptor] })`, and
   * `Segment.open("fd:3")` there. It stays this segment's own, and ends with it; undefined for
   * System V.
   */
  get descriptor(): number | undefined {
    return this.#open.descriptor?.number;
  }

  /**
   * A path by which processes of this user can open the same object while this one has it open,
   * also when it has no name (any more); undefined for System V.
   */
  get path(): string | undefined {
    const number = this.descriptor;
    return number === undefined ? undefined : `/proc/${process.pid}/fd/${number}`;
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

  get #open(): SharedObject {
    if (this.#closed) throw new ClosedError(this.#what);
    return this.#object;
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
    this.#object.checkResizable(action);
    const { size } = this.#object.stat();
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
    const result = this.#object.setSize(newSize, !shrink && options.reserve !== false);
    if (result >= 0 && !shrink) this.#unmap();
    if (result >= 0 || shrink) this.#map();
    if (result < 0) this.#failResize(action, result, newSize);
  }

  #failResize(action: string, result: number, newSize: number): never {
    const hints: Record<number, string | undefined> = {
      [-E.ENOSPC]:
        this.backing === "posix" ? posixObjects.describeRoom(this.name, newSize) : undefined,
      [-E.EPERM]: this.sealed ? "It is sealed; create it with { sealed: false }" : undefined,
    };
    return fail(action, result, "posix_fallocate", this.name, hints[result]);
  }

  /**
   * Maps the object at the size that it has now, after another process resized it.
   * @returns Whether the size had changed; if so the old views are detached.
   */
  remap(): boolean {
    this.#mustBeFree("remap");
    if (this.#object.stat().size === this.#size) return false;
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
    const target = this.#open.lockTarget(true);
    if (target === undefined) throw new ClosedError(this.#what);
    return ByteLock.tryAcquire(this.#what, target, index);
  }

  /** Whether somebody alive holds the lock on byte `index`; stale the moment it returns. */
  isLocked(index: number): boolean {
    const target = this.#open.lockTarget(false);
    return target !== undefined && ByteLock.isHeld(this.#what, target, index);
  }

  /**
   * Refuses `close`, `resize` and `remap` while something lives at this address (a held mutex).
   * @returns The end of it. @internal
   */
  hold(what: string): () => void {
    return this.holds.add(what);
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
    if (this.#mapping.close()) this.#object.close();
    else setTimeout(() => this.#finishClose(), PINNED_RETRY_MS).unref();
  }

  /**
   * Removes the segment's name, if it still stands for this very object and not for a newer one.
   * @returns Whether this call removed it; false for a nameless one.
   * @throws SystemError EACCES, EPERM; ClosedError after `close()`: use `Segment.unlink` then.
   */
  unlink(): boolean {
    return this.#open.unlink();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mustBeFree(verb: string): void {
    if (this.#closed) throw new ClosedError(this.#what);
    const held = this.holds.find();
    if (held !== undefined) throw new Error(`Cannot ${verb} ${this.#what}: ${held} is held`);
  }

  #unmap(): void {
    if (this.#mapping.close()) return;
    throw new Error(
      `Cannot resize ${this.#what}: an asynchronous operation uses its buffer. Await it first`,
    );
  }

  #map(): void {
    const { access, offset } = this.#window;
    const { size } = this.#object.stat();
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
    const mapping = this.#object.map({ offset, length, access });
    if (typeof mapping === "number") {
      fail(`Cannot map ${this.#what}`, mapping, this.#object.mapCall, this.name);
    }
    this.#object.serve(mapping.buffer);
    this.#mapping = mapping;
    this.#size = size;
  }

  static #attach(object: SharedObject, created: boolean, window: Window): Segment {
    try {
      return new Segment(object, created, window);
    } catch (error) {
      if (created) object.unlink();
      object.close();
      throw error;
    }
  }
}

function openCall(name: string): string {
  const kind = checkSegmentName(name);
  return kind === "posix" ? "shm_open" : kind === "sysv" ? "shmget" : "open";
}
