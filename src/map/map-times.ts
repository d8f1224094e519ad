/** The options that say how long entries are valid, and their checks. */
import { checkOptions, shown } from "../arguments.ts";
import { bootMs } from "../memory/boot.ts";

/** How long an entry is valid. */
export interface SharedMapSetOptions {
  /**
   * Milliseconds after which the entry expires; above 0. Infinity, the default: it does not expire.
   */
  readonly ttlMs?: number | undefined;
  /**
   * Milliseconds for which an expired entry is kept: `getStale` finds it, and a `getOrSet` with a
   * `staleMs` of its own answers with it while one process loads the value again. At most 2^32 - 1.
   * Default 0.
   */
  readonly staleMs?: number | undefined;
}

/** Where a counter starts, and how long it is valid. */
export interface SharedMapIncrementOptions {
  /** What an absent key counts from. Default 0. */
  readonly initial?: number | undefined;
  /**
   * Milliseconds after which the entry expires that this call makes of an absent key; above 0.
   * Later calls leave it as it is: so a counter counts what happens in one window. Default: for
   * ever.
   */
  readonly initialTtlMs?: number | undefined;
  /** Milliseconds after which the entry expires, counted from each call anew; above 0. */
  readonly ttlMs?: number | undefined;
}

const SET_OPTIONS: readonly string[] = ["ttlMs", "staleMs"];
const INCREMENT_OPTIONS: readonly string[] = ["initial", "initialTtlMs", "ttlMs"];
const MAX_STALE_MS: number = 2 ** 32 - 1;

/**
 * Checks a time that must be above 0; Infinity is one.
 * @returns The time. @throws TypeError, RangeError.
 */
export function checkMs(action: string, what: string, ms: unknown): number {
  if (typeof ms === "number" && ms > 0) return ms;
  const rule = `its ${what} must be a number above 0, not ${shown(ms)}`;
  throw new (typeof ms === "number" ? RangeError : TypeError)(`${action}: ${rule}`);
}

/** Checks the times of an entry. @throws TypeError, RangeError. */
export function checkTimes(action: string, { ttlMs, staleMs }: SharedMapSetOptions): void {
  if (ttlMs !== undefined) checkMs(action, "ttlMs", ttlMs);
  if (staleMs === undefined) return;
  if (typeof staleMs === "number" && staleMs >= 0 && staleMs <= MAX_STALE_MS) return;
  const rule = `its staleMs must be a number from 0 to ${MAX_STALE_MS}, not ${shown(staleMs)}`;
  throw new (typeof staleMs === "number" ? RangeError : TypeError)(`${action}: ${rule}`);
}

/** @returns When something expires, in ms since the machine's start; 0: never. */
export function expiryIn(ttlMs: number): number {
  return ttlMs === Number.POSITIVE_INFINITY ? 0 : bootMs() + ttlMs;
}

/** When an entry expires, and for how long it is kept then. */
export interface Times {
  readonly expiry: number;
  readonly staleMs: number;
}

/** In the place of an expiry: the entry keeps the one that it has. */
export const KEPT = -1;

/**
 * @param otherwise What to return when no time is given: 0 or KEPT.
 * @returns When an entry expires.
 * @throws RangeError, TypeError for bad options.
 */
export function expiryOf(options: SharedMapSetOptions | undefined, otherwise: number): number {
  if (options === undefined) return otherwise;
  checkOptions("Cannot store an entry", options, SET_OPTIONS);
  checkTimes("Cannot store an entry", options);
  const { ttlMs } = options;
  return ttlMs === undefined ? otherwise : expiryIn(ttlMs);
}

/** The checked options of an increment. */
export interface Increment {
  readonly initial: number;
  /** When a new entry expires, and an old one; 0: never, KEPT: as it was. */
  readonly initialExpiry: number;
  readonly expiry: number;
}

const PLAIN_INCREMENT: Increment = { initial: 0, initialExpiry: 0, expiry: KEPT };

/** Checks what an increment is called with. @throws TypeError, RangeError. */
export function checkIncrement(
  by: unknown,
  options: SharedMapIncrementOptions | undefined,
): Increment {
  if (!Number.isFinite(by)) {
    const wrong = typeof by === "number" ? RangeError : TypeError;
    throw new wrong(`Cannot increment by ${shown(by)}: it must be a finite number`);
  }
  if (options === undefined) return PLAIN_INCREMENT;
  const action = "Cannot increment";
  checkOptions(action, options, INCREMENT_OPTIONS);
  const { initial = 0, initialTtlMs, ttlMs } = options;
  if (!Number.isFinite(initial)) {
    const wrong = typeof initial === "number" ? RangeError : TypeError;
    throw new wrong(`${action}: its initial must be a finite number, not ${shown(initial)}`);
  }
  const endOf = (what: string, ms: number | undefined, otherwise: number): number =>
    ms === undefined ? otherwise : expiryIn(checkMs(action, what, ms));
  const expiry = endOf("ttlMs", ttlMs, KEPT);
  const initialExpiry = endOf("initialTtlMs", initialTtlMs, expiry === KEPT ? 0 : expiry);
  return { initial, initialExpiry, expiry };
}

/** @returns The number to add to. @throws TypeError for another value. */
export function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  throw new TypeError(`Cannot increment ${shown(value)}: it is not a number`);
}
