/** Maps and records. */
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
import { RECORD, RECORD_LATEST } from "../../layout/shared-record-layout.ts";
import {
  CODEC_ID_MAX,
  HEADER_CODEC,
  HEADER_DATA_OFFSET,
  HEADER_PARAMETERS,
  SEGMENT_HEADER,
  codecIdOf,
} from "../../layout/segment-header.ts";
import { stripeWords } from "../../map/algorithm/map-shape.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import type { Part } from "./kind.ts";

/** More stripes than any map has. */
const STRIPES_MAX = 64;

const header: Part = { layout: SEGMENT_HEADER, offset: 0 };
const dataOffset = (words: ObjectWords): number => words.u32(HEADER_DATA_OFFSET);

export function recordParts(words: ObjectWords): Part[] {
  return [header, { layout: RECORD, offset: dataOffset(words) }];
}

/** A record's version counts its writes. */
export function recordActivity(words: ObjectWords): Activity {
  return { in: words.u32(dataOffset(words) + RECORD_LATEST) };
}

export function mapParts(words: ObjectWords): Part[] {
  return [header, { layout: MAP_STRIPE, offset: dataOffset(words) }];
}

export function mapActivity(words: ObjectWords): Activity {
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
    // What went before anybody removed it.
    lost: sum(EVICTIONS),
    out: sum(EXPIRATIONS),
    recovered: sum(REPAIRS),
  };
}

/** In what form a map's values and keys are. */
export function readMapForms(words: ObjectWords): { codec: string; bytesKeys: boolean } {
  const codec = codecIdOf(words.bytes(HEADER_CODEC, CODEC_ID_MAX));
  const flags = words.u32(HEADER_PARAMETERS + MAP_FLAGS_PARAMETER * 4);
  return { codec, bytesKeys: (flags & MAP_BYTES_KEYS) !== 0 };
}
