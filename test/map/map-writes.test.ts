/** Conditional writes, times to live, versions, several keys at once. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { SharedMap, codecs } from "../../src/index.ts";
import { caught } from "../support/caught.ts";

let map: SharedMap<number>;
beforeEach(() => {
  map = SharedMap.create("memfd:writes", { size: 2 ** 18, codec: codecs.number });
});
afterEach(() => map.close());

/** A map of 16 KiB, filled up with keys from `fill0` on. @returns How many there are. */
function fill(full: SharedMap<number>): number {
  let count = 0;
  while (full.set(`fill${count}`, count)) count++;
  return count;
}

describe("conditions", () => {
  test("replace stores only over a value", () => {
    expect([map.replace("k", 1), map.lastOutcome]).toEqual([false, "unchanged"]);
    map.set("k", 1);
    expect([map.replace("k", 2), map.lastOutcome, map.get("k")]).toEqual([true, "stored", 2]);
    map.set("k", 3, { ttlMs: 1e-6 });
    expect(map.replace("k", 4)).toBe(false);
  });

  test("setIfAbsent tells why it did not store", () => {
    map.set("k", 1);
    expect([map.setIfAbsent("k", 2), map.lastOutcome]).toEqual([false, "unchanged"]);
    using full = SharedMap.create("memfd:full", { size: 2 ** 14, codec: codecs.number });
    fill(full);
    expect([full.setIfAbsent("other", 2), full.lastOutcome]).toEqual([false, "full"]);
  });

  test("compareAndSet stores only over the version that was read", () => {
    expect(map.getWithVersion("k")).toBeUndefined();
    expect(map.compareAndSet("k", 0, 1)).toBe(true);
    expect(map.compareAndSet("k", 0, 2)).toBe(false);
    const { value, version } = map.getWithVersion("k")!;
    expect(value).toBe(1);
    expect(map.compareAndSet("k", version + 1, 3)).toBe(false);
    expect(map.compareAndSet("k", version, 3)).toBe(true);
    expect([map.compareAndSet("k", version, 4), map.lastOutcome]).toEqual([false, "unchanged"]);
    expect(map.get("k")).toBe(3);
  });

  test("no version comes twice, whatever is written and removed between", () => {
    const versions = new Set<number>();
    for (let at = 0; at < 5000; at++) {
      map.set("k", 1);
      const { version } = map.getWithVersion("k")!;
      expect(Number.isSafeInteger(version) && version > 0).toBe(true);
      versions.add(version);
      if (at % 3 === 0) map.delete("k");
      if (at % 7 === 0) map.clear();
    }
    expect(versions.size).toBe(5000);
  });

  test("an expired entry has no version, and counts as absent", () => {
    map.set("k", 1, { ttlMs: 1e-6, staleMs: 60_000 });
    expect(map.getWithVersion("k")).toBeUndefined();
    expect(map.compareAndSet("k", 0, 2)).toBe(true);
  });
});

describe("what a write says", () => {
  test("how many entries it evicted", () => {
    const size = 2 ** 14;
    using small = SharedMap.create("memfd:evict", { size, codec: codecs.bytes, whenFull: "evict" });
    let evicted = 0;
    for (let at = 0; at < 500; at++) {
      expect(small.set(`k${at}`, new Uint8Array(100))).toBe(true);
      expect(small.lastOutcome).toBe("stored");
      evicted += small.lastEvicted;
    }
    expect(evicted).toBeGreaterThan(300);
    expect(evicted).toBe(small.stats().lost);
    expect(small.size).toBe(500 - evicted);
    // A value of several units needs the room of several.
    small.set("large", new Uint8Array(1000));
    expect(small.lastEvicted).toBeGreaterThan(1);
    small.set("large", new Uint8Array(1000));
    expect(small.lastEvicted).toBeLessThan(12);
  });

  test("that it was full", () => {
    using full = SharedMap.create("memfd:full", { size: 2 ** 14, codec: codecs.number });
    const count = fill(full);
    expect([full.lastOutcome, full.lastEvicted]).toEqual(["full", 0]);
    expect([full.set("fill0", -1), full.lastOutcome]).toEqual([true, "stored"]);
    expect(full.size).toBe(count);
    expect([full.increment("other"), full.lastOutcome]).toEqual([undefined, "full"]);
  });
});

