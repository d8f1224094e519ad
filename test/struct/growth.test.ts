/** Structs that grow by fields with defaults, over what was made with the shorter ones. */
import { describe, expect, test } from "bun:test";
import {
  LayoutError,
  type Schema,
  Segment,
  SharedMap,
  SharedRecord,
  SharedTable,
  type Struct,
  arrayOf,
  charArray,
  struct,
} from "../../src/index.ts";

const OLD = { price: "f64", size: "u32" } as const;
const Old = struct(OLD);
const Middle = struct({ ...OLD, venue: "u32" }, { defaults: { venue: 7 } });
const MORE = {
  ...OLD,
  venue: "u32",
  tag: charArray(4),
  levels: arrayOf("f32", 2),
  inner: struct({ a: "u8", b: "i64" }),
  on: "bool",
} as const;
const defaults = { tag: "hi", levels: [1, 2], inner: { a: 3, b: -1n }, on: true };
const New = struct(MORE, { defaults: { venue: 7, ...defaults } });
const first = { price: 1.5, size: 2 };
const grown = { ...first, venue: 7, ...defaults };

/** What is made with one struct and found with another one, over one value. */
interface Use<S extends Schema> {
  readonly missingFields: readonly string[];
  read(): unknown;
  write(value: object): unknown;
  readonly codec: Struct<S>;
}

const NOUNS: Record<string, <S extends Schema>(segment: Segment, codec: Struct<S>) => Use<S>> = {
  record(segment, codec) {
    const isNew = segment.view.getUint32(0) === 0;
    const record = isNew
      ? SharedRecord.init(segment, 0, { codec })
      : SharedRecord.at(segment, 0, { codec });
    const { missingFields } = record;
    const write = (value: object): unknown => record.write(value as never);
    return { codec, missingFields, read: () => record.read(), write };
  },
  table(segment, codec) {
    const isNew = segment.view.getUint32(0) === 0;
    const table = isNew
      ? SharedTable.init(segment, 0, { codec, rows: 3 })
      : SharedTable.at(segment, 0, { codec });
    const { missingFields } = table;
    const write = (value: object): unknown => table.write(1, value as never);
    return { codec, missingFields, read: () => table.read(1), write };
  },
  map(segment, codec) {
    const isNew = segment.view.getUint32(0) === 0;
    const map = isNew
      ? SharedMap.init(segment, 0, { codec, size: 2 ** 14 })
      : SharedMap.at(segment, 0, { codec });
    const { missingFields } = map;
    const write = (value: object): unknown => map.set("k", value as never);
    return { codec, missingFields, read: () => map.get("k"), write };
  },
};

