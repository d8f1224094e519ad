/** What one handle of a map works with. */
import { shown } from "../arguments.ts";
import { StateError } from "../errors.ts";
import type { WriteGuard } from "../locks/write-guard.ts";
import type { Placed } from "../segment/placed.ts";
import type { Segment } from "../segment/segment.ts";
import type { HashedKey } from "../struct/hashed-key.ts";
import type { ScratchCodec } from "../struct/scratch-codec.ts";
import type { Scratch } from "../struct/scratch.ts";
import type { MapMemory } from "./algorithm/map-memory.ts";
import type { MapReader } from "./algorithm/map-reader.ts";
import type { MapDraft } from "./algorithm/map-units.ts";
import { type MapWriter, STORED, UNEXPECTED } from "./algorithm/map-writer.ts";
import type { SegmentMapSystem } from "./map-system.ts";
import type { SharedMapKey } from "./map-options.ts";

/** The parts of a handle. */
export interface MapParts<V> {
  readonly placed: Placed;
  readonly segment: Segment;
  readonly memory: MapMemory;
  readonly system: SegmentMapSystem;
  readonly codec: ScratchCodec<V>;
  /** The codec and the form of keys that the map was made with. */
  readonly codecId: string;
  readonly hasBytesKeys: boolean;
  /** Whether keys are shown as bytes, and not as text. */
  readonly bytesKeys: boolean;
  /** The key of the call that is running. */
  readonly key: HashedKey;
  /** The key of the entry that an update has locked, while its callback uses other keys. */
  readonly lockedKey: HashedKey;
  /** Private memory: the value that was read, and the entry that is about to be written. */
  readonly found: Scratch;
  readonly draft: MapDraft;
  readonly reader: MapReader;
  readonly writer: MapWriter;
  readonly guard: WriteGuard;
}

/**
 * Why the last write of a handle did or did not store its value: "full": there was no room for it;
 * "unchanged": the entry was not there that it needs, or was there, or has another version.
 */
export type SharedMapOutcome = "stored" | "full" | "unchanged";

/** @returns An outcome of the algorithm, for users. */
export function outcomeOf(result: number): SharedMapOutcome {
  return result === STORED ? "stored" : result === UNEXPECTED ? "unchanged" : "full";
}

/**
 * @param verb What the call wanted to do with the key.
 * @param held What the key has, and the call cannot use.
 * @returns The error of the call.
 */
export function heldError(
  { what }: Placed,
  verb: string,
  key: SharedMapKey,
  held: "value" | "list",
): StateError {
  const rule = `the key has a ${held}. Delete it first`;
  return new StateError("EEXIST", `Cannot ${verb} ${shown(key)} of ${what}: ${rule}`);
}