describe("times", () => {
  test("ttl says how long an entry is valid still", () => {
    expect(map.ttl("k")).toBeUndefined();
    map.set("k", 1);
    expect(map.ttl("k")).toBe(Number.POSITIVE_INFINITY);
    map.set("k", 1, { ttlMs: Number.POSITIVE_INFINITY });
    expect(map.ttl("k")).toBe(Number.POSITIVE_INFINITY);
    map.set("k", 1, { ttlMs: 60_000 });
    expect(map.ttl("k")!).toBeGreaterThan(50_000);
    expect(map.ttl("k")!).toBeLessThanOrEqual(60_000);
    map.set("k", 1, { ttlMs: 1e-6 });
    expect(map.ttl("k")).toBeUndefined();
  });

  test("touch changes the time alone", () => {
    expect(map.touch("k", 1000)).toBe(false);
    map.set("k", 5);
    const { version } = map.getWithVersion("k")!;
    expect(map.touch("k", 60_000)).toBe(true);
    expect(map.ttl("k")!).toBeLessThanOrEqual(60_000);
    expect(map.getWithVersion("k")).toEqual({ value: 5, version });
    expect(map.touch("k", Number.POSITIVE_INFINITY)).toBe(true);
    expect(map.ttl("k")).toBe(Number.POSITIVE_INFINITY);
    expect(map.touch("k", 1e-6)).toBe(true);
    expect(map.get("k")).toBeUndefined();
    expect(map.touch("k", 1000)).toBe(false);
    expect(() => map.touch("k", 0)).toThrow(RangeError);
    expect(caught(() => map.touch("k", "1" as unknown as number))).toBeInstanceOf(TypeError);
  });

  test("an entry that was touched is swept when its new time is over", async () => {
    map.set("k", 5);
    map.touch("k", 1);
    await Bun.sleep(3);
    expect(map.flushExpired()).toBe(1);
    expect(map.size).toBe(0);
  });

  test("getStale finds what has expired, and is kept", () => {
    expect(map.getStale("k")).toBeUndefined();
    map.set("k", 1, { ttlMs: 60_000 });
    expect(map.getStale("k")).toEqual({ value: 1, stale: false });
    map.set("k", 2, { ttlMs: 1e-6, staleMs: 60_000 });
    expect([map.get("k"), map.has("k")]).toEqual([undefined, false]);
    expect(map.getStale("k")).toEqual({ value: 2, stale: true });
    expect(map.flushExpired()).toBe(0);
    expect(map.getStale("k")).toEqual({ value: 2, stale: true });
    map.set("k", 3, { ttlMs: 1e-6 });
    expect(map.flushExpired()).toBe(1);
    expect(map.getStale("k")).toBeUndefined();
    for (const staleMs of [-1, Number.NaN, 2 ** 32, Number.POSITIVE_INFINITY]) {
      expect(() => map.set("k", 1, { ttlMs: 1, staleMs })).toThrow(RangeError);
    }
  });

  test("an update keeps the time, and how long the value is kept then", () => {
    map.set("k", 1, { ttlMs: 60_000, staleMs: 5000 });
    map.update("k", (old) => old! + 1);
    expect(map.ttl("k")!).toBeGreaterThan(50_000);
    map.touch("k", 1e-6);
    expect(map.flushExpired()).toBe(0);
    expect(map.getStale("k")).toEqual({ value: 2, stale: true });
  });

  test("flushExpired removes as many as it may", () => {
    for (let at = 0; at < 100; at++) map.set(`old${at}`, at, { ttlMs: at < 50 ? 60_000 : 20 });
    Bun.sleepSync(30);
    const before = map.stats().expired;
    expect(map.flushExpired(20)).toBe(20);
    expect(map.flushExpired()).toBe(30);
    expect(map.flushExpired()).toBe(0);
    expect(map.stats().expired - before).toBe(50);
    expect(map.size).toBe(50);
    for (const limit of [0, 1.5, Number.NaN])
      expect(() => map.flushExpired(limit)).toThrow(RangeError);
  });
});

