/** The locks and meeting points, which have a magic word of their own and no header. */
import { BARRIER, BARRIER_MAGIC, BARRIER_MAGIC_OFFSET } from "../../layout/barrier-layout.ts";
import {
  CONDITION,
  CONDITION_MAGIC,
  CONDITION_MAGIC_OFFSET,
} from "../../layout/condition-layout.ts";
import type { Layout } from "../../layout/description.ts";
import { EVENT, EVENT_MAGIC, EVENT_MAGIC_OFFSET } from "../../layout/event-layout.ts";
import { LEASE, LEASE_MAGIC, LEASE_MAGIC_OFFSET } from "../../layout/lease-layout.ts";
import { LEASE_HOLDER_BYTE } from "../../layout/lock-bytes.ts";
import { MUTEX, MUTEX_MAGIC, MUTEX_MAGIC_OFFSET } from "../../layout/mutex-layout.ts";
import { RW_LOCK, RW_LOCK_MAGIC, RW_LOCK_MAGIC_OFFSET } from "../../layout/rw-lock-layout.ts";
import type { ObjectWords } from "../object-words.ts";
import type { Inspector, InspectedKind } from "./kind.ts";

interface Marked {
  readonly magic: number;
  /** Of the magic word, in bytes. */
  readonly offset: number;
  readonly structure: Inspector;
}

function marked(
  kind: InspectedKind,
  layout: Layout,
  magic: number,
  offset: number,
  roles: Inspector["roles"] = [],
): Marked {
  const parts = [{ layout, offset: 0 }];
  const damage = ({ size }: ObjectWords): string | undefined =>
    size >= layout.length
      ? undefined
      : `it takes ${layout.length} bytes, and the object has ${size}`;
  return {
    magic,
    offset,
    structure: { kind, parts: () => parts, activity: () => ({}), roles, damage },
  };
}

// A readers-writer lock and a barrier start with a mutex: they come before it.
const LOCKS: readonly Marked[] = [
  marked("rw-lock", RW_LOCK, RW_LOCK_MAGIC, RW_LOCK_MAGIC_OFFSET),
  marked("barrier", BARRIER, BARRIER_MAGIC, BARRIER_MAGIC_OFFSET),
  marked("mutex", MUTEX, MUTEX_MAGIC, MUTEX_MAGIC_OFFSET),
  marked("condition", CONDITION, CONDITION_MAGIC, CONDITION_MAGIC_OFFSET),
  marked("event", EVENT, EVENT_MAGIC, EVENT_MAGIC_OFFSET),
  marked("lease", LEASE, LEASE_MAGIC, LEASE_MAGIC_OFFSET, [[LEASE_HOLDER_BYTE, "holder"]]),
];

/** The lock that starts an object, or undefined. */
export function findLock(words: ObjectWords): Inspector | undefined {
  return LOCKS.find(({ magic, offset }) => words.u32(offset) === magic)?.structure;
}
