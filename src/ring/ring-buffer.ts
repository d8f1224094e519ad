import { shown } from "../arguments.ts";
import { ClosedError, LayoutError } from "../errors.ts";
import type { BroadcastPolicy } from "../layout/broadcast-layout.ts";
import * as layout from "../layout/ring-layout.ts";
import { WAKES_SHIFT } from "../layout/wait-point-layout.ts";
import { HEADER_DATA_LENGTH_OFFSET, HEADER_DATA_OFFSET_OFFSET } from "../layout/segment-header.ts";
import { load } from "../memory/atomics.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import { takePlace } from "../segment/reload.ts";
import { Segment } from "../segment/segment.ts";
import { STRUCTURE_OPTIONS } from "../segment/placed-options.ts";
import { Structure, type StructureKind, structureLength } from "../segment/structure.ts";
import type { Codec } from "../struct/codec.ts";
import { countersOf } from "./algorithm/views.ts";
import type { RingConsumerOptions } from "./read-options.ts";
import { RingConsumer } from "./ring-consumer.ts";
import {
  RING_KINDS,
  type RingKind,
  type RingKindName,
  type RingPlace,
  ringCapacityProblem,
} from "./ring-kinds.ts";
import {
  type AskedRing,
  type RingCreateOptions,
  type RingInitOptions,
  type RingOpenOptions,
  type RingOptions,
  type RingStats,
  checkNewRing,
  checkRing,
  compareRing,
} from "./ring-options.ts";
import { RingProducer, type RingProducerOptions } from "./ring-producer.ts";

interface Handle {
  readonly closed: boolean;
  close(): void;
}

const STRUCTURE: StructureKind = { noun: "ring", kinds: RING_KINDS };

/**
 * A ring of records of any length in shared memory: the fastest way between two processes.
 *
 * | kind | producers | consumers | |
 * |---|---|---|---|
 * | `spsc` | 1 | 1 | wait-free |
 * | `mpsc` | up to 63 | 1 | lock-free between producers; one order of all records |
 * | `broadcast` | 1 | many | each consumer sees every record published after it joined |
 *
 * Records are read in the order in which they were committed, each one whole. Where the table says
 * 1, the role is exclusive: a lock that the kernel releases guards it, so a dead holder is
 * replaced. Any number of handles may exist, in any number of processes. Only the wait for a name
 * or for its unfinished ring blocks here; producers and consumers have blocking calls of their own.
 *
 * What a crash leaves: a killed producer leaves all records that it published, and at most one
 * claim, which is skipped. A killed consumer leaves what it had read and not given back yet, at
 * most an eighth of the ring; the next consumer reads that again. Nobody else is held up.
 *
 * Under `bun --hot`, a role that a newer load takes is taken from older loads.
 *
 * Hostile bytes in the segment raise a `LayoutError` in whoever meets them, and do nothing worse.
 * One fault cannot be caught: the SIGBUS after another process has truncated the object. Where that
 * is a danger, make the ring in a sealed memfd segment.
 *
 * @example
 * ```ts
 * using ring = RingBuffer.openOrCreate("/orders", { capacity: 1 << 20 });
 * using producer = ring.producer();
 * producer.tryWrite("first"); // false when the ring is full
 * producer.write("second"); // waits for room
 * const at = producer.tryClaim(4); // an index into producer.view, -1 when full
 * producer.view.setUint32(at, 42, true);
 * producer.commit();
 *
 * using consumer = ring.consumer(); // mostly in another process
 * console.log(consumer.take()); // waits for a record
 * consumer.tryRead((view, index, length) => {
 *   console.log(length, view.getUint8(index)); // in place, without a copy
 * });
 * ring.unlink();
 * ```
 */
export class RingBuffer<T = Uint8Array> {
  readonly #structure: Structure;
  readonly #kind: RingKind;
  readonly #place: RingPlace;
  readonly #codec: Codec<T>;
  readonly #handles = new Set<Handle>();

