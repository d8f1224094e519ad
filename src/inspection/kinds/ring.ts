/** The rings: one producer or many, one consumer or many. */
import { BROADCAST, CONSUMER_SLOTS, TAIL_INTENT } from "../../layout/broadcast-layout.ts";
import {
  RING_CONSUMER_BYTE,
  RING_FIRST_SLOT_BYTE,
  RING_PRODUCER_BYTE,
} from "../../layout/lock-bytes.ts";
import { MPSC_RELEASE, PRODUCER_SLOTS } from "../../layout/mpsc-layout.ts";
import {
  CONSUMER_BYTES,
  CONSUMER_EMPTY,
  CONSUMER_LOST,
  CONSUMER_RECORDS,
  CONSUMER_RECOVERED,
  CONSUMER_WAITS,
  KIND_WORDS,
  PRODUCER_BYTES,
  PRODUCER_FULL,
  PRODUCER_HIGH_WATER,
  PRODUCER_RECORDS,
  PRODUCER_WAITS,
  RING,
  capacityProblem,
} from "../../layout/ring-layout.ts";
import { HEADER_DATA_LENGTH, HEADER_DATA_OFFSET } from "../../layout/segment-header.ts";
import { mpscUnread } from "../../ring/algorithm/mpsc/cells.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, headed, headerDamage } from "./header.ts";
import { type Structure, numbered } from "./kind.ts";

const words = { layout: RING, offset: 0 };
const broadcast = { layout: BROADCAST, offset: TAIL_INTENT };
const release = { layout: MPSC_RELEASE, offset: KIND_WORDS };

/** A ring up to this size is copied to be looked at as a whole, in bytes. */
const COPY_MAX = 2 ** 26;

/** What every ring counts. */
function common(ring: ObjectWords): Activity {
  return {
    in: ring.f64(PRODUCER_RECORDS),
    bytesIn: ring.f64(PRODUCER_BYTES),
    capacity: ring.u32(HEADER_DATA_LENGTH),
    unit: "bytes",
    waits: ring.f64(PRODUCER_WAITS) + ring.f64(CONSUMER_WAITS),
    empty: ring.f64(CONSUMER_EMPTY),
  };
}

/** What its only consumer has left of what came in; it counts at other instants. */
function consumed(ring: ObjectWords, unread: number): Activity {
  const depth = Math.min(Math.max(0, unread), ring.u32(HEADER_DATA_LENGTH));
  return {
    out: ring.f64(CONSUMER_RECORDS),
    bytesOut: ring.f64(CONSUMER_BYTES),
    depth,
    highWater: Math.max(ring.u32(PRODUCER_HIGH_WATER), depth),
    full: ring.f64(PRODUCER_FULL),
  };
}

function spscActivity(ring: ObjectWords): Activity {
  const unread = ring.f64(PRODUCER_BYTES) - ring.f64(CONSUMER_BYTES);
  return { ...common(ring), ...consumed(ring, unread) };
}

/** Many producers share no counter: what is unread is counted in a copy of the ring. */
function mpscActivity(ring: ObjectWords): Activity {
  const [dataOffset, capacity] = [ring.u32(HEADER_DATA_OFFSET), ring.u32(HEADER_DATA_LENGTH)];
  let unread = { records: 0, bytes: 0 };
  if (damage(ring) === undefined && ring.size <= COPY_MAX) {
    const buffer = new ArrayBuffer(ring.size);
    new Uint8Array(buffer).set(ring.bytes(0, ring.size));
    const what = "the copy of the ring";
    unread = mpscUnread({ buffer, byteOffset: 0, dataOffset, capacity, what });
  }
  return {
    ...common(ring),
    ...consumed(ring, unread.bytes),
    in: ring.f64(CONSUMER_RECORDS) + unread.records,
    bytesIn: ring.f64(CONSUMER_BYTES) + unread.bytes,
    repaired: ring.f64(CONSUMER_RECOVERED),
  };
}

/** Each consumer of a broadcast ring is elsewhere: there is no one depth. */
function overwriteActivity(ring: ObjectWords): Activity {
  return { ...common(ring), lost: ring.f64(CONSUMER_LOST) };
}

function blockActivity(ring: ObjectWords): Activity {
  return { ...common(ring), full: ring.f64(PRODUCER_FULL) };
}

function damage(ring: ObjectWords): string | undefined {
  const capacity = ring.u32(HEADER_DATA_LENGTH);
  const problem = capacityProblem(capacity);
  return problem === undefined ? headerDamage(ring) : `its capacity is ${capacity}: ${problem}`;
}

const PRODUCER = [RING_PRODUCER_BYTE, "producer"] as const;
const CONSUMER = [RING_CONSUMER_BYTE, "consumer"] as const;

export const RING_STRUCTURE: Structure = headed("ring", {
  parts: () => [HEADER, words],
  activity: spscActivity,
  roles: [PRODUCER, CONSUMER],
  damage,
});

export const MPSC_STRUCTURE: Structure = headed("mpsc-ring", {
  parts: () => [HEADER, words, release],
  activity: mpscActivity,
  roles: [CONSUMER, ...numbered(RING_FIRST_SLOT_BYTE, PRODUCER_SLOTS, "producer")],
  damage,
});

export const BROADCAST_STRUCTURE: Structure = headed("broadcast", {
  parts: () => [HEADER, words, broadcast],
  activity: overwriteActivity,
  roles: [PRODUCER],
  damage,
});

/** Its consumers have slots, since they hold the producer back. */
export const BROADCAST_BLOCK_STRUCTURE: Structure = {
  ...BROADCAST_STRUCTURE,
  kind: "broadcast-block",
  activity: blockActivity,
  roles: [PRODUCER, ...numbered(RING_FIRST_SLOT_BYTE, CONSUMER_SLOTS, "consumer")],
};
