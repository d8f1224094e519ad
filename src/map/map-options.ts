/** The options of maps, and their checks. */
import { checkInteger, checkOneOf, checkOptions, shown } from "../arguments.ts";
import { FIRST_HEAD_WORDS } from "../layout/map-layout.ts";
import {
  type StructureCreateOptions,
  type PlacedInitOptions,
  type StructureOpenOptions,
  structureOptions,
} from "../segment/placed-options.ts";
import { type Codec, checkCodec, codecs } from "../struct/codec.ts";
import { checkMs } from "./map-times.ts";

/** A map's key: text, which stands for its UTF-8, or bytes. */
export type SharedMapKey = string | Uint8Array;

/** What a map holds. */
export interface SharedMapOptions<V, K extends SharedMapKey = string> {
  /** The form of the values: one of `codecs`, a struct, or a codec of the caller's own. */
  readonly codec: Codec<V>;
  /**
   * The form in which `keys` and `entries` yield keys: `codecs.utf8`, the default, or
   * `codecs.bytes`. All keys of a map have one form; `codecs.raw` reads either as bytes, for tools.
   */
  readonly key?: Codec<K> | undefined;
  /**
   * Keeps values that this handle has read, so that it need not decode them again: `get` of an
   * entry that did not change returns the same object. It must not be changed then. Default: none.
   */
  readonly local?: SharedMapLocalOptions | undefined;
}

/** How many values a handle keeps, and for how long. */
export interface SharedMapLocalOptions {
  /** About how many values are kept; those that are not read go first. */
  readonly entries: number;
  /**
   * Milliseconds after which a value is decoded again, even if its entry did not change. A changed
   * entry is never answered from what is kept. Default: for ever.
   */
  readonly ttlMs?: number | undefined;
}

/** How large a map is, and what it does when it is full. */
export interface SharedMapNewOptions<V, K extends SharedMapKey = string> extends SharedMapOptions<
  V,
  K
> {
  /** Bytes of the whole map, which never grows. From 16 KiB to 4 GiB. */
  readonly size: number;
  /** "refuse": `set` returns false. "evict": entries not read lately are lost. Default "refuse". */
  readonly whenFull?: "refuse" | "evict" | undefined;
  /**
   * Bytes of a typical key and its value together; decides how large the index is. Guess too little
   * rather than too much: if entries are much smaller than this, the index is full before the
   * memory. Default 88.
   */
  readonly entryLength?: number | undefined;
  /**
   * Bytes of a unit, in which memory is given out; a power of two from 64 to 4096. Large values are
   * faster in large units; small values waste the rest of a unit. Default: the least that holds a
   * whole typical entry, at most 512.
   */
  readonly unitLength?: number | undefined;
}

/** How to make a map in a segment of its own. */
export interface SharedMapCreateOptions<V, K extends SharedMapKey = string>
  extends StructureCreateOptions, SharedMapNewOptions<V, K> {}

/** How to make a map inside the caller's segment. */
export interface SharedMapInitOptions<V, K extends SharedMapKey = string>
  extends PlacedInitOptions, SharedMapNewOptions<V, K> {}

/** How to find a map that has a segment of its own. */
export interface SharedMapOpenOptions<V, K extends SharedMapKey = string>
  extends StructureOpenOptions, SharedMapOptions<V, K> {}

/** The options that every call has. */
const FORMS: readonly string[] = ["codec", "key", "local"];

/** The names of the options of each call. */
const OPTIONS = structureOptions(
  ["size", ...FORMS, "whenFull", "entryLength", "unitLength"],
  FORMS,
);

const DEFAULT_ENTRY_LENGTH = 88;
const MIN_SIZE = 2 ** 14;
const MAX_SIZE = 2 ** 32;
const WHEN_FULL = ["refuse", "evict"] as const;
/** A JavaScript Map holds no more than 2^24 entries. */
const MAX_LOCAL_ENTRIES = 2 ** 24;

/** Checks the options of a call that finds a map. @throws TypeError, RangeError. */
export function checkFindOptions(action: string, call: "open" | "at", options: unknown): void {
  checkOptions(action, options, OPTIONS[call]);
  checkForms(action, Object(options) as object);
}

/** Checks the options of a call that makes a map. @throws TypeError, RangeError. */
export function checkNewOptions(
  action: string,
  call: "create" | "openOrCreate" | "init",
  options: unknown,
): void {
  checkOptions(action, options, OPTIONS[call]);
  const given = Object(options) as Partial<SharedMapNewOptions<unknown>>;
  checkForms(action, given);
  const { size, entryLength = 1, unitLength = 64, whenFull = "refuse" } = given;
  checkInteger(action, "its size", size, MIN_SIZE, MAX_SIZE);
  checkInteger(action, "its entryLength", entryLength, 1, size);
  checkInteger(action, "its unitLength", unitLength, 64, 4096);
  if (!Number.isInteger(Math.log2(unitLength))) {
    throw new RangeError(`${action}: its unitLength must be a power of two, not ${unitLength}`);
  }
  checkOneOf(action, "whenFull", whenFull, WHEN_FULL);
}

function checkForms(
  action: string,
  { codec, key, local }: { codec?: unknown; key?: unknown; local?: unknown },
): void {
  checkCodec(action, codec);
  if (local !== undefined) checkLocal(`${action}: local`, local);
  if (key === undefined || key === codecs.utf8 || key === codecs.bytes || key === codecs.raw)
    return;
  throw new TypeError(`${action}: its key must be codecs.utf8 or codecs.bytes, not ${shown(key)}`);
}

/** @returns The lengths that a map is planned for, in bytes: those given, or the defaults. */
export function lengthsOf({
  entryLength = DEFAULT_ENTRY_LENGTH,
  unitLength = defaultUnitLength(entryLength),
}: Pick<SharedMapNewOptions<unknown>, "entryLength" | "unitLength">): {
  entryLength: number;
  unitLength: number;
} {
  return { entryLength, unitLength };
}

/** One unit keeps an entry together in memory; above 512 bytes the waste matters more. */
function defaultUnitLength(entryLength: number): number {
  let length = 64;
  while (length < 512 && length < entryLength + FIRST_HEAD_WORDS * 4) length *= 2;
  return length;
}

function checkLocal(action: string, local: unknown): void {
  checkOptions(action, local, ["entries", "ttlMs"]);
  const { entries, ttlMs } = Object(local) as { entries?: unknown; ttlMs?: unknown };
  checkInteger(action, "its entries", entries, 1, MAX_LOCAL_ENTRIES);
  if (ttlMs !== undefined) checkMs(action, "ttlMs", ttlMs);
}
