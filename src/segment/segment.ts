import { INSIDE, checkInside, checkInteger, shown } from "../arguments.ts";
import { ClosedError, LayoutError, StateError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { msync } from "../libc/mman.ts";
import { ByteLock } from "../memory/byte-lock.ts";
import { Holds } from "./holds.ts";
import { MAPPING_MAX, type Mapping } from "../memory/mapping.ts";
import { spaceOf } from "../memory/objects/object-spaces.ts";
import { posixObjects } from "../memory/objects/posix-object.ts";
import { WHOLE, type Window, checkCreate, checkResize, checkWindow } from "./segment-checks.ts";
import { parseSegmentName } from "../memory/objects/segment-name.ts";
import type { Backing, SharedObject } from "../memory/objects/shared-object.ts";
import { NAME_LOOK_MS, PINNED_LOOK_MS } from "../waiting/limits.ts";
import { waitUntil } from "../waiting/patience.ts";
import { checkTimeout } from "../waiting/wait-options.ts";

/** How to make a segment. */
export interface SegmentCreateOptions {
  /** Bytes; an integer from 1 to 4 GiB. The object has exactly this size. */
  readonly size: number;
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  readonly mode?: number | undefined;
  /**
   * Reserve memory for every byte now, so that a full /dev/shm is an error here (ENOSPC) and not
   * a SIGBUS at some later write, which nothing can catch. Default true.
   */
  readonly reserve?: boolean | undefined;
  /** Refuse names over 31 bytes, which macOS does not take. Default false. */
  readonly portable?: boolean | undefined;
  /**
   * Forbid for ever that a memfd shrinks or grows, so that no reader can be ended by a SIGBUS.
   * Default true; other backings have no seals.
   */
  readonly sealed?: boolean | undefined;
  /**
   * Use huge pages (memfd and System V; a file on a hugetlbfs has them by itself). The size must
   * be a multiple of theirs, 2 MiB on most machines, and the system must have set some aside.
   */
  readonly hugePages?: boolean | undefined;
}

/** How to make a segment, or attach to the one that is there. */
export interface SegmentOpenOrCreateOptions extends SegmentCreateOptions {
  /**
   * Discard what an existing object holds and give it `size`. Refused (EBUSY) while another
   * handle has it open, since a mapping past the end of its object is a SIGBUS. Default false.
   */
  readonly truncate?: boolean | undefined;
}

/** How to attach to a segment. */
export interface SegmentOpenOptions {
  /**
   * "read" maps a private copy-on-write view of a read-only descriptor: it shows what others write,
   * page by page until this process writes to the page itself; from then on that page is this
   * process's own and goes stale. Writing therefore never ends in SIGSEGV and never reaches others.
   * Default "readwrite".
   */
  readonly access?: "readwrite" | "read" | undefined;
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
  /** First byte of the window to map; a multiple of the page size. Default 0. */
  readonly offset?: number | undefined;
  /** Bytes in the window. Default: to the end of the object. */
  readonly length?: number | undefined;
}

/** How to give a segment another size. */
export interface SegmentResizeOptions {
  /** Shrink, since no process touches what is cut off. Default false. */
  readonly force?: boolean | undefined;
  /** As in `SegmentCreateOptions`. Default true. */
  readonly reserve?: boolean | undefined;
}

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

  /** For messages: `segment "/x"`. */
  readonly #what: string;
  readonly #window: Window;
  readonly #object: SharedObject;
  #mapping!: Mapping;
  #size!: number;
  #bytes: Uint8Array | undefined;
  #view: DataView | undefined;
  #closed = false;
  /** What is held here. @internal */
  readonly holds: Holds = new Holds();

  private constructor(
    inside: typeof INSIDE,
    object: SharedObject,
    created: boolean,
    window: Window,
  ) {
    checkInside(inside === INSIDE, "Segment");
    this.name = object.name;
    this.#what = `segment ${shown(object.name)}`;
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
   * @throws RangeError, TypeError for a bad name, size, mode or option.
   */
  static create(name: string, options: SegmentCreateOptions): Segment {
    const parsed = parseSegmentName(name, options?.portable === true);
    const action = `Cannot create segment ${shown(name)}`;
    checkCreate(action, options, "create");
    const space = spaceOf(parsed);
    const object = space.create(parsed, options);
    if (object !== undefined) return Segment.#attach(object, true, WHOLE);
    const hint = "Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink";
    return fail(action, -E.EEXIST, space.openCall, name, hint);
  }

  /**
   * Attaches to a segment that exists, at whatever size it has. One that its creator is still
   * sizing is waited for, up to a second, so that nobody ever sees a segment of size 0. With
   * `waitMs` it blocks until the name appears.
   *
   * @throws SystemError ENOENT when there is none; EACCES. StateError ENODATA when it stayed empty,
   *   EBUSY when another process is making or removing it for longer than a second.
   * @throws LayoutError when the name stands for something that is no memory, as a FIFO.
   * @throws RangeError for a bad window, or an object over 4 GiB without one; TypeError.
   */
  static open(name: string, options: SegmentOpenOptions = {}): Segment {
    const parsed = parseSegmentName(name);
    const action = `Cannot open segment ${shown(name)}`;
    const window = checkWindow(action, options);
    const timeoutMs = checkTimeout(options.waitMs ?? 0, "waitMs");
    const space = spaceOf(parsed);
    const look = (): SharedObject | undefined => space.open(parsed, window.access);
    const object = waitUntil(look, { timeoutMs, everyMs: NAME_LOOK_MS });
    if (object !== undefined) return Segment.#attach(object, false, window);
    const hint =
      parsed.kind === "memfd"
        ? "A memfd has no name for others: open its `path`, or hand its descriptor to a child"
        : "Create it first, or use Segment.openOrCreate";
    return fail(action, -E.ENOENT, space.openCall, name, hint);
  }

  /**
   * Attaches to the segment if there is one of that size, else makes it; `created` tells which. An
   * existing one keeps its mode. One that its creator left empty by dying before it could give it a
   * size is adopted. With `truncate` an existing one is emptied, and gets the size.
   *
   * @throws As `create` and `open`; LayoutError when one of another size is there, which
   *   `Segment.open` takes as it is; StateError EBUSY when `truncate` meets another user.
   */
  static openOrCreate(name: string, options: SegmentOpenOrCreateOptions): Segment {
    const segment = Segment.attachOrCreate(name, options);
    if (segment.size === options.size) return segment;
    const found = segment.size;
    segment.close();
    const ways = "Segment.open takes it as it is, { truncate: true } discards what it holds";
    throw new LayoutError(
      `Cannot open segment ${shown(name)}: one of another size is there (${ways})`,
      { expected: `${options.size} bytes`, found: `${found}`, offset: 0 },
    );
  }

  /**
   * As `openOrCreate`, whatever size an existing one has: for structures, which compare what they
   * find there by themselves. @internal
   */
  static attachOrCreate(name: string, options: SegmentOpenOrCreateOptions): Segment {
    const parsed = parseSegmentName(name, options?.portable === true);
    checkCreate(`Cannot create segment ${shown(name)}`, options, "openOrCreate");
    const space = spaceOf(parsed);
    for (;;) {
      const made = space.create(parsed, options);
      if (made !== undefined) return Segment.#attach(made, true, WHOLE);
      const truncate = options.truncate === true;
      const found = truncate ? space.truncate(parsed, options) : space.adopt(parsed, options);
      if (found !== undefined) return Segment.#attach(found.object, found.sized, WHOLE);
      // Somebody removed it between the two attempts: begin again.
    }
  }

  /**
   * Removes a name. Processes that have the segment open keep it; the memory is freed after the
   * last of them. Does not block, but for up to a second while another process removes it too.
   *
   * @returns Whether there was one.
   * @throws SystemError EACCES, EPERM; RangeError, TypeError for a bad name.
   */
  static unlink(name: string): boolean {
    const parsed = parseSegmentName(name);
    return spaceOf(parsed).unlink(parsed);
  }

  /** Whether an object of this name exists; stale the moment it returns. */
  static exists(name: string): boolean {
    const parsed = parseSegmentName(name);
    return spaceOf(parsed).exists(parsed);
  }

  /**
   * Whether a live process (this one included) has the segment open through this package, as the
   * kernel knows: right at once after `kill -9`, and across containers. C programs count when they
   * hold a shared `flock` on the object. Of two that ask at the same instant, both may get yes.
   * For System V the kernel counts every process that has it attached.
   */
  static inUse(name: string): boolean {
    const parsed = parseSegmentName(name);
    return spaceOf(parsed).hasUsers(parsed);
  }

  /** Whether a value is a segment, and not only of its shape. @internal */
  static isOne(value: unknown): value is Segment {
    return typeof value === "object" && value !== null && #mapping in value;
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

  /**
   * The mapped bytes.
   *
   * `close`, and `resize` and `remap` when the size changes, detach it. A typed array that was made
   * over it before then has length 0: it reads `undefined` and loses what is written, without an
   * exception. A `DataView` over it, and `Atomics`, throw a TypeError.
   *
   * @throws ClosedError after `close()`.
   */
  get buffer(): ArrayBuffer {
    return this.mapping.buffer;
  }

  /**
   * The mapped bytes as one array; the same object until they are mapped again. An array that was
   * kept over that reads `undefined`, as `buffer` says. @throws ClosedError after `close()`.
   */
  get bytes(): Uint8Array {
    const { buffer } = this.mapping;
    if (this.#bytes?.buffer !== buffer) this.#bytes = new Uint8Array(buffer);
    return this.#bytes;
  }

  /**
   * The mapped bytes as one view; the same object until they are mapped again. A view that was kept
   * over that throws a TypeError at each use. @throws ClosedError after `close()`.
   */
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

  /**
   * Gives the object another size, and maps it again: the old views are detached. Growing keeps
   * the data, and the new bytes are zero. Others go on with the old size until they `remap()`.
   *
   * Shrinking ends every process that touches a byte beyond the new end, with a SIGBUS that nothing
   * can catch. It is refused unless `force` says that nobody does.
   *
   * @param newSize Bytes, from 1 to 4 GiB.
   * @throws SystemError ENOSPC (the segment stays as it was), EPERM (sealed).
   * @throws StateError EBUSY while a mutex in it is held, or an asynchronous operation uses it.
   * @throws RangeError for a bad size, or a smaller one without `force`.
   * @throws TypeError on a read-only handle or a window; ClosedError.
   */
  resize(newSize: number, options: SegmentResizeOptions = {}): void {
    this.#mustBeFree("resize");
    const action = `Cannot resize ${this.#what} to ${shown(newSize)} bytes`;
    checkResize(action, newSize, options);
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
   *
   * @returns Whether the size had changed; if so the old views are detached.
   * @throws StateError EBUSY while a mutex in it is held, or an asynchronous operation uses it;
   *   ClosedError.
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
   * Structures in the segment have lock bytes of their own, which docs/LAYOUT.md lists.
   *
   * @param index An integer of 0 or more.
   * @returns undefined when somebody alive has it, be it in this process.
   * @throws SystemError ENOSYS where the system has no such locks (FreeBSD); ClosedError;
   *   RangeError, TypeError.
   */
  tryLock(index: number): ByteLock | undefined {
    this.#checkByte(index);
    const target = this.#open.lockTarget(true);
    if (target === undefined) throw new ClosedError(this.#what);
    return ByteLock.tryAcquire(this.#what, target, index);
  }

  /** Whether somebody alive holds the lock on byte `index`; stale the moment it returns. */
  isLocked(index: number): boolean {
    this.#checkByte(index);
    const target = this.#open.lockTarget(false);
    return target !== undefined && ByteLock.isHeld(this.#what, target, index);
  }

  #checkByte(index: number): void {
    if (Number.isSafeInteger(index) && index >= 0) return;
    checkInteger(`Cannot lock a byte of ${this.#what}`, "its index", index, 0);
  }

  /**
   * Refuses `close`, `resize` and `remap` while something lives at this address (a held mutex).
   * @returns The end of it. @internal
   */
  hold(what: string): () => void {
    if (this.#closed) throw new ClosedError(this.#what);
    return this.holds.add(what);
  }

  /**
   * Ends this process's use: every view becomes unusable by exception (length 0, TypeError), and
   * the memory is unmapped at once. The name stays. A second call is harmless. What lies in it can
   * not be used through its handles any more either.
   *
   * While an asynchronous operation holds the buffer (`fs.write`, `gzip` …) it cannot be unmapped:
   * the handle is closed all the same, and the memory is unmapped as soon as the operation ends.
   *
   * @throws StateError EBUSY while a mutex in the segment is held: unmapping would lose it to
   *   everyone.
   */
  close(): void {
    if (this.#closed) return;
    this.#mustBeFree("close");
    this.#closed = true;
    this.#finishClose();
  }

  #finishClose(): void {
    if (this.#mapping.close()) this.#object.close();
    else setTimeout(() => this.#finishClose(), PINNED_LOOK_MS).unref();
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
    if (held !== undefined) {
      throw new StateError(
        "EBUSY",
        `Cannot ${verb} ${this.#what}: ${held} is held. Release it first`,
      );
    }
  }

  #unmap(): void {
    if (this.#mapping.close()) return;
    throw new StateError(
      "EBUSY",
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
      return new Segment(INSIDE, object, created, window);
    } catch (error) {
      if (created) object.unlink();
      object.close();
      throw error;
    }
  }
}
