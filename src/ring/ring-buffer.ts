import type { Codec } from "../struct/codec.ts";
import { LayoutError } from "../errors.ts";
import type { BroadcastPolicy } from "../layout/broadcast-layout.ts";
import * as layout from "../layout/ring-layout.ts";
import { HEADER_DATA_OFFSET } from "../layout/segment-header.ts";
import { load } from "../memory/atomics.ts";
import { RingConsumer, type RingConsumerOptions } from "./ring-consumer.ts";
import {
  RING_KINDS,
  type RingKind,
  type RingKindName,
  type RingPlace,
  checkCapacity,
  ringKind,
} from "./ring-kinds.ts";
import { RingProducer, type RingProducerOptions } from "./ring-producer.ts";
import { countersOf } from "./algorithm/views.ts";
import { Segment } from "../segment/segment.ts";
import { Structure } from "../segment/old-structure.ts";

/** What both ways to a ring take. */
export interface RingOpenOptions<T> {
  /** The form of the records. Default: none; bytes, text and views are written, bytes are read. */
  codec?: Codec<T>;
  /** Milliseconds to wait, blocking this thread, for the ring to appear. Default 0. */
  wait?: number;
}

/** How to make a ring. One that is found keeps its own capacity, kind and mode. */
export interface RingCreateOptions<T> extends RingOpenOptions<T> {
  /** Bytes for records: a power of two from 64 to 2^30. Default 1 MiB. */
  capacity?: number;
  /** Default "spsc". */
  kind?: RingKindName;
  /**
   * What becomes of a consumer of a broadcast ring that does not keep up: it loses records, and is
   * told how many ("overwrite"), or holds the producer back while it lives ("block"). Default
   * "overwrite".
   */
  policy?: BroadcastPolicy;
  /** Permission bits. Default 0o600: this user only. */
  mode?: number;
}

/**
 * What a ring has done, from its counters. Stale the moment it returns; exact in a ring at rest,
 * but where several processes count in one place (`full` and waits, and the consumers of a
 * broadcast ring), which may lose a few.
 */
export interface RingStats {
  /** Records published, and not aborted. */
  readonly recordsIn: number;
  /** Records read. */
  readonly recordsOut: number;
  /** Bytes published, with headers and padding. */
  readonly bytesIn: number;
  /** Bytes read and given back, with headers and padding. */
  readonly bytesOut: number;
  /** Bytes in use now. 0 for a broadcast ring, where each consumer is elsewhere. */
  readonly depth: number;
  /** Most bytes in use that a producer found when it looked for room. */
  readonly highWater: number;
  /** Claims refused for want of room. */
  readonly full: number;
  /** Reads that found nothing. */
  readonly empty: number;
  /** Waits of producers for room. */
  readonly producerWaits: number;
  /** Waits of consumers for records. */
  readonly consumerWaits: number;
  /** Wakes that producers gave sleeping consumers. */
  readonly consumerWakes: number;
  /** Wakes that consumers gave sleeping producers. */
  readonly producerWakes: number;
  /** Records overwritten before they were read. */
  readonly lost: number;
  /** Claims of dead producers that were skipped. */
  readonly recovered: number;
}

interface Handle {
  readonly closed: boolean;
  close(): void;
}

const DEFAULT_CAPACITY = 1 << 20;

/**
 * A ring of variable-length records in shared memory: the fastest way between two processes.
 *
 * | kind | producers | consumers | |
 * |---|---|---|---|
 * | `spsc` | 1 | 1 | wait-free |
 * | `mpsc` | up to 63 | 1 | lock-free between producers; one order of all records |
 * | `broadcast` | 1 | many | each consumer sees every record published after it joined |
 *
 * A record is published when it is committed, whole, and is read once, in order. Roles are
 * exclusive where the kind says so, by a lock that the kernel releases: a dead holder is replaced.
 *
 * What a crash leaves: a killed producer, all that it committed and published, and at most one
 * claim that is skipped. A killed consumer, what it had read and not given back yet, at most an
 * eighth of the ring: the next consumer reads that again. Nobody else is held up.
 *
 * Hostile bytes in the segment are a `LayoutError` for whoever meets them, and nothing worse. The
 * one thing that cannot be caught is truncation of the object by somebody else, a SIGBUS: where
 * that is a danger, make the ring in a sealed memfd segment.
 *
 * @example
 * ```ts
 * using ring = RingBuffer.openOrCreate("/orders", { capacity: 1 << 20 });
 * using producer = ring.producer();
 * producer.write("first");
 * const at = producer.tryClaim(4); // an index into producer.view, -1 when full
 * producer.view.setUint32(at, 42, true);
 * producer.commit();
 *
 * using consumer = ring.consumer(); // mostly in another process
 * consumer.read((view, index, length) => {
 *   console.log(length, view.getUint8(index));
 * });
 * ring.unlink();
 * ```
 */
export class RingBuffer<T = Uint8Array> {
  readonly #structure: Structure;
  readonly #kind: RingKind;
  readonly #place: RingPlace;
  readonly #codec: Codec<T> | undefined;
  readonly #handles = new Set<Handle>();

