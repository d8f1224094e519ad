import { afterEach, describe, expect, test } from "bun:test";
import {
  ClosedError,
  Segment,
  SharedTable,
  StateError,
  arrayOf,
  charArray,
  openAny,
  struct,
} from "../../src/index.ts";
import { STRIPE_LENGTH, TABLE_STRIPES_OFFSET } from "../../src/layout/table-layout.ts";
import { TableRows } from "../../src/table/algorithm/table-rows.ts";
import { placesOf, planTable, rowStride } from "../../src/table/algorithm/table-shape.ts";
import { TableWatch } from "../../src/table/algorithm/table-watch.ts";
import { uniqueName } from "../support/names.ts";

const Quote = struct({
  price: "f64",
  when: "u64",
  size: "u32",
  on: "bool",
  symbol: charArray(6),
  levels: arrayOf("f32", 2),
});
const quote = (size: number) => {
  return { price: size / 2, when: BigInt(size), size, on: size > 1, symbol: "s", levels: [1, 2] };
};

let names: string[] = [];
function name(): string {
  const made = uniqueName("table");
  names.push(made);
  return made;
}
afterEach(() => {
  for (const each of names.splice(0)) Segment.unlink(each);
});

describe("SharedTable", () => {
  test("keeps the newest value of each row", () => {
    const at = name();
    using table = SharedTable.create(at, { codec: Quote, rows: 100 });
    using same = SharedTable.open(at, { codec: Quote });
    expect([table.read(7), table.version(7), table.view(7)]).toEqual([undefined, 0, undefined]);
    const target = { ...quote(0), symbol: "kept" };
    expect([same.readInto(7, target), target.symbol]).toEqual([false, "kept"]);
    expect([table.write(7, quote(1)), same.write(7, quote(2))]).toEqual([1, 2]);
    expect([table.read(7), same.read(6), same.read(8)]).toEqual([quote(2), undefined, undefined]);
    expect([same.readInto(7, target), target]).toEqual([true, quote(2)]);
    expect(same.update(7, (old) => ({ ...old!, size: old!.size + 1 }))).toBe(3);
    expect(table.update(0, (old) => (expect(old).toBeUndefined(), quote(5)))).toBe(1);
    expect(table.snapshot()).toEqual(
      new Map([
        [0, quote(5)],
        [7, { ...quote(2), size: 3 }],
      ]),
    );
    expect(table.stats()).toEqual({ in: 4, capacity: 100, repaired: 0 });
    expect([table.rows, same.rows, table.missingFields]).toEqual([100, 100, []]);
  });

  test("a view is a copy that only the next view changes", () => {
    using table = SharedTable.create("memfd:view", { codec: Quote, rows: 3 });
    table.write(0, quote(4));
    table.write(1, quote(9));
    const view = table.view(0)!;
    table.write(0, quote(5));
    expect([view.size, view.price, view.levels.get(1)]).toEqual([4, 2, 2]);
    table.read(1);
    table.column("size");
    view.size = 1;
    expect([view.size, table.read(0)!.size]).toEqual([1, 5]);
    expect([table.view(1) === view, view.size]).toEqual([true, 9]);
    expect([table.view(2), view.size]).toEqual([undefined, 9]);
  });

  test("columns have the field's type, and 0 for rows without a value", () => {
    using table = SharedTable.create("memfd:columns", { codec: Quote, rows: 3 });
    table.write(2, quote(6));
    expect(table.column("price")).toEqual(new Float64Array([0, 0, 3]));
    expect(table.column("when")).toEqual(new BigUint64Array([0n, 0n, 6n]));
    expect(table.column("size")).toEqual(new Uint32Array([0, 0, 6]));
    expect(table.column("on")).toEqual(new Uint8Array([0, 0, 1]));
    const sizes = new Uint32Array(5).fill(8);
    expect(table.columnInto("size", sizes)).toBe(sizes);
    expect([...sizes]).toEqual([0, 0, 6, 8, 8]);
  });

  test("what does not fit changes nothing, and a getter of the value may use the table", () => {
    using table = SharedTable.create("memfd:misfit", { codec: Quote, rows: 3 });
    table.write(1, quote(1));
    expect(() => table.write(1, { ...quote(2), size: -1 })).toThrow(RangeError);
    expect(() => table.update(1, () => ({ ...quote(2), symbol: "too long" }))).toThrow(RangeError);
    expect(() =>
      table.update(1, () => {
        throw new Error("mine");
      }),
    ).toThrow("mine");
    const nested = {
      ...quote(3),
      get size() {
        table.write(1, quote(8));
        return 4;
      },
    };
    expect([table.write(1, nested), table.read(1)]).toEqual([3, { ...quote(3), size: 4 }]);
    const closing = {
      ...quote(3),
      get size() {
        table.close();
        return 4;
      },
    };
    expect(() => table.write(1, closing)).toThrow(ClosedError);
  });

  test("an update refuses writes and close meanwhile, and may be read", () => {
    using table = SharedTable.create("memfd:update", { codec: Quote, rows: 3, names: true });
    const errors: string[] = [];
    table.update(0, () => {
      for (const call of [
        () => table.write(1, quote(1)),
        () => table.update(2, () => quote(1)),
        () => table.rowOf("new"),
        () => table.close(),
        () => table.segment.close(),
      ]) {
        try {
          call();
        } catch (error) {
          errors.push((error as StateError).code);
        }
      }
      expect([table.read(0), table.column("size").length]).toEqual([undefined, 3]);
      return quote(1);
    });
    expect(errors).toEqual(["EDEADLK", "EDEADLK", "EDEADLK", "EBUSY", "EBUSY"]);
    expect([table.read(0), table.read(1), table.names()]).toEqual([quote(1), undefined, []]);
  });

  test("rows are dense, and have as many locks as they can use", () => {
    expect([8, 24, 64, 1024].map(rowStride)).toEqual([64, 64, 192, 2112]);
    const shapes = [1, 8, 64, 65, 5000, 1_000_000].map((rows) => planTable(rows, 64, 0));
    expect(shapes.map(({ blockRows, stripeCount }) => [blockRows, stripeCount])).toEqual([
      [1, 1],
      [1, 8],
      [1, 64],
      [2, 64],
      [64, 64],
      [64, 64],
    ]);
    const { rows, counters, end } = placesOf(shapes[4]!);
    expect(counters).toBe(TABLE_STRIPES_OFFSET + 64 * STRIPE_LENGTH);
    expect([rows - counters, end - rows]).toEqual([64 * 128, 5000 * 192]);
  });

  test("two lie next to each other, each by itself", () => {
    const options = { codec: Quote, rows: 5, names: 4 } as const;
    const length = SharedTable.byteLength(options);
    expect(length % 128).toBe(0);
    using segment = Segment.create("memfd:tables", { size: 2 * length });
    using one = SharedTable.init(segment, 0, options);
    using two = SharedTable.init(segment, length, options);
    for (let row = 0; row < 5; row++) {
      one.write(one.rowOf(`a${row}`)!, quote(row));
      two.write(two.rowOf(`b${row}`)!, quote(row + 10));
    }
    using again = SharedTable.at(segment, length, { codec: Quote });
    expect([...one.column("size"), ...again.column("size")]).toEqual([
      0, 1, 2, 3, 4, 10, 11, 12, 13, 14,
    ]);
    expect([one.names()[4], again.names()[0]]).toEqual(["a4", "b0"]);
  });

  test("versions go on after the last one, and a killed write there loses nothing", () => {
    const shape = planTable(1, 8, 0);
    const rows = new TableRows(new ArrayBuffer(placesOf(shape).end), 0, shape);
    const bytes = new Uint8Array(8);
    rows.words[rows.first] = -2;
    rows.words[rows.counters] = -2;
    const watch = new TableWatch(rows);
    watch.look([], 10);
    expect(rows.write(0, bytes.fill(5))).toBe(-1);
    expect(rows.words[rows.counters]).toBe(2);
    // The slot of version -1 stays until the next version is published in the other one.
    expect([rows.write(0, bytes.fill(6)), rows.read(0, bytes)]).toEqual([2, 2]);
    const found: number[] = [];
    watch.look(found, 10);
    expect([found, bytes[0]]).toEqual([[0], 6]);
  });

  test("openAny opens it as a segment", () => {
    const at = name();
    using _ = SharedTable.create(at, { codec: Quote, rows: 3 });
    const { kind, handle } = openAny(at);
    handle.close();
    expect([kind, handle instanceof Segment]).toEqual(["table", true]);
  });
});

