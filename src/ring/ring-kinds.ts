/** The kinds of rings: the layout, the roles and the algorithm of each. */
import { RELOAD_HINT, StateError } from "../errors.ts";
import {
  BROADCAST_LAYOUT_HASH,
  BROADCAST_MIN_CAPACITY,
  type BroadcastPolicy,
  CONSUMER_SLOTS_OFFSET,
  CONSUMER_SLOT_COUNT,
  CONSUMER_SLOT_LENGTH,
  CONSUMER_SLOT_LOCK_OFFSET,
  broadcastDataOffset,
  broadcastMaxRecordLength,
} from "../layout/broadcast-layout.ts";
import { LOCK_LENGTH } from "../layout/lock-layout.ts";
import {
  MPSC_LAYOUT_HASH,
  PRODUCER_SLOTS_OFFSET,
  PRODUCER_SLOT_COUNT,
  mpscDataOffset,
  mpscMaxRecordLength,
} from "../layout/mpsc-layout.ts";
import {
  CONSUMER_BYTES_OFFSET,
  CONSUMER_RECORDS_OFFSET,
  CONSUMER_ROLE_OFFSET,
  PRODUCER_BYTES_OFFSET,
  PRODUCER_RECORDS_OFFSET,
  PRODUCER_ROLE_OFFSET,
  RING_DATA_OFFSET,
  SPSC_LAYOUT_HASH,
  capacityProblem,
  maxRecordLength,
} from "../layout/ring-layout.ts";
import { SEGMENT_KINDS } from "../layout/segment-header.ts";
import { isMine } from "../locks/algorithm/lock-core.ts";
import { OwnedLock } from "../locks/owned-lock.ts";
import { BlockConsumer } from "./algorithm/broadcast/block-consumer.ts";
import { BroadcastProducer } from "./algorithm/broadcast/producer.ts";
import { OverwriteConsumer } from "./algorithm/broadcast/overwrite-consumer.ts";
import { mpscUnread } from "./algorithm/mpsc/cells.ts";
import { MpscConsumer } from "./algorithm/mpsc/consumer.ts";
import { MpscProducer } from "./algorithm/mpsc/producer.ts";
import type { RingConsumerCore, RingProducerCore, Wakeable } from "./algorithm/core.ts";
import { SpscConsumer } from "./algorithm/spsc/consumer.ts";
import { spscPublished } from "./algorithm/spsc/counts.ts";
import { SpscProducer } from "./algorithm/spsc/producer.ts";
import { type RingMemory, countersOf } from "./algorithm/views.ts";
import type { Segment } from "../segment/segment.ts";
import { mayBeLight } from "../waiting/event-count.ts";

/** "spsc": one producer, one consumer. "mpsc": many producers. "broadcast": many consumers. */
export type RingKindName = "spsc" | "mpsc" | "broadcast";

/** A role in a ring: the lock by which a handle has it, and the algorithm that it may run. */
export interface Role<Core> {
  /** Undefined where anybody may have the role. */
  readonly lock: OwnedLock | undefined;
  readonly core: Core;
}

/** Where a ring lies. */
export interface RingPlace {
  readonly segment: Segment;
  /** Bytes from the segment's start to the ring. */
  readonly offset: number;
  readonly memory: RingMemory;
}

/** One kind of ring. */
export interface RingKind {
  readonly name: RingKindName;
  /** What becomes of a consumer that falls behind; undefined where there is only one. */
  readonly policy: BroadcastPolicy | undefined;
  /** The number in the segment's header. */
  readonly id: number;
  readonly layoutHash: number;
  dataOffset(capacity: number): number;
  maxRecordLength(capacity: number): number;
  /** Counts what was published since the ring was made; bytes include headers and padding. */
  published(memory: RingMemory): { readonly records: number; readonly bytes: number };
  /** Whether a live producer has a role, as the kernel says; stale the moment it returns. */
  hasProducer(place: RingPlace): boolean;
  takeProducer(place: RingPlace, reader: Wakeable, batch: number): Role<RingProducerCore>;
  /** @param pauses Whether the consumer may stay away where records come in a stream. */
  takeConsumer(place: RingPlace, writer: Wakeable, pauses: boolean): Role<RingConsumerCore>;
}

