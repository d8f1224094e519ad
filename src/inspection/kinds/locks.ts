/** The locks and meeting points, which have a mark and no header. */
import {
  BARRIER,
  BARRIER_FIRST_SEAT_OFFSET,
  BARRIER_MAX_PARTIES,
  BARRIER_PARTIES_OFFSET,
  BARRIER_SEAT_LENGTH,
} from "../../layout/barrier-layout.ts";
import { CONDITION } from "../../layout/condition-layout.ts";
import type { Layout } from "../../layout/description.ts";
import { EVENT } from "../../layout/event-layout.ts";
import { LEASE, LEASE_LOCK_OFFSET, LEASE_SINCE_OFFSET } from "../../layout/lease-layout.ts";
import {
  BARRIER_MARK,
  CONDITION_MARK,
  EVENT_MARK,
  LEASE_MARK,
  MUTEX_MARK,
  type Mark,
  RW_LOCK_MARK,
} from "../../layout/lock-marks.ts";
import { MUTEX } from "../../layout/mutex-layout.ts";
import {
  RW_LOCK,
  RW_LOCK_FIRST_PLACE_OFFSET,
  RW_LOCK_MAX_PLACES,
  RW_LOCK_PLACES_OFFSET,
  RW_LOCK_PLACE_LENGTH,
} from "../../layout/rw-lock-layout.ts";
import type { ObjectWords } from "../object-words.ts";
import { type InspectedKind, type Inspector, lockRow } from "./kind.ts";

interface Marked {
  readonly mark: Mark;
  readonly inspector: Inspector;
}

function marked(
  kind: InspectedKind,
  layout: Layout,
  mark: Mark,
  more: Partial<Inspector> = {},
): Marked {
  const parts = [{ layout, offset: 0 }];
  const damage = ({ size }: ObjectWords): string | undefined =>
    size >= layout.length
      ? undefined
      : `it takes ${layout.length} bytes, and the object has ${size}`;
  const common = { kind, parts: () => parts, activity: () => ({}), damage };
  return { mark, inspector: { ...common, ...more } };
}

// A readers-writer lock and a barrier begin with a mutex, so they come before it.
const LOCKS: readonly Marked[] = [
  marked("rw-lock", RW_LOCK, RW_LOCK_MARK, {
    locks(words) {
      const places = Math.min(words.u32(RW_LOCK_PLACES_OFFSET), RW_LOCK_MAX_PLACES);
      return [
        { role: "writer", offset: 0 },
        ...lockRow("reader", RW_LOCK_FIRST_PLACE_OFFSET, places, RW_LOCK_PLACE_LENGTH),
      ];
    },
  }),
  marked("barrier", BARRIER, BARRIER_MARK, {
    locks(words) {
      const parties = Math.min(words.u32(BARRIER_PARTIES_OFFSET), BARRIER_MAX_PARTIES);
      return [
        { role: "lock", offset: 0 },
        ...lockRow("seat", BARRIER_FIRST_SEAT_OFFSET, parties, BARRIER_SEAT_LENGTH),
      ];
    },
  }),
  marked("mutex", MUTEX, MUTEX_MARK, {
    locks: () => [{ role: "lock", offset: 0 }],
  }),
  marked("condition", CONDITION, CONDITION_MARK),
  marked("event", EVENT, EVENT_MARK),
  marked("lease", LEASE, LEASE_MARK, {
    locks: () => [{ role: "holder", offset: LEASE_LOCK_OFFSET, isRole: true }],
    since: (words) => words.f64(LEASE_SINCE_OFFSET),
  }),
];

/** @returns The inspector of the lock that starts an object; undefined when none does. */
export function findLock(words: ObjectWords): Inspector | undefined {
  return LOCKS.find(({ mark }) => words.u32(mark.offset) === mark.magic)?.inspector;
}