describe("names", () => {
  test("are given once, in the order of the rows, until all have one", () => {
    const at = name();
    using table = SharedTable.create(at, { codec: Quote, rows: 3, names: true });
    using same = SharedTable.open(at, { codec: Quote });
    expect([table.findRow("AAPL"), table.names()]).toEqual([undefined, []]);
    const rows = [table.rowOf("AAPL"), same.rowOf("MSFT"), same.rowOf("AAPL"), table.rowOf("ü😀")];
    expect(rows).toEqual([0, 1, 0, 2]);
    expect([table.rowOf("IBM"), table.findRow("IBM"), table.findRow("MSFT")]).toEqual([
      undefined,
      undefined,
      1,
    ]);
    expect([same.names(), same.nameOf(2)]).toEqual([["AAPL", "MSFT", "ü😀"], "ü😀"]);
    expect(() => table.rowOf("")).toThrow("1 to 24 bytes");
    expect(() => table.rowOf("\ud800")).toThrow(RangeError);
  });

  test("thousands of them are found again", () => {
    const options = { codec: struct({ n: "u32" }), rows: 5000, names: 8 } as const;
    using table = SharedTable.create("memfd:names", options);
    for (let at = 0; at < 5000; at++) expect(table.rowOf(`n${at}`)).toBe(at);
    for (let at = 0; at < 5000; at++) expect(table.findRow(`n${at}`)).toBe(at);
    expect([table.rowOf("one more"), table.names().length]).toEqual([undefined, 5000]);
  });

  test("the bound is the one that the table was made with", () => {
    const at = name();
    using _ = SharedTable.create(at, { codec: Quote, rows: 3, names: 3 });
    using table = SharedTable.openOrCreate(at, { codec: Quote, rows: 3, names: true });
    expect(table.rowOf("abc")).toBe(0);
    expect(() => table.rowOf("abcd")).toThrow("1 to 3 bytes");
    const other = { codec: Quote, rows: 3, names: false } as const;
    expect(() => SharedTable.openOrCreate(at, other)).toThrow("expected 0 at offset 48, found 3");
  });
});