describe.each(Object.entries(NOUNS))("a %s", (noun, use) => {
  const make = (): Segment => Segment.create("memfd:grown", { size: 2 ** 15 });

  test("that was made with the shorter struct shows the defaults, and takes nothing else", () => {
    using segment = make();
    const old = use(segment, Old);
    old.write(first);
    for (const [codec, value, missing] of [
      [Middle, { ...first, venue: 7 }, ["venue"]],
      [New, grown, ["venue", "tag", "levels", "inner", "on"]],
    ] as const) {
      const found = use(segment, codec as Struct<Schema>);
      expect([found.missingFields, found.read()]).toEqual([missing, value]);
      found.write({ ...value, size: 9 });
      expect(old.read()).toEqual({ ...first, size: 9 });
      expect(() => found.write({ ...value, size: 1, venue: 8 })).toThrow(RangeError);
      expect(() => found.write({ ...value, size: 1, venue: -1 })).toThrow("from 0 to 4294967295");
      expect(old.read()).toEqual({ ...first, size: 9 });
      old.write(first);
    }
    const found = use(segment, New);
    for (const other of [{ tag: "ho" }, { levels: [1, 3] }, { inner: { a: 3, b: 0n } }]) {
      expect(() => found.write({ ...grown, ...other })).toThrow("must be its default");
    }
    expect(found.read()).toEqual(grown);
  });

  test("is opened by every struct in between, and holds what it was made with", () => {
    using segment = make();
    const middle = use(segment, Middle);
    middle.write({ ...first, venue: 9 });
    const found = use(segment, New);
    expect([found.missingFields, found.read()]).toEqual([
      ["tag", "levels", "inner", "on"],
      { ...grown, venue: 9 },
    ]);
    // Defaults are no part of the layout.
    const same = use(segment, struct({ ...OLD, venue: "u32" }));
    expect([same.missingFields, same.read()]).toEqual([[], { ...first, venue: 9 }]);
    expect(() => use(segment, Old)).toThrow(LayoutError);
  });

  test("refuses a struct that changed otherwise", () => {
    using segment = make();
    use(segment, Old).write(first);
    const others: [Schema, string][] = [
      [{ price: "f64", size: "f32" }, 'its field "size" is "uint32_t size", not "float size"'],
      [{ price: "f64" }, 'a field "size" more'],
      [{ size: "u32" }, 'a field "price", which this struct lacks'],
      [{ price: "f64", count: "u32" }, 'a field "size" ("uint32_t size") in the place of'],
      [{ size: "u32", price: "f64" }, 'its field "price" comes before "size"'],
      [{ price: "f64", on: "bool", size: "u32" }, 'no field "on", and fields can be added at the'],
      [{ ...OLD, on: "bool" }, 'no field "on", which this struct adds without a default'],
    ];
    for (const [schema, text] of others) {
      const find = (): unknown => use(segment, struct(schema));
      expect(find).toThrow(LayoutError);
      // A map keeps no declaration of its struct, and can only say that it is another one.
      expect(find).toThrow(noun === "map" ? "a different codec" : text);
    }
  });
});

test("views, columns and updates of an old table show the defaults", () => {
  using segment = Segment.create("memfd:grown", { size: 2 ** 15 });
  const old = SharedTable.init(segment, 0, { codec: Old, rows: 3 });
  old.write(1, first);
  const table = SharedTable.at(segment, 0, { codec: New });
  expect([...table.column("venue")]).toEqual([0, 7, 0]);
  expect([...table.column("on")]).toEqual([0, 1, 0]);
  expect([...table.column("size")]).toEqual([0, 2, 0]);
  table.update(1, (value) => ({ ...value!, size: 5 }));
  expect(old.read(1)).toEqual({ ...first, size: 5 });
  const view = table.view(1)!;
  expect([view.size, view.venue, view.tag, view.inner.b, [...view.levels]]).toEqual([
    5,
    7,
    "hi",
    -1n,
    [1, 2],
  ]);
  expect(() => (view.venue = 8)).toThrow("its default 7");
  // What is written to a view is its own.
  view.levels.set(0, 5);
  view.inner.a = 9;
  expect([table.read(1)!.levels, table.read(1)!.inner]).toEqual([[1, 2], { a: 3, b: -1n }]);
});

test("a declaration that somebody scribbled over, or that is missing, is not believed", () => {
  using segment = Segment.create("memfd:grown", { size: 2 ** 15 });
  const record = SharedRecord.init(segment, 0, { codec: Old });
  const at = 128 + SharedRecord.byteLength({ codec: Old }) - 128 - 128;
  expect(Buffer.from(segment.bytes.subarray(at, at + 8)).toString()).toBe("struct {");
  segment.bytes[at + 12] = 0;
  expect(SharedRecord.at(segment, 0, { codec: New }).read()).toBeUndefined();
  const Other = struct({ price: "f32" });
  expect(() => SharedRecord.at(segment, 0, { codec: Other })).toThrow("a different codec");
  for (const length of [0, 2 ** 31, 64]) {
    segment.view.setUint32(40, length, true);
    expect(() => SharedRecord.at(segment, 0, { codec: Other })).toThrow(LayoutError);
  }
  record.close();
});

test("a struct inside another one has no defaults of its own there", () => {
  const Outer = struct({ a: "u8", inner: Middle });
  using record = SharedRecord.create("memfd:outer", { codec: struct({ a: "u8", inner: Old }) });
  expect(() => SharedRecord.at(record.segment, 0, { codec: Outer })).toThrow('its field "inner"');
});
