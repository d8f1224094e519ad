/** The options of a ring: checks them, and compares them with the ring that is there. */
import { checkBoolean, checkMode, checkOneOf, checkOptions, shown } from "../arguments.ts";
import type { BroadcastPolicy } from "../layout/broadcast-layout.ts";
import { HEADER_DATA_LENGTH_OFFSET, HEADER_KIND_OFFSET } from "../layout/segment-header.ts";
import type {
  StructureCreateOptions,
  PlacedInitOptions,
  StructureOpenOptions,
} from "../segment/placed-options.ts";
import type { Stats } from "../segment/stats.ts";
import type { NewHeader, Structure } from "../segment/structure.ts";
import { type Codec, checkCodec, codecs } from "../struct/codec.ts";
import {
  BROADCAST_POLICIES,
  RING_KINDS,
  RING_KIND_NAMES,
  type RingKindName,
  ringCapacityProblem,
  ringKind,
} from "./ring-kinds.ts";

/**
 * What a ring is. The maker of a ring chooses. The finder of a ring gets a LayoutError when the
 * ring differs in an option that is given; an option that is not given accepts whatever is there.
 */
export interface RingOptions<T> {
  /**
   * The form of the records. Default `codecs.bytes`: a producer takes bytes, a DataView or text,
   * and a consumer returns bytes.
   */
  readonly codec?: Codec<T> | undefined;
  /** Bytes for records: a power of two from 64 to 2^30. Default 1 MiB. */
  readonly capacity?: number | undefined;
  /** How many producers and consumers the ring can have. Default "spsc". */
  readonly kind?: RingKindName | undefined;
  /**
   * What happens when a consumer of a broadcast ring falls behind: "overwrite" lets it lose records
   * and learn how many; "block" holds the producer back while that consumer lives. Default
   * "overwrite".
   */
  readonly policy?: BroadcastPolicy | undefined;
}

/** How to make a ring in a segment of its own. */
export interface RingCreateOptions<T> extends RingOptions<T>, StructureCreateOptions {}

/** How to find a ring by its name. */
export interface RingOpenOptions<T> extends RingOptions<T>, StructureOpenOptions {}

/** How to make a ring inside the caller's segment. */
export interface RingInitOptions<T> extends RingOptions<T>, PlacedInitOptions {}

/**
 * What a ring has done, from its counters. Exact in a ring at rest, except where several processes
 * count in one place (`full`, `waits`, and what the consumers of a broadcast ring count): those may
 * miss a few.
 *
 * | | spsc | mpsc | broadcast, overwrite | broadcast, block |
 * |---|---|---|---|---|
 * | `out`, `bytesOut`, `depth`, `highWater` | yes | yes | absent | absent |
 * | `full` | yes | yes | absent | yes |
 * | `lost` | absent | absent | yes | absent |
 * | `repaired` | absent | claims of dead producers | absent | absent |
 *
 * `in` and `out` leave aborted records out; bytes include headers and padding. `highWater` is the
 * most bytes in use that a producer saw when it looked for room.
 */
export interface RingStats extends Stats {
  readonly in: number;
  readonly bytesIn: number;
  readonly empty: number;
  readonly waits: number;
  /** Bytes for records. */
  readonly capacity: number;
  /** How often a sleeping producer or consumer was woken. */
  readonly wakes: number;
}

const RING_OPTION_NAMES: readonly string[] = ["codec", "capacity", "kind", "policy"];
const DEFAULT_CAPACITY = 1 << 20;

/** Options that were checked: those that were given, and always a codec. */
export type AskedRing<T> = RingOptions<T> & { readonly codec: Codec<T> };

/**
 * Checks the options of a ring.
 *
 * @param action What failed, for messages: `Cannot create ring "/x"`.
 * @param more The names of the other options of the call.
 * @returns What the caller asked for.
 * @throws TypeError, RangeError.
 */
export function checkRing<T>(
  action: string,
  options: RingOptions<T> & StructureCreateOptions & PlacedInitOptions,
  more: readonly string[],
): AskedRing<T> {
  checkOptions(action, options, [...RING_OPTION_NAMES, ...more]);
  const { codec = codecs.bytes as unknown as Codec<T>, capacity, kind, policy } = options;
  checkCodec(action, codec);
  if (kind !== undefined) checkOneOf(action, "its kind", kind, RING_KIND_NAMES);
  if (policy !== undefined) checkOneOf(action, "its policy", policy, BROADCAST_POLICIES);
  if (options.mode !== undefined) checkMode(action, options.mode);
  if (options.overwrite !== undefined) checkBoolean(action, "overwrite", options.overwrite);
  if (capacity !== undefined) checkCapacity(action, kind ?? "spsc", capacity);
  return { codec, capacity, kind, policy };
}

function checkCapacity(action: string, kind: RingKindName, capacity: unknown): void {
  const problem = ringCapacityProblem(kind, capacity as number);
  if (problem === undefined) return;
  const message = `${action} with a capacity of ${shown(capacity)}: ${problem}`;
  throw typeof capacity === "number" ? new RangeError(message) : new TypeError(message);
}

/**
 * Checks the options of a ring that is to be made.
 * @returns What the caller asked for, and the new ring's header. @throws TypeError, RangeError.
 */
export function checkNewRing<T>(
  action: string,
  options: RingOptions<T> & StructureCreateOptions & PlacedInitOptions,
  more: readonly string[],
): { readonly asked: AskedRing<T>; readonly header: NewHeader } {
  const asked = checkRing(action, options, more);
  const { codec, capacity = DEFAULT_CAPACITY, kind = "spsc", policy } = asked;
  const ring = ringKind(action, kind, policy);
  const header = {
    kind: ring.id,
    layoutHash: ring.layoutHash,
    dataOffset: ring.dataOffset(capacity),
    dataLength: capacity,
    codec: codec.id,
  };
  return { asked, header };
}

/** Compares the ring that was found with what was asked for. @throws LayoutError. */
export function compareRing<T>(structure: Structure, asked: AskedRing<T>): void {
  const { header } = structure;
  const { name, policy = "none" } = RING_KINDS[header.kind]!;
  structure.mustHave<string>("kind", HEADER_KIND_OFFSET, name, asked.kind);
  structure.mustHave<string>("policy", HEADER_KIND_OFFSET, policy, asked.policy);
  structure.mustHave("capacity", HEADER_DATA_LENGTH_OFFSET, header.dataLength, asked.capacity);
  structure.mustHaveCodec(asked.codec.id);
}

/** @returns Whether a record is the value's own bytes, so that nothing is encoded. */
export function isPlain(codec: Codec<unknown>): boolean {
  return codec === codecs.bytes || codec === codecs.raw;
}