describe("changes", () => {
  test("come in batches, each row once, beginning with all that were written", async () => {
    const at = name();
    using table = SharedTable.create(at, { codec: Quote, rows: 1000 });
    using other = SharedTable.open(at, { codec: Quote });
    for (const row of [3, 999, 3]) table.write(row, quote(row));
    const all = other.changes();
    const fresh = other.changes({ from: "now" });
    const next = async (changes: typeof all): Promise<number[]> =>
      ((await changes.next()).value as number[]).toSorted((a, b) => a - b);
    expect(await next(all)).toEqual([3, 999]);
    const [one, two] = [next(all), next(fresh)];
    setTimeout(() => table.write(500, quote(1)), 5);
    expect(await Promise.all([one, two])).toEqual([[500], [500]]);
    for (let turn = 0; turn < 10; turn++) for (const row of [1, 2]) table.write(row, quote(turn));
    expect([await next(all), await next(fresh)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await all.return();
    await fresh.return();
  });

  test("end with the signal's reason, and when the table is closed", async () => {
    using table = SharedTable.create("memfd:ends", { codec: Quote, rows: 10 });
    const abort = new AbortController();
    const aborted = table.changes({ signal: abort.signal }).next();
    const closed = table.changes().next();
    setTimeout(() => abort.abort(new Error("enough")), 5);
    expect(aborted).rejects.toThrow("enough");
    await aborted.catch(() => undefined);
    table.close();
    expect(closed).rejects.toThrow(ClosedError);
    await closed.catch(() => undefined);
    expect(() => table.changes()).toThrow(ClosedError);
  });

  test("many rows come in several batches, none twice, and a busy row starves no other", async () => {
    const options = { codec: struct({ n: "u32" }), rows: 20_000 };
    using table = SharedTable.create("memfd:many", options);
    for (let row = 0; row < 20_000; row++) table.write(row, { n: row });
    const seen = new Map<number, number>();
    let batches = 0;
    for await (const rows of table.changes()) {
      batches++;
      expect(rows.length).toBeLessThan(4096 + 64);
      for (const row of rows) seen.set(row, (seen.get(row) ?? 0) + 1);
      table.write(0, { n: batches });
      if (seen.size === 20_000) break;
    }
    expect(batches).toBeLessThan(10);
    for (const [row, times] of seen) if (row > 0) expect(times).toBe(1);
  });

  test("a look at a large table costs a look at what changed", () => {
    const shape = planTable(1_000_000, 8, 0);
    const rows = new TableRows(new ArrayBuffer(placesOf(shape).end), 0, shape);
    const watch = new TableWatch(rows);
    watch.look([], 10);
    let looks = 0;
    const { version } = TableRows.prototype;
    rows.version = function count(row) {
      looks++;
      return version.call(this, row);
    };
    rows.write(777_777, new Uint8Array(8));
    const found: number[] = [];
    watch.look(found, 10);
    expect([found, looks]).toEqual([[777_777], 64]);
    watch.look(found, 10);
    expect(looks).toBe(64);
  });
});
