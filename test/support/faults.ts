/** What is wrong with how a call went, for the walks over the public surface. */
import { isOwn } from "./own-errors.ts";
import * as api from "../../src/index.ts";
import { THROWN, faultOf } from "./garbage.ts";
import type { Target } from "./garbage-target.ts";

const faults = new Set<string>();
/** Prints what is wrong, once. */
export const fault = (what: string): void => {
  if (faults.has(what)) return;
  faults.add(what);
  console.log(what.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "?"));
};

const OUR_ERRORS = [
  api.ClosedError,
  api.LayoutError,
  api.StateError,
  api.SystemError,
  api.UnsupportedError,
  TypeError,
  RangeError,
];

/** Prints what is wrong with an error. */
export function judge(error: unknown, where: string): void {
  // What the given object threw by itself.
  if (error === THROWN) return;
  if (where.includes("revoked Proxy") && /revoked/.test(String(error))) return;
  if (!isOwn(error) || !OUR_ERRORS.some((each) => error instanceof each)) {
    fault(`${where}: the engine's ${String(error)}`);
    return;
  }
  const reason = faultOf(error.message, where);
  if (reason !== undefined) fault(`${where}: ${reason}: ${error.message}`);
}

/** Ends the use of a target. Some calls may still hold what they got. */
export function endOf(target: Target): void {
  try {
    target.end();
  } catch (error) {
    if (!(error instanceof api.StateError)) throw error;
  }
}

/** Methods and getters of an object, those that it inherits too. */
export function membersOf(on: object): { methods: string[]; getters: string[] } {
  const methods = new Set<string>();
  const getters = new Set<string>();
  const isClass = typeof on === "function";
  for (let at: object | null = on; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    if ([Object.prototype, Function.prototype, Error.prototype].includes(at as never)) break;
    for (const [name, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (name === "constructor" || (isClass && name === "prototype")) continue;
      if (get !== undefined) getters.add(name);
      else if (typeof value === "function") methods.add(name);
    }
  }
  return { methods: [...methods], getters: [...getters] };
}
