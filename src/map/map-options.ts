/** How a map is made and found. */
import { checkInteger, checkOneOf, checkOptions, shown } from "../arguments.ts";
import { FIRST_HEAD } from "../layout/map-layout.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed.ts";
import { type Codec, checkCodec, codecs } from "../struct/codec.ts";

/** What a map's keys are given as: text, or bytes. */
export type MapKeyValue = string | Uint8Array;

/** What is in a map. */
export interface SharedMapOptions<V, K extends MapKeyValue = string> {
  /** What values are: one of `codecs`, a struct, or a codec of your own. */
  readonly codec: Codec<V>;
  /**
   * What `keys` and `entries` give keys as: `codecs.utf8`, the default, or `codecs.bytes`. A map
   * has keys of one kind; a tool takes either as bytes, with `codecs.raw`.
   */
  readonly key?: Codec<K> | undefined;
}

/** How large a map is, and how it behaves. */
export interface SharedMapNewOptions<V, K extends MapKeyValue = string> extends SharedMapOptions<
  V,
  K
> {
  /** Bytes of the whole map: all the memory that it ever has. From 16 KiB to 4 GiB. */
  readonly size: number;
  /** "refuse": `set` answers false. "evict": what was not read lately goes. Default "refuse". */
  readonly whenFull?: "refuse" | "evict" | undefined;
  /**
   * Bytes of a typical key and its value together; decides how large the index is. Rather too small
   * than too large: where entries are much smaller, the index is full before the memory. Default
   * 96.
   */
  readonly entryLength?: number | undefined;
  /**
   * Bytes of a unit, in which memory is given out; a power of two from 64 to 4096. Large values
   * are faster in large units, small ones waste the rest of one. Default: the least that takes a
   * whole typical entry, but at most 512.
   */
  readonly unitLength?: number | undefined;
}

/** How a map of a segment of its own is made. */
export interface SharedMapCreateOptions<V, K extends MapKeyValue = string>
  extends PlacedCreateOptions, SharedMapNewOptions<V, K> {}

/** How a map is made inside a segment of the user's. */
export interface SharedMapInitOptions<V, K extends MapKeyValue = string>
  extends PlacedInitOptions, SharedMapNewOptions<V, K> {}

/** How a map is found. */
export interface SharedMapOpenOptions<V, K extends MapKeyValue = string>
  extends PlacedOpenOptions, SharedMapOptions<V, K> {}

/** What an entry is stored with. */
export interface SetOptions {
  /** Milliseconds after which the entry is gone. Default: it stays. */
  readonly ttlMs?: number | undefined;
}

const NEW_OPTIONS: readonly string[] = [
  "size",
  "codec",
  "key",
  "whenFull",
  "entryLength",
  "unitLength",
];

/** The names of the options of each call. */
const OPTIONS: Readonly<Record<"create" | "init" | "open" | "at", readonly string[]>> = {
  create: [...NEW_OPTIONS, "mode"],
  init: [...NEW_OPTIONS, "overwrite"],
  open: ["codec", "key", "waitMs"],
  at: ["codec", "key"],
};

const SET_OPTIONS: readonly string[] = ["ttlMs"];

const ENTRY_LENGTH_DEFAULT = 96;
const SIZE_MIN = 2 ** 14;
const SIZE_MAX = 2 ** 32;
const WHEN_FULL = ["refuse", "evict"] as const;

/** Checks the options of a call that finds a map. @throws TypeError, RangeError. */
export function checkFindOptions(action: string, call: "open" | "at", options: unknown): void {
  checkOptions(action, options, OPTIONS[call]);
  checkForms(action, Object(options) as object);
}

/** Checks the options of a call that makes a map. @throws TypeError, RangeError. */
export function checkNewOptions(action: string, call: "create" | "init", options: unknown): void {
  checkOptions(action, options, OPTIONS[call]);
  const given = Object(options) as Partial<SharedMapNewOptions<unknown>>;
  checkForms(action, given);
  const { size, entryLength = 1, unitLength = 64, whenFull = "refuse" } = given;
  checkInteger(action, "its size", size, SIZE_MIN, SIZE_MAX);
  checkInteger(action, "its entryLength", entryLength, 1, size);
  checkInteger(action, "its unitLength", unitLength, 64, 4096);
  if (!Number.isInteger(Math.log2(unitLength))) {
    throw new RangeError(`${action}: its unitLength must be a power of two, not ${unitLength}`);
  }
  checkOneOf(action, "whenFull", whenFull, WHEN_FULL);
}

function checkForms(action: string, { codec, key }: { codec?: unknown; key?: unknown }): void {
  checkCodec(action, codec);
  if (key === undefined || key === codecs.utf8 || key === codecs.bytes || key === codecs.raw)
    return;
  throw new TypeError(`${action}: its key must be codecs.utf8 or codecs.bytes, not ${shown(key)}`);
}

/** How long entries and units are planned to be. */
export function lengthsOf({
  entryLength = ENTRY_LENGTH_DEFAULT,
  unitLength = defaultUnitLength(entryLength),
}: Pick<SharedMapNewOptions<unknown>, "entryLength" | "unitLength">): {
  entryLength: number;
  unitLength: number;
} {
  return { entryLength, unitLength };
}

/** An entry in one unit is together in memory; beyond 512 bytes the waste matters more. */
function defaultUnitLength(entryLength: number): number {
  let length = 64;
  while (length < 512 && length < entryLength + FIRST_HEAD * 4) length *= 2;
  return length;
}

/** When an entry expires, in ms since 1970. @throws RangeError, TypeError. */
export function expiryOf(options: SetOptions | undefined, otherwise: number): number {
  if (options === undefined) return otherwise;
  checkOptions("Cannot store an entry", options, SET_OPTIONS);
  const { ttlMs } = options;
  if (ttlMs === undefined) return otherwise;
  if (typeof ttlMs === "number" && ttlMs > 0 && ttlMs < Infinity) return Date.now() + ttlMs;
  const rule = `its ttlMs must be a number above 0, not ${shown(ttlMs)}`;
  throw new (typeof ttlMs === "number" ? RangeError : TypeError)(`Cannot store an entry: ${rule}`);
}

/** Checks what is added to a number. @throws TypeError, RangeError. */
export function checkAmount(by: unknown): void {
  if (Number.isFinite(by)) return;
  const wrong = typeof by === "number" ? RangeError : TypeError;
  throw new wrong(`Cannot increment by ${shown(by)}: it must be a finite number`);
}

/** A value that is added to; 0 for none. @throws TypeError when it is no number. */
export function numberOf(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === "number") return value;
  throw new TypeError(`Cannot increment ${shown(value)}: it is no number`);
}
