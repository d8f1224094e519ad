/** The rings of all kinds. */
import {
  BROADCAST,
  CONSUMER_SLOTS_OFFSET,
  CONSUMER_SLOT_COUNT,
  CONSUMER_SLOT_LENGTH,
  CONSUMER_SLOT_LOCK_OFFSET,
  TAIL_INTENT_OFFSET,
} from "../../layout/broadcast-layout.ts";
import { LOCK_LENGTH } from "../../layout/lock-layout.ts";
import {
  MPSC_RELEASE,
  PRODUCER_SLOTS_OFFSET,
  PRODUCER_SLOT_COUNT,
} from "../../layout/mpsc-layout.ts";
import {
  CONSUMER_BYTES_OFFSET,
  CONSUMER_EMPTY_OFFSET,
  CONSUMER_LOST_OFFSET,
  CONSUMER_RECORDS_OFFSET,
  CONSUMER_RECOVERED_OFFSET,
  CONSUMER_ROLE_OFFSET,
  CONSUMER_WAITS_OFFSET,
  KIND_WORDS_OFFSET,
  PRODUCER_BYTES_OFFSET,
  PRODUCER_FULL_OFFSET,
  PRODUCER_HIGH_WATER_OFFSET,
  PRODUCER_POSITION_OFFSET,
  PRODUCER_RECORDS_LOW_OFFSET,
  PRODUCER_RECORDS_OFFSET,
  PRODUCER_ROLE_OFFSET,
  PRODUCER_WAITS_OFFSET,
  RING,
  capacityProblem,
} from "../../layout/ring-layout.ts";
import {
  HEADER_DATA_LENGTH_OFFSET,
  HEADER_DATA_OFFSET_OFFSET,
} from "../../layout/segment-header.ts";
import { mpscUnread } from "../../ring/algorithm/mpsc/cells.ts";
import { widened } from "../../ring/algorithm/spsc/counts.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, headed, headerDamage } from "./header.ts";
import { type Inspector, type LockPlace, lockRow } from "./kind.ts";

const words = { layout: RING, offset: 0 };
const broadcast = { layout: BROADCAST, offset: TAIL_INTENT_OFFSET };
const release = { layout: MPSC_RELEASE, offset: KIND_WORDS_OFFSET };

/** Bytes of the largest ring that is copied in order to count its unread records. */
const MAX_COPY_LENGTH = 2 ** 26;

/** @returns What rings of all kinds count. */
function common(ring: ObjectWords): Activity {
  return {
    in: ring.f64(PRODUCER_RECORDS_OFFSET),
    bytesIn: ring.f64(PRODUCER_BYTES_OFFSET),
    capacity: ring.u32(HEADER_DATA_LENGTH_OFFSET),
    unit: "bytes",
    waits: ring.f64(PRODUCER_WAITS_OFFSET) + ring.f64(CONSUMER_WAITS_OFFSET),
    empty: ring.f64(CONSUMER_EMPTY_OFFSET),
  };
}

/** @returns What the only consumer counts. It counts at other instants than the producers do. */
function consumed(ring: ObjectWords, unread: number): Activity {
  const depth = Math.min(Math.max(0, unread), ring.u32(HEADER_DATA_LENGTH_OFFSET));
  return {
    out: ring.f64(CONSUMER_RECORDS_OFFSET),
    bytesOut: ring.f64(CONSUMER_BYTES_OFFSET),
    depth,
    highWater: Math.max(ring.u32(PRODUCER_HIGH_WATER_OFFSET), depth),
    full: ring.f64(PRODUCER_FULL_OFFSET),
  };
}

function spscActivity(ring: ObjectWords): Activity {
  const records = ring.f64(PRODUCER_RECORDS_OFFSET);
  const bytes = ring.f64(PRODUCER_BYTES_OFFSET);
  const bytesIn = widened(bytes, ring.u32(PRODUCER_POSITION_OFFSET));
  return {
    ...common(ring),
    ...consumed(ring, bytesIn - ring.f64(CONSUMER_BYTES_OFFSET)),
    in: widened(records, ring.u32(PRODUCER_RECORDS_LOW_OFFSET)),
    bytesIn,
  };
}

/** Many producers share no counter: unread records are counted in a copy of the ring. */
function mpscActivity(ring: ObjectWords): Activity {
  const [dataOffset, capacity] = [
    ring.u32(HEADER_DATA_OFFSET_OFFSET),
    ring.u32(HEADER_DATA_LENGTH_OFFSET),
  ];
  let unread = { records: 0, bytes: 0 };
  if (damage(ring) === undefined && ring.size <= MAX_COPY_LENGTH) {
    const buffer = new ArrayBuffer(ring.size);
    new Uint8Array(buffer).set(ring.bytes(0, ring.size));
    const what = "the copy of the ring";
    unread = mpscUnread({ buffer, byteOffset: 0, dataOffset, capacity, what });
  }
  return {
    ...common(ring),
    ...consumed(ring, unread.bytes),
    in: ring.f64(CONSUMER_RECORDS_OFFSET) + unread.records,
    bytesIn: ring.f64(CONSUMER_BYTES_OFFSET) + unread.bytes,
    repaired: ring.f64(CONSUMER_RECOVERED_OFFSET),
  };
}

/** Each consumer of a broadcast ring has its own position, so there is no depth. */
function overwriteActivity(ring: ObjectWords): Activity {
  return { ...common(ring), lost: ring.f64(CONSUMER_LOST_OFFSET) };
}

function blockActivity(ring: ObjectWords): Activity {
  return { ...common(ring), full: ring.f64(PRODUCER_FULL_OFFSET) };
}

function damage(ring: ObjectWords): string | undefined {
  const capacity = ring.u32(HEADER_DATA_LENGTH_OFFSET);
  const problem = capacityProblem(capacity);
  return problem === undefined ? headerDamage(ring) : `its capacity is ${capacity}: ${problem}`;
}

const PRODUCER: LockPlace = { role: "producer", offset: PRODUCER_ROLE_OFFSET, isRole: true };
const CONSUMER: LockPlace = { role: "consumer", offset: CONSUMER_ROLE_OFFSET, isRole: true };
const producers = lockRow(
  "producer",
  PRODUCER_SLOTS_OFFSET,
  PRODUCER_SLOT_COUNT,
  LOCK_LENGTH,
  true,
);
const consumers = lockRow(
  "consumer",
  CONSUMER_SLOTS_OFFSET + CONSUMER_SLOT_LOCK_OFFSET,
  CONSUMER_SLOT_COUNT,
  CONSUMER_SLOT_LENGTH,
  true,
);

export const RING_INSPECTOR: Inspector = headed("ring", {
  parts: () => [HEADER, words],
  activity: spscActivity,
  locks: () => [PRODUCER, CONSUMER],
  damage,
});

export const MPSC_INSPECTOR: Inspector = headed("mpsc-ring", {
  parts: () => [HEADER, words, release],
  activity: mpscActivity,
  locks: () => [CONSUMER, ...producers],
  damage,
});

export const BROADCAST_INSPECTOR: Inspector = headed("broadcast", {
  parts: () => [HEADER, words, broadcast],
  activity: overwriteActivity,
  locks: () => [PRODUCER],
  damage,
});

/** Blocking consumers hold the producer back, so they have slots. */
export const BROADCAST_BLOCK_INSPECTOR: Inspector = {
  ...BROADCAST_INSPECTOR,
  kind: "broadcast-block",
  activity: blockActivity,
  locks: () => [PRODUCER, ...consumers],
};
