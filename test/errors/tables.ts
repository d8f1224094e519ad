/** What tables, and structs that grow, say. */
import { type Schema, SharedRecord, SharedTable, arrayOf, struct } from "../../src/index.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { TABLE_NAME_COUNT_OFFSET } from "../../src/layout/table-layout.ts";
import { placesOf, planTable } from "../../src/table/algorithm/table-shape.ts";
import { type ErrorRow, Point, any, closed, poked, record, table } from "./provoke.ts";

/** Finds a record with `first`, as one with `second`. */
const grown = (name: string, first: Schema, second: Schema, defaults: object = {}) => {
  const codec = struct(second, { defaults });
  const made = SharedRecord.create(name, { codec: struct(first) });
  try {
    return SharedRecord.open(name, { codec });
  } finally {
    made.close();
  }
};
const OLD = { price: "f64", size: "u32" } as const;
const START = 'Cannot open record "NAME": ';
const PLACES = placesOf(planTable(4, 16, 8));

const differing: readonly [schema: Schema, what: string, declared: string][] = [
  [
    { price: "f64", size: "f32" },
    'its field "size" is "uint32_t size", not "float size"',
    "struct { double price; float size; }",
  ],
  [
    { price: "f64" },
    'it has a field "size" more, which this struct does not know',
    "struct { double price; }",
  ],
  [{ size: "u32" }, 'it has a field "price", which this struct lacks', "struct { uint32_t size; }"],
  [
    { size: "u32", price: "f64" },
    'its field "price" comes before "size"',
    "struct { uint32_t size; double price; }",
  ],
  [
    { price: "f64", amount: "u32" },
    'it has a field "size" ("uint32_t size") in the place of "uint32_t amount"',
    "struct { double price; uint32_t amount; }",
  ],
  [
    { price: "f64", venue: "u8", size: "u32" },
    'it has no field "venue", and fields can be added at the end only',
    "struct { double price; uint8_t venue; uint32_t size; }",
  ],
  [
    { ...OLD, venue: "u8" },
    'it has no field "venue", which this struct adds without a default. Give it a default: struct({ … }, { defaults: { venue: … } })',
    "struct { double price; uint32_t size; uint8_t venue; }",
  ],
];

