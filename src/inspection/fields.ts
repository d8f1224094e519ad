/** Reads the fields of a layout out of bytes. */
import { type Field, fieldLength } from "../layout/layout.ts";
import type { Part } from "./structures.ts";

/** One field, as it is in an object now. */
export interface FieldValue {
  readonly structure: string;
  readonly name: string;
  readonly offset: number;
  readonly type: string;
  /** undefined when the object ends before it. */
  readonly value: number | bigint | readonly (number | bigint)[] | undefined;
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
    case "uint64_t":
      return view.getBigUint64(offset, true);
  }
}

/** Every field of the parts, in their order. */
export function readFields(bytes: Uint8Array, parts: readonly Part[]): FieldValue[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return parts.flatMap(({ layout, offset }) =>
    layout.fields.map((field): FieldValue => {
      const at = offset + field.offset;
      const { count = 1, type } = field;
      const step = fieldLength(field) / count;
      const fits = at + fieldLength(field) <= bytes.byteLength;
      const values = fits
        ? Array.from({ length: count }, (_, index) => readOne(view, type, at + index * step))
        : undefined;
      return {
        structure: layout.name,
        name: field.name,
        offset: at,
        type: count === 1 ? type : `${type}[${count}]`,
        value: count === 1 ? values?.[0] : values,
        text: field.text,
      };
    }),
  );
}
