/**
 * What becomes of a role, a lease or a queue when `bun --hot` loads a program again.
 *
 * The process goes on, and so does what the load before has open: nothing can reach it any more but
 * its own timers and loops. So whoever takes a place in a newer load ends the handles that older
 * loads have of the same place. What an app keeps on purpose, as on globalThis, it does not take
 * again, and so it stays.
 */
import { IS_HOT } from "../errors.ts";
import { quietly } from "./quietly.ts";
import type { Segment } from "./segment.ts";

interface Closable {
  readonly closed: boolean;
  close(): void;
}

interface Taken {
  readonly load: number;
  readonly handle: WeakRef<Closable>;
}

/** Of all loads of this module; another copy of the package has its own. */
interface Loads {
  last: number;
  readonly taken: Map<string, Set<Taken>>;
  /** A role lasts as long as its segment, so its handle does too. */
  readonly kept: WeakMap<Segment, Set<Closable>>;
}

const KEY = Symbol.for(`bun-shm: loads of ${import.meta.url}`);

const shared = globalThis as { [KEY]?: Loads };
const loads: Loads = (shared[KEY] ??= { last: 0, taken: new Map(), kept: new WeakMap() });
const load = ++loads.last;

/**
 * Takes a place in a segment, after the handles that older loads have of it were closed.
 *
 * @param place Tells places of one segment apart, as in "producer at 0".
 * @param take Makes the handle.
 */
export function takePlace<H extends Closable>(segment: Segment, place: string, take: () => H): H {
  if (!IS_HOT) return take();
  const key = `${segment.identity} ${place}`;
  const taken = loads.taken.get(key) ?? new Set();
  loads.taken.set(key, taken);
  for (const each of taken) {
    const handle = each.handle.deref();
    if (handle?.closed === false && each.load < load) quietly(() => handle.close());
    if (handle?.closed !== false) taken.delete(each);
  }
  const handle = take();
  taken.add({ load, handle: new WeakRef(handle) });
  const kept = loads.kept.get(segment) ?? new Set();
  loads.kept.set(segment, kept);
  for (const each of kept) if (each.closed) kept.delete(each);
  kept.add(handle);
  return handle;
}
