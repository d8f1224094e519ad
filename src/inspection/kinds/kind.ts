/** The kinds of objects, and how one kind of structure is inspected. */
import type { Layout } from "../../layout/description.ts";
import type { Metric } from "../../meters/metric.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";

/** What an object is: "raw" when no known structure starts it. */
export type ObjectKind =
  | "raw"
  | "ring"
  | "mpsc-ring"
  | "broadcast"
  | "broadcast-block"
  | "queue"
  | "record"
  | "map"
  | "limiter"
  | "table"
  | "atomics"
  | "meters"
  | "portable"
  | "mutex"
  | "rw-lock"
  | "condition"
  | "event"
  | "barrier"
  | "lease"
  | "named-locks"
  | "unknown"
  | "semaphore"
  | "sysv-locks"
  | "unreadable"
  | "gone";

/** The kinds of objects that begin with a structure of this package. */
export type InspectedKind = Exclude<
  ObjectKind,
  "raw" | "semaphore" | "sysv-locks" | "unreadable" | "gone"
>;

/** What a sentence calls each kind. */
export const KIND_TEXTS: Readonly<Record<ObjectKind, string>> = {
  raw: "raw memory",
  ring: "a ring",
  "mpsc-ring": "a ring of many producers",
  broadcast: "a broadcast ring",
  "broadcast-block": "a broadcast ring that blocks",
  queue: "a message queue",
  record: "a record",
  map: "a map",
  limiter: "a rate limiter",
  table: "a table",
  atomics: "a set of atomics",
  meters: "meters",
  portable: "a portable segment",
  mutex: "a mutex",
  "rw-lock": "a readers-writer lock",
  condition: "a condition",
  event: "an event",
  barrier: "a barrier",
  lease: "a lease",
  "named-locks": "named locks",
  unknown: "a structure of a newer version",
  semaphore: "a semaphore",
  "sysv-locks": "the locks of a System V segment",
  unreadable: "an object that this user may not read",
  gone: "an object that is gone",
};

/** A layout, and where it lies in the object. */
export interface Part {
  readonly layout: Layout;
  /** Bytes from the object's start. */
  readonly offset: number;
}

/** A lock in an object. */
export interface LockPlace {
  /** What holding it means: "lock", "writer", "reader 3" … */
  readonly role: string;
  /** Bytes from the structure's start. */
  readonly offset: number;
  /** Whether it is held for as long as somebody takes part. */
  readonly isRole?: boolean;
}

/** What inspectors tell of a named value in an object. */
export interface NamedValue {
  readonly name: string;
  readonly kind: "word" | "counter" | "gauge" | "histogram";
  /** Of a histogram, how many values it has observed. */
  readonly value: number;
  /** Of a histogram: the mean, percentiles, and the largest value. */
  readonly details?: Readonly<Record<string, number>>;
}

/** Reads objects of one kind of structure. It changes nothing in them, and trusts no number. */
export interface Inspector {
  readonly kind: InspectedKind;
  /** @returns The layouts in an object. */
  parts(words: ObjectWords): readonly Part[];
  /** @returns What an object has counted. */
  activity(words: ObjectWords): Activity;
  /** The lock bytes by which live processes hold roles, and each role's name. */
  readonly roleBytes?: readonly (readonly [byte: number, role: string])[];
  /** @returns The locks in an object, those of roles too. */
  locks?(words: ObjectWords): readonly LockPlace[];
  /** @returns When the holder took it, in ms since 1970. */
  since?(words: ObjectWords): number;
  /** @returns The named values in an object. */
  values?(words: ObjectWords): readonly NamedValue[];
  /** @returns The metrics in an object. */
  metrics?(words: ObjectWords): readonly Metric[];
  /** @returns What cannot be right in an object; undefined when all is. */
  damage(words: ObjectWords): string | undefined;
}

/** @returns A row of locks, each with its number. */
export function lockRow(
  role: string,
  first: number,
  count: number,
  stride: number,
  isRole = false,
): readonly LockPlace[] {
  return Array.from({ length: count }, (_, at) => ({
    role: `${role} ${at}`,
    offset: first + at * stride,
    isRole,
  }));
}
