import { afterEach, describe, expect, test } from "bun:test";
import {
  type Codec,
  LayoutError,
  Segment,
  SharedMap,
  ClosedError,
  StateError,
  codecs,
  struct,
} from "../../src/index.ts";
import { caught } from "../support/caught.ts";
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
  id: "date/1",
  encode: (date) => Buffer.from(date.toISOString()),
  decode: (bytes) => new Date(Buffer.from(bytes).toString()),
};

describe("SharedMap", () => {
  test.each([
    ["bytes", codecs.bytes, new Uint8Array([1, 2, 3])],
    ["no bytes", codecs.bytes, new Uint8Array(0)],
    ["text", codecs.utf8, "grün 🙂"],
    ["no text", codecs.utf8, ""],
    ["JSON", codecs.json(), { a: [1, null, "x"] }],
    ["numbers", codecs.number, -0.5],
    ["structs", Point, { x: 1.5, y: -7 }],
    ["clones", codecs.clone(), new Map([["a", new Date(5)]])],
    ["whatever they are", codecs.raw, new Uint8Array([9])],
    ["a user's codec", dates, new Date(1e12)],
  ] as [string, Codec<unknown>, unknown][])("values are %s", (_, codec, example) => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, codec });
    using other = SharedMap.open(at, { codec });
    expect(other.get("k")).toBeUndefined();
    expect(map.set("k", example)).toBe(true);
    expect(other.get("k")).toEqual(example);
    expect([...other]).toEqual([["k", example]]);
  });

  test("set, setIfAbsent, has, delete, size, keys, clear", () => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, codec: codecs.utf8 });
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
    using map = SharedMap.create(name(), { size: 2 ** 16, codec: codecs.utf8, key: codecs.bytes });
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
    using map = SharedMap.create(name(), { size: 2 ** 16, codec: codecs.bytes });
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
    using map = SharedMap.create(name(), { size: 2 ** 16, codec: codecs.json<{ n: number }>() });
    expect(map.update("k", (old) => ({ n: (old?.n ?? 0) + 1 }))).toBe(true);
    expect(map.update("k", (old) => ({ n: old!.n + 1 }))).toBe(true);
    expect(map.get("k")).toEqual({ n: 2 });
    expect(() =>
      map.update("k", () => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(() => map.update("k", (async () => ({ n: 1 })) as never)).toThrow("with a promise");
    expect(() => map.update("k", () => void map.set("j", { n: 1 }) as never)).toThrow(StateError);
    expect(caught(() => map.update("k", () => void map.close() as never)).code).toBe("EBUSY");
    const nested = (): unknown => map.update("k", () => void map.delete("j") as never);
    expect(caught(nested).code).toBe("EDEADLK");
    // Reading others meanwhile is fine.
    map.set("j", { n: 40 });
    expect(map.update("k", (old) => ({ n: old!.n + map.get("j")!.n }))).toBe(true);
    expect(map.get("k")).toEqual({ n: 42 });
    expect([map.update("k", () => undefined), map.has("k"), map.size]).toEqual([true, false, 1]);
    expect(map.update("k", () => undefined)).toBe(true);
  });

  test("increment counts", () => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, codec: codecs.number });
    expect([map.increment("k"), map.increment("k", 41), map.increment("k", -0.5)]).toEqual([
      1, 42, 41.5,
    ]);
    using words = SharedMap.create(name(), { size: 2 ** 16, codec: codecs.utf8 });
    words.set("k", "1");
    expect(() => (words as unknown as SharedMap<number>).increment("k")).toThrow(TypeError);
  });

  test("entries expire", async () => {
    using map = SharedMap.create(name(), { size: 2 ** 16, codec: codecs.number });
    map.set("k", 1, { ttlMs: 20 });
    map.set("long", 1, { ttlMs: 600_000 });
    map.set("stays", 1);
    // An update keeps the expiry; a set without one ends it.
    map.increment("long");
    map.set("other", 1, { ttlMs: 20 });
    map.set("other", 2);
    expect(map.setIfAbsent("long", 5)).toBe(false);
    await Bun.sleep(25);
    expect([map.get("k"), map.has("k"), map.setIfAbsent("k", 7)]).toEqual([undefined, false, true]);
    // On a slow machine the entry may expire before it is updated.
    do map.set("k", 7, { ttlMs: 20 });
    while (map.increment("k") !== 8);
    expect([map.get("other"), map.get("stays"), map.get("long")]).toEqual([2, 1, 2]);
    await Bun.sleep(25);
    expect([...map.keys()].sort()).toEqual(["long", "other", "stays"]);
    expect([map.increment("k", 5), map.setIfAbsent("k", 1)]).toEqual([5, false]);
    expect(() => map.set("k", 1, { ttlMs: 0 })).toThrow(RangeError);
  });

  test("a full map refuses or evicts, as its creator chose", () => {
    using refusing = SharedMap.create(name(), { size: 2 ** 16, codec: codecs.utf8 });
    let count = 0;
    while (refusing.set(`k${count}`, "x".repeat(100))) count++;
    expect(refusing.update("new", () => "x".repeat(100))).toBe(false);
    expect([refusing.size, refusing.stats().full]).toEqual([count, 2]);
    expect(() => refusing.set("k", "x".repeat(2 ** 16))).toThrow("Make the map larger");
    const options = { size: 2 ** 16, codec: codecs.utf8, whenFull: "evict" } as const;
    using evicting = SharedMap.create(name(), options);
    for (let at = 0; at < count * 3; at++) {
      evicting.get("k0");
      expect(evicting.set(`k${at}`, "x".repeat(100))).toBe(true);
    }
    expect(evicting.get("k0")).toBe("x".repeat(100));
    expect(evicting.stats().lost).toBeGreaterThan(count);
  });

  test("refuses other values, other structures, and bad options", () => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, codec: codecs.utf8 });
    expect(() => SharedMap.open(at, { codec: codecs.bytes })).toThrow(LayoutError);
    expect(() => SharedMap.open(at, { codec: Point })).toThrow(
      "a different codec: expected struct:",
    );
    const none = { codec: "utf8" as unknown as Codec<string> };
    expect(() => SharedMap.open(at, none)).toThrow("its codec must be one of codecs, a struct");
    const nameless = { codec: { ...dates, id: "" } };
    expect(() => SharedMap.open(at, nameless)).toThrow("a text of 1 to 64 bytes");
    expect(SharedMap.open(at, { codec: codecs.raw }).get("k")).toBeUndefined();
    expect(() => map.set("k", 5 as never)).toThrow(TypeError);
    const create = (options: object): unknown =>
      SharedMap.create(name(), { size: 2 ** 16, codec: codecs.utf8, ...options });
    expect(() => create({ size: 1000 })).toThrow("from 16384 to 4294967296");
    expect(() => create({ unitLength: 100 })).toThrow("a power of two");
    expect(() => create({ whenFull: "panic" })).toThrow('"refuse" or "evict"');
    expect(() => create({ key: codecs.number })).toThrow("codecs.utf8 or codecs.bytes");
    expect(() => create({ keys: "bytes" })).toThrow('did you mean "key"?');
    expect(() => create({ entryLength: 0 })).toThrow("its entryLength must be an integer from 1");
  });

  test("whatever the header says, opening ends with a LayoutError or a map", () => {
    const at = name();
    SharedMap.create(at, { size: 2 ** 16, codec: codecs.utf8 }).close();
    using segment = Segment.open(at);
    for (let offset = 0; offset < 64; offset += 4) {
      const value = segment.view.getUint32(offset, true);
      // The magic at 0 means "not finished yet" when it is 0, and an opener would wait.
      for (const wrong of [1, value + 1, 2 ** 31, 2 ** 32 - 1]) {
        segment.view.setUint32(offset, wrong, true);
        try {
          using map = SharedMap.open(at, { codec: codecs.utf8 });
          map.get("k");
        } catch (error) {
          expect(error).toBeInstanceOf(LayoutError);
        }
      }
      segment.view.setUint32(offset, value, true);
    }
    using map = SharedMap.open(at, { codec: codecs.utf8 });
    expect(map.set("k", "v")).toBe(true);
  });

  test("openOrCreate makes it once", () => {
    const at = name();
    using first = SharedMap.openOrCreate(at, { size: 2 ** 16, codec: codecs.utf8 });
    first.set("k", "v");
    using second = SharedMap.openOrCreate(at, { size: 2 ** 16, codec: codecs.utf8 });
    expect([second.get("k"), second.created, second.stats().capacity]).toEqual([
      "v",
      false,
      first.stats().capacity,
    ]);
  });

  test("parameters that are given have to be those that are there", () => {
    const at = name();
    const there = { size: 2 ** 18, codec: codecs.utf8, entryLength: 24, unitLength: 128 };
    using map = SharedMap.create(at, there);
    const open = (options: object): (() => unknown) => {
      return () => SharedMap.openOrCreate(at, { size: 2 ** 18, codec: codecs.utf8, ...options });
    };
    for (const same of [{}, there, { entryLength: 24 }, { unitLength: 128 }]) {
      if ("entryLength" in same && !("unitLength" in same)) continue;
      using found = open(same)() as SharedMap<string>;
      expect(found.created).toBe(false);
    }
    const refused: [object, string][] = [
      [{ size: 2 ** 17 }, "a different size: expected 131072"],
      [{ size: 2 ** 20 }, "a different size: expected 1048576"],
      [{ unitLength: 64 }, "a different unitLength: expected 64 at offset 44, found 128"],
      [{ ...there, entryLength: 400 }, "a different entryLength"],
      [{ whenFull: "evict" }, "a different whenFull: expected evict at offset 56, found refuse"],
      [{ key: codecs.bytes }, "a different kind of keys: expected bytes at offset 56, found utf8"],
      [{ codec: codecs.number }, "a different codec: expected number at offset 64, found utf8"],
    ];
    for (const [options, text] of refused) {
      const error = caught(open(options));
      expect(error).toBeInstanceOf(LayoutError);
      expect(error.message).toContain(text);
    }
    expect(map.set("k", "v")).toBe(true);
  });

  test("two lie next to each other in a segment, each by itself", () => {
    const options = { size: 2 ** 15, codec: codecs.number };
    const length = SharedMap.byteLength(options);
    expect(length).toBe(2 ** 15);
    using segment = Segment.create("memfd:maps", { size: 3 * 2 ** 15, sealed: false });
    segment.bytes.fill(0xa5, 2 * 2 ** 15);
    using one = SharedMap.init(segment, 0, options);
    using two = SharedMap.init(segment, 2 ** 15, options);
    for (let at = 0; at < 50; at++) {
      expect([one.set(`k${at}`, at), two.set(`k${at}`, -at)]).toEqual([true, true]);
    }
    using again = SharedMap.at(segment, 2 ** 15, { codec: codecs.number });
    for (let at = 0; at < 50; at++)
      expect([one.get(`k${at}`), again.get(`k${at}`)]).toEqual([at, -at]);
    expect(segment.bytes.subarray(2 * 2 ** 15).every((byte) => byte === 0xa5)).toBe(true);
    expect(caught(() => SharedMap.init(segment, 0, options)).code).toBe("EEXIST");
    expect(caught(() => SharedMap.at(segment, 2 ** 16, { codec: codecs.number }))).toBeInstanceOf(
      LayoutError,
    );
    using fresh = SharedMap.init(segment, 0, { ...options, overwrite: true });
    expect(fresh.size).toBe(0);
    segment.resize(segment.size + 4096);
    // The memory is mapped elsewhere now: handles of before are of no use.
    expect([one.closed, again.closed, segment.closed]).toEqual([true, true, false]);
    expect(caught(() => one.get("k1"))).toBeInstanceOf(ClosedError);
    using moved = SharedMap.at(segment, 2 ** 15, { codec: codecs.number });
    expect(moved.get("k7")).toBe(-7);
    moved.close();
    expect(caught(() => moved.get("k1"))).toBeInstanceOf(ClosedError);
    expect(segment.closed).toBe(false);
    using last = SharedMap.at(segment, 2 ** 15, { codec: codecs.number });
    segment.close();
    expect(caught(() => last.get("k1"))).toBeInstanceOf(ClosedError);
  });

  test("what is made with codecs.raw can be opened with every codec", () => {
    const at = name();
    using raw = SharedMap.create(at, { size: 2 ** 16, codec: codecs.raw });
    raw.set("k", codecs.json().encode({ a: 1 }));
    using json = SharedMap.open(at, { codec: codecs.json<{ a: number }>() });
    using bytes = SharedMap.open(at, { codec: codecs.bytes });
    expect([json.get("k"), bytes.get("k")]).toEqual([{ a: 1 }, raw.get("k")!]);
    using numbers = SharedMap.open(at, { codec: codecs.number });
    const misfit = caught(() => numbers.get("k"));
    expect(misfit).toBeInstanceOf(LayoutError);
    expect(misfit.message).toContain("expected 8 bytes");
  });

  test("keys, values and entries, of the type that the key says", () => {
    const at = name();
    using map = SharedMap.create(at, { size: 2 ** 16, codec: codecs.number });
    map.set("a", 1);
    map.set("bb", 2);
    const keys: string[] = [...map.keys()];
    expect(keys.sort()).toEqual(["a", "bb"]);
    expect([...map.values()].sort()).toEqual([1, 2]);
    expect(new Map(map.entries())).toEqual(
      new Map([
        ["a", 1],
        ["bb", 2],
      ]),
    );
    using raw = SharedMap.open(at, { codec: codecs.raw, key: codecs.raw });
    const bytes: Uint8Array[] = [...raw.keys()];
    expect(bytes.map((key) => Buffer.from(key).toString()).sort()).toEqual(["a", "bb"]);
  });

  test("increment and ttlMs take numbers, and nothing else", () => {
    using map = SharedMap.create(name(), { size: 2 ** 16, codec: codecs.number });
    map.set("k", 1);
    for (const by of [Number.NaN, Infinity]) {
      expect(caught(() => map.increment("k", by)).name).toBe("RangeError");
    }
    expect(caught(() => map.increment("k", "1" as never)).name).toBe("TypeError");
    for (const ttlMs of [0, -1, Number.NaN, -Infinity]) {
      expect(caught(() => map.set("k", 2, { ttlMs })).name).toBe("RangeError");
      expect(caught(() => map.update("k", () => 2, { ttlMs })).name).toBe("RangeError");
    }
    expect(caught(() => map.set("k", 2, { ttlMs: "5" as never })).name).toBe("TypeError");
    expect(caught(() => map.set("k", 2, { ttl: 5 } as object)).message).toContain('mean "ttlMs"?');
    expect(caught(() => map.update("k", "fn" as never)).name).toBe("TypeError");
    expect(caught(() => map.getInto("k", [] as never)).name).toBe("TypeError");
    expect(map.get("k")).toBe(1);
  });

  test("a codec whose functions are replaced is another codec, and is used as it is", () => {
    const shouting: Codec<string> = {
      ...codecs.utf8,
      id: "shouting/1",
      encode: (text) => codecs.utf8.encode(text.toUpperCase()),
    };
    using map = SharedMap.create(name(), { size: 2 ** 16, codec: shouting });
    map.set("k", "quiet");
    expect(map.get("k")).toBe("QUIET");
    const wrong: Codec<string> = { ...shouting, encode: (() => "text") as never };
    using other = SharedMap.open(map.name, { codec: wrong });
    expect(caught(() => other.set("k", "x")).message).toContain("must be a Uint8Array");
  });

  test("after close it throws ClosedError", () => {
    const map = SharedMap.create(name(), { size: 2 ** 16, codec: codecs.number });
    map.set("k", 1);
    const entries = map.entries();
    map.set("j", 1);
    entries.next();
    map.close();
    map.close();
    const calls = [
      () => map.get("k"),
      () => map.getInto("k", new Uint8Array(8)),
      () => map.has("k"),
      () => map.set("k", 2),
      () => map.setIfAbsent("k", 2),
      () => map.delete("k"),
      () => map.update("k", () => 1),
      () => map.increment("k"),
      () => map.clear(),
      () => map.size,
      () => map.stats(),
      () => map.keys(),
      () => map.values(),
      () => map.entries(),
      () => entries.next(),
      () => map.unlink(),
    ];
    for (const call of calls) expect(caught(call)).toBeInstanceOf(ClosedError);
    expect(caught(calls[0]!).message).toBe(`Cannot use map "${map.name}": it is closed`);
    expect([map.closed, map.created, map.offset]).toEqual([true, true, 0]);
  });
});
