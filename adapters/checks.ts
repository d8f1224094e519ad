/** What the adapters share: checks of what they are given, and the error of a full map. */
import { SharedMap, StateError } from "../src/index.ts";

/** Checks the map of an adapter. @throws TypeError. */
export function checkMap(action: string, map: unknown): void {
  if (map instanceof SharedMap) return;
  const found = map === null ? "null" : typeof map;
  throw new TypeError(`${action}: its map must be a SharedMap, not ${found}`);
}

/** Checks that options have only known names. @throws TypeError. */
export function checkNames(action: string, options: unknown, known: readonly string[]): void {
  if (options === null || typeof options !== "object") {
    throw new TypeError(`${action}: its options must be an object, not ${typeof options}`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const rule = `there is no option ${JSON.stringify(unknown)}; there are ${known.join(", ")}`;
  throw new TypeError(`${action}: ${rule}`);
}

/** Checks the text that begins the keys of an adapter. @throws TypeError. */
export function checkPrefix(action: string, what: string, prefix: unknown): void {
  if (typeof prefix === "string") return;
  throw new TypeError(`${action}: its ${what} must be a string, not ${typeof prefix}`);
}

/** Checks a time that must be above 0. @throws TypeError, RangeError. */
export function checkTime(action: string, what: string, time: unknown): void {
  if (typeof time === "number" && time > 0) return;
  const rule = `its ${what} must be a number above 0, not ${String(time)}`;
  throw new (typeof time === "number" ? RangeError : TypeError)(`${action}: ${rule}`);
}

/** Removes the entries whose keys begin with a text. */
export function removeAll<V>(map: SharedMap<V>, prefix: string): void {
  if (prefix === "") map.clear();
  else for (const key of map.keys({ prefix })) map.delete(key);
}

/** @returns The error of an entry that a full map refused. */
export function refusal<V>(map: SharedMap<V>, what: string): StateError {
  const rule = `map ${JSON.stringify(map.name)} is full, and refuses`;
  const wayOut = 'make it larger, or with whenFull: "evict"';
  return new StateError("ENOSPC", `Cannot store ${what}: ${rule}; ${wayOut}`);
}