describe("increment", () => {
  test("counts from the initial number", () => {
    expect(map.increment("k", 2, { initial: 40 })).toBe(42);
    expect(map.increment("k", 2, { initial: 40 })).toBe(44);
    expect(() => map.increment("k", 1, { initial: Number.NaN })).toThrow(RangeError);
  });

  test("the time to live is that of the first call, as with INCR and EXPIRE NX", async () => {
    const options = { initialTtlMs: 60 };
    expect(map.increment("k", 1, options)).toBe(1);
    const end = performance.now() + 60;
    let count = 1;
    while (performance.now() < end - 10) {
      expect(map.increment("k", 1, options)).toBe(++count);
      await Bun.sleep(5);
    }
    await Bun.sleep(end + 5 - performance.now());
    expect(map.increment("k", 1, options)).toBe(1);
  });

  test("ttlMs counts from each call", () => {
    map.increment("k", 1, { ttlMs: 1000 });
    map.increment("k", 1, { ttlMs: 60_000 });
    expect(map.ttl("k")!).toBeGreaterThan(50_000);
    map.increment("k");
    expect(map.ttl("k")!).toBeGreaterThan(50_000);
    map.increment("other", 1, { initialTtlMs: 60_000, ttlMs: 1000 });
    expect(map.ttl("other")!).toBeGreaterThan(50_000);
    map.increment("other", 1, { initialTtlMs: 60_000, ttlMs: 1000 });
    expect(map.ttl("other")!).toBeLessThanOrEqual(1000);
    expect(() => map.increment("k", 1, { initialTtlMs: 0 })).toThrow(RangeError);
    expect(() => map.increment("k", 1, { ttl: 1 } as object)).toThrow(TypeError);
  });
});

describe("several keys", () => {
  test("getMany, setMany and deleteMany", () => {
    expect(
      map.setMany(
        [
          ["a", 1],
          ["b", 2],
          ["c", 3],
        ],
        { ttlMs: 60_000 },
      ),
    ).toBe(3);
    expect(map.getMany(["c", "none", "a"])).toEqual([3, undefined, 1]);
    expect(map.ttl("b")!).toBeLessThanOrEqual(60_000);
    expect(map.deleteMany(new Set(["a", "none", "b"]))).toBe(2);
    expect([...map.keys()]).toEqual(["c"]);
    expect(map.setMany(new Map([["d", 4]]))).toBe(1);
    // Text could be iterated over, by its characters.
    for (const wrong of [5, undefined, "keys"] as unknown as string[][]) {
      expect(() => map.getMany(wrong)).toThrow(TypeError);
      expect(() => map.deleteMany(wrong)).toThrow(TypeError);
      expect(() => map.setMany(wrong as unknown as [string, number][])).toThrow(TypeError);
    }
  });

  test("getAndDelete gives a value to one caller", () => {
    map.set("k", 7);
    expect([map.getAndDelete("k"), map.getAndDelete("k"), map.has("k")]).toEqual([
      7,
      undefined,
      false,
    ]);
    map.set("k", 8, { ttlMs: 1e-6, staleMs: 1000 });
    expect(map.getAndDelete("k")).toBeUndefined();
    expect(map.getStale("k")).toBeUndefined();
  });

  test("keys and entries that begin with a prefix", () => {
    map.setMany([
      ["user:1", 1],
      ["user:2", 2],
      ["use", 3],
      ["é:1", 4],
    ]);
    expect([...map.keys({ prefix: "user:" })].sort()).toEqual(["user:1", "user:2"]);
    expect([...map.keys({ prefix: "é" })]).toEqual(["é:1"]);
    expect([...map.entries({ prefix: Buffer.from("user:2") as unknown as string })]).toEqual([
      ["user:2", 2],
    ]);
    expect([...map.keys({ prefix: "" })]).toHaveLength(4);
    expect([...map.keys({ prefix: "x".repeat(2000) })]).toEqual([]);
    expect(() => map.keys({ prefix: 1 as unknown as string })).toThrow(TypeError);
  });
});
