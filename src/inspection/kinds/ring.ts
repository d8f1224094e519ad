/** The rings: one producer or many. */
import { BROADCAST, TAIL_INTENT } from "../../layout/broadcast-layout.ts";
import { MPSC_RELEASE } from "../../layout/mpsc-layout.ts";
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
import {
  HEADER_DATA_LENGTH,
  HEADER_DATA_OFFSET,
  SEGMENT_HEADER,
} from "../../layout/segment-header.ts";
import { mpscUnread } from "../../ring/algorithm/mpsc/cells.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import type { Structure } from "./kind.ts";

const header = { layout: SEGMENT_HEADER, offset: 0 };
const words = { layout: RING, offset: 0 };
const broadcast = { layout: BROADCAST, offset: TAIL_INTENT };
const release = { layout: MPSC_RELEASE, offset: KIND_WORDS };

/** A ring up to this size is copied to be looked at as a whole, in bytes. */
const COPY_MAX = 2 ** 26;

function activity(ring: ObjectWords): Activity {
  const capacity = ring.u32(HEADER_DATA_LENGTH);
  const [bytesIn, bytesOut] = [ring.f64(PRODUCER_BYTES), ring.f64(CONSUMER_BYTES)];
  return {
    in: ring.f64(PRODUCER_RECORDS),
    out: ring.f64(CONSUMER_RECORDS),
    bytesIn,
    bytesOut,
    // The two were read at different instants.
    depth: Math.min(Math.max(0, bytesIn - bytesOut), capacity),
    capacity,
    unit: "bytes",
    highWater: ring.u32(PRODUCER_HIGH_WATER),
    waits: ring.f64(PRODUCER_WAITS) + ring.f64(CONSUMER_WAITS),
    full: ring.f64(PRODUCER_FULL),
    empty: ring.f64(CONSUMER_EMPTY),
    lost: ring.f64(CONSUMER_LOST),
    recovered: ring.f64(CONSUMER_RECOVERED),
  };
}

/** Each consumer of a broadcast ring is elsewhere: there is no one depth. */
function broadcastActivity(ring: ObjectWords): Activity {
  const { depth: _depth, highWater: _highWater, ...rest } = activity(ring);
  return rest;
}

/** Many producers share no counter: what is unread is counted in a copy of the ring. */
function mpscActivity(ring: ObjectWords): Activity {
  const base = activity(ring);
  const [dataOffset, capacity] = [ring.u32(HEADER_DATA_OFFSET), ring.u32(HEADER_DATA_LENGTH)];
  let unread = { records: 0, bytes: 0 };
  if (damage(ring) === undefined && ring.size <= COPY_MAX) {
    const buffer = new ArrayBuffer(ring.size);
    new Uint8Array(buffer).set(ring.bytes(0, ring.size));
    const what = "the copy of the ring";
    unread = mpscUnread({ buffer, byteOffset: 0, dataOffset, capacity, what });
  }
  const { out = 0, bytesOut = 0 } = base;
  const depth = Math.min(unread.bytes, capacity);
  return {
    ...base,
    in: out + unread.records,
    bytesIn: bytesOut + unread.bytes,
    depth,
    highWater: Math.max(base.highWater ?? 0, depth),
  };
}

function damage(ring: ObjectWords): string | undefined {
  const [offset, capacity] = [ring.u32(HEADER_DATA_OFFSET), ring.u32(HEADER_DATA_LENGTH)];
  const problem = capacityProblem(capacity);
  if (problem !== undefined) return `its capacity is ${capacity}: ${problem}`;
  if (offset + capacity <= ring.size) return undefined;
  return `its data ends at ${offset + capacity}, and the object at ${ring.size}`;
}

/** The lock bytes are those of `ring-kinds.ts`. */
function roles(held: readonly number[]): string[] {
  return held.map((byte) => {
    if (byte === 0) return "producer";
    if (byte === 1) return "consumer";
    return byte >= 64 && byte < 127 ? `producer ${byte - 64}` : `lock ${byte}`;
  });
}

/** Of a broadcast ring: consumers have slots where they hold the producer back. */
function broadcastRoles(held: readonly number[]): string[] {
  return roles(held).map((role, at) => {
    return role.startsWith("producer ") ? `consumer ${held[at]! - 64}` : role;
  });
}

export const RING_STRUCTURE: Structure = {
  kind: "ring",
  parts: () => [header, words],
  activity,
  damage,
  roles,
};

export const MPSC_STRUCTURE: Structure = {
  kind: "mpsc-ring",
  parts: () => [header, words, release],
  activity: mpscActivity,
  damage,
  roles,
};

export const BROADCAST_STRUCTURE: Structure = {
  kind: "broadcast",
  parts: () => [header, words, broadcast],
  activity: broadcastActivity,
  damage,
  roles: broadcastRoles,
};

export const BROADCAST_BLOCK_STRUCTURE: Structure = {
  ...BROADCAST_STRUCTURE,
  kind: "broadcast-block",
};
