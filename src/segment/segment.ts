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
import { PINNED_LOOK_MS } from "../waiting/limits.ts";
import { waitForName } from "../waiting/patience.ts";

/** How to make a segment. */
export interface SegmentCreateOptions {
  /** Size in bytes, an integer from 1 to 4 GiB. The object has exactly this size. */
  readonly size: number;
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  readonly mode?: number | undefined;
  /**
   * Reserve memory for every byte now, so that a full /dev/shm is an error here (ENOSPC) and not
   * a SIGBUS at a later write, which nothing can catch. Default true.
   */
  readonly reserve?: boolean | undefined;
  /** Refuse names of more than 31 bytes, which macOS does not allow. Default false. */
  readonly portable?: boolean | undefined;
  /**
   * Seal a memfd: nobody can ever shrink or grow it, so it cannot end a reader with a SIGBUS.
   * Default true; other kinds of memory have no seals.
   */
  readonly sealed?: boolean | undefined;
  /**
   * Use huge pages, for a memfd or System V (a file on a hugetlbfs always has them). The size must
   * be a multiple of the huge page's, 2 MiB on most machines, and the system must have set some
   * aside. Default false.
   */
  readonly hugePages?: boolean | undefined;
}

/** How to make a segment, or attach to an existing one. */
export interface SegmentOpenOrCreateOptions extends SegmentCreateOptions {
  /**
   * Discard what an existing object holds, and give it `size`. Refused (EBUSY) while another handle
   * has it open, whose process would end with a SIGBUS. Default false.
   */
  readonly truncate?: boolean | undefined;
}

/** How to attach to a segment. */
export interface SegmentOpenOptions {
  /**
   * "read" maps a private copy-on-write view of a read-only descriptor. A page shows what others
   * write until this process writes to it; from then on it is this process's own copy, and stale.
   * So a write never ends in a SIGSEGV, and never reaches others. Default "readwrite".
   */
  readonly access?: "readwrite" | "read" | undefined;
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
  /** First byte to map, a multiple of the page size. Default 0. */
  readonly offset?: number | undefined;
  /** How many bytes to map. Default: all to the end of the object. */
  readonly length?: number | undefined;
}

/** How to resize a segment. */
export interface SegmentResizeOptions {
  /** Allow shrinking, because no process touches what is cut off. Default false. */
  readonly force?: boolean | undefined;
  /** Reserve memory for every new byte, so that a lack of it is an error now. Default true. */
  readonly reserve?: boolean | undefined;
}

