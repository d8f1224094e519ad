/** How a record is made and found. */
import { checkOptions, shown } from "../arguments.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed.ts";
import type { Stats } from "../segment/stats.ts";
import { type Schema, type Struct, type StructValue, checkStruct } from "../struct/struct.ts";
import type { AsyncWaitOptions, WaitOptions } from "../waiting/wait-options.ts";
import { isSlotCount } from "./record-header.ts";

/** Which record. */
export interface SharedRecordOptions<S extends Schema> {
  /** The struct whose value it is. */
  readonly codec: Struct<S>;
}

/** How large a record is, and what it says at first. */
export interface SharedRecordNewOptions<S extends Schema> extends SharedRecordOptions<S> {
  /** The value before the first write. Default: none, and `read` answers undefined. */
  readonly initial?: NoInfer<StructValue<S>> | undefined;
  /**
   * How many versions there is room for; a power of two from 2 to 256. A reader has to copy again
   * only when this many writes, less one, overtake it. Default 8.
   */
  readonly slots?: number | undefined;
}

/** How a record of a segment of its own is made. */
export interface SharedRecordCreateOptions<S extends Schema>
  extends PlacedCreateOptions, SharedRecordNewOptions<S> {}

/** How a record is made inside a segment of the user's. */
export interface SharedRecordInitOptions<S extends Schema>
  extends PlacedInitOptions, SharedRecordNewOptions<S> {}

/** How a record is found. */
export interface SharedRecordOpenOptions<S extends Schema>
  extends PlacedOpenOptions, SharedRecordOptions<S> {}

/** How long a wait for another version lasts. */
export interface WaitChangedOptions extends WaitOptions {
  /** The version that is known. Default: the one at the call. */
  readonly since?: number | undefined;
}

/** How long a wait for another version lasts in the event loop. */
export interface AsyncWaitChangedOptions extends AsyncWaitOptions {
  /** The version that is known. Default: the one at the call. */
  readonly since?: number | undefined;
}

/** What a record counts. */
export interface SharedRecordStats extends Stats {
  /** Writes, mod 2^32 and without 0. */
  readonly in: number;
  /** Versions that there is room for. */
  readonly capacity: number;
}

const NEW_OPTIONS: readonly string[] = ["codec", "initial", "slots"];

/** The names of the options of each call. */
const OPTIONS: Readonly<Record<"create" | "init" | "open" | "at", readonly string[]>> = {
  create: [...NEW_OPTIONS, "mode"],
  init: [...NEW_OPTIONS, "overwrite"],
  open: ["codec", "waitMs"],
  at: ["codec"],
};

/** Checks the options of a call. @throws TypeError, RangeError for a bad count of slots. */
export function checkRecordOptions(
  action: string,
  call: keyof typeof OPTIONS,
  options: unknown,
): void {
  checkOptions(action, options, OPTIONS[call]);
  const { codec, slots } = Object(options) as { codec?: unknown; slots?: unknown };
  checkStruct(action, codec);
  if (slots === undefined || (typeof slots === "number" && isSlotCount(slots))) return;
  const rule = `its slots must be a power of two from 2 to 256, not ${shown(slots)}`;
  throw new (typeof slots === "number" ? RangeError : TypeError)(`${action}: ${rule}`);
}