const lockOf = ({ segment, offset, memory }: RingPlace, at: number): OwnedLock =>
  new OwnedLock(segment, offset + at, `a role of ${memory.what}`);

const slotAt = (slot: number): number => PRODUCER_SLOTS_OFFSET + slot * LOCK_LENGTH;

const consumerSlotAt = (slot: number): number =>
  CONSUMER_SLOTS_OFFSET + slot * CONSUMER_SLOT_LENGTH + CONSUMER_SLOT_LOCK_OFFSET;

/** Takes the lock of an exclusive role, and starts its algorithm. @throws StateError EBUSY. */
function takeRole<Core>(place: RingPlace, at: number, role: string, start: () => Core): Role<Core> {
  const lock = lockOf(place, at);
  if (isMine(lock.tryLock())) return begin(lock, start);
  throw new StateError(
    "EBUSY",
    `Cannot become the ${role} of ${place.memory.what}: a live ${role} has it, in this process ` +
      `or another. Close that one; a dead one would be replaced${RELOAD_HINT}`,
  );
}

/** Takes the first free slot of a role that several can have. @throws StateError EBUSY. */
function takeSlot<Core>(
  place: RingPlace,
  slots: number,
  at: (slot: number) => number,
  role: string,
  start: (slot: number) => Core,
): Role<Core> {
  for (let slot = 0; slot < slots; slot++) {
    const lock = lockOf(place, at(slot));
    if (isMine(lock.tryLock())) return begin(lock, () => start(slot));
  }
  throw new StateError(
    "EBUSY",
    `Cannot become a ${role} of ${place.memory.what}: it has ${slots} live ones, and no room for ` +
      `more. Close one; dead ones would be replaced${RELOAD_HINT}`,
  );
}

function begin<Core>(lock: OwnedLock, start: () => Core): Role<Core> {
  try {
    return { lock, core: start() };
  } catch (error) {
    lock.letGo();
    throw error;
  }
}

function countedByProducer(memory: RingMemory): { records: number; bytes: number } {
  const counters = countersOf(memory);
  return {
    records: counters[PRODUCER_RECORDS_OFFSET >> 3]!,
    bytes: counters[PRODUCER_BYTES_OFFSET >> 3]!,
  };
}

function hasOnlyProducer(place: RingPlace): boolean {
  return lockOf(place, PRODUCER_ROLE_OFFSET).isHeld;
}

const SPSC: RingKind = {
  name: "spsc",
  policy: undefined,
  id: SEGMENT_KINDS.spsc,
  layoutHash: SPSC_LAYOUT_HASH,
  dataOffset: () => RING_DATA_OFFSET,
  maxRecordLength,
  published: spscPublished,
  hasProducer: hasOnlyProducer,
  takeProducer: (place, reader, batch) =>
    takeRole(place, PRODUCER_ROLE_OFFSET, "producer", () => {
      return new SpscProducer(place.memory, reader, batch, mayBeLight());
    }),
  takeConsumer: (place, writer, pauses) =>
    takeRole(place, CONSUMER_ROLE_OFFSET, "consumer", () => {
      return new SpscConsumer(place.memory, writer, mayBeLight(), pauses);
    }),
};

