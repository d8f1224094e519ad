/** The locks and meeting points, which have a mark and no header. */
import { BARRIER } from "../../layout/barrier-layout.ts";
import { CONDITION } from "../../layout/condition-layout.ts";
import type { Layout } from "../../layout/description.ts";
import { EVENT } from "../../layout/event-layout.ts";
import { LEASE } from "../../layout/lease-layout.ts";
import { LEASE_HOLDER_BYTE } from "../../layout/lock-bytes.ts";
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
import { RW_LOCK } from "../../layout/rw-lock-layout.ts";
import type { ObjectWords } from "../object-words.ts";
import type { InspectedKind, Inspector } from "./kind.ts";

interface Marked {
  readonly mark: Mark;
  readonly inspector: Inspector;
}

function marked(
  kind: InspectedKind,
  layout: Layout,
  mark: Mark,
  roles: Inspector["roles"] = [],
): Marked {
  const parts = [{ layout, offset: 0 }];
  const damage = ({ size }: ObjectWords): string | undefined =>
    size >= layout.length
      ? undefined
      : `it takes ${layout.length} bytes, and the object has ${size}`;
  return { mark, inspector: { kind, parts: () => parts, activity: () => ({}), roles, damage } };
}

// A readers-writer lock and a barrier begin with a mutex, so they come before it.
const LOCKS: readonly Marked[] = [
  marked("rw-lock", RW_LOCK, RW_LOCK_MARK),
  marked("barrier", BARRIER, BARRIER_MARK),
  marked("mutex", MUTEX, MUTEX_MARK),
  marked("condition", CONDITION, CONDITION_MARK),
  marked("event", EVENT, EVENT_MARK),
  marked("lease", LEASE, LEASE_MARK, [[LEASE_HOLDER_BYTE, "holder"]]),
];

/** @returns The inspector of the lock that starts an object; undefined when none does. */
export function findLock(words: ObjectWords): Inspector | undefined {
  return LOCKS.find(({ mark }) => words.u32(mark.offset) === mark.magic)?.inspector;
}