  private constructor(structure: Structure, codec: Codec<T>) {
    Structure.check(structure, "RingBuffer");
    const { segment, what, header, placed } = structure;
    this.#structure = structure;
    this.#kind = RING_KINDS[header.kind]!;
    this.#codec = codec;
    checkGeometry(structure, this.#kind);
    const { dataOffset, dataLength: capacity } = header;
    const { offset } = placed;
    const memory = { buffer: segment.buffer, byteOffset: offset, dataOffset, capacity, what };
    this.#place = { segment, offset, memory };
  }

  /**
   * Makes a ring in a segment of its own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static create<T = Uint8Array>(name: string, options: RingCreateOptions<T> = {}): RingBuffer<T> {
    const { asked, header } = checkNewRing(
      `Cannot create ring ${shown(name)}`,
      options,
      STRUCTURE_OPTIONS.create,
    );
    return Structure.create(STRUCTURE, name, header, options, RingBuffer.#made(asked));
  }

  /**
   * Finds a ring that has a segment of its own. Blocks for `waitMs` while there is no such name,
   * and while its creator is at work, which `waitMs` bounds too (half a minute without it).
   *
   * @returns A handle to close.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when something else has the name, or the ring differs from what the options say;
   *   StateError ENODATA when it is unfinished.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static open<T = Uint8Array>(name: string, options: RingOpenOptions<T> = {}): RingBuffer<T> {
    const asked = checkRing(`Cannot open ring ${shown(name)}`, options, STRUCTURE_OPTIONS.open);
    return Structure.open(STRUCTURE, name, options, RingBuffer.#found(asked));
  }

  /**
   * Finds a ring, or makes it: exactly one of several callers at the same time makes it, and
   * `created` says which. Blocks like `open` while another one is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT.
   */
  static openOrCreate<T = Uint8Array>(
    name: string,
    options: RingCreateOptions<T> & OwnerOptions = {},
  ): RingBuffer<T> {
    const action = `Cannot open or create ring ${shown(name)}`;
    const { asked, header } = checkNewRing(action, options, STRUCTURE_OPTIONS.openOrCreate);
    const [make, find] = [RingBuffer.#made(asked), RingBuffer.#found(asked)];
    return Structure.openOrCreate(STRUCTURE, name, header, options, make, find);
  }

  /**
   * Makes a ring inside the caller's segment. Blocks for half a minute at most, while another
   * process makes one there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when a ring is there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static init<T = Uint8Array>(
    segment: Segment,
    offset: number,
    options: RingInitOptions<T> = {},
  ): RingBuffer<T> {
    const { asked, header } = checkNewRing("Cannot make a ring", options, ["overwrite"]);
    return Structure.init(STRUCTURE, segment, offset, header, options, RingBuffer.#made(asked));
  }

  /**
   * Finds a ring inside the caller's segment. Blocks while its maker lives and is at work, for half
   * a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when something else is there, or the ring differs from what the options
   *   say; StateError ENODATA when nothing is there, or its maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at<T = Uint8Array>(
    segment: Segment,
    offset: number,
    options: RingOptions<T> = {},
  ): RingBuffer<T> {
    const asked = checkRing("Cannot open a ring", options, []);
    return Structure.at(STRUCTURE, segment, offset, RingBuffer.#found(asked));
  }

  /** @returns The bytes that a ring takes in a segment. @throws RangeError, TypeError. */
  static byteLength<T = Uint8Array>(options: RingOptions<T> = {}): number {
    return structureLength(checkNewRing("Cannot measure a ring", options, []).header);
  }

  /** Removes a ring's name; open handles go on working. @returns Whether there was one. */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /** The segment's name. */
  get name(): string {
    return this.#structure.placed.name;
  }

  /** The segment in which the ring lies. */
  get segment(): Segment {
    return this.#structure.segment;
  }

  /** Bytes from the segment's start to the ring. */
  get offset(): number {
    return this.#place.offset;
  }

  /** Whether this handle made the ring. */
  get created(): boolean {
    return this.#structure.placed.created;
  }

  /** Whether this handle or its segment was closed, or the segment was mapped again. */
  get closed(): boolean {
    return this.#structure.placed.closed || this.#place.memory.buffer.byteLength === 0;
  }

  /** Bytes for records. */
  get capacity(): number {
    return this.#place.memory.capacity;
  }

  /** How many producers and consumers the ring can have. */
  get kind(): RingKindName {
    return this.#kind.name;
  }

  /** What becomes of slow consumers of a broadcast ring; undefined for the other kinds. */
  get policy(): BroadcastPolicy | undefined {
    return this.#kind.policy;
  }

  /**
   * Whether a live producer has a role, in this process or another; stale the moment it returns.
   * The kernel says who lives. @throws ClosedError.
   */
  get hasProducer(): boolean {
    this.#checkOpen();
    return this.#kind.hasProducer(this.#place);
  }

  /** The longest record, in bytes. */
  get maxRecordLength(): number {
    return this.#kind.maxRecordLength(this.capacity);
  }

  /**
   * Takes a producer's role, and goes on behind the unread records. Does not block.
   *
   * @returns The producer. It ends with this handle, or by its own `close`.
   * @throws StateError EBUSY when live producers have all roles; LayoutError when the ring is
   *   corrupt; ClosedError.
   * @throws RangeError, TypeError for bad options, or a segment that was opened for reading only.
   */
  producer(options: RingProducerOptions = {}): RingProducer<T> {
    this.#checkUsable("producer");
    return this.#take(
      "producer",
      (kind, place, codec) => new RingProducer(kind, place, codec, options),
    );
  }

  /**
   * Takes a consumer's role. It goes on with the first record that was not given back; in a
   * broadcast ring, with the next one that is published. Does not block.
   *
   * @returns The consumer. It ends with this handle, or by its own `close`.
   * @throws StateError EBUSY when live consumers have all roles; otherwise the errors of
   *   `producer`.
   */
  consumer(options: RingConsumerOptions = {}): RingConsumer<T> {
    this.#checkUsable("consumer");
    return this.#take(
      "consumer",
      (kind, place, codec) => new RingConsumer(kind, place, codec, options),
    );
  }