/**
 * A named piece of shared memory, mapped into this process.
 *
 * The form of the name chooses the kind of memory:
 *
 * | name | memory |
 * |---|---|
 * | `/weather` | a POSIX shared memory object; it lives until it is unlinked or the machine stops |
 * | `sysv:0x4d51`, `sysv:private`, `sysv:#ID` | a System V segment: by key, a new one, by id |
 * | `memfd:LABEL` | nameless and sealed; it ends with its last user |
 * | `fd:3`, `/proc/PID/fd/N` | what an inherited or another process's descriptor refers to |
 * | `file:/var/lib/weather` | a file; its bytes survive a restart of the machine once synced |
 *
 * Every process that opens the same name sees the same bytes; any number of processes and threads
 * may. The object lives until its name is removed with `unlink` and the last process has closed it,
 * even if every process ends before that. `close()` ends this process's use, and never removes the
 * name.
 *
 * What a crash leaves: the object and its bytes, as they were at that instant. The kernel's record
 * of its users (`Segment.inUse`) is right at once.
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
  /** Whether this handle made the object, or gave its size to one that had been left empty. */
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
  /** What this thread holds in the segment. @internal */
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
   * Makes a new segment, filled with zeros. Blocks only while the kernel reserves the memory.
   *
   * @returns The segment.
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
   * Attaches to a segment that exists, whatever its size. Blocks until the name appears, for
   * `waitMs` at most, and up to a second for a creator that has not yet given it a size, so that
   * nobody ever sees a segment of size 0.
   *
   * @returns The segment.
   * @throws SystemError ENOENT when there is none, EACCES; StateError ENODATA when it stayed empty,
   *   EBUSY when another process takes more than a second to make or remove it.
   * @throws LayoutError when the name belongs to something that cannot be mapped, such as a FIFO.
   * @throws RangeError for an `offset` or a `length` beyond the object, and for an object of more
   *   than 4 GiB without them; TypeError.
   */
  static open(name: string, options: SegmentOpenOptions = {}): Segment {
    const parsed = parseSegmentName(name);
    const action = `Cannot open segment ${shown(name)}`;
    const window = checkWindow(action, options);
    const space = spaceOf(parsed);
    const look = (): SharedObject | undefined => space.open(parsed, window.access);
    const object = waitForName(look, options.waitMs);
    if (object !== undefined) return Segment.#attach(object, false, window);
    const hint =
      parsed.kind === "memfd"
        ? "A memfd has no name for others: open its `path`, or hand its descriptor to a child"
        : "Create it first, or use Segment.openOrCreate";
    return fail(action, -E.ENOENT, space.openCall, name, hint);
  }

  /**
   * Attaches to the segment if there is one of that size, or makes it; `created` says which. An
   * existing one keeps its mode. One that is empty, because its creator died before it gave it a
   * size, gets its size from this call. With `truncate`, an existing one is emptied and resized.
   * Blocks while the kernel reserves the memory, and up to a second for a creator that has not yet
   * given it a size.
   *
   * @returns The segment.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT; LayoutError when the
   *   existing one has a different size, which `Segment.open` accepts; StateError EBUSY when
   *   `truncate` meets another user.
   */
  static openOrCreate(name: string, options: SegmentOpenOrCreateOptions): Segment {
    const segment = Segment.attachOrCreate(name, options);
    if (segment.size === options.size) return segment;
    const found = segment.size;
    segment.close();
    const ways = "Segment.open accepts it, { truncate: true } discards what it holds";
    throw new LayoutError(
      `Cannot open segment ${shown(name)}: one of a different size exists (${ways})`,
      { expected: `${options.size} bytes`, found: `${found}`, offset: 0 },
    );
  }

  /**
   * Attaches or makes like `openOrCreate`, but accepts an existing one of any size: structures
   * check themselves what they find there. @internal
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
   * Removes a name. Processes that have the segment open keep it, and its memory is freed when the
   * last of them has closed it. Blocks only while another process is removing the same name, for up
   * to a second.
   *
   * @returns Whether the name existed.
   * @throws SystemError EACCES, EPERM; StateError EBUSY when the other process takes longer;
   *   RangeError, TypeError for a bad name.
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
   * Whether a live process, this one included, has the segment open through this package. The
   * kernel answers that, so it is right at once after a `kill -9`, and across containers; it is
   * stale the moment it returns. A C program counts if it holds the lock byte of
   * the users, as include/bun_shm.h does; of System V memory, everybody who has it attached counts.
   * It takes nothing, so nobody is disturbed, and does not block.
   *
   * @throws SystemError EACCES; RangeError, TypeError for a bad name.
   */
  static inUse(name: string): boolean {
    const parsed = parseSegmentName(name);
    return spaceOf(parsed).hasUsers(parsed);
  }

  /** Whether a value is a segment, and not only of its shape. @internal */
  static isOne(value: unknown): value is Segment {
    return typeof value === "object" && value !== null && #mapping in value;
  }

  /** The object's size in bytes, when it was last mapped here. */
  get size(): number {
    return this.#size;
  }

  /** The object's permission bits now. @throws ClosedError. */
  get mode(): number {
    return this.#open.stat().mode;
  }

  /** The kind of memory. */
  get backing(): Backing {
    return this.#object.backing;
  }

  /** Whether the kernel keeps everybody from shrinking the object. @throws ClosedError. */
  get sealed(): boolean {
    return this.#open.isSealed();
  }

  /**
   * The file descriptor, for a child: `Bun.spawn({ stdio: [0, 1, 2, segment.descriptor] })` hands
   * it over, and the child calls `Segment.open("fd:3")`. It still belongs to this segment, which
   * closes it. System V memory has none. @throws ClosedError.
   */
  get descriptor(): number | undefined {
    return this.#open.descriptor?.number;
  }

  /**
   * A path by which other processes of this user can open the object while this one has it open,
   * even if it has no name. System V memory has none. @throws ClosedError.
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
   * Resizes the object, and maps it again, which detaches the old views. Growing keeps the data,
   * and the new bytes are zeros. Other processes keep the old size until they call `remap()`.
   * Blocks only while the kernel reserves the memory.
   *
   * Shrinking ends every process that touches a byte beyond the new end, with a SIGBUS that nothing
   * can catch. It is refused unless `force` says that nobody does that.
   *
   * @param newSize Size in bytes, from 1 to 4 GiB.
   * @throws SystemError ENOSPC (the segment stays as it was), EPERM (it is sealed).
   * @throws StateError EBUSY while a mutex in it is held, or an asynchronous operation uses it.
   * @throws RangeError for a bad size, or for a smaller one without `force`.
   * @throws TypeError when this handle is read-only or maps only a part; UnsupportedError for
   *   System V memory; ClosedError.
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
    // A segment grows first and is unmapped afterwards, so that it stays as it was if there is no
    // room. It is unmapped before it shrinks, so that nothing can touch the bytes that are cut off.
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
   * Maps the object again at its present size, after another process resized it. Does not block.
   *
   * @returns Whether the size had changed; if so, the old views are detached.
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
   * Writes a mapped file's bytes to disk, and blocks until they are there. Other kinds of memory
   * have no disk, and other processes see every write without it.
   *
   * @throws SystemError EIO; ClosedError.
   */
  sync(): void {
    const { address, buffer } = this.mapping;
    const result = msync(address, buffer.byteLength);
    if (result < 0) fail(`Cannot sync ${this.#what}`, result, "msync", this.name);
  }

  /**
   * Takes an exclusive lock on byte `index` of the object if it is free. The index only names the
   * lock: no data are touched, and the byte need not exist. The kernel releases the lock when this
   * process dies, in whatever way, and one that is forgotten when it is collected. Structures use
   * locks of their own, which docs/LAYOUT.md lists. Does not block.
   *
   * @param index An integer of 0 or more.
   * @returns The lock; undefined when a live process holds it, or another handle of this one.
   * @throws SystemError ENOSYS where the system has no such locks (FreeBSD), EACCES when this user
   *   may not write; ClosedError; RangeError, TypeError.
   */
  tryLock(index: number): ByteLock | undefined {
    this.#checkByte(index);
    const target = this.#open.lockTarget(true);
    if (target === undefined) throw new ClosedError(this.#what);
    return ByteLock.tryAcquire(this.#what, target, index);
  }

  /**
   * Whether anybody holds the lock on byte `index`, this process included; stale the moment it
   * returns. Does not block. @throws ClosedError; RangeError, TypeError.
   */
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
   * Makes `close`, `resize` and `remap` fail while something needs the memory to stay mapped.
   * @returns The function that ends that. @internal
   */
  hold(what: string): () => void {
    if (this.#closed) throw new ClosedError(this.#what);
    return this.holds.add(what);
  }

  /**
   * Ends the use of this handle, and unmaps the memory. The name stays. Every view is detached (its
   * length is 0, and a DataView throws a TypeError), and the handles of structures in the segment
   * are closed too. Calling it again does nothing. Does not block.
   *
   * While an asynchronous operation (`fs.write`, `gzip` …) uses the buffer, the memory cannot be
   * unmapped: the handle is closed all the same, and the memory is unmapped when the operation
   * ends.
   *
   * @throws StateError EBUSY while a mutex in the segment is held: nobody could ever lock it again.
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
   * Removes the segment's name if it still belongs to this object, and not to a newer one.
   *
   * @returns Whether this call removed it; false for a nameless object.
   * @throws SystemError EACCES, EPERM; ClosedError after `close()`, when `Segment.unlink` helps.
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