const MPSC: RingKind = {
  name: "mpsc",
  policy: undefined,
  id: SEGMENT_KINDS.mpsc,
  layoutHash: MPSC_LAYOUT_HASH,
  dataOffset: mpscDataOffset,
  maxRecordLength: mpscMaxRecordLength,
  // Producers do not share a word only to count in it: unread records are counted on request.
  published(memory) {
    const counters = countersOf(memory);
    const unread = mpscUnread(memory);
    return {
      records: counters[CONSUMER_RECORDS_OFFSET >> 3]! + unread.records,
      bytes: counters[CONSUMER_BYTES_OFFSET >> 3]! + unread.bytes,
    };
  },
  hasProducer(place) {
    for (let slot = 0; slot < PRODUCER_SLOT_COUNT; slot++) {
      if (lockOf(place, slotAt(slot)).isHeld) return true;
    }
    return false;
  },
  takeProducer: (place, reader) =>
    takeSlot(place, PRODUCER_SLOT_COUNT, slotAt, "producer", (slot) => {
      return new MpscProducer(place.memory, reader, slot, mayBeLight());
    }),
  takeConsumer(place, writer) {
    const isAlive = (slot: number): boolean => lockOf(place, slotAt(slot)).isHeld;
    const start = (): MpscConsumer => new MpscConsumer(place.memory, writer, isAlive);
    return takeRole(place, CONSUMER_ROLE_OFFSET, "consumer", start);
  },
};

const OVERWRITE: RingKind = {
  name: "broadcast",
  policy: "overwrite",
  id: SEGMENT_KINDS.broadcast,
  layoutHash: BROADCAST_LAYOUT_HASH,
  dataOffset: () => broadcastDataOffset("overwrite"),
  maxRecordLength: broadcastMaxRecordLength,
  published: countedByProducer,
  hasProducer: hasOnlyProducer,
  takeProducer: (place, reader, batch) =>
    takeRole(place, PRODUCER_ROLE_OFFSET, "producer", () => {
      return new BroadcastProducer(place.memory, reader, undefined, batch, mayBeLight());
    }),
  takeConsumer: ({ memory }, writer) => ({
    lock: undefined,
    core: new OverwriteConsumer(memory, writer),
  }),
};

const BLOCK: RingKind = {
  ...OVERWRITE,
  policy: "block",
  id: SEGMENT_KINDS.broadcastBlock,
  dataOffset: () => broadcastDataOffset("block"),
  takeProducer(place, reader, batch) {
    const whileHeld = (slot: number, action: () => void): boolean => {
      const lock = lockOf(place, consumerSlotAt(slot));
      if (!isMine(lock.tryLock())) return false;
      try {
        action();
      } finally {
        lock.letGo();
      }
      return true;
    };
    return takeRole(place, PRODUCER_ROLE_OFFSET, "producer", () => {
      return new BroadcastProducer(place.memory, reader, whileHeld, batch, mayBeLight());
    });
  },
  takeConsumer: (place, writer) =>
    takeSlot(place, CONSUMER_SLOT_COUNT, consumerSlotAt, "consumer", (slot) => {
      return new BlockConsumer(place.memory, writer, slot);
    }),
};

const KINDS: readonly RingKind[] = [SPSC, MPSC, OVERWRITE, BLOCK];

/** The kinds by the number in the header. */
export const RING_KINDS: Readonly<Record<number, RingKind>> = Object.fromEntries(
  KINDS.map((kind) => [kind.id, kind]),
);

export const RING_KIND_NAMES: readonly RingKindName[] = ["spsc", "mpsc", "broadcast"];
export const BROADCAST_POLICIES: readonly BroadcastPolicy[] = ["overwrite", "block"];

/** @returns The kind of that name and policy. @throws TypeError when the kind has no policies. */
export function ringKind(
  action: string,
  name: RingKindName,
  policy: BroadcastPolicy | undefined = name === "broadcast" ? "overwrite" : undefined,
): RingKind {
  const kind = KINDS.find((known) => known.name === name && known.policy === policy);
  if (kind !== undefined) return kind;
  throw new TypeError(`${action}: a ring of kind "${name}" has no policy, only a "broadcast" has`);
}

/** @returns Why a ring of that kind cannot have that capacity; undefined when it can. */
export function ringCapacityProblem(kind: RingKindName, capacity: number): string | undefined {
  if (kind === "broadcast" && capacity < BROADCAST_MIN_CAPACITY) {
    return `a broadcast ring has at least ${BROADCAST_MIN_CAPACITY} bytes`;
  }
  return capacityProblem(capacity);
}
