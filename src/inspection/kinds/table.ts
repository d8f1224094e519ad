import { HEADER_PARAMETERS_OFFSET } from "../../layout/segment-header.ts";
import {
  STRIPE_LENGTH,
  STRIPE_REPAIRS_OFFSET,
  STRIPE_WRITES_OFFSET,
  TABLE,
  TABLE_NAMES_LOCK_OFFSET,
  TABLE_PARAMETERS,
  TABLE_STRIPE,
  TABLE_STRIPES_OFFSET,
} from "../../layout/table-layout.ts";
import { MAX_STRIPES } from "../../table/algorithm/table-shape.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, dataOffset, headed } from "./header.ts";
import { type Inspector, lockRow } from "./kind.ts";

const parameter = (words: ObjectWords, index: number): number =>
  words.u32(HEADER_PARAMETERS_OFFSET + index * 4);

/** @returns How many stripes a table has; a number that can be. */
const stripesOf = (words: ObjectWords): number =>
  Math.min(parameter(words, TABLE_PARAMETERS.stripeCount), MAX_STRIPES);

function activity(words: ObjectWords): Activity {
  let [writes, repairs] = [0, 0];
  for (let stripe = 0; stripe < stripesOf(words); stripe++) {
    const start = dataOffset(words) + TABLE_STRIPES_OFFSET + stripe * STRIPE_LENGTH;
    writes += words.u32(start + STRIPE_WRITES_OFFSET);
    repairs += words.u32(start + STRIPE_REPAIRS_OFFSET);
  }
  return {
    in: writes % 2 ** 32,
    capacity: parameter(words, TABLE_PARAMETERS.rows),
    unit: "rows",
    repaired: repairs % 2 ** 32,
  };
}

export const TABLE_INSPECTOR: Inspector = headed("table", {
  parts: (words) => [
    HEADER,
    { layout: TABLE, offset: dataOffset(words) },
    { layout: TABLE_STRIPE, offset: dataOffset(words) + TABLE_STRIPES_OFFSET },
  ],
  activity,
  locks: (words) => [
    ...lockRow("stripe", dataOffset(words) + TABLE_STRIPES_OFFSET, stripesOf(words), STRIPE_LENGTH),
    { role: "names", offset: dataOffset(words) + TABLE_NAMES_LOCK_OFFSET },
  ],
});
