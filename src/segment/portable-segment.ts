import { checkInside, checkInteger, checkMode, checkOptions, hex, shown } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import {
  PORTABLE_CREATOR_PID_OFFSET,
  PORTABLE_HEADER_LENGTH,
  PORTABLE_MAGIC,
  PORTABLE_MAGIC_WORD,
  PORTABLE_MAKING,
  PORTABLE_VERSION,
  PORTABLE_VERSION_OFFSET,
} from "../layout/portable-layout.ts";
import { load, store } from "../memory/atomics.ts";
import { MAPPING_MAX } from "../memory/mapping.ts";
import { PORTABLE_NAME_MAX, checkObjectName } from "../memory/objects/object-name.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import { Placed, type PlacedKind } from "./placed.ts";
import { Segment } from "./segment.ts";

/** How to make a portable segment. */
export interface PortableSegmentCreateOptions {
  /** Bytes of data; the header comes on top. */
  readonly size: number;
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  readonly mode?: number | undefined;
}

/** How to attach to a portable segment. */
export interface PortableSegmentOpenOptions extends OwnerOptions {
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
}

const KIND: PlacedKind = {
  noun: "portable segment",
  family: "portable segment",
  readable: true,
  making: PORTABLE_MAKING,
  isReady(words, what, offset) {
    if (words.byteLength < PORTABLE_HEADER_LENGTH) {
      throw new LayoutError(`Cannot open ${what}: it is too small for its header`, {
        expected: `${PORTABLE_HEADER_LENGTH} bytes`,
        found: `${words.byteLength}`,
        offset,
      });
    }
    // SYNC portable-ready: pairs with the store in `make`.
    const magic = load(words, PORTABLE_MAGIC_WORD);
    if (magic !== 0) mustBe(what, "magic number", PORTABLE_MAGIC_WORD * 4, PORTABLE_MAGIC, magic);
    return magic !== 0;
  },
};

/**
 * Shared memory in its classic shape, for programs in any language on any POSIX system: its name
 * has at most 31 bytes, and a header of 64 bytes (magic, version, creator_pid, reserved) comes
 * before the data, which therefore start on a cache line.
 *
 * Opening waits for the name as long as `waitMs` says, and for a creator like `Segment.open`.
 * Nothing else blocks. Any number of processes may open it. It always
 * has a segment of its own, and has no `init` and `at`: its data start after 64 bytes, while other
 * structures start at multiples of 128.
 *
 * What a crash leaves: the bytes as they were. A creator that dies before the header is complete
 * leaves a segment that `open` refuses and `openOrCreate` finishes.
 *
 * @example
 * ```ts
 * using made = PortableSegment.create("/clock", { size: 4096 });
 * made.data[0] = 42;
 * using same = PortableSegment.open("/clock"); // mostly in another process
 * console.log(same.data[0], same.creatorPid === process.pid); // 42 true
 * made.unlink();
 * ```
 */
export class PortableSegment {
  readonly #placed: Placed;

  private constructor(placed: Placed) {
    checkInside(placed instanceof Placed, "PortableSegment");
    this.#placed = placed;
  }

  /**
   * Makes a new one, filled with zeros. Blocks only while the kernel reserves the memory.
   *
   * @returns The portable segment.
   * @throws SystemError EEXIST, ENOSPC, EACCES; RangeError, TypeError for a bad name or option.
   */
  static create(name: string, options: PortableSegmentCreateOptions): PortableSegment {
    const byteLength = checkCreate(name, options);
    const make = (placed: Placed): PortableSegment => PortableSegment.#make(placed, options.size);
    return Placed.create(KIND, name, byteLength, { mode: options.mode }, make);
  }

