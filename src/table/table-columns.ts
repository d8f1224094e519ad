/** One scalar field over all rows of a table. */
import { shown } from "../arguments.ts";
import { SCALARS } from "../struct/field.ts";
import { type Schema, type Struct, missingFields } from "../struct/struct.ts";
import type { TableRows } from "./algorithm/table-rows.ts";
import type { ColumnArrays } from "./table-options.ts";

const ARRAYS: Readonly<Record<string, new (length: number) => ArrayLike<unknown>>> = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
  bool: Uint8Array,
} satisfies Record<keyof ColumnArrays, unknown>;

/** The columns of a table, for one of its handles. */
export class TableColumns<S extends Schema> {
  readonly #rows: TableRows;
  readonly #codec: Struct<S>;
  readonly #form: Struct<S>;

  constructor(rows: TableRows, codec: Struct<S>, form: Struct<S>) {
    this.#rows = rows;
    this.#codec = codec;
    this.#form = form;
  }

  /** @returns A new array for a column. @throws TypeError when there is no such column. */
  make(action: string, name: unknown): ArrayLike<unknown> {
    return new (this.#arrayOf(action, name))(this.#rows.shape.rows);
  }

  /** @throws TypeError, RangeError when a column does not fit into an array. */
  check(action: string, name: unknown, target: unknown): void {
    const Expected = this.#arrayOf(action, name);
    const { rows } = this.#rows.shape;
    if (!(target instanceof Expected)) {
      const type = Expected.name;
      throw new TypeError(`${action}: the target must be a ${type}, not ${shown(target)}`);
    }
    if (target.length >= rows) return;
    throw new RangeError(
      `${action}: the target must have ${rows} elements, one a row, not ${target.length}`,
    );
  }

  /** Copies a column into an array of its type that is long enough. */
  fill(name: string, target: ArrayLike<unknown>): void {
    const { get } = SCALARS[this.#codec.schema[name] as string]!;
    if (missingFields(this.#codec, this.#form).includes(name)) {
      const empty = new DataView(new ArrayBuffer(this.#form.byteLength));
      const value = (this.#form.read(empty) as Record<string, unknown>)[name];
      this.#copy(() => value, 0, target as unknown[]);
      return;
    }
    const field = this.#form.fields.find((each) => each.name === name)!;
    this.#copy(get, field.offset, target as unknown[]);
  }

  #copy(get: (view: DataView, offset: number) => unknown, offset: number, target: unknown[]): void {
    const rows = this.#rows;
    const count = rows.shape.rows;
    const none = target instanceof BigInt64Array || target instanceof BigUint64Array ? 0n : 0;
    for (let row = 0; row < count; row++) target[row] = rows.readField(row, get, offset, none);
  }

  #arrayOf(action: string, name: unknown): new (length: number) => ArrayLike<unknown> {
    const { schema } = this.#codec;
    const type: unknown =
      typeof name === "string" && Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (typeof type === "string") return ARRAYS[type]!;
    const rule = "it must be the name of a scalar field of the struct";
    throw new TypeError(`${action}: there is no column ${shown(name)}: ${rule}`);
  }
}
