import { afterEach, describe, expect, test } from "bun:test";
import {
  type Codec,
  LayoutError,
  Segment,
  SharedMap,
  type ValueType,
  json,
  struct,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";

let names: string[] = [];
function name(): string {
  const made = uniqueName("map");
  names.push(made);
  return made;
}
afterEach(() => {
  for (const each of names) Segment.unlink(each);
  names = [];
});

const Point = struct({ x: "f64", y: "i32" });
const dates: Codec<Date> = {
  encode: (date) => Buffer.from(date.toISOString()),
  decode: (bytes) => new Date(Buffer.from(bytes).toString()),
};

describe("SharedMap", () => {
  test.each([
    ["bytes", "bytes", new Uint8Array([1, 2, 3])],
    ["no bytes", "bytes", new Uint8Array(0)],
    ["text", "utf8", "grün 🙂"],
    ["no text", "utf8", ""],
    ["JSON", "json", { a: [1, null, "x"] }],
    ["numbers", "number", -0.5],
    ["structs", Point, { x: 1.5, y: -7 }],
    ["a user's codec", dates, new Date(1e12)],
    ["the package's codecs", json(), { user: "ada" }],
  ] as [string, ValueType, unknown][])("values are %s", (_, value, example) => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, value }) as SharedMap<unknown>;
    using other = SharedMap.open(at, value) as SharedMap<unknown>;
    expect(other.get("k")).toBeUndefined();
    expect(map.set("k", example)).toBe(true);
    expect(other.get("k")).toEqual(example);
    expect([...other]).toEqual([["k", example]]);
  });

  test("set, setIfAbsent, has, delete, size, keys, clear", () => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, value: "utf8" });
    expect([map.setIfAbsent("a", "1"), map.setIfAbsent("a", "2"), map.get("a")]).toEqual([
      true,
      false,
      "1",
    ]);
    map.set("b", "x".repeat(5000));
    map.set("", "empty");
    expect(map.get("b")).toBe("x".repeat(5000));
    expect([map.has("b"), map.has("c"), map.size]).toEqual([true, false, 3]);
    expect([...map.keys()].sort()).toEqual(["", "a", "b"]);
    expect([map.delete("b"), map.delete("b"), map.size]).toEqual([true, false, 2]);
    map.clear();
    expect([map.size, map.get("a"), [...map]]).toEqual([0, undefined, []]);
    expect(map.stats().freeBytes).toBe(map.stats().byteLength);
  });

  test("keys are bytes, strings their UTF-8", () => {
    using map = SharedMap.create(name(), { size: 2 ** 16, value: "utf8", keys: "bytes" });
    map.set("ä", "1");
    expect(map.get(new Uint8Array([0xc3, 0xa4]))).toBe("1");
    expect([...map.keys()]).toEqual([new Uint8Array([0xc3, 0xa4])]);
    expect(map.set("x".repeat(1024), "long")).toBe(true);
    expect(map.get("x".repeat(1024))).toBe("long");
    expect(() => map.get("x".repeat(1025))).toThrow(RangeError);
    expect(() => map.get("ä".repeat(513))).toThrow(RangeError);
    expect(() => map.get(new Uint8Array(1025))).toThrow(RangeError);
    expect(() => map.get(1 as never)).toThrow(TypeError);
  });

  test("getInto copies bytes", () => {
    using map = SharedMap.create(name(), { size: 2 ** 16, value: "bytes" });
    map.set("k", new Uint8Array([1, 2, 3]));
    const target = new Uint8Array(4);
    expect([map.getInto("k", target), map.getInto("no", target)]).toEqual([3, undefined]);
    expect(target).toEqual(new Uint8Array([1, 2, 3, 0]));
    expect(() => map.getInto("k", new Uint8Array(2))).toThrow("it does not fit");
    // What get gives is the caller's own.
    const copy = map.get("k")!;
    map.set("k", new Uint8Array([9, 9, 9]));
    expect(copy).toEqual(new Uint8Array([1, 2, 3]));
  });

  test("update stores, removes, and leaves all as it was when its function throws", () => {
    using map = SharedMap.create(name(), { size: 2 ** 16, value: json<{ n: number }>() });
    expect(map.update("k", (old) => ({ n: (old?.n ?? 0) + 1 }))).toBe(true);
    expect(map.update("k", (old) => ({ n: old!.n + 1 }))).toBe(true);
    expect(map.get("k")).toEqual({ n: 2 });
    expect(() =>
      map.update("k", () => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(() => map.update("k", (async () => ({ n: 1 })) as never)).toThrow("with a promise");
    expect(() => map.update("k", () => void map.set("j", { n: 1 }) as never)).toThrow("own update");
    expect(() => map.update("k", () => void map.close() as never)).toThrow("is held");
    // Reading others meanwhile is fine.
    map.set("j", { n: 40 });
    expect(map.update("k", (old) => ({ n: old!.n + map.get("j")!.n }))).toBe(true);
    expect(map.get("k")).toEqual({ n: 42 });
    expect([map.update("k", () => undefined), map.has("k"), map.size]).toEqual([true, false, 1]);
    expect(map.update("k", () => undefined)).toBe(true);
  });

  test("increment counts", () => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, value: "number" });
    expect([map.increment("k"), map.increment("k", 41), map.increment("k", -0.5)]).toEqual([
      1, 42, 41.5,
    ]);
    using words = SharedMap.create(name(), { size: 2 ** 16, value: "utf8" });
    words.set("k", "1");
    expect(() => (words as unknown as SharedMap<number>).increment("k")).toThrow(TypeError);
  });

  test("entries expire", async () => {
    using map = SharedMap.create(name(), { size: 2 ** 16, value: "number" });
    map.set("k", 1, { ttlMs: 300 });
    map.set("stays", 1);
    map.increment("k");
    expect([map.get("k"), map.has("k")]).toEqual([2, true]);
    // An update keeps the expiry; a set without one ends it.
    map.set("other", 1, { ttlMs: 300 });
    map.set("other", 2);
    while (map.has("k")) await Bun.sleep(5);
    expect([map.get("k"), map.get("other"), map.get("stays")]).toEqual([undefined, 2, 1]);
    expect([...map.keys()].sort()).toEqual(["other", "stays"]);
    expect([map.increment("k", 5), map.setIfAbsent("k", 1)]).toEqual([5, false]);
    expect(() => map.set("k", 1, { ttlMs: 0 })).toThrow(RangeError);
  });

  test("a full map refuses or evicts, as its creator chose", () => {
    using refusing = SharedMap.create(name(), { size: 2 ** 16, value: "utf8" });
    let count = 0;
    while (refusing.set(`k${count}`, "x".repeat(100))) count++;
    expect(refusing.update("new", () => "x".repeat(100))).toBe(false);
    expect([refusing.size, refusing.stats().refusals]).toEqual([count, 2]);
    expect(() => refusing.set("k", "x".repeat(2 ** 16))).toThrow("Make the map larger");
    const options = { size: 2 ** 16, value: "utf8", whenFull: "evict" } as const;
    using evicting = SharedMap.create(name(), options);
    for (let at = 0; at < count * 3; at++) {
      evicting.get("k0");
      expect(evicting.set(`k${at}`, "x".repeat(100))).toBe(true);
    }
    expect(evicting.get("k0")).toBe("x".repeat(100));
    expect(evicting.stats().evictions).toBeGreaterThan(count);
  });

  test("refuses other values, other structures, and bad options", () => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, value: "utf8" });
    expect(() => SharedMap.open(at, "bytes")).toThrow(LayoutError);
    expect(() => SharedMap.open(at, Point)).toThrow("another type");
    expect(() => SharedMap.open(at, "xml" as "utf8")).toThrow('"bytes", "utf8", "json"');
    expect(() => map.set("k", 5 as never)).toThrow(TypeError);
    const create = (options: object): unknown =>
      SharedMap.create(name(), { size: 2 ** 16, value: "utf8", ...options });
    expect(() => create({ size: 1000 })).toThrow("16 KiB");
    expect(() => create({ unitLength: 100 })).toThrow("a power of two");
    expect(() => create({ whenFull: "panic" })).toThrow('"refuse" or "evict"');
    expect(() => create({ keys: "i32" })).toThrow('"utf8" or "bytes"');
    expect(() => create({ entryLength: 0 })).toThrow("entryLength 0");
  });

  test("whatever the header says, opening ends with a LayoutError or a map", () => {
    const at = name();
    SharedMap.create(at, { size: 2 ** 16, value: "utf8" }).close();
    using segment = Segment.open(at);
    for (let offset = 0; offset < 64; offset += 4) {
      const value = segment.view.getUint32(offset, true);
      // The magic at 0 means "not finished yet" when it is 0, and an opener would wait.
      for (const wrong of [1, value + 1, 2 ** 31, 2 ** 32 - 1]) {
        segment.view.setUint32(offset, wrong, true);
        try {
          using map = SharedMap.open(at, "utf8");
          map.get("k");
        } catch (error) {
          expect(error).toBeInstanceOf(LayoutError);
        }
      }
      segment.view.setUint32(offset, value, true);
    }
    using map = SharedMap.open(at, "utf8");
    expect(map.set("k", "v")).toBe(true);
  });

  test("openOrCreate makes it once", () => {
    const at = name();
    using first = SharedMap.openOrCreate(at, { size: 2 ** 16, value: "utf8" });
    first.set("k", "v");
    using second = SharedMap.openOrCreate(at, { size: 2 ** 20, value: "utf8" });
    expect([second.get("k"), second.segment.size]).toEqual(["v", first.segment.size]);
    expect(() => SharedMap.openOrCreate(at, { size: 2 ** 16, value: "number" })).toThrow(
      LayoutError,
    );
  });

  test("is of no use after close", () => {
    const map = SharedMap.create(name(), { size: 2 ** 16, value: "utf8" });
    map.set("k", "v");
    map.close();
    map.close();
    expect(() => map.get("k")).toThrow();
    expect(() => map.set("k", "w")).toThrow();
  });
});