  /**
   * Attaches to one that exists.
   *
   * @returns The portable segment.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when it is something else, or another version made it; StateError ENODATA when it
   *   is unfinished and nobody makes it; RangeError, TypeError.
   */
  static open(name: string, options: PortableSegmentOpenOptions = {}): PortableSegment {
    checkObjectName(name, "segment", PORTABLE_NAME_MAX);
    checkOptions(`Cannot open portable segment ${shown(name)}`, options, ["waitMs", "owner"]);
    return Placed.open(KIND, name, options, (placed) => PortableSegment.#find(placed, undefined));
  }

  /**
   * Attaches to the one of that name, or makes it; `created` says which. An existing one keeps its
   * mode, and must have that size.
   *
   * @returns The portable segment.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT; LayoutError when the
   *   existing one has a different size.
   */
  static openOrCreate(
    name: string,
    options: PortableSegmentCreateOptions & OwnerOptions,
  ): PortableSegment {
    const byteLength = checkCreate(name, options, ["owner"]);
    return Placed.openOrCreate(
      KIND,
      name,
      byteLength,
      options,
      (placed) => PortableSegment.#make(placed, options.size),
      (placed) => PortableSegment.#find(placed, options.size),
    );
  }

  static #make(placed: Placed, size: number): PortableSegment {
    // A segment that existed without a header may have any size.
    mustHaveSize(placed, size);
    placed.clear(PORTABLE_HEADER_LENGTH + size);
    const { view } = placed.segment;
    view.setUint32(PORTABLE_VERSION_OFFSET, PORTABLE_VERSION, true);
    view.setUint32(PORTABLE_CREATOR_PID_OFFSET, process.pid, true);
    // SYNC portable-ready: the magic comes last, and pairs with the load in `isReady`.
    store(placed.words(), PORTABLE_MAGIC_WORD, PORTABLE_MAGIC);
    store(placed.words(), PORTABLE_MAKING.offset >> 2, 0);
    return new PortableSegment(placed);
  }

  static #find(placed: Placed, size: number | undefined): PortableSegment {
    const version = placed.segment.view.getUint32(PORTABLE_VERSION_OFFSET, true);
    mustBe(placed.what, "version", PORTABLE_VERSION_OFFSET, PORTABLE_VERSION, version);
    if (size !== undefined) mustHaveSize(placed, size);
    return new PortableSegment(placed);
  }

  /**
   * Removes a name; processes that have the segment open keep it. Blocks only while another process
   * is removing the same name, for up to a second.
   *
   * @returns Whether the name existed. @throws SystemError EACCES, EPERM; RangeError, TypeError.
   */
  static unlink(name: string): boolean {
    checkObjectName(name, "segment", PORTABLE_NAME_MAX);
    return Segment.unlink(name);
  }

  /** The segment's name. */
  get name(): string {
    return this.#placed.name;
  }

  /** The segment beneath, header included. */
  get segment(): Segment {
    return this.#placed.segment;
  }

  /** Whether this handle made it. */
  get created(): boolean {
    return this.#placed.created;
  }

  /** Whether `close()` was called, here or on the segment. */
  get closed(): boolean {
    return this.#placed.closed;
  }

  /**
   * The bytes after the header. An array that is kept beyond `close()` has length 0: it reads
   * `undefined`, and writes to it are lost. @throws ClosedError.
   */
  get data(): Uint8Array {
    this.#placed.checkOpen();
    return this.segment.bytes.subarray(PORTABLE_HEADER_LENGTH);
  }

  /** The creator's process id, for people to read: ids are reused. @throws ClosedError. */
  get creatorPid(): number {
    this.#placed.checkOpen();
    return this.segment.view.getUint32(PORTABLE_CREATOR_PID_OFFSET, true);
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. @throws ClosedError; SystemError EACCES.
   */
  get unlinked(): boolean {
    return this.#placed.unlinked;
  }

  /**
   * Removes the name if it still belongs to this segment, and not to a newer one.
   * @returns Whether this call removed it. @throws SystemError EACCES, EPERM; ClosedError.
   */
  unlink(): boolean {
    return this.#placed.unlink();
  }

  /** Ends the use of this handle; the name stays. Calling it again does nothing. */
  close(): void {
    this.#placed.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @returns How many bytes the whole segment takes. @throws RangeError, TypeError. */
function checkCreate(
  name: string,
  options: PortableSegmentCreateOptions,
  more: readonly string[] = [],
): number {
  checkObjectName(name, "segment", PORTABLE_NAME_MAX);
  const action = `Cannot create portable segment ${shown(name)}`;
  checkOptions(action, options, ["size", "mode", ...more]);
  const most = MAPPING_MAX - PORTABLE_HEADER_LENGTH;
  const size = checkInteger(action, "its size in bytes", options?.size, 1, most);
  if (options.mode !== undefined) checkMode(action, options.mode);
  return size + PORTABLE_HEADER_LENGTH;
}

function mustBe(
  what: string,
  field: string,
  offset: number,
  expected: number,
  found: number,
): void {
  if (found === expected) return;
  const details = { expected: hex(expected), found: hex(found), offset };
  throw new LayoutError(`Cannot open ${what}: it has a different ${field}`, details);
}

function mustHaveSize({ what, segment }: Placed, size: number): void {
  const found = segment.size - PORTABLE_HEADER_LENGTH;
  if (found === size) return;
  throw new LayoutError(`Cannot open ${what}: it has a different size`, {
    expected: `${size} bytes of data`,
    found: `${found}`,
    offset: PORTABLE_HEADER_LENGTH,
  });
}
