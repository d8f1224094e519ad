/** Every structure of the binary contract, in the order of docs/LAYOUT.md and the C header. */
import type { Layout } from "../../src/layout/description.ts";
import * as atomics from "../../src/layout/atomics-layout.ts";
import * as barrier from "../../src/layout/barrier-layout.ts";
import * as broadcast from "../../src/layout/broadcast-layout.ts";
import * as condition from "../../src/layout/condition-layout.ts";
import * as event from "../../src/layout/event-layout.ts";
import * as lease from "../../src/layout/lease-layout.ts";
import { LOCK_BYTES, type LockByte, PARTICIPANT_CONSTANTS } from "../../src/layout/lock-bytes.ts";
import * as limiter from "../../src/layout/limiter-layout.ts";
import * as lock from "../../src/layout/lock-layout.ts";
import * as map from "../../src/layout/map-layout.ts";
import * as meters from "../../src/layout/meters-layout.ts";
import * as namedLocks from "../../src/layout/named-locks-layout.ts";
import * as messageQueue from "../../src/layout/message-queue-layout.ts";
import * as mpsc from "../../src/layout/mpsc-layout.ts";
import * as mutex from "../../src/layout/mutex-layout.ts";
import * as record from "../../src/layout/record-descriptor.ts";
import * as sharedRecord from "../../src/layout/shared-record-layout.ts";
import * as table from "../../src/layout/table-layout.ts";
import * as ring from "../../src/layout/ring-layout.ts";
import * as rwLock from "../../src/layout/rw-lock-layout.ts";
import * as making from "../../src/layout/making.ts";
import * as header from "../../src/layout/segment-header.ts";
import * as waitPoint from "../../src/layout/wait-point-layout.ts";
import { TEXTS } from "./texts.ts";

/** One chapter of the documentation: structures that are explained together. */
export interface Chapter {
  readonly title: string;
  /** Paragraphs of Markdown. */
  readonly text: string;
  readonly layouts: readonly Layout[];
  /** The constants by their names in TypeScript; in C they begin with BUN_SHM_. */
  readonly constants: Readonly<Record<string, number>>;
  readonly lockBytes: readonly LockByte[];
}

const chapter = (
  title: string,
  text: string,
  layouts: readonly Layout[],
  constants: Readonly<Record<string, number>> = {},
): Chapter => ({ title, text, layouts, constants, lockBytes: [] });

/** @returns All named numbers of a chapter. */
export function constantsOf({ constants, lockBytes }: Chapter): [string, number][] {
  return [
    ...Object.entries(constants),
    ...lockBytes.map(({ name, byte }): [string, number] => [name, byte]),
  ];
}

/** @returns Some of a module's constants, by name. */
function pick<Name extends string>(
  module: Readonly<Record<Name, unknown>>,
  ...names: readonly Name[]
): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, Number(module[name])]));
}

/** The kinds as constants: `spsc: 1` becomes KIND_SPSC. */
const kinds: Record<string, number> = Object.fromEntries(
  Object.entries(header.SEGMENT_KINDS).map(([name, kind]) => [
    `KIND_${name.replaceAll(/[A-Z]/g, "_$&").toUpperCase()}`,
    kind,
  ]),
);

