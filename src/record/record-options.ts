/** The options of records, and their checks. */
import { checkOptions, shown } from "../arguments.ts";
import {
  type StructureCreateOptions,
  type PlacedInitOptions,
  type StructureOpenOptions,
  type StructureCall,
  structureOptions,
} from "../segment/placed-options.ts";
import type { Stats } from "../segment/stats.ts";
import { type Schema, type Struct, type StructValue, checkStruct } from "../struct/struct.ts";
import type { AsyncWaitOptions, WaitOptions } from "../waiting/wait-options.ts";
import { isSlotCount } from "./record-header.ts";

/** What a record holds. */
export interface SharedRecordOptions<S extends Schema> {
  /** The struct whose value the record holds. */
  readonly codec: Struct<S>;
}

/** How large a record is, and what it holds at first. */
export interface SharedRecordNewOptions<S extends Schema> extends SharedRecordOptions<S> {
  /** The value before the first write. Default: none, and `read` returns undefined. */
  readonly initial?: NoInfer<StructValue<S>> | undefined;
  /**
   * The number of versions that there is room for; a power of two from 2 to 256. A reader copies
   * again only when this many writes, less one, overtake one copy. Default 8.
   */
  readonly slots?: number | undefined;
}

/** How to make a record in a segment of its own. */
export interface SharedRecordCreateOptions<S extends Schema>
  extends StructureCreateOptions, SharedRecordNewOptions<S> {}

/** How to make a record inside the caller's segment. */
export interface SharedRecordInitOptions<S extends Schema>
  extends PlacedInitOptions, SharedRecordNewOptions<S> {}

/** How to find a record that has a segment of its own. */
export interface SharedRecordOpenOptions<S extends Schema>
  extends StructureOpenOptions, SharedRecordOptions<S> {}

/** Which version a wait begins at, and how long it lasts. */
export interface WaitChangedOptions extends WaitOptions {
  /** The version that the caller knows; the wait ends at another one. Default: the current one. */
  readonly since?: number | undefined;
}

/** Which version a wait in the event loop begins at, and how long it lasts. */
export interface AsyncWaitChangedOptions extends AsyncWaitOptions {
  /** The version that the caller knows; the wait ends at another one. Default: the current one. */
  readonly since?: number | undefined;
}

/** What a record counts. */
export interface SharedRecordStats extends Stats {
  /** The number of writes mod 2^32, never 0 after the first: the current version. */
  readonly in: number;
  /** The number of versions that there is room for. */
  readonly capacity: number;
}

/** The names of the options of each call. */
const OPTIONS = structureOptions(["codec", "initial", "slots"], ["codec"]);

/** Checks the options of a call. @throws TypeError, RangeError for a bad count of slots. */
export function checkRecordOptions(action: string, call: StructureCall, options: unknown): void {
  checkOptions(action, options, OPTIONS[call]);
  const { codec, slots } = Object(options) as { codec?: unknown; slots?: unknown };
  checkStruct(action, codec);
  if (slots === undefined || (typeof slots === "number" && isSlotCount(slots))) return;
  const rule = `its slots must be a power of two from 2 to 256, not ${shown(slots)}`;
  throw new (typeof slots === "number" ? RangeError : TypeError)(`${action}: ${rule}`);
}
