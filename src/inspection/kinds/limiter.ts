import {
  ALLOWED_WORD,
  ENTRY_COUNT_WORD,
  EXPIRED_WORD,
  LIMITER_ALGORITHMS,
  LIMITER_ALGORITHM_PARAMETER,
  LIMITER_ENTRIES_PARAMETER,
  LIMITER_STRIPE,
  LIMITER_STRIPES_SHIFT,
  LOST_WORD,
  REFUSED_WORD,
  REPAIRS_WORD,
} from "../../layout/limiter-layout.ts";
import { HEADER_PARAMETERS_OFFSET } from "../../layout/segment-header.ts";
import {
  MAX_KEYS,
  MAX_STRIPES,
  entryWordsOf,
  stripeWords,
} from "../../limiter/algorithm/limiter-shape.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, dataOffset, headed } from "./header.ts";
import { type Inspector, lockRow } from "./kind.ts";

const parameter = (words: ObjectWords, at: number): number =>
  words.u32(HEADER_PARAMETERS_OFFSET + at * 4);

/** @returns How a limiter's memory is divided, in numbers that can be. */
function shapeOf(words: ObjectWords): { stripeCount: number; entryCount: number; stride: number } {
  const first = parameter(words, LIMITER_ALGORITHM_PARAMETER);
  const stripeCount = Math.min(2 ** (first >>> LIMITER_STRIPES_SHIFT), MAX_STRIPES);
  const entryCount = Math.min(parameter(words, LIMITER_ENTRIES_PARAMETER), MAX_KEYS);
  const isSliding = (first & 0xff) === LIMITER_ALGORITHMS["sliding-window"];
  const entryWords = entryWordsOf(isSliding ? "sliding-window" : "gcra");
  const stride = stripeWords({ stripeCount, entryCount, entryWords }) * 4;
  return { stripeCount, entryCount, stride };
}

function activity(words: ObjectWords): Activity {
  const { stripeCount, entryCount, stride } = shapeOf(words);
  const sum = (word: number): number => {
    let total = 0;
    for (let stripe = 0; stripe < stripeCount; stripe++) {
      total += words.u32(dataOffset(words) + stripe * stride + word * 4);
    }
    return total;
  };
  return {
    in: sum(ALLOWED_WORD),
    depth: sum(ENTRY_COUNT_WORD),
    capacity: stripeCount * entryCount,
    unit: "entries",
    full: sum(REFUSED_WORD),
    lost: sum(LOST_WORD),
    expired: sum(EXPIRED_WORD),
    repaired: sum(REPAIRS_WORD),
  };
}

export const LIMITER_INSPECTOR: Inspector = headed("limiter", {
  parts: (words) => [HEADER, { layout: LIMITER_STRIPE, offset: dataOffset(words) }],
  activity,
  locks(words) {
    const { stripeCount, stride } = shapeOf(words);
    return lockRow("stripe", dataOffset(words), stripeCount, stride);
  },
});
