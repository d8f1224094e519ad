/** What is known of one kind of structure. */
import type { Layout } from "../../layout/description.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";

/** What an object is: "raw" where no known structure starts it. */
export type ObjectKind =
  | "raw"
  | "ring"
  | "mpsc-ring"
  | "broadcast"
  | "broadcast-block"
  | "queue"
  | "record"
  | "map"
  | "atomics"
  | "portable"
  | "mutex"
  | "rw-lock"
  | "condition"
  | "event"
  | "barrier"
  | "lease"
  | "unknown"
  | "semaphore"
  | "sysv-locks"
  | "unreadable"
  | "gone";

/** What starts with a known structure. */
export type InspectedKind = Exclude<
  ObjectKind,
  "raw" | "semaphore" | "sysv-locks" | "unreadable" | "gone"
>;

/** Each kind as a sentence calls it. */
export const KIND_TEXTS: Readonly<Record<ObjectKind, string>> = {
  raw: "raw memory",
  ring: "a ring",
  "mpsc-ring": "a ring of many producers",
  broadcast: "a broadcast ring",
  "broadcast-block": "a broadcast ring that blocks",
  queue: "a message queue",
  record: "a record",
  map: "a map",
  atomics: "a set of atomics",
  portable: "a portable segment",
  mutex: "a mutex",
  "rw-lock": "a readers-writer lock",
  condition: "a condition",
  event: "an event",
  barrier: "a barrier",
  lease: "a lease",
  unknown: "a structure of a newer version",
  semaphore: "a semaphore",
  "sysv-locks": "the locks of a System V segment",
  unreadable: "an object that this user may not read",
  gone: "an object that is gone",
};

/** A layout, and where in the object it lies. */
export interface Part {
  readonly layout: Layout;
  /** Bytes from the object's start. */
  readonly offset: number;
}

/** One kind of structure that can be recognised. */
export interface Inspector {
  readonly kind: InspectedKind;
  parts(words: ObjectWords): readonly Part[];
  activity(words: ObjectWords): Activity;
  /** The byte locks by which live processes hold roles, and each role's name. */
  readonly roles: readonly (readonly [byte: number, role: string])[];
  /** What is impossible in it, or undefined when it looks sound. */
  damage(words: ObjectWords): string | undefined;
}

/** The byte locks of a role that several can have, each with its number. */
export function numbered(first: number, count: number, role: string): [number, string][] {
  return Array.from({ length: count }, (_, at) => [first + at, `${role} ${at}`]);
}
