import {
  MAX_ATOMIC_NAME_LENGTH,
  CELL_LENGTH,
  COUNTER_KIND,
  NAME_ENTRY_LENGTH,
  NAME_KIND_OFFSET,
  NAME_LENGTH_OFFSET,
  NAME_TEXT_OFFSET,
  atomicsLength,
  cellsOffset,
} from "../../layout/atomics-layout.ts";
import { type Field, u32 } from "../../layout/description.ts";
import {
  HEADER_DATA_LENGTH_OFFSET,
  HEADER_PARAMETERS_OFFSET,
} from "../../layout/segment-header.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, dataOffset, headed, headerDamage } from "./header.ts";
import type { Inspector, NamedValue, Part } from "./kind.ts";

/** @returns How many words and counters there are; 0 when the header's number cannot be true. */
function countOf(words: ObjectWords): number {
  const count = words.u32(HEADER_PARAMETERS_OFFSET);
  return words.u32(HEADER_DATA_LENGTH_OFFSET) === atomicsLength(count) ? count : 0;
}

interface Cell extends Pick<NamedValue, "name" | "kind"> {
  /** Bytes from the start of the data. */
  readonly offset: number;
}

/** @returns What the table of names says. */
function cellsOf(words: ObjectWords): Cell[] {
  const count = countOf(words);
  return Array.from({ length: count }, (_, at) => {
    const entry = dataOffset(words) + at * NAME_ENTRY_LENGTH;
    const length = Math.min(words.u32(entry + NAME_LENGTH_OFFSET), MAX_ATOMIC_NAME_LENGTH);
    const name = Buffer.from(words.bytes(entry + NAME_TEXT_OFFSET, length)).toString();
    const kind = words.u32(entry + NAME_KIND_OFFSET) === COUNTER_KIND ? "counter" : "word";
    return { name, kind, offset: cellsOffset(count) + at * CELL_LENGTH };
  });
}

/** @returns A field for each word and counter, named as in the table of names. */
function fieldsOf(words: ObjectWords): Field[] {
  return cellsOf(words).map(({ name, kind, offset }) =>
    kind === "counter"
      ? u32(name, offset, "A counter: the count mod 2^32, and the halves of it that passed.", 2)
      : u32(name, offset, "A word."),
  );
}

/** @returns A word, or a counter's count: `atomics/algorithm/split-counter.ts` says how. */
function valueOf(words: ObjectWords, { kind, offset }: Cell): number {
  const cell = dataOffset(words) + offset;
  const low = words.u32(cell);
  if (kind === "word") return low | 0;
  const half = words.u32(cell + 4);
  const pending = (half & 1) === low >>> 31 ? 0 : 1;
  return (half + pending) * 2 ** 31 + (low & 0x7fffffff);
}

function values(words: ObjectWords): NamedValue[] {
  if (headerDamage(words) !== undefined) return [];
  return cellsOf(words).map((cell) => ({
    name: cell.name,
    kind: cell.kind,
    value: valueOf(words, cell),
  }));
}

function parts(words: ObjectWords): Part[] {
  const layout = {
    name: "atomics",
    text: "The words and counters by name.",
    length: atomicsLength(countOf(words)),
    fields: fieldsOf(words),
  };
  return [HEADER, { layout, offset: dataOffset(words) }];
}

export const ATOMICS_INSPECTOR: Inspector = headed("atomics", {
  parts: (words) => (headerDamage(words) === undefined ? parts(words) : [HEADER]),
  values,
  damage: (words) =>
    headerDamage(words) ??
    (countOf(words) > 0 ? undefined : "its number of names does not fit its data"),
});
