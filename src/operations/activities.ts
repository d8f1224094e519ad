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
 * What every structure in shared memory counts. Reads their bytes and disturbs nobody; does not
 * block; stale the moment it returns. What vanishes meanwhile, and what this user may not read, is
 * left out.
 *
 * @param objects Default: all of this machine's shared memory, now.
 * @returns One for each structure; raw memory counts nothing.
 * @throws TypeError for what are no objects.
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

/** Looks into every segment that holds a structure; what vanishes meanwhile is left out. */
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
      // Gone meanwhile, or another user's: there is nothing to see.
    }
  }
}
