import { shown } from "../arguments.ts";
import type { Activity } from "../inspection/activity.ts";
import { type InspectedObject, openObject } from "../inspection/inspect.ts";
import { type ObjectUsage, usage } from "./usage.ts";

/** An object that holds a structure, and what the structure counts. */
export interface StructureActivity {
  readonly object: ObjectUsage;
  readonly activity: Activity;
}

/**
 * Reads what every structure in shared memory has counted. It only reads bytes, and disturbs
 * nobody. Does not block; the result is stale the moment it is returned. Objects that vanish
 * meanwhile, and those that this user may not read, are left out.
 *
 * @param objects What `usage` returned. Default: all of this machine's shared memory, now.
 * @returns The counts of each structure; none for raw memory.
 * @throws TypeError when `objects` is no array.
 * @throws UnsupportedError where the system does not show its objects (macOS, FreeBSD).
 *
 * @example
 * ```ts
 * for (const { object, activity } of activities()) console.log(object.name, activity.depth);
 * ```
 */
export function activities(objects: readonly ObjectUsage[] = usage()): StructureActivity[] {
  if (!Array.isArray(objects as unknown)) {
    throw new TypeError(`Cannot count activity: objects must be an array, not ${shown(objects)}`);
  }
  const found: StructureActivity[] = [];
  forEachStructure(objects, (object, inspected) => {
    found.push({ object, activity: inspected.activity() });
  });
  return found;
}

/** Looks into every segment that holds a structure, and leaves out those that vanish meanwhile. */
export function forEachStructure(
  objects: readonly ObjectUsage[],
  look: (object: ObjectUsage, inspected: InspectedObject) => void,
): void {
  for (const object of objects) {
    if (object.type !== "segment") continue;
    try {
      using inspected = openObject(object.name);
      if (inspected.kind !== "raw") look(object, inspected);
    } catch {
      // It is gone by now, or this user may not read it.
    }
  }
}