  /** @throws ClosedError; TypeError when nothing that this process writes would reach others. */
  #checkUsable(role: string): void {
    this.#checkOpen();
    if (this.segment.access !== "read") return;
    throw new TypeError(
      `Cannot become the ${role} of ${this.#structure.what}: its segment was opened for reading ` +
        "only",
    );
  }

  #checkOpen(): void {
    if (this.closed) throw new ClosedError(this.#structure.what);
  }

  #take<H extends Handle>(
    role: string,
    make: (kind: RingKind, place: RingPlace, codec: Codec<T>) => H,
  ): H {
    for (const old of this.#handles) if (old.closed) this.#handles.delete(old);
    const handle = takePlace(this.segment, `${role} at ${this.offset}`, () =>
      make(this.#kind, this.#place, this.#codec),
    );
    this.#handles.add(handle);
    return handle;
  }

  /**
   * Counts what all processes have done with the ring since it was made. Does not block.
   * @returns The counters; stale the moment they are returned. @throws ClosedError.
   */
  stats(): RingStats {
    this.#checkOpen();
    const { memory } = this.#place;
    const { buffer, byteOffset, dataOffset, capacity } = memory;
    const words = new Int32Array(buffer, byteOffset, dataOffset >> 2);
    const counters = countersOf(memory);
    const count = (offset: number): number => counters[offset >> 3]!;
    const wakes = (point: number): number => load(words, point >> 2) >>> WAKES_SHIFT;
    const { records, bytes } = this.#kind.published(memory);
    return {
      in: records,
      bytesIn: bytes,
      empty: count(layout.CONSUMER_EMPTY_OFFSET),
      waits: count(layout.PRODUCER_WAITS_OFFSET) + count(layout.CONSUMER_WAITS_OFFSET),
      wakes: wakes(layout.DATA_WAIT_POINT_OFFSET) + wakes(layout.SPACE_WAIT_POINT_OFFSET),
      capacity,
      ...(this.kind === "broadcast" ? {} : consumed(count, words, bytes)),
      ...(this.policy === "overwrite"
        ? { lost: count(layout.CONSUMER_LOST_OFFSET) }
        : { full: count(layout.PRODUCER_FULL_OFFSET) }),
      ...(this.kind === "mpsc" ? { repaired: count(layout.CONSUMER_RECOVERED_OFFSET) } : {}),
    };
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. @throws ClosedError; SystemError EACCES.
   */
  get unlinked(): boolean {
    return this.#structure.placed.unlinked;
  }

  /**
   * Removes the segment's name, if the name still stands for this ring's segment.
   * @returns Whether this call removed it. @throws ClosedError; `RingBuffer.unlink` works then.
   */
  unlink(): boolean {
    return this.#structure.placed.unlink();
  }

  /** Closes its producers and consumers, and the segment if this handle opened it. */
  close(): void {
    for (const handle of this.#handles) handle.close();
    this.#handles.clear();
    this.#structure.placed.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  static #made<T>({ codec }: AskedRing<T>): (structure: Structure) => RingBuffer<T> {
    return (structure) => new RingBuffer(structure, codec);
  }

  static #found<T>(asked: AskedRing<T>): (structure: Structure) => RingBuffer<T> {
    return (structure) => {
      compareRing(structure, asked);
      return new RingBuffer(structure, asked.codec);
    };
  }
}

/** What the only consumer of a ring has counted. Several consumers have no common position. */
function consumed(
  count: (offset: number) => number,
  words: Int32Array,
  bytesIn: number,
): Pick<RingStats, "out" | "bytesOut" | "depth" | "highWater"> {
  const bytesOut = count(layout.CONSUMER_BYTES_OFFSET);
  const depth = Math.max(bytesIn - bytesOut, 0);
  return {
    out: count(layout.CONSUMER_RECORDS_OFFSET),
    bytesOut,
    depth,
    highWater: Math.max(words[layout.PRODUCER_HIGH_WATER_OFFSET >> 2]! >>> 0, depth),
  };
}

/** @throws LayoutError when the sizes in the header are not those of a ring of this kind. */
function checkGeometry({ what, header, placed }: Structure, kind: RingKind): void {
  const { dataOffset, dataLength: capacity } = header;
  const problem = ringCapacityProblem(kind.name, capacity);
  if (problem !== undefined) {
    throw new LayoutError(`Cannot open ${what}: its capacity is wrong, since ${problem}`, {
      expected: "a power of two",
      found: String(capacity),
      offset: placed.offset + HEADER_DATA_LENGTH_OFFSET,
    });
  }
  const expected = kind.dataOffset(capacity);
  if (dataOffset === expected) return;
  throw new LayoutError(`Cannot open ${what}: its data is elsewhere`, {
    expected: String(expected),
    found: String(dataOffset),
    offset: placed.offset + HEADER_DATA_OFFSET_OFFSET,
  });
}
