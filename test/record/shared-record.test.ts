import { afterEach, describe, expect, test } from "bun:test";
import {
  LayoutError,
  Segment,
  SharedMap,
  SharedRecord,
  StateError,
  ClosedError,
  codecs,
  struct,
  charArray,
} from "../../src/index.ts";
import {
  SHARED_RECORD_LATEST_OFFSET,
  SHARED_RECORD_SLOTS_OFFSET,
  SLOT_VERSION_OFFSET,
} from "../../src/layout/shared-record-layout.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { caught } from "../support/caught.ts";
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
    using one = SharedRecord.create(at, { codec: Quote });
    using two = SharedRecord.open(at, { codec: Quote });
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
    using one = SharedRecord.create(at, { codec: Quote, initial: quote(7), slots: 2 });
    expect([one.read(), one.version]).toEqual([quote(7), 1]);
  });

  test("openOrCreate makes it once", () => {
    const at = name();
    using first = SharedRecord.openOrCreate(at, { codec: Quote, initial: quote(7) });
    using second = SharedRecord.openOrCreate(at, { codec: Quote, initial: quote(8) });
    expect([first.read(), second.read(), second.version]).toEqual([quote(7), quote(7), 1]);
  });

  test("goes on beyond 2^32 versions, without versions 0 and 1", () => {
    const at = name();
    using record = SharedRecord.create(at, { codec: Quote, initial: quote(1), slots: SLOTS });
    const words = new Int32Array(record.segment.buffer);
    // As if there had been 2^32 - 2 writes: the version, and its slot's word.
    const slotOf = (version: number): number =>
      SHARED_RECORD_SLOTS_OFFSET + (version % SLOTS) * 128;
    words[(SEGMENT_HEADER_LENGTH + SHARED_RECORD_LATEST_OFFSET) / 4] = -2;
    words[(SEGMENT_HEADER_LENGTH + slotOf(2 ** 32 - 2) + SLOT_VERSION_OFFSET) / 4] = -2;
    expect(record.version).toBe(2 ** 32 - 2);
    expect([5, 6, 7].map((size) => record.write(quote(size)))).toEqual([2 ** 32 - 1, 2, 3]);
    expect(record.read()).toEqual(quote(7));
  });

  test("what does not fit is not published", () => {
    const at = name();
    using record = SharedRecord.create(at, { codec: Quote, initial: quote(1) });
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
    using record = SharedRecord.create(at, { codec: Quote, initial: quote(1) });
    const nested = (): never => record.update(() => void record.write(quote(2)) as never) as never;
    expect(caught(nested)).toBeInstanceOf(StateError);
    expect(caught(nested).code).toBe("EDEADLK");
    const closing = (): never => record.update(() => void record.close() as never) as never;
    expect(caught(closing).code).toBe("EBUSY");
    // Another handle of the same thread meets the mutex itself.
    using other = SharedRecord.open(at, { codec: Quote });
    const around = (): never => record.update(() => void other.write(quote(2)) as never) as never;
    expect(caught(around).code).toBe("EDEADLK");
    expect(record.write(quote(9))).toBe(2);
  });

  test("changed resolves after a write, times out, and can be aborted", async () => {
    const at = name();
    using record = SharedRecord.create(at, { codec: Quote });
    using other = SharedRecord.open(at, { codec: Quote });
    const change = record.waitChangedAsync();
    other.write(quote(1));
    expect(await change).toBe(true);
    expect(await record.waitChangedAsync({ since: 0 })).toBe(true);
    expect(await record.waitChangedAsync({ timeoutMs: 5 })).toBe(false);
    expect(record.waitChanged({ timeoutMs: 5 })).toBe(false);
    const abort = new AbortController();
    const aborted = record.waitChangedAsync({ signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
  });

  test("a loop sees the newest value, and skips what came between", async () => {
    const at = name();
    using record = SharedRecord.create(at, { codec: Quote, initial: quote(1) });
    using other = SharedRecord.open(at, { codec: Quote });
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
    using record = SharedRecord.create(at, { codec: Quote });
    expect(() => SharedRecord.create(at, { codec: Quote })).toThrow("EEXIST");
    expect(() => SharedRecord.open(at, { codec: struct({ price: "f64" }) })).toThrow(LayoutError);
    expect(() => SharedMap.open(at, { codec: codecs.utf8 })).toThrow(LayoutError);
    expect(() => SharedRecord.open(uniqueName(), { codec: Quote })).toThrow("ENOENT");
    expect(() => SharedRecord.create(name(), { codec: Quote, slots: 3 })).toThrow("a power of two");
    expect(Segment.exists(names.at(-1)!)).toBe(false);
    expect(record.read()).toBeUndefined();
    record.close();
    expect(() => record.write(quote(1))).toThrow();
    expect(() => record.read()).toThrow();
  });

  test("lies in a segment that is given, and leaves it open", () => {
    const at = name();
    using segment = Segment.create(at, { size: 65536 });
    SharedRecord.init(segment, 0, { codec: Quote, initial: quote(3) }).close();
    using record = SharedRecord.at(segment, 0, { codec: Quote });
    expect(record.read()).toEqual(quote(3));
    expect(caught(() => SharedRecord.init(segment, 0, { codec: Quote })).code).toBe("EEXIST");
  });

  test("two lie next to each other, each by itself", () => {
    const length = SharedRecord.byteLength({ codec: Quote, slots: 4 });
    expect([length, length % 128]).toEqual([128 + 384 + 4 * 128 + 128, 0]);
    using segment = Segment.create("memfd:records", { size: 3 * length });
    using one = SharedRecord.init(segment, 0, { codec: Quote, slots: 4, initial: quote(1) });
    using two = SharedRecord.init(segment, length, { codec: Quote, slots: 4, initial: quote(2) });
    for (let size = 10; size < 30; size++) {
      one.write(quote(size));
      two.write(quote(size + 100));
    }
    using again = SharedRecord.at(segment, length, { codec: Quote });
    expect([one.read(), again.read()]).toEqual([quote(29), quote(129)]);
    expect([one.offset, two.offset, two.created, again.created]).toEqual([0, length, true, false]);
    expect(segment.bytes.subarray(2 * length).every((byte) => byte === 0)).toBe(true);
    const fresh = SharedRecord.init(segment, length, { codec: Quote, slots: 4, overwrite: true });
    expect(fresh.read()).toBeUndefined();
    expect(() => SharedRecord.init(segment, 64, { codec: Quote })).toThrow("a multiple of 128");
    expect(() => SharedRecord.init(segment, 2 * length, { codec: Quote })).toThrow(RangeError);
    one.close();
    expect([one.closed, segment.closed, again.closed]).toEqual([true, false, false]);
    expect(caught(() => one.read())).toBeInstanceOf(ClosedError);
    segment.close();
    expect(again.closed).toBe(true);
    expect(caught(() => again.write(quote(1)))).toBeInstanceOf(ClosedError);
  });

  test("after close it throws ClosedError, and what was peeked at stays", async () => {
    const record = SharedRecord.create(name(), { codec: Quote, initial: quote(5) });
    const peeked = record.peek()!;
    const waiting = record.waitChangedAsync();
    record.close();
    record.close();
    await expect(waiting).rejects.toThrow(ClosedError);
    await expect(record.waitChangedAsync()).rejects.toThrow(ClosedError);
    const calls = [
      () => record.read(),
      () => record.readInto(quote(1)),
      () => record.peek(),
      () => record.write(quote(1)),
      () => record.update(() => quote(1)),
      () => record.version,
      () => record.stats(),
      () => record.waitChanged({ timeoutMs: 0 }),
      () => record.values(),
      () => record.unlink(),
    ];
    for (const call of calls) expect(caught(call)).toBeInstanceOf(ClosedError);
    expect(caught(calls[0]!).message).toBe(`Cannot use record "${record.name}": it is closed`);
    expect([peeked.size, peeked.symbol, record.codec, record.created]).toEqual([
      5,
      "ABC",
      Quote,
      true,
    ]);
  });

  test("parameters that are given have to be those that are there", () => {
    const at = name();
    using record = SharedRecord.create(at, { codec: Quote, slots: 4 });
    expect(record.stats()).toEqual({ in: 0, capacity: 4 });
    expect(SharedRecord.openOrCreate(at, { codec: Quote }).stats().capacity).toBe(4);
    const slots = caught(() => SharedRecord.openOrCreate(at, { codec: Quote, slots: 8 }));
    expect(slots).toBeInstanceOf(LayoutError);
    expect(slots.message).toContain("different count of slots: expected 8 at offset 32, found 4");
    const other = struct({ price: "f64", size: "u32", symbol: charArray(5) });
    expect(caught(() => SharedRecord.open(at, { codec: other })).message).toBe(
      `Cannot open record "${at}": its field "symbol" is "char symbol[4]", not "char symbol[5]": ` +
        `expected ${other.id} (struct { double price; uint32_t size; char symbol[5]; }) at offset ` +
        `64, found ${Quote.id}`,
    );
  });

  test("refuses options that are none", () => {
    const at = name();
    const make = (options: object): (() => unknown) => {
      return () => SharedRecord.create(at, { codec: Quote, ...options } as { codec: typeof Quote });
    };
    expect(caught(make({ codec: codecs.utf8 })).message).toContain("its codec must be a struct");
    expect(caught(make({ inital: quote(1) })).message).toContain('did you mean "initial"?');
    expect(caught(make({ slots: "8" })).name).toBe("TypeError");
    expect(caught(make({ initial: { price: 1 } })).name).toBe("TypeError");
    expect(Segment.exists(at)).toBe(false);
    using record = SharedRecord.create(at, { codec: Quote });
    expect(caught(() => record.waitChanged({ since: -1 })).name).toBe("RangeError");
    expect(caught(() => record.waitChanged({ sinc: 1 } as object)).name).toBe("TypeError");
    expect(caught(() => record.update(5 as never)).name).toBe("TypeError");
  });

  test("corrupt bytes give a LayoutError and no endless loop", () => {
    const at = name();
    using record = SharedRecord.create(at, { codec: Quote, initial: quote(3) });
    new Int32Array(record.segment.buffer)[
      (SEGMENT_HEADER_LENGTH + SHARED_RECORD_LATEST_OFFSET) / 4
    ] = 12345;
    expect(() => record.read()).toThrow(LayoutError);
    for (const offset of [28, 32, 36, 64]) {
      using segment = Segment.open(at);
      const value = segment.view.getUint32(offset, true);
      segment.view.setUint32(offset, value + 1, true);
      expect(() => SharedRecord.open(at, { codec: Quote })).toThrow(LayoutError);
      segment.view.setUint32(offset, value, true);
    }
  });
});
