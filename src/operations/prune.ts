import { checkBoolean, checkFunction, checkOptions } from "../arguments.ts";
import { posixObjects } from "../memory/objects/posix-object.ts";
import { posixName } from "../memory/objects/segment-name.ts";
import { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import { SystemVSemaphore } from "../semaphore/system-v-semaphore.ts";
import { type ObjectUsage, usage } from "./usage.ts";

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

/** What became of each object that was looked at. */
export interface PruneResult {
  /** The objects that were removed; with `dryRun`, those that would be. */
  readonly removed: readonly ObjectUsage[];
  /** The objects that were kept, and why: "in use", "unknown", "too young". */
  readonly kept: readonly { readonly object: ObjectUsage; readonly reason: string }[];
  /** The objects that could not be removed: mostly other users' objects. */
  readonly failed: readonly { readonly object: ObjectUsage; readonly error: Error }[];
}

/** The creator of an empty object that is younger than this, in ms, may be about to size it. */
const YOUNG_MS = 2000;

/**
 * Removes every segment and named semaphore that no live process has. The kernel says who has one:
 * by the lock that each user of this package holds, and by every mapping and descriptor in /proc.
 * An object whose mode lets other users in is kept as "unknown" while other users have processes
 * that this user may not look into; of root's hidden processes, only the lock counts.
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
  const removed: ObjectUsage[] = [];
  const kept: { object: ObjectUsage; reason: string }[] = [];
  const failed: { object: ObjectUsage; error: Error }[] = [];
  // The second look finds who came since the first.
  const first = new Set(usage({ sysv, kinds: false }).filter(isLeftover).map(identity));
  for (const object of usage({ sysv })) {
    if (!only(object)) continue;
    const leftover = isLeftover(object) && first.has(identity(object));
    if (!leftover && !force) {
      kept.push({ object, reason: object.state === "orphaned" ? "too young" : object.state });
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

function identity({ type, name, uid }: ObjectUsage): string {
  return `${type} ${uid} ${name}`;
}

function isLeftover({ state, size, changed }: ObjectUsage): boolean {
  if (state !== "orphaned") return false;
  return size > 0 || Date.now() - changed.getTime() >= YOUNG_MS;
}

/** @returns Whether this call removed it. */
function remove(object: ObjectUsage, force: boolean): boolean {
  const { name, type, backing } = object;
  if (type === "semaphore") {
    return backing === "sysv" ? SystemVSemaphore.unlink(name) : Semaphore.unlink(name);
  }
  if (backing === "sysv") return Segment.unlink(name);
  return force ? posixObjects.unlink(posixName(name)) : posixObjects.unlinkUnused(posixName(name));
}

function exists({ name, backing }: ObjectUsage): boolean {
  return backing === "posix" ? posixObjects.exists(posixName(name)) : Segment.exists(name);
}