/** A new structure is one line here, and a text in texts.ts. */
export const CHAPTERS: readonly Chapter[] = [
  {
    title: "Lock bytes",
    text: TEXTS.lockBytes,
    layouts: [],
    constants: {},
    lockBytes: LOCK_BYTES,
  },
  chapter("Segment header", TEXTS.header, [header.SEGMENT_HEADER], {
    ...pick(header, "SEGMENT_MAGIC", "SEGMENT_VERSION", "STATE_OPEN", "STATE_RETIRED"),
    ...pick(making, "MAKING"),
    ...kinds,
  }),
  chapter(
    "Wait point",
    TEXTS.waitPoint,
    [waitPoint.WAIT_POINT],
    pick(waitPoint, "BLOCKED", "BELL", "FENCE", "WAKE_INCREMENT", "BELL_COUNT"),
  ),
  chapter("The lock", TEXTS.lock, [lock.LOCK], {
    LOCK_AWAITED: lock.AWAITED,
    LOCK_GRANTED: lock.GRANTED,
    LOCK_NUMBER_SHIFT: lock.NUMBER_SHIFT,
    LOCK_LOST_NUMBER: lock.LOST_NUMBER,
    ...PARTICIPANT_CONSTANTS,
  }),
  chapter(
    "Record",
    TEXTS.record,
    [record.RECORD_HEADER],
    pick(record, "RECORD_HEADER_LENGTH", "RECORD_ALIGNMENT", "PADDING_TYPE", "MAX_TYPE"),
  ),
  chapter(
    "Ring",
    TEXTS.ring,
    [ring.RING],
    pick(ring, "RING_DATA_OFFSET", "MIN_CAPACITY", "MAX_CAPACITY", "SPSC_LAYOUT_HASH"),
  ),
  chapter(
    "Ring with many producers",
    TEXTS.mpsc,
    [mpsc.MPSC_RELEASE, mpsc.MPSC_SLOTS, mpsc.MPSC_CELL],
    pick(mpsc, "UNIT_LENGTH", "UNITS_MASK", "CLAIMED", "COMMITTED", "PADDING", "MPSC_LAYOUT_HASH"),
  ),
  chapter(
    "Broadcast ring",
    TEXTS.broadcast,
    [broadcast.BROADCAST, broadcast.BROADCAST_SLOT, broadcast.BROADCAST_RECORD_HEADER],
    pick(
      broadcast,
      "TAIL_INTENT_OFFSET",
      "JOINED_OFFSET",
      "CONSUMER_SLOT_COUNT",
      "CONSUMER_SLOTS_OFFSET",
      "BROADCAST_HEADER_LENGTH",
      "BROADCAST_ALIGNMENT",
      "BROADCAST_MIN_CAPACITY",
      "BROADCAST_LAYOUT_HASH",
    ),
  ),
  chapter(
    "Message queue",
    TEXTS.messageQueue,
    [
      messageQueue.MESSAGE_QUEUE_HEADER,
      messageQueue.MESSAGE_QUEUE,
      messageQueue.MESSAGE_QUEUE_BOOK,
      messageQueue.MESSAGE_QUEUE_PARTICIPANT,
    ],
    {
      QUEUE_SLOTS: messageQueue.DEFAULT_SLOTS,
      QUEUE_SLOT_SIZE: messageQueue.DEFAULT_SLOT_SIZE,
      ...pick(
        messageQueue,
        "QUEUE_MAGIC",
        "QUEUE_VERSION",
        "QUEUE_HEADER_LENGTH",
        "QUEUE_BOOK_LENGTH",
        "QUEUE_BOOK_MAGIC",
        "QUEUE_BOOK_VERSION",
        "QUEUE_MODE_NAMED",
        "QUEUE_MODE_IN_SEGMENT",
        "QUEUE_MODE_POLLING",
        "QUEUE_CREATOR_BUN",
        "QUEUE_CREATOR_FOREIGN",
        "QUEUE_JOURNAL_NONE",
        "QUEUE_JOURNAL_ENQUEUE",
        "QUEUE_JOURNAL_DEQUEUE",
        "QUEUE_JOURNAL_SLOT_SHIFT",
        "QUEUE_PARTICIPANTS",
        "QUEUE_PARTICIPANT_LENGTH",
        "QUEUE_TOKENS_MASK",
        "QUEUE_MAY_HAVE_TOKEN",
        "QUEUE_NONE_INCREMENT",
      ),
    },
  ),
  chapter("Shared record", TEXTS.sharedRecord, [
    sharedRecord.SHARED_RECORD,
    sharedRecord.SHARED_RECORD_SLOT,
  ]),
  chapter("Shared table", TEXTS.table, [
    table.TABLE,
    table.TABLE_STRIPE,
    table.TABLE_ROW,
    table.TABLE_NAME,
  ]),
  chapter(
    "Shared map",
    TEXTS.map,
    [map.MAP_HEAD, map.MAP_STRIPE, map.MAP_BUCKET, map.MAP_ENTRY],
    pick(map, "VALUE_ENTRY", "LOAD_ENTRY", "ERROR_ENTRY", "LIST_ENTRY"),
  ),
  chapter(
    "Rate limiter",
    TEXTS.limiter,
    [limiter.LIMITER_STRIPE, limiter.LIMITER_ENTRY, limiter.LIMITER_COUNTS],
    {
      LIMITER_GCRA: limiter.LIMITER_ALGORITHMS.gcra,
      LIMITER_TOKEN_BUCKET: limiter.LIMITER_ALGORITHMS["token-bucket"],
      LIMITER_SLIDING_WINDOW: limiter.LIMITER_ALGORITHMS["sliding-window"],
      LIMITER_FIXED_WINDOW: limiter.LIMITER_ALGORITHMS["fixed-window"],
    },
  ),
  chapter(
    "Named locks",
    TEXTS.namedLocks,
    [namedLocks.NAMED_LOCKS, namedLocks.NAMED_LOCK_REQUEST, namedLocks.NAMED_LOCK_NAME],
    pick(namedLocks, "REQUEST_WAITING", "REQUEST_HELD", "REQUEST_STOLEN", "REQUEST_SHARED"),
  ),
  chapter("Shared atomics", TEXTS.atomics, [atomics.ATOMIC_NAME, atomics.ATOMIC_CELL]),
  chapter(
    "Meters",
    TEXTS.meters,
    [meters.METERS_HEAD, meters.METER_FAMILY, meters.METER_SERIES, meters.METERS_PAGE],
    {
      METERS_HEAD_LENGTH: meters.METERS_HEAD_LENGTH,
      METERS_PAGE_CELLS: meters.PAGE_CELLS,
      METERS_PAGE_LENGTH: meters.PAGE_LENGTH,
    },
  ),
  chapter(
    "Mutex and readers-writer lock",
    TEXTS.locks,
    [mutex.MUTEX, rwLock.RW_LOCK, rwLock.RW_LOCK_PLACE],
    { ...pick(mutex, "MUTEX_MAGIC"), ...pick(rwLock, "RW_LOCK_MAGIC") },
  ),
  chapter(
    "Condition, event, barrier, lease",
    TEXTS.meetings,
    [condition.CONDITION, event.EVENT, barrier.BARRIER, barrier.BARRIER_SEAT, lease.LEASE],
    {
      ...pick(condition, "CONDITION_MAGIC"),
      ...pick(event, "EVENT_MAGIC"),
      ...pick(barrier, "BARRIER_MAGIC"),
      ...pick(lease, "LEASE_MAGIC"),
    },
  ),
];
