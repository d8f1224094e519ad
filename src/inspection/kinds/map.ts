import {
  ENTRY_COUNT,
  EVICTIONS,
  EXPIRATIONS,
  MAP_BYTES_KEYS,
  MAP_FLAGS_PARAMETER,
  MAP_STRIPE,
  REFUSALS,
  REPAIRS,
  SLOTS,
} from "../../layout/map-layout.ts";
import {
  CODEC_ID_MAX,
  HEADER_CODEC,
  HEADER_PARAMETERS,
  codecIdOf,
} from "../../layout/segment-header.ts";
import { stripeWords } from "../../map/algorithm/map-shape.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, dataOffset, headed } from "./header.ts";
import type { Structure } from "./kind.ts";

/** More stripes than any map has. */
const STRIPES_MAX = 64;

function activity(words: ObjectWords): Activity {
  const [stripeCount, bucketCount, unitCount, unitWords] = [0, 4, 8, 12].map((at) =>
    words.u32(HEADER_PARAMETERS + at),
  ) as [number, number, number, number];
  const stride = stripeWords({ stripeCount, bucketCount, unitCount, unitWords }) * 4;
  const sum = (word: number): number => {
    let total = 0;
    for (let stripe = 0; stripe < Math.min(stripeCount, STRIPES_MAX); stripe++) {
      total += words.u32(dataOffset(words) + stripe * stride + word * 4);
    }
    return total;
  };
  return {
    depth: sum(ENTRY_COUNT),
    capacity: stripeCount * bucketCount * SLOTS,
    unit: "entries",
    full: sum(REFUSALS),
    lost: sum(EVICTIONS),
    expired: sum(EXPIRATIONS),
    repaired: sum(REPAIRS),
  };
}

export const MAP_STRUCTURE: Structure = headed("map", {
  parts: (words) => [HEADER, { layout: MAP_STRIPE, offset: dataOffset(words) }],
  activity,
});

/** In what form a map's values and keys are. */
export function readMapForms(words: ObjectWords): { codec: string; bytesKeys: boolean } {
  const codec = codecIdOf(words.bytes(HEADER_CODEC, CODEC_ID_MAX));
  const flags = words.u32(HEADER_PARAMETERS + MAP_FLAGS_PARAMETER * 4);
  return { codec, bytesKeys: (flags & MAP_BYTES_KEYS) !== 0 };
}