export const TABLES: readonly ErrorRow[] = [
  ...differing.map(([schema, what, declared]): ErrorRow => {
    const expected = `${struct(schema).id} (${declared})`;
    return {
      provoke: (name) => grown(name, OLD, schema),
      error: "LayoutError",
      text: `${START}${what}: expected ${expected} at offset 64, found ${struct(OLD).id}`,
    };
  }),
  {
    provoke: (name) =>
      grown(name, OLD, { ...OLD, venue: "u8" }, { venue: 7 }).write({
        price: 1,
        size: 2,
        venue: 8,
      }),
    error: "RangeError",
    text: 'Cannot write 8 to field "venue": it must be its default 7, since what it is written to was made before the struct had this field',
  },
  {
    provoke: () => struct({ a: "u8", b: "u8" }, { defaults: any(5) }),
    error: "TypeError",
    text: "Cannot make a struct: its defaults must be { field: value, … }, not 5",
  },
  {
    provoke: () => struct({ a: "u8", b: "u8" }, { defaults: any({ c: 5 }) }),
    error: "TypeError",
    text: 'Cannot make a struct: there is no field "c" to have a default',
  },
  {
    provoke: () => struct({ a: "u8", b: "u8", c: "u8" }, { defaults: { b: 5 } }),
    error: "TypeError",
    text: 'Cannot make a struct: field "c" needs a default, since a field before it has one, and only the last fields can be missing somewhere',
  },
  {
    provoke: () => struct({ a: "u8", b: "u8" }, { defaults: { a: 1, b: 5 } }),
    error: "TypeError",
    text: 'Cannot make a struct: its first field "a" cannot have a default',
  },
  {
    provoke: () => struct({ a: "u8", b: "u8" }, { defaults: { b: 500 } }),
    error: "RangeError",
    text: 'Cannot make a struct: the default of "b" must be an integer from 0 to 255, not 500',
  },
  {
    provoke: () => struct({ a: "u8", b: arrayOf("u8", 2) }, { defaults: { b: [1, 500] } }),
    error: "RangeError",
    text: 'Cannot make a struct: the default of "b" ([1]) must be an integer from 0 to 255, not 500',
  },
  {
    provoke: (name) => SharedTable.create(name, any({ codec: Point })),
    error: "TypeError",
    text: 'Cannot create table "NAME": its rows must be an integer from 1 to 67108864, not undefined',
  },
  {
    provoke: (name) => SharedTable.create(name, { codec: Point, rows: 0 }),
    error: "RangeError",
    text: 'Cannot create table "NAME": its rows must be an integer from 1 to 67108864, not 0',
  },
  {
    provoke: (name) => SharedTable.create(name, { codec: Point, rows: 1, names: 2000 }),
    error: "RangeError",
    text: 'Cannot create table "NAME": its names must be an integer from 1 to 1024, not 2000',
  },
  {
    provoke: (name) => SharedTable.create(name, { codec: Point, rows: 1, names: any("yes") }),
    error: "TypeError",
    text: 'Cannot create table "NAME": its names must be true or a number, not "yes"',
  },
  {
    provoke: (name) => SharedTable.create(name, { codec: Point, rows: 2 ** 26, names: true }),
    error: "RangeError",
    text: 'Cannot create table "NAME": 67108864 rows of 16 bytes take 6983524736 bytes, and it can have 4294901760',
  },
  {
    provoke: (name) => SharedTable.open(record(name).name, { codec: Point }),
    error: "LayoutError",
    text: 'Cannot open table "NAME": it is another structure: expected a table at offset 16, found a record',
  },
  {
    provoke: (name) => SharedTable.openOrCreate(table(name).name, { codec: Point, rows: 5 }),
    error: "LayoutError",
    text: 'Cannot open table "NAME": it has a different count of rows: expected 5 at offset 32, found 4',
  },
  {
    provoke: (name) => SharedTable.open(poked(table(name).segment, 44, 3).name, { codec: Point }),
    error: "LayoutError",
    text: `Cannot open table "NAME": its numbers make no table: expected ${PLACES.end + 128} bytes at offset 32, found {"rows":4,"blockRows":1,"stripeCount":3,"nameLength":8,"valueLength":16}`,
  },
  {
    provoke: (name) => table(name).read(4),
    error: "RangeError",
    text: 'Cannot read a row of table "NAME": its number must be an integer from 0 to 3, not 4',
  },
  {
    provoke: (name) => table(name).write(any("1"), { x: 1, label: "" }),
    error: "TypeError",
    text: 'Cannot write to a row of table "NAME": its number must be an integer from 0 to 3, not "1"',
  },
  {
    provoke: (name) => table(name).write(1, { x: 1, label: "too long for it" }),
    error: "RangeError",
    text: 'Cannot write "too long for it" to field "label": it must be text of at most 4 bytes, and has 15',
  },
  {
    provoke: (name) =>
      table(name).update(
        1,
        any(async () => ({ x: 1, label: "" })),
      ),
    error: "TypeError",
    text: 'Cannot update table "NAME" with a promise: a lock is held until the callback returns, which must be with the value itself',
  },
  {
    provoke: (name) => {
      const one = table(name);
      one.update(1, (old) => (one.write(2, { x: 1, label: "" }), old!));
    },
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot write to table "NAME": a callback of its own update is running, and holds a lock',
  },
  {
    provoke: (name) => table(name).column(any("label")),
    error: "TypeError",
    text: 'Cannot read a column of table "NAME": there is no column "label": it must be the name of a scalar field of the struct',
  },
  {
    provoke: (name) => table(name).columnInto("x", any(new Float32Array(4))),
    error: "TypeError",
    text: 'Cannot read a column of table "NAME": the target must be a Float64Array, not a value of type Float32Array',
  },
  {
    provoke: (name) => table(name).columnInto("x", new Float64Array(3)),
    error: "RangeError",
    text: 'Cannot read a column of table "NAME": the target must have 4 elements, one a row, not 3',
  },
  {
    provoke: (name) => SharedTable.create(name, { codec: Point, rows: 1 }).rowOf("a"),
    error: "TypeError",
    text: 'Cannot find rows of table "NAME" by name: it was made without { names: true }',
  },
  {
    provoke: (name) => table(name).rowOf(any(5)),
    error: "TypeError",
    text: 'Cannot find a row of table "NAME" by 5: a name is text',
  },
  {
    provoke: (name) => table(name).rowOf("123456789"),
    error: "RangeError",
    text: 'Cannot find a row of table "NAME" by "123456789": a name has 1 to 8 bytes of UTF-8, and this has 9',
  },
  {
    provoke: (name) => {
      const one = table(name);
      poked(one.segment, SEGMENT_HEADER_LENGTH + TABLE_NAME_COUNT_OFFSET, 5);
      one.names();
    },
    error: "LayoutError",
    text: "Cannot use the names of the table: a number is corrupt: expected 0 to 4 at offset 320, found 5",
  },
  {
    provoke: (name) => {
      const one = table(name);
      poked(one.segment, SEGMENT_HEADER_LENGTH + PLACES.rows, 5);
      one.read(0);
    },
    error: "LayoutError",
    text: `Cannot read row 0: its newest value never holds its version: expected version 5 at offset ${SEGMENT_HEADER_LENGTH + PLACES.rows}, found another`,
  },
  {
    provoke: (name) => {
      const one = table(name);
      poked(one.segment, SEGMENT_HEADER_LENGTH + PLACES.rows, 5);
      one.column("x");
    },
    error: "LayoutError",
    text: `Cannot read row 0: its newest value never holds its version: expected version 5 at offset ${SEGMENT_HEADER_LENGTH + PLACES.rows}, found another`,
  },
  {
    provoke: (name) => table(name).changes(any({ from: "then" })),
    error: "TypeError",
    text: 'Cannot watch table "NAME": from must be "beginning" or "now", not "then"',
  },
  {
    provoke: (name) => closed(table(name)).read(0),
    error: "ClosedError",
    text: 'Cannot use table "NAME": it is closed',
  },
];
