/** What a ring can be asked to be: its options, checked, and compared with what is there. */
import { checkBoolean, checkMode, checkOneOf, checkOptions, shown } from "../arguments.ts";
import type { BroadcastPolicy } from "../layout/broadcast-layout.ts";
import { HEADER_DATA_LENGTH_OFFSET, HEADER_KIND_OFFSET } from "../layout/segment-header.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed.ts";
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
 * What a ring is. Whoever makes one chooses it. Whoever finds one gets a LayoutError when it
 * differs in something that is given here; of the rest, whatever is there is taken.
 */
export interface RingOptions<T> {
  /**
   * The form of the records. Default `codecs.bytes`: bytes, views and text are written, bytes are
   * read.
   */
  readonly codec?: Codec<T> | undefined;
  /** Bytes for records: a power of two from 64 to 2^30. Default 1 MiB. */
  readonly capacity?: number | undefined;
  /** Default "spsc". */
  readonly kind?: RingKindName | undefined;
  /**
   * What becomes of a consumer of a broadcast ring that does not keep up: it loses records, and
   * learns how many ("overwrite"), or holds the producer back while it lives ("block"). Default
   * "overwrite".
   */
  readonly policy?: BroadcastPolicy | undefined;
}

/** How to make a ring in a segment of its own. */
export interface RingCreateOptions<T> extends RingOptions<T>, PlacedCreateOptions {}

/** How to find a ring by its name. */
export interface RingOpenOptions<T> extends RingOptions<T>, PlacedOpenOptions {}

/** How to make a ring inside a segment of the user's. */
export interface RingInitOptions<T> extends RingOptions<T>, PlacedInitOptions {}

/**
 * What a ring has done, from its counters. Stale the moment it returns; exact in a ring at rest,
 * except what several processes count in one place (`full`, `waits`, and what the consumers of a
 * broadcast ring count), which may miss a few.
 *
 * | | spsc | mpsc | broadcast, overwrite | broadcast, block |
 * |---|---|---|---|---|
 * | `out`, `bytesOut`, `depth`, `highWater` | yes | yes | absent | absent |
 * | `full` | yes | yes | absent | yes |
 * | `lost` | absent | absent | yes | absent |
 * | `repaired` | absent | claims of dead producers | absent | absent |
 *
 * Records are counted without aborted ones, bytes with headers and padding. `highWater` is the most
 * that a producer saw when it looked for room.
 */
export interface RingStats extends Stats {
  readonly in: number;
  readonly bytesIn: number;
  readonly empty: number;
  readonly waits: number;
  /** Bytes for records. */
  readonly capacity: number;
  /** Times that somebody who slept was woken, on either side. */
  readonly wakes: number;
}

const RING_OPTION_NAMES: readonly string[] = ["codec", "capacity", "kind", "policy"];
const DEFAULT_CAPACITY = 1 << 20;

/** Options that were checked: what was given, and the codec in any case. */
export type AskedRing<T> = RingOptions<T> & { readonly codec: Codec<T> };

/**
 * Checks the options of a ring.
 *
 * @param action As in `Cannot create ring "/x"`.
 * @param more The names of the other options that the call takes.
 * @throws TypeError, RangeError.
 */
export function checkRing<T>(
  action: string,
  options: RingOptions<T> & PlacedCreateOptions & PlacedInitOptions,
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
 * Checks the options of a ring that is to be made, and says what its header will be.
 * @throws TypeError, RangeError.
 */
export function checkNewRing<T>(
  action: string,
  options: RingOptions<T> & PlacedCreateOptions & PlacedInitOptions,
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

/** Compares what was found with what was asked for. @throws LayoutError. */
export function compareRing<T>(structure: Structure, asked: AskedRing<T>): void {
  const { header } = structure;
  const { name, policy = "none" } = RING_KINDS[header.kind]!;
  structure.mustHave<string>("kind", HEADER_KIND_OFFSET, name, asked.kind);
  structure.mustHave<string>("policy", HEADER_KIND_OFFSET, policy, asked.policy);
  structure.mustHave("capacity", HEADER_DATA_LENGTH_OFFSET, header.dataLength, asked.capacity);
  structure.mustHaveCodec(asked.codec.id);
}

/** Whether records are the bytes themselves, and nothing is to be encoded. */
export function isPlain(codec: Codec<unknown>): boolean {
  return codec === codecs.bytes || codec === codecs.raw;
}
