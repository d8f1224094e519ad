/** The header of a map: how it is written, read, and checked when a map is found. */
import { LayoutError } from "../errors.ts";
import { layoutHash } from "../layout/description.ts";
import {
  MAP_BUCKET,
  MAP_BYTES_KEYS,
  MAP_ENTRY,
  MAP_EVICTS,
  MAP_FLAGS_PARAMETER,
  MAP_HEAD,
  MAP_STRIPE,
} from "../layout/map-layout.ts";
import {
  HEADER_PARAMETERS_OFFSET,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_KINDS,
} from "../layout/segment-header.ts";
import { accessesPlainly } from "../memory/atomics.ts";
import {
  type NewHeader,
  type Structure,
  type StructureKind,
  structureLength,
} from "../segment/structure.ts";
import { codecs } from "../struct/codec.ts";
import { codecName, formOf } from "../struct/struct.ts";
import { type MapShape, isShape, mapLength, planMap } from "./algorithm/map-shape.ts";
import { type SharedMapKey, type SharedMapNewOptions, lengthsOf } from "./map-options.ts";

const HASH = layoutHash(MAP_HEAD, MAP_STRIPE, MAP_BUCKET, MAP_ENTRY);

export const MAP_KIND: StructureKind = {
  noun: "map",
  kinds: { [SEGMENT_KINDS.map]: { layoutHash: HASH } },
  // A private mapping shows what others write until it is written to, by a look too.
  readable: accessesPlainly(),
};

const FLAGS_OFFSET = HEADER_PARAMETERS_OFFSET + MAP_FLAGS_PARAMETER * 4;

/** The checked numbers of a map's header. */
export interface MapNumbers {
  readonly shape: MapShape;
  /** Both halves of the hash's seed. */
  readonly seeds: readonly [number, number];
  /** Whether a full map evicts, and does not refuse. */
  readonly evicts: boolean;
  /** Whether keys are bytes, and not text. */
  readonly hasBytesKeys: boolean;
}

/** @returns The header of a new map, with new seeds. @throws RangeError when it is too small. */
export function mapHeader<V, K extends SharedMapKey>(
  options: SharedMapNewOptions<V, K>,
): NewHeader {
  const { codec, key, whenFull } = options;
  const shape = shapeFor(options);
  const { stripeCount, bucketCount, unitCount, unitWords } = shape;
  const seeds = crypto.getRandomValues(new Uint32Array(2));
  const flags = (whenFull === "evict" ? MAP_EVICTS : 0) | (wantsBytes(key) ? MAP_BYTES_KEYS : 0);
  return {
    kind: SEGMENT_KINDS.map,
    layoutHash: HASH,
    dataLength: mapLength(shape),
    parameters: [stripeCount, bucketCount, unitCount, unitWords, ...seeds, flags],
    codec: codec.id,
  };
}

const wantsBytes = (key: unknown): boolean => key === codecs.bytes || key === codecs.raw;

function shapeFor(
  options: Pick<SharedMapNewOptions<unknown>, "size" | "entryLength" | "unitLength">,
): MapShape {
  const { entryLength, unitLength } = lengthsOf(options);
  return planMap(options.size - SEGMENT_HEADER_LENGTH, entryLength, unitLength);
}

/** @returns The numbers in a map's header. @throws LayoutError when they make no map. */
export function readMap({ what, header, placed }: Structure): MapNumbers {
  const { dataLength, parameters = [] } = header;
  const [stripeCount = 0, bucketCount = 0, unitCount = 0, unitWords = 0, low = 0, high = 0] =
    parameters;
  const flags = parameters[MAP_FLAGS_PARAMETER] ?? 0;
  const shape = { stripeCount, bucketCount, unitCount, unitWords };
  if (!isShape(shape, dataLength)) {
    throw new LayoutError(`Cannot open ${what}: its numbers make no map`, {
      expected: `${dataLength} bytes`,
      found: JSON.stringify(shape),
      offset: placed.offset + HEADER_PARAMETERS_OFFSET,
    });
  }
  return {
    shape,
    seeds: [low, high],
    evicts: (flags & MAP_EVICTS) !== 0,
    hasBytesKeys: (flags & MAP_BYTES_KEYS) !== 0,
  };
}

/**
 * Compares a map that was found with what the caller asked for.
 *
 * @throws LayoutError that names the option, the value that is there, and the one that was asked
 *   for.
 */
export function checkFoundMap<V, K extends SharedMapKey>(
  structure: Structure,
  asked: Partial<SharedMapNewOptions<V, K>> & Pick<SharedMapNewOptions<V, K>, "codec">,
): void {
  const { codec, key = codecs.utf8, whenFull, size, entryLength, unitLength } = asked;
  if (formOf(codec, structure.header.codec ?? "") === undefined) {
    structure.mustHaveCodec(codec.id, codecName(codec));
  }
  const { shape, evicts, hasBytesKeys } = readMap(structure);
  if (key !== codecs.raw) {
    structure.mustHave("kind of keys", FLAGS_OFFSET, hasBytesKeys ? "bytes" : "utf8", key.id);
  }
  structure.mustHave("whenFull", FLAGS_OFFSET, evicts ? "evict" : "refuse", whenFull);
  structure.mustHave("unitLength", HEADER_PARAMETERS_OFFSET + 12, shape.unitWords * 4, unitLength);
  if (size === undefined) return;
  const planned = shapeFor({ size, entryLength, unitLength });
  if (isSame(planned, shape)) return;
  const found = structureLength(structure.header);
  // Planning rounds each stripe down by less than 128 bytes and a unit.
  const rest = shape.stripeCount * (128 + shape.unitWords * 4);
  const fits = found <= size && size - found < rest;
  structure.mustHave("size", HEADER_PARAMETERS_OFFSET, fits ? size : found, size);
  if (entryLength === undefined) return;
  const index = ({ stripeCount, bucketCount }: MapShape): string =>
    `${stripeCount} times ${bucketCount} buckets`;
  structure.mustHave("entryLength", HEADER_PARAMETERS_OFFSET + 4, index(shape), index(planned));
}

function isSame(one: MapShape, other: MapShape): boolean {
  return (
    one.stripeCount === other.stripeCount &&
    one.bucketCount === other.bucketCount &&
    one.unitCount === other.unitCount &&
    one.unitWords === other.unitWords
  );
}
