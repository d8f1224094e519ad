import { LayoutError } from "../errors.ts";
import {
  PORTABLE_CREATOR_PID,
  PORTABLE_HEADER_LENGTH,
  PORTABLE_MAGIC,
  PORTABLE_MAGIC_WORD,
  PORTABLE_VERSION,
  PORTABLE_VERSION_OFFSET,
} from "../layout/portable-layout.ts";
import { E, fail } from "../libc/errno.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import { load, store } from "../memory/atomics.ts";
import { PORTABLE_NAME_MAX, checkObjectName } from "../memory/objects/object-name.ts";
import { Segment } from "./segment.ts";

/** How long an opener waits for a creator that has not written the header yet, in ms. */
const PATIENCE_MS = 1000;

/**
 * Shared memory in its classic shape, for programs in any language on any POSIX system: a name of
 * at most 31 bytes, and a header of 64 bytes (magic, version, creator_pid, reserved) before the
 * data, which is therefore aligned to a cache line.
 *
 * Opening waits up to a second for the header of a segment that is just being made; nothing else
 * blocks. Any number of processes may open it. What a crash leaves: the bytes as they were; a
 * creator that dies before the header is whole leaves a segment that `open` refuses.
 *
 * @example
 * ```ts
 * using made = PortableSegment.create("/clock", 4096);
 * made.data[0] = 42;
 * using same = PortableSegment.open("/clock"); // mostly in another process
 * console.log(same.data[0], same.creatorPid === process.pid); // 42 true
 * PortableSegment.unlink("/clock");
 * ```
 */
export class PortableSegment {
  /** The segment beneath, header included. */
  readonly segment: Segment;

  private constructor(segment: Segment) {
    this.segment = segment;
  }

  /**
   * Makes a new one, zero-filled, of mode 0600.
   *
   * @param size Bytes of data; the header comes on top.
   * @throws SystemError EEXIST, ENOSPC, EACCES; RangeError for a bad name or size.
   */
  static create(name: string, size: number): PortableSegment {
    checkObjectName(name, "segment", PORTABLE_NAME_MAX);
    const segment = Segment.create(name, { size: size + PORTABLE_HEADER_LENGTH, portable: true });
    segment.view.setUint32(PORTABLE_VERSION_OFFSET, PORTABLE_VERSION, true);
    segment.view.setUint32(PORTABLE_CREATOR_PID, process.pid, true);
    // SYNC portable-ready: the magic comes last, and pairs with the load in `open`.
    store(new Int32Array(segment.buffer, 0, 1), PORTABLE_MAGIC_WORD, PORTABLE_MAGIC);
    return new PortableSegment(segment);
  }

  /**
   * Attaches to one that exists.
   * @throws SystemError ENOENT, EACCES; LayoutError when it is something else, or another version.
   */
  static open(name: string): PortableSegment {
    checkObjectName(name, "segment", PORTABLE_NAME_MAX);
    const segment = Segment.open(name);
    try {
      checkHeader(segment);
      return new PortableSegment(segment);
    } catch (error) {
      segment.close();
      throw error;
    }
  }

  /** Removes the name; who has it open keeps it. @returns Whether there was one. */
  static unlink(name: string): boolean {
    checkObjectName(name, "segment", PORTABLE_NAME_MAX);
    return Segment.unlink(name);
  }

  /** The bytes after the header. @throws ClosedError. */
  get data(): Uint8Array {
    return this.segment.bytes.subarray(PORTABLE_HEADER_LENGTH);
  }

  /** Process id of the creator; for people, since ids are reused. */
  get creatorPid(): number {
    return this.segment.view.getUint32(PORTABLE_CREATOR_PID, true);
  }

  /** Ends this process's use; the name stays. */
  close(): void {
    this.segment.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function checkHeader(segment: Segment): void {
  const { name, size, view } = segment;
  if (size < PORTABLE_HEADER_LENGTH) {
    const found = `${size} bytes`;
    throw new LayoutError(`"${name}" is too small`, { expected: "64 bytes", found, offset: 0 });
  }
  const words = new Int32Array(segment.buffer, 0, 1);
  const deadline = monotonicMs() + PATIENCE_MS;
  let magic = load(words, PORTABLE_MAGIC_WORD);
  while (magic === 0 && monotonicMs() < deadline) {
    sleepMs(0.2);
    magic = load(words, PORTABLE_MAGIC_WORD);
  }
  if (magic === 0) {
    const hint = "Its creator died before it wrote the header: remove it";
    fail(`Cannot open segment "${name}"`, -E.ENODATA, "mmap", name, hint);
  }
  const expect = (what: string, offset: number, expected: number, found: number): void => {
    if (found === expected) return;
    const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
    const details = { expected: hex(expected), found: hex(found), offset };
    throw new LayoutError(`"${name}" has another ${what}`, details);
  };
  expect("magic", 0, PORTABLE_MAGIC, magic);
  const version = view.getUint32(PORTABLE_VERSION_OFFSET, true);
  expect("version", PORTABLE_VERSION_OFFSET, PORTABLE_VERSION, version);
}
