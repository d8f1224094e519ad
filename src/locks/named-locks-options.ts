/** The options of named locks, and their checks. */
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkWellFormed,
  shown,
} from "../arguments.ts";
import { MAX_LOCK_NAME_LENGTH } from "../layout/named-locks-layout.ts";
import {
  type PlacedInitOptions,
  type PlacedOpenOptions,
  type StructureCreateOptions,
  structureOptions,
} from "../segment/placed-options.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import type { PageOptions } from "../memory/pages.ts";
import { checkWait } from "../waiting/wait-options.ts";
import type { Manner } from "./algorithm/named-locks-queues.ts";
import {
  MAX_LOCK_NAMES,
  MAX_LOCK_REQUESTS,
  type NamedLocksShape,
} from "./algorithm/named-locks-memory.ts";

/** How much named locks have room for. */
export interface NamedLocksNewOptions {
  /**
   * How many names can be held or waited for at the same time, from 1 to 1,048,576. Each takes 288
   * bytes and some; a name that nobody holds takes none.
   */
  readonly names: number;
  /**
   * How many requests can hold or wait at the same time, from 1 to 4,194,304. Each takes 32 bytes.
   * Default: four for each name, and at least 64.
   */
  readonly requests?: number | undefined;
}

/** What named locks that are found must be; what is not given may be anything. */
export type NamedLocksOptions = Partial<NamedLocksNewOptions>;

/** How to make named locks in a segment of their own. */
export interface NamedLocksCreateOptions extends StructureCreateOptions, NamedLocksNewOptions {}

/** How to make named locks inside the caller's segment. */
export interface NamedLocksInitOptions extends PlacedInitOptions, NamedLocksNewOptions {}

/** How to find named locks that have a segment of their own. */
export interface NamedLocksOpenOptions extends PlacedOpenOptions, PageOptions, NamedLocksOptions {}

/** Whether a lock is held alone, or beside others that are shared. */
export type NamedLockMode = "exclusive" | "shared";

/** How a name is asked for. */
export interface NamedLockOptions {
  /** Default "exclusive". */
  readonly mode?: NamedLockMode | undefined;
  /** Calls the function with null at once when the name is not available. Default false. */
  readonly ifAvailable?: boolean | undefined;
  /** Takes the name from its holders, and goes before those that wait. Default false. */
  readonly steal?: boolean | undefined;
  /** Ends the wait, and does nothing once the lock is held. */
  readonly signal?: AbortSignalLike | undefined;
  /**
   * How many milliseconds it waits until it calls the function with null; 0 is like `ifAvailable`.
   * Default: for ever.
   */
  readonly timeoutMs?: number | undefined;
}

/** How a name is asked for, so that the function always gets a lock. */
export interface SureNamedLockOptions extends NamedLockOptions {
  readonly ifAvailable?: false | undefined;
  readonly timeoutMs?: undefined;
}

const OWN: readonly string[] = ["names", "requests"];

const STRUCTURE_CALLS = structureOptions(OWN, OWN);

/** The names of the options of each call; everybody who finds named locks writes. */
const OPTIONS = {
  ...STRUCTURE_CALLS,
  open: STRUCTURE_CALLS.open.filter((name) => name !== "access"),
};

const LOCK_OPTIONS: readonly string[] = ["mode", "ifAvailable", "steal", "signal", "timeoutMs"];
const MODES: readonly NamedLockMode[] = ["exclusive", "shared"];

/** Checks the options of a call that finds named locks. @throws TypeError, RangeError. */
export function checkFindOptions(action: string, call: "open" | "at", options: unknown): void {
  checkOptions(action, options, OPTIONS[call]);
  const { names, requests } = (options ?? {}) as NamedLocksOptions;
  if (names !== undefined) checkInteger(action, "its names", names, 1, MAX_LOCK_NAMES);
  if (requests !== undefined) checkInteger(action, "its requests", requests, 1, MAX_LOCK_REQUESTS);
}

/** Checks the options of a call that makes named locks. @throws TypeError, RangeError. */
export function checkNewOptions(
  action: string,
  call: "create" | "openOrCreate" | "init",
  options: unknown,
): void {
  checkOptions(action, options, OPTIONS[call]);
  const { names, requests } = Object(options) as Partial<NamedLocksNewOptions>;
  checkInteger(action, "its names", names, 1, MAX_LOCK_NAMES);
  if (requests !== undefined) checkInteger(action, "its requests", requests, 1, MAX_LOCK_REQUESTS);
}

/** @returns How the memory of new named locks is divided. */
export function shapeFor({ names, requests }: NamedLocksNewOptions): NamedLocksShape {
  return { names, requests: requests ?? Math.max(4 * names, 64) };
}

/** A call that asks for a name, checked. */
export interface Asked<T> {
  readonly name: string;
  readonly mode: NamedLockMode;
  readonly manner: Manner;
  readonly timeoutMs: number;
  readonly signal: AbortSignalLike | undefined;
  readonly fn: T;
}

/**
 * Checks a call that asks for a name.
 *
 * @param what For messages: `named locks "/x"`.
 * @param rest The function; or options, and the function.
 * @throws TypeError, RangeError; the signal's reason when it is aborted.
 */
export function checkAsked<T>(what: string, name: unknown, rest: readonly unknown[]): Asked<T> {
  const action = `Cannot request a name of ${what}`;
  checkName(action, name);
  const [options, fn] = rest.length > 1 ? rest : [undefined, rest[0]];
  const given = (options ?? {}) as NamedLockOptions;
  checkOptions(action, options, LOCK_OPTIONS);
  const { mode = "exclusive", ifAvailable = false, steal = false, signal, timeoutMs } = given;
  checkOneOf(action, "its mode", mode, MODES);
  checkBoolean(action, "ifAvailable", ifAvailable);
  checkBoolean(action, "steal", steal);
  checkFunction(action, "what is called meanwhile", fn);
  const refuse = (why: string): never => {
    throw new TypeError(`${action}: ${why}`);
  };
  if (steal && ifAvailable)
    refuse("with steal it is always available, so ifAvailable says nothing");
  if (steal && mode === "shared") refuse('only "exclusive" locks can be stolen for');
  if (steal && timeoutMs !== undefined)
    refuse("with steal it does not wait, so timeoutMs is of no use");
  if (ifAvailable && timeoutMs !== undefined) {
    refuse("with ifAvailable it does not wait, so timeoutMs is of no use");
  }
  if (signal !== undefined && (steal || ifAvailable)) {
    refuse(`with ${steal ? "steal" : "ifAvailable"} it does not wait, so a signal is of no use`);
  }
  const limitMs = checkWait(action, { timeoutMs, signal }, ["timeoutMs", "signal"]);
  const manner = steal ? "steal" : ifAvailable || limitMs === 0 ? "if-available" : "wait";
  return { name: name as string, mode, manner, timeoutMs: limitMs, signal, fn: fn as T };
}

function checkName(action: string, name: unknown): void {
  if (typeof name !== "string") {
    throw new TypeError(`${action}: a name is text, and this is ${shown(name)}`);
  }
  if (name.startsWith("-")) {
    throw new TypeError(`${action}: names that begin with "-" are reserved, as ${shown(name)} is`);
  }
  checkWellFormed(action, "a name", name);
  const length = Buffer.byteLength(name);
  if (length <= MAX_LOCK_NAME_LENGTH) return;
  const limit = `a name has at most ${MAX_LOCK_NAME_LENGTH} bytes of UTF-8`;
  throw new RangeError(`${action}: ${limit}, and ${shown(name)} has ${length}`);
}
