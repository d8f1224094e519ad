import { INSIDE, checkInside, shown } from "../arguments.ts";
import { ClosedError, StateError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { msync } from "../libc/mman.ts";
import { bootClock } from "../memory/boot.ts";
import { ByteLock } from "../memory/byte-lock.ts";
import { Holds } from "./holds.ts";
import { Participant } from "./participant.ts";
import type { Descriptor } from "../memory/descriptor.ts";
import type { Mapping } from "../memory/mapping.ts";
import { alignmentFor, collapse, hugeBytesOf, prefault } from "../memory/pages.ts";
import { spaceOf } from "../memory/objects/object-spaces.ts";
import { quietly } from "./quietly.ts";
import {
  type Window,
  checkByte,
  checkCreate,
  checkGrows,
  checkResize,
  checkWindow,
  failSize,
  lengthOf,
  mapHint,
  objectOptions,
  sealHint,
  whole,
} from "./segment-checks.ts";
import type {
  SegmentCreateOptions,
  SegmentOpenOptions,
  SegmentOpenOrCreateOptions,
  SegmentResizeOptions,
} from "./segment-options.ts";
import { parseSegmentName } from "../memory/objects/segment-name.ts";
import type { Backing, ObjectMark, SharedObject } from "../memory/objects/shared-object.ts";
import { PINNED_LOOK_MS } from "../waiting/limits.ts";
import { deadlinesFor, waitForName } from "../waiting/patience.ts";

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
  #participant: Participant | undefined;
  /** The locks that `tryLock` made and that are held. */
  readonly #locks = new Set<ByteLock>();
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
    return Segment.make(name, options);
  }

  /** Makes like `create`. @param mark A word that the new one has. @internal */
  static make(name: string, options: SegmentCreateOptions, mark?: ObjectMark): Segment {
    const parsed = parseSegmentName(name, options?.portable === true);
    const action = `Cannot create segment ${shown(name)}`;
    checkCreate(action, options, "create");
    const space = spaceOf(parsed);
    const object = space.create(parsed, objectOptions(options, mark));
    if (object !== undefined) return Segment.#attach(object, true, whole(options));
    const hint = "Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink";
    return fail(action, -E.EEXIST, space.openCall, name, hint);
  }

  /**
   * Attaches to a segment that exists, whatever its size. Blocks until the name appears, for
   * `waitMs` at most, and for a creator that has not yet given it a size: as long as `waitMs` says,
   * but a second at least, and without it half a minute while the creator is known to live. So
   * nobody ever sees a segment of size 0.
   *
   * @returns The segment.
   * @throws SystemError ENOENT when there is none, EACCES, ELOOP for a symbolic link; StateError
   *   EPERM when it is another user's (see `owner`), ENODATA when it is empty and nobody is giving
   *   it a size, EBUSY when a live process was not done in that time.
   * @throws LayoutError when the name belongs to something that cannot be mapped, such as a FIFO.
   * @throws RangeError for an `offset` or a `length` beyond the object, and for an object of more
   *   than 4 GiB without them; TypeError.
   */
  static open(name: string, options: SegmentOpenOptions = {}): Segment {
    return Segment.attach(name, options, true);
  }

  /** Opens like `open`. @param readable Whether the caller's call has `access`. @internal */
  static attach(name: string, options: SegmentOpenOptions = {}, readable = false): Segment {
    const parsed = parseSegmentName(name);
    const action = `Cannot open segment ${shown(name)}`;
    const window = checkWindow(action, options);
    const space = spaceOf(parsed);
    const until = deadlinesFor(options.waitMs);
    const opening = { readable, until, owner: options.owner };
    const look = (): SharedObject | undefined => space.open(parsed, window.access, opening);
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
   * Blocks while the kernel reserves the memory, and for a
   * creator that has not yet given it a size: half a minute while it lives, and else a second.
   *
   * @returns The segment.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT; LayoutError when the
   *   existing one has a different size, which `Segment.open` accepts; StateError EBUSY when
   *   `truncate` meets another user.
   */
  static openOrCreate(name: string, options: SegmentOpenOrCreateOptions): Segment {
    const segment = Segment.attachOrCreate(name, options);
    if (segment.size === options.size) return segment;
    segment.close();
    return failSize(`Cannot open segment ${shown(name)}`, segment.size, options.size);
  }

  /**
   * Attaches or makes like `openOrCreate`, but accepts an existing one of any size: structures
   * check themselves what they find there. @param mark Goes into one that is new. @internal
   */
  static attachOrCreate(
    name: string,
    options: SegmentOpenOrCreateOptions,
    mark?: ObjectMark,
  ): Segment {
    const parsed = parseSegmentName(name, options?.portable === true);
    checkCreate(`Cannot create segment ${shown(name)}`, options, "openOrCreate");
    const space = spaceOf(parsed);
    const marked = objectOptions(options, mark);
    for (;;) {
      const made = space.create(parsed, marked);
      if (made !== undefined) return Segment.#attach(made, true, whole(options));
      const truncate = options.truncate === true;
      const found = truncate ? space.truncate(parsed, marked) : space.adopt(parsed, marked);
      if (found !== undefined) return Segment.#attach(found.object, found.sized, whole(options));
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

  /**
   * Whether an object of this name exists; stale the moment it returns. Does not block.
   * @throws SystemError EACCES when nobody may know; RangeError, TypeError for a bad name.
   */
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

  /** This handle as one that takes part in the locks of the object. @internal */
  get participant(): Participant {
    return (this.#participant ??= Participant.join(this.#what, this.#open.lockTarget(true)!));
  }

  /** Whether a participant of its locks lives; asks without taking part. @internal */
  hasParticipant(number: number): boolean {
    return Participant.lives(this.#what, this.#open.lockTarget(false), number);
  }

  /** Tells its object from all others, also before a restart. @throws ClosedError. @internal */
  get identity(): string {
    const { device, inode } = this.#open.stat();
    return `${bootClock().boot}:${device}:${inode}`;
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
    return this.#open.handOut();
  }

  /** See `SharedMemory`. @throws ClosedError. @internal */
  keepInUse(): Descriptor | undefined {
    return this.#open.keep();
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

  /**
   * How many bytes of it this process has mapped by huge pages now, whoever made them. Asks the
   * kernel, which takes about a millisecond; 0 where it does not say. @throws ClosedError.
   */
  get hugeBytes(): number {
    return hugeBytesOf(this.mapping);
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
    checkResize(action, newSize, options, this.#window);
    this.#object.checkResizable(action);
    const { size } = this.#object.stat();
    if (options.force !== true) checkGrows(action, size, newSize);
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
    const hint = sealHint(result, this.sealed) ?? this.#object.roomHint(result, newSize);
    return fail(action, result, "posix_fallocate", this.name, hint);
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
   * lock: no data are touched, and the byte need not exist. The lock lasts until its `close()`, or
   * that of this segment, even if nobody keeps it; the kernel releases it when this process dies,
   * in whatever way. Structures use locks of their own, which docs/LAYOUT.md lists. Does not block.
   *
   * @param index An integer of 0 or more.
   * @returns The lock; undefined when a live process holds it, or another handle of this one.
   * @throws UnsupportedError where the system has no such locks (FreeBSD); SystemError EACCES when
   *   this user may not write; ClosedError; RangeError, TypeError.
   */
  tryLock(index: number): ByteLock | undefined {
    checkByte(this.#what, index);
    return ByteLock.tryAcquire(this.#what, this.#open.lockTarget(true)!, index, this.#locks);
  }

  /**
   * Whether anybody holds the lock on byte `index`, this process included; stale the moment it
   * returns. Does not block. @throws ClosedError; RangeError, TypeError.
   */
  isLocked(index: number): boolean {
    checkByte(this.#what, index);
    const target = this.#open.lockTarget(false);
    if (target === undefined) return false;
    return ByteLock.isHeld(this.#what, target, index);
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
    for (const lock of this.#locks) lock.close();
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

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one. A
   * memfd, and what a descriptor refers to, has no name to lose. Asks the kernel; stale the moment
   * it returns. Does not block.
   *
   * @throws SystemError EACCES when the name cannot be looked at; ClosedError.
   */
  get unlinked(): boolean {
    return this.#open.isGone();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mustBeFree(verb: string): void {
    if (this.#closed) throw new ClosedError(this.#what);
    const held = this.holds.find();
    if (held !== undefined) {
      const why = `${held} is held. Release it first`;
      throw new StateError("EBUSY", `Cannot ${verb} ${this.#what}: ${why}`);
    }
  }

  #unmap(): void {
    if (this.#mapping.close()) return;
    const why = "an asynchronous operation uses its buffer. Await it first";
    throw new StateError("EBUSY", `Cannot resize ${this.#what}: ${why}`);
  }

  #map(): void {
    const { access, offset } = this.#window;
    const { size } = this.#object.stat();
    const length = lengthOf(this.#what, this.#window, size);
    const alignment = alignmentFor(this.#object.backing, this.#window);
    const mapping = this.#object.map({ offset, length, access, alignment });
    if (typeof mapping === "number") {
      const { mapCall } = this.#object;
      fail(`Cannot map ${this.#what}`, mapping, mapCall, this.name, mapHint(mapping));
    }
    this.#object.serve(mapping.buffer);
    if (alignment > 1) collapse(mapping);
    if (this.#window.prefault === true) prefault(this.#what, mapping, access === "read");
    this.#mapping = mapping;
    this.#size = size;
  }

  static #attach(object: SharedObject, created: boolean, window: Window): Segment {
    try {
      return new Segment(INSIDE, object, created, window);
    } catch (error) {
      // The first error is the one that the caller needs.
      if (created) quietly(() => object.unlink());
      object.close();
      throw error;
    }
  }
}