  private constructor(structure: Structure, codec: Codec<T> | undefined) {
    const { segment, what, header } = structure;
    this.#structure = structure;
    this.#kind = RING_KINDS[header.kind]!;
    this.#codec = codec;
    const { dataOffset, dataLength: capacity } = header;
    checkCapacity(this.#kind, capacity);
    const expected = this.#kind.dataOffset(capacity);
    if (dataOffset !== expected) {
      throw new LayoutError(`Cannot open ${what}: its data lie elsewhere`, {
        expected: String(expected),
        found: String(dataOffset),
        offset: HEADER_DATA_OFFSET,
      });
    }
    const memory = { buffer: segment.buffer, byteOffset: 0, dataOffset, capacity, what };
    this.#place = { what, segment, memory };
  }

  /**
   * Makes a ring, in a new segment of that name or at the start of a segment that is given.
   * @throws SystemError EEXIST, ENOSPC and others of `Segment.create`; RangeError.
   */
  static create<T = Uint8Array>(
    target: string | Segment,
    options: RingCreateOptions<T> = {},
  ): RingBuffer<T> {
    const header = headerOf(options);
    const structure = Structure.create("ring", target, header, options, () => undefined);
    return new RingBuffer(structure, options.codec);
  }

  /**
   * Attaches to a ring.
   * @throws SystemError ENOENT, EACCES; LayoutError when something else, or another build's ring,
   *   lies there.
   */
  static open<T = Uint8Array>(
    target: string | Segment,
    options: RingOpenOptions<T> = {},
  ): RingBuffer<T> {
    const structure = Structure.open("ring", target, RING_KINDS, options);
    return new RingBuffer(structure, options.codec);
  }

  /** Attaches to the ring, or makes it. @throws As `create` and `open`. */
  static openOrCreate<T = Uint8Array>(
    target: string | Segment,
    options: RingCreateOptions<T> = {},
  ): RingBuffer<T> {
    const header = headerOf(options);
    const kinds = RING_KINDS;
    const structure = Structure.openOrCreate("ring", target, kinds, header, options, () => {});
    return new RingBuffer(structure, options.codec);
  }

  /** Removes a ring's name; who has it open keeps it. @returns Whether there was one. */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /** Bytes for records. */
  get capacity(): number {
    return this.#place.memory.capacity;
  }

  get kind(): RingKindName {
    return this.#kind.name;
  }

  /** Of a broadcast ring. */
  get policy(): BroadcastPolicy | undefined {
    return this.#kind.policy;
  }

  /** The longest record, in bytes. */
  get maxRecordLength(): number {
    return this.#kind.maxRecordLength(this.capacity);
  }

  /** The memory that the ring lies in. */
  get segment(): Segment {
    return this.#structure.segment;
  }

  /**
   * Takes the role of the producer, or of one of them. Goes on behind what is unread.
   * @throws SystemError EBUSY when a live one has it; LayoutError when the ring is corrupt.
   */
  producer(options: RingProducerOptions = {}): RingProducer<T> {
    return this.#keep(new RingProducer(this.#kind, this.#place, this.#codec, options));
  }

  /**
   * Takes the role of the consumer. Goes on with the first record that was not given back.
   * @throws SystemError EBUSY when a live one has it; LayoutError when the ring is corrupt.
   */
  consumer(options: RingConsumerOptions = {}): RingConsumer<T> {
    return this.#keep(new RingConsumer(this.#kind, this.#place, this.#codec, options));
  }

  #keep<H extends Handle>(handle: H): H {
    for (const old of this.#handles) if (old.closed) this.#handles.delete(old);
    this.#handles.add(handle);
    return handle;
  }

  /** What the ring has done since it was made, in all processes. */
  stats(): RingStats {
    const { memory } = this.#place;
    const words = new Int32Array(memory.buffer, 0, memory.dataOffset >> 2);
    const counters = countersOf(memory);
    const count = (offset: number): number => counters[offset >> 3]!;
    const recordsOut = count(layout.CONSUMER_RECORDS);
    const bytesOut = count(layout.CONSUMER_BYTES);
    const { records: recordsIn, bytes: bytesIn } = this.#kind.published(memory);
    const depth = this.kind === "broadcast" ? 0 : Math.max(bytesIn - bytesOut, 0);
    return {
      recordsIn,
      recordsOut,
      bytesIn,
      bytesOut,
      depth,
      highWater: Math.max(words[layout.PRODUCER_HIGH_WATER >> 2]! >>> 0, depth),
      full: count(layout.PRODUCER_FULL),
      empty: count(layout.CONSUMER_EMPTY),
      producerWaits: count(layout.PRODUCER_WAITS),
      consumerWaits: count(layout.CONSUMER_WAITS),
      consumerWakes: load(words, layout.DATA_WAIT_POINT >> 2) >>> 2,
      producerWakes: load(words, layout.SPACE_WAIT_POINT >> 2) >>> 2,
      lost: count(layout.CONSUMER_LOST),
      recovered: count(layout.CONSUMER_RECOVERED),
    };
  }

  /** Removes the ring's name, if it still stands for this ring. @returns Whether this call did. */
  unlink(): boolean {
    return this.segment.unlink();
  }

  /** Closes the handles that were taken here, and the segment if the ring opened it. */
  close(): void {
    for (const handle of this.#handles) handle.close();
    this.#structure.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function headerOf<T>(options: RingCreateOptions<T>): {
  kind: number;
  layoutHash: number;
  dataOffset: number;
  dataLength: number;
} {
  const { capacity = DEFAULT_CAPACITY } = options;
  const kind = ringKind(options.kind, options.policy);
  checkCapacity(kind, capacity);
  const { id, layoutHash } = kind;
  return { kind: id, layoutHash, dataOffset: kind.dataOffset(capacity), dataLength: capacity };
}
