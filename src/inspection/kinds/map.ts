import {
  ENTRY_COUNT_WORD,
  EVICTIONS_WORD,
  EXPIRATIONS_WORD,
  MAP_BYTES_KEYS,
  MAP_FLAGS_PARAMETER,
  MAP_HEAD,
  MAP_HEAD_LENGTH,
  MAP_STRIPE,
  REFUSALS_WORD,
  REPAIRS_WORD,
  BUCKET_SLOTS,
} from "../../layout/map-layout.ts";
import {
  MAX_CODEC_ID_LENGTH,
  HEADER_CODEC_OFFSET,
  HEADER_PARAMETERS_OFFSET,
  codecIdOf,
} from "../../layout/segment-header.ts";
import { MAX_STRIPES, type MapShape, stripeWords } from "../../map/algorithm/map-shape.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, dataOffset, headed } from "./header.ts";
import { type Inspector, lockRow } from "./kind.ts";

/** @returns How a map's memory is divided; the number of stripes is one that can be. */
function shapeOf(words: ObjectWords): MapShape & { readonly stride: number } {
  const [stripeCount, bucketCount, unitCount, unitWords] = [0, 4, 8, 12].map((at) =>
    words.u32(HEADER_PARAMETERS_OFFSET + at),
  ) as [number, number, number, number];
  const shape = { stripeCount, bucketCount, unitCount, unitWords };
  const stride = stripeWords(shape) * 4;
  return { ...shape, stripeCount: Math.min(stripeCount, MAX_STRIPES), stride };
}

/** Where the first stripe begins. */
const stripesOffset = (words: ObjectWords): number => dataOffset(words) + MAP_HEAD_LENGTH;

const flagsOf = (words: ObjectWords): number =>
  words.u32(HEADER_PARAMETERS_OFFSET + MAP_FLAGS_PARAMETER * 4);

function activity(words: ObjectWords): Activity {
  const { stripeCount, bucketCount, stride } = shapeOf(words);
  const sum = (word: number): number => {
    let total = 0;
    for (let stripe = 0; stripe < stripeCount; stripe++) {
      total += words.u32(stripesOffset(words) + stripe * stride + word * 4);
    }
    return total;
  };
  return {
    depth: sum(ENTRY_COUNT_WORD),
    capacity: stripeCount * bucketCount * BUCKET_SLOTS,
    unit: "entries",
    full: sum(REFUSALS_WORD),
    lost: sum(EVICTIONS_WORD),
    expired: sum(EXPIRATIONS_WORD),
    repaired: sum(REPAIRS_WORD),
  };
}

export const MAP_INSPECTOR: Inspector = headed("map", {
  parts: (words) => [
    HEADER,
    { layout: MAP_HEAD, offset: dataOffset(words) },
    { layout: MAP_STRIPE, offset: stripesOffset(words) },
  ],
  activity,
  locks(words) {
    const { stripeCount, stride } = shapeOf(words);
    return lockRow("stripe", stripesOffset(words), stripeCount, stride);
  },
});

/** @returns The forms of a map's values and keys. */
export function readMapForms(words: ObjectWords): { codec: string; bytesKeys: boolean } {
  const codec = codecIdOf(words.bytes(HEADER_CODEC_OFFSET, MAX_CODEC_ID_LENGTH));
  return { codec, bytesKeys: (flagsOf(words) & MAP_BYTES_KEYS) !== 0 };
}
