/** What tells the kinds of rings apart, for the noun: their layouts, roles and algorithms. */
import {
  MPSC_LAYOUT_HASH,
  PRODUCER_SLOTS,
  mpscDataOffset,
  mpscMaxRecordLength,
} from "./layout/mpsc-layout.ts";
import {
  CONSUMER_BYTES,
  CONSUMER_RECORDS,
  PRODUCER_BYTES,
  PRODUCER_RECORDS,
  RING_DATA_OFFSET,
  SPSC_LAYOUT_HASH,
  capacityProblem,
  maxRecordLength,
} from "./layout/ring-layout.ts";
import { SEGMENT_KINDS } from "./layout/segment-header.ts";
import { E, fail } from "./libc/errno.ts";
import type { ByteLock } from "./memory/byte-lock.ts";
import { mpscUnread } from "./ring/mpsc-cells.ts";
import { MpscConsumer } from "./ring/mpsc-consumer.ts";
import { MpscProducer } from "./ring/mpsc.ts";
import {
  type RingConsumerCore,
  type RingMemory,
  type RingProducerCore,
  type Wakeable,
  countersOf,
} from "./ring/ring.ts";
import { SpscConsumer, SpscProducer } from "./ring/spsc.ts";
import type { Segment } from "./segment.ts";

/** One producer and one consumer; many producers and one consumer. */
export type RingKindName = "spsc" | "mpsc";

/** A role in a ring: the lock that the kernel releases with its holder, and the algorithm. */
export interface Role<Core> {
  readonly lock: ByteLock;
  readonly core: Core;
}

/** Where a ring lies, and how it is called. */
export interface RingPlace {
  readonly what: string;
  readonly segment: Segment;
  readonly memory: RingMemory;
}

/** One kind of ring. */
export interface RingKind {
  readonly name: RingKindName;
  /** The number in the segment's header. */
  readonly id: number;
  readonly layoutHash: number;
  dataOffset(capacity: number): number;
  maxRecordLength(capacity: number): number;
  /** What was published since the ring was made: records, and bytes with headers and padding. */
  published(memory: RingMemory): { readonly records: number; readonly bytes: number };
  takeProducer(place: RingPlace, reader: Wakeable, batch: number): Role<RingProducerCore>;
  takeConsumer(place: RingPlace, writer: Wakeable): Role<RingConsumerCore>;
}

/** The lock bytes of the roles. */
const PRODUCER_BYTE = 0;
const CONSUMER_BYTE = 1;
const FIRST_SLOT_BYTE = 64;

/** Takes a role's lock, and with it the right to run its algorithm. */
function takeRole<Core>(
  { what, segment }: RingPlace,
  byte: number,
  role: string,
  start: () => Core,
): Role<Core> {
  const lock = segment.tryLock(byte);
  if (lock === undefined) {
    const hint = `A live ${role} has it, in this process or another; a dead one would be replaced`;
    return fail(`Cannot become the ${role} of ${what}`, -E.EBUSY, "fcntl", segment.name, hint);
  }
  try {
    return { lock, core: start() };
  } catch (error) {
    lock.close();
    throw error;
  }
}

const SPSC: RingKind = {
  name: "spsc",
  id: SEGMENT_KINDS.spsc,
  layoutHash: SPSC_LAYOUT_HASH,
  dataOffset: () => RING_DATA_OFFSET,
  maxRecordLength,
  published(memory) {
    const counters = countersOf(memory);
    return { records: counters[PRODUCER_RECORDS >> 3]!, bytes: counters[PRODUCER_BYTES >> 3]! };
  },
  takeProducer: (place, reader, batch) =>
    takeRole(place, PRODUCER_BYTE, "producer", () => new SpscProducer(place.memory, reader, batch)),
  takeConsumer: (place, writer) =>
    takeRole(place, CONSUMER_BYTE, "consumer", () => new SpscConsumer(place.memory, writer)),
};

const MPSC: RingKind = {
  name: "mpsc",
  id: SEGMENT_KINDS.mpsc,
  layoutHash: MPSC_LAYOUT_HASH,
  dataOffset: mpscDataOffset,
  maxRecordLength: mpscMaxRecordLength,
  // No word is shared by all producers just for the sake of counting: what is unread is looked at.
  published(memory) {
    const counters = countersOf(memory);
    const unread = mpscUnread(memory);
    return {
      records: counters[CONSUMER_RECORDS >> 3]! + unread.records,
      bytes: counters[CONSUMER_BYTES >> 3]! + unread.bytes,
    };
  },
  takeProducer(place, reader) {
    const { what, segment, memory } = place;
    for (let slot = 0; slot < PRODUCER_SLOTS; slot++) {
      const lock = segment.tryLock(FIRST_SLOT_BYTE + slot);
      if (lock === undefined) continue;
      try {
        return { lock, core: new MpscProducer(memory, reader, slot) };
      } catch (error) {
        lock.close();
        throw error;
      }
    }
    const hint = `It has ${PRODUCER_SLOTS} live ones, and no room for more`;
    return fail(`Cannot become a producer of ${what}`, -E.EBUSY, "fcntl", segment.name, hint);
  },
  takeConsumer(place, writer) {
    const isAlive = (slot: number): boolean => place.segment.isLocked(FIRST_SLOT_BYTE + slot);
    const start = (): MpscConsumer => new MpscConsumer(place.memory, writer, isAlive);
    return takeRole(place, CONSUMER_BYTE, "consumer", start);
  },
};

/** The kinds by name. */
export const RING_KINDS: Readonly<Record<RingKindName, RingKind>> = { spsc: SPSC, mpsc: MPSC };

/** The kinds by the number in the header. */
export const RING_KINDS_BY_ID: Readonly<Record<number, RingKind>> = Object.fromEntries(
  Object.values(RING_KINDS).map((kind) => [kind.id, kind]),
);

/** @throws RangeError that says what a capacity must be. */
export function checkCapacity(capacity: number): void {
  const problem = capacityProblem(capacity);
  if (problem === undefined) return;
  throw new RangeError(`Cannot make a ring of ${String(capacity)} bytes: ${problem}`);
}
