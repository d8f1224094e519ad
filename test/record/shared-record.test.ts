import { afterEach, describe, expect, test } from "bun:test";
import {
  LayoutError,
  Segment,
  SharedMap,
  SharedRecord,
  struct,
  charArray,
} from "../../src/index.ts";
import {
  RECORD_LATEST,
  RECORD_SLOTS,
  SLOT_VERSION,
} from "../../src/layout/shared-record-layout.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { uniqueName } from "../support/names.ts";

const SLOTS = 8;
const Quote = struct({ price: "f64", size: "u32", symbol: charArray(4) });
const quote = (size: number): { price: number; size: number; symbol: string } => ({
  price: size / 2,
  size,
  symbol: "ABC",
});

let names: string[] = [];
function name(): string {
  const made = uniqueName("record");
  names.push(made);
  return made;
}
afterEach(() => {
  for (const each of names) Segment.unlink(each);
  names = [];
});

describe("SharedRecord", () => {
  test("a second handle sees what the first wrote", () => {
    const at = name();
    using one = SharedRecord.create(at, Quote);
    using two = SharedRecord.open(at, Quote);
    expect([two.read(), two.version, two.peek()]).toEqual([undefined, 0, undefined]);
    expect(one.write(quote(1))).toBe(1);
    expect(two.read()).toEqual(quote(1));
    expect(two.update((value) => quote(value!.size + 41))).toBe(2);
    const target = quote(0);
    expect(one.readInto(target)).toBe(true);
    expect(target).toEqual(quote(42));
    expect([one.peek()!.size, one.peek()!.symbol, one.version]).toEqual([42, "ABC", 2]);
  });

  test("an initial value is there from the start", () => {
    const at = name();
    using one = SharedRecord.create(at, Quote, { initial: quote(7), slots: 2 });
    expect([one.read(), one.version]).toEqual([quote(7), 1]);
  });

  test("openOrCreate makes it once", () => {
    const at = name();
    using first = SharedRecord.openOrCreate(at, Quote, { initial: quote(7) });
    using second = SharedRecord.openOrCreate(at, Quote, { initial: quote(8) });
    expect([first.read(), second.read(), second.version]).toEqual([quote(7), quote(7), 1]);
  });

  test("goes on beyond 2^32 versions, without version 0", () => {
    const at = name();
    using record = SharedRecord.create(at, Quote, { initial: quote(1), slots: SLOTS });
    const words = new Int32Array(record.segment.buffer);
    // As if there had been 2^32 - 2 writes: the version, and its slot's word.
    const slotOf = (version: number): number => RECORD_SLOTS + (version % SLOTS) * 128;
    words[(SEGMENT_HEADER_LENGTH + RECORD_LATEST) / 4] = -2;
    words[(SEGMENT_HEADER_LENGTH + slotOf(2 ** 32 - 2) + SLOT_VERSION) / 4] = -2;
    expect(record.version).toBe(2 ** 32 - 2);
    expect([5, 6, 7].map((size) => record.write(quote(size)))).toEqual([2 ** 32 - 1, 1, 2]);
    expect(record.read()).toEqual(quote(7));
  });

  test("what does not fit is not published", () => {
    const at = name();
    using record = SharedRecord.create(at, Quote, { initial: quote(1) });
    expect(() => record.write({ ...quote(2), symbol: "too long" })).toThrow(RangeError);
    expect(() => record.update(() => ({ ...quote(2), symbol: "too long" }))).toThrow(RangeError);
    expect(() =>
      record.update(() => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(() => record.update((async () => quote(2)) as never)).toThrow("with a promise");
    expect(record.read()).toEqual(quote(1));
    // The lock is free again.
    expect(record.write(quote(3))).toBe(2);
  });

  test("an update must not write, nor close its segment", () => {
    const at = name();
    using record = SharedRecord.create(at, Quote, { initial: quote(1) });
    const nested = (): never => record.update(() => void record.write(quote(2)) as never) as never;
    expect(nested).toThrow("this thread has it already");
    const closing = (): never => record.update(() => void record.close() as never) as never;
    expect(closing).toThrow("is held");
    expect(record.write(quote(9))).toBe(2);
  });

  test("changed resolves after a write, times out, and can be aborted", async () => {
    const at = name();
    using record = SharedRecord.create(at, Quote);
    using other = SharedRecord.open(at, Quote);
    const change = record.changed();
    other.write(quote(1));
    expect(await change).toBe(true);
    expect(await record.changed({ since: 0 })).toBe(true);
    expect(await record.changed({ timeoutMs: 5 })).toBe(false);
    expect(record.waitChanged({ timeoutMs: 5 })).toBe(false);
    const abort = new AbortController();
    const aborted = record.changed({ signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
  });

  test("a loop sees the newest value, and skips what came between", async () => {
    const at = name();
    using record = SharedRecord.create(at, Quote, { initial: quote(1) });
    using other = SharedRecord.open(at, Quote);
    const seen: number[] = [];
    for await (const { size } of record) {
      seen.push(size);
      if (size === 20) break;
      for (let next = size + 1; next <= size + 10 && next <= 20; next++) other.write(quote(next));
    }
    expect(seen).toEqual([1, 11, 20]);
    const abort = new AbortController();
    const loop = (async () => {
      for await (const value of record.values({ signal: abort.signal })) seen.push(value.size);
    })();
    await Bun.sleep(5);
    abort.abort(new Error("enough"));
    await expect(loop).rejects.toThrow("enough");
  });

  test("refuses another struct, another structure, and bad options", () => {
    const at = name();
    using record = SharedRecord.create(at, Quote);
    expect(() => SharedRecord.create(at, Quote)).toThrow("EEXIST");
    expect(() => SharedRecord.open(at, struct({ price: "f64" }))).toThrow(LayoutError);
    expect(() => SharedMap.open(at, "utf8")).toThrow(LayoutError);
    expect(() => SharedRecord.open(uniqueName(), Quote)).toThrow("ENOENT");
    expect(() => SharedRecord.create(name(), Quote, { slots: 3 })).toThrow("a power of two");
    expect(Segment.exists(names.at(-1)!)).toBe(false);
    expect(record.read()).toBeUndefined();
    record.close();
    expect(() => record.write(quote(1))).toThrow();
    expect(() => record.read()).toThrow();
  });

  test("lies in a segment that is given, and leaves it open", () => {
    const at = name();
    using segment = Segment.create(at, { size: 65536 });
    SharedRecord.create(segment, Quote, { initial: quote(3) }).close();
    using record = SharedRecord.open(segment, Quote);
    expect(record.read()).toEqual(quote(3));
    expect(() => SharedRecord.create(segment, Quote)).toThrow("EEXIST");
  });

  test("corrupt bytes give a LayoutError and no endless loop", () => {
    const at = name();
    using record = SharedRecord.create(at, Quote, { initial: quote(3) });
    new Int32Array(record.segment.buffer)[(SEGMENT_HEADER_LENGTH + RECORD_LATEST) / 4] = 12345;
    expect(() => record.read()).toThrow(LayoutError);
    for (const offset of [28, 32, 36, 40, 44]) {
      using segment = Segment.open(at);
      const value = segment.view.getUint32(offset, true);
      segment.view.setUint32(offset, value + 1, true);
      expect(() => SharedRecord.open(at, Quote)).toThrow(LayoutError);
      segment.view.setUint32(offset, value, true);
    }
  });
});
