import { fstatSync } from "node:fs";
import { checkBoolean, checkFunction, checkOptions } from "../arguments.ts";
import { type ObjectReader, openReader } from "../inspection/object-reader.ts";
import { close } from "../libc/fcntl.ts";
import { memfdCreate } from "../libc/mman.ts";
import { C } from "../libc/platform.ts";
import { SEMAPHORE_FILE_PREFIX } from "../memory/objects/object-name.ts";
import { posixObjects } from "../memory/objects/posix-object.ts";
import { posixName } from "../memory/objects/segment-name.ts";
import { Segment } from "../segment/segment.ts";
import { SystemVSemaphore } from "../semaphore/system-v-semaphore.ts";
import { objectDirectory } from "./room.ts";
import { type ObjectUsage, survey } from "./usage.ts";

/** Which objects to remove. */
export interface PruneOptions {
  /** Report what would be removed, and remove nothing. Default false. */
  readonly dryRun?: boolean | undefined;
  /** Remove what is in use too: its users keep their memory and lose the name. Default false. */
  readonly force?: boolean | undefined;
  /** Include System V segments. Default false. */
  readonly sysv?: boolean | undefined;
  /** Remove only the objects for which this returns true. Default: all. */
  readonly only?: ((object: ObjectUsage) => boolean) | undefined;
}

/**
 * Why an object was kept: somebody has it; somebody may have it; or it is empty and was made just
 * now, or has changed meanwhile.
 */
export type PruneReason = "in use" | "unknown" | "too young";

/** What became of each object that was looked at. */
export interface PruneResult {
  /** The objects that were removed; with `dryRun`, those that would be. */
  readonly removed: readonly ObjectUsage[];
  /** The objects that were kept, and why. */
  readonly kept: readonly { readonly object: ObjectUsage; readonly reason: PruneReason }[];
  /** The objects that could not be removed: mostly other users' objects. */
  readonly failed: readonly { readonly object: ObjectUsage; readonly error: Error }[];
}

/** An empty object that is younger than this, in ms, may be one that a script is about to fill. */
const YOUNG_MS = 2000;

/**
 * Removes every segment and named semaphore that no live process has. The kernel says who has one:
 * by the lock that each user of this package holds, by every mapping and descriptor in /proc, and
 * where processes are out of sight (of other users, or of other containers) by a lease, which it
 * gives only for an object that nobody at all has open or mapped, and only to the object's owner
 * and to root. Where that is needed and refused, an object is kept as "unknown".
 *
 * It reads /proc twice, and blocks for that. A process that opens an object in the instant of its
 * removal keeps the memory and loses the name, as with any unlink.
 *
 * @returns What was removed, what was kept and why, and what could not be removed.
 * @throws TypeError for bad options; what `only` throws.
 * @throws UnsupportedError where the system does not show its objects.
 *
 * @example
 * ```ts
 * const { removed } = prune({ dryRun: true });
 * console.log(`${removed.length} objects are left over`);
 * ```
 */
export function prune(options: PruneOptions = {}): PruneResult {
  const action = "Cannot prune";
  checkOptions(action, options, ["dryRun", "force", "sysv", "only"]);
  const { dryRun = false, force = false, sysv = false, only = () => true } = options;
  checkBoolean(action, "dryRun", dryRun);
  checkBoolean(action, "force", force);
  checkBoolean(action, "sysv", sysv);
  checkFunction(action, "only", only);
  const directory = objectDirectory(action);
  const removed: ObjectUsage[] = [];
  const kept: { object: ObjectUsage; reason: PruneReason }[] = [];
  const failed: { object: ObjectUsage; error: Error }[] = [];
  // The second look finds who came since the first.
  const first = new Set(
    survey(directory, sysv, false)
      .objects.filter(({ state }) => state !== "in use")
      .map(identity),
  );
  const { objects, table } = survey(directory, sysv, true);
  const seesAll = !table.blind && table.hidden.size === 0;
  for (const object of objects) {
    if (!only(object)) continue;
    const wasFree = first.has(identity(object));
    const reason = force ? undefined : reasonToKeep(object, wasFree, seesAll);
    if (reason !== undefined) {
      kept.push({ object, reason });
      continue;
    }
    try {
      if (dryRun || remove(object, force)) removed.push(object);
      else if (exists(object)) kept.push({ object, reason: "in use" });
    } catch (error) {
      failed.push({ object, error: error as Error });
    }
  }
  return { removed, kept, failed };
}

function identity({ type, name, uid, changed }: ObjectUsage): string {
  return `${type} ${uid} ${changed.getTime()} ${name}`;
}

function reasonToKeep(
  object: ObjectUsage,
  wasFree: boolean,
  seesAll: boolean,
): PruneReason | undefined {
  const { state, size, changed, backing } = object;
  if (state === "in use") return state;
  if (!wasFree || (size === 0 && isYoung(changed))) return "too young";
  if (backing === "sysv") return state === "orphaned" ? undefined : "unknown";
  if (state === "orphaned") {
    // Processes of root may be out of sight. Who only looks at the object does not write.
    return seesAll || ask(object, (reader) => reader.isWritten()) !== true ? undefined : "in use";
  }
  const isAlone = ask(object, (reader) => reader.isAlone());
  return isAlone === undefined ? "unknown" : isAlone ? undefined : "in use";
}

/** @returns What the kernel says of an object; undefined when it does not tell this user. */
function ask<T>(object: ObjectUsage, question: (reader: ObjectReader) => T): T | undefined {
  try {
    using reader = openReader(fileName(object));
    return question(reader);
  } catch {
    return undefined;
  }
}

function isYoung(changed: Date): boolean {
  const age = fileClock() - changed.getTime();
  // The clock may have been set back since.
  return age >= 0 && age < YOUNG_MS;
}

/** @returns The time by the clock that stamps files, in ms since 1970, as a new file has it. */
function fileClock(): number {
  const descriptor = memfdCreate("clock", C.MFD_CLOEXEC);
  if (descriptor < 0) return Date.now();
  const { ctimeMs } = fstatSync(descriptor);
  close(descriptor);
  return ctimeMs;
}

/** @returns The name of the file that an object is. */
function fileName({ type, name }: ObjectUsage): string {
  return type === "semaphore" ? `/${SEMAPHORE_FILE_PREFIX}${name.slice(1)}` : name;
}

/** @returns Whether this call removed it. */
function remove(object: ObjectUsage, force: boolean): boolean {
  const { name, type, backing } = object;
  if (backing === "posix") {
    const file = posixName(fileName(object));
    return force ? posixObjects.unlink(file) : posixObjects.unlinkUnused(file);
  }
  return type === "semaphore" ? SystemVSemaphore.unlink(name) : Segment.unlink(name);
}

function exists(object: ObjectUsage): boolean {
  const { name, backing } = object;
  if (backing === "sysv") return Segment.exists(name);
  return posixObjects.exists(posixName(fileName(object)));
}
