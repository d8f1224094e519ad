/** Reads the fields of known layouts from an object's bytes. */
import { type Field, fieldLength } from "../layout/description.ts";
import type { Part } from "./kinds/kind.ts";
import type { ObjectWords } from "./object-words.ts";

/** One field of a known layout, with its value in an object. */
export interface InspectedField {
  /** The layout's name in docs/LAYOUT.md. */
  readonly structure: string;
  readonly name: string;
  /** Bytes from the object's start. */
  readonly offset: number;
  /** The type in C: "uint32_t", "uint8_t[64]" … */
  readonly type: string;
  /** The value; undefined when the object ends before the field does. */
  readonly value: number | bigint | readonly (number | bigint)[] | undefined;
  /** The meaning, in the words of docs/LAYOUT.md. */
  readonly text: string;
}

function readOne(view: DataView, type: Field["type"], offset: number): number | bigint {
  switch (type) {
    case "uint8_t":
      return view.getUint8(offset);
    case "uint32_t":
      return view.getUint32(offset, true);
    case "int32_t":
      return view.getInt32(offset, true);
    case "double":
      return view.getFloat64(offset, true);
    case "uint64_t":
      return view.getBigUint64(offset, true);
  }
}

/** @returns Every field of a structure's parts, in order. */
export function readFields(parts: readonly Part[], words: ObjectWords): InspectedField[] {
  return parts.flatMap(({ layout, offset }) => {
    const bytes = words.bytes(offset, layout.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return layout.fields.map((field): InspectedField => {
      const { count = 1, type } = field;
      const step = fieldLength(field) / count;
      const fits = field.offset + fieldLength(field) <= bytes.byteLength;
      const values = fits
        ? Array.from({ length: count }, (_, at) => readOne(view, type, field.offset + at * step))
        : undefined;
      return {
        structure: layout.name,
        name: field.name,
        offset: offset + field.offset,
        type: count === 1 ? type : `${type}[${count}]`,
        value: count === 1 ? values?.[0] : values,
        text: field.text,
      };
    });
  });
}
