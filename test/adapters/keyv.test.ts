/** The adapter for Keyv: Keyv's own suite, with both versions of Keyv that it is for. */
import { afterAll, afterEach, beforeEach, describe, expect, it, test } from "bun:test";
import keyvTestSuite, { keyvIteratorTests } from "@keyv/test-suite";
import { Cacheable } from "cacheable";
import { Keyv, type KeyvStoreAdapter } from "keyv";
import { Keyv as Keyv6 } from "keyv-6";
import { KeyvSharedMap } from "../../adapters/keyv.ts";
import { type SharedMap as AnyMap, SharedMap, codecs } from "../../src/index.ts";
import { inAnotherProcess } from "../support/adapter-apps.ts";
import { uniqueName } from "../support/names.ts";

/** What the suite takes of vitest, whose tests get `expect` as an argument. */
const vitest = {
  beforeEach,
  afterEach,
  it: (name: string, body: (context: { expect: typeof expect }) => void | Promise<void>) =>
    it(name, () => body({ expect })),
} as never;

const SIZE = 2 ** 20;

/** A map of texts for one block of tests. */
function textMap(): AnyMap<string> {
  const map = SharedMap.create(uniqueName("keyv"), { size: SIZE, codec: codecs.utf8 });
  afterAll(() => {
    map.unlink();
    map.close();
  });
  return map;
}

describe("Keyv's own suite, Keyv 5", () => {
  const map = textMap();
  keyvTestSuite(vitest, Keyv, () => new KeyvSharedMap(map));
});

describe("Keyv's own suite of iterators, Keyv 5", () => {
  const map = textMap();
  keyvIteratorTests(vitest, Keyv, () => new KeyvSharedMap(map));
});

for (const [version, Version] of [
  [5, Keyv],
  [6, Keyv6 as unknown as typeof Keyv],
] as const) {
  describe(`Keyv ${version}`, () => {
    const map = textMap();
    const keyvOf = (namespace: string): Keyv =>
      new Version({ store: new KeyvSharedMap(map), namespace });

    beforeEach(() => map.clear());

    test("several at once", async () => {
      const keyv = keyvOf("a");
      const entries = [
        { key: "1", value: "one" },
        { key: "2", value: { deep: [2] }, ttl: 60_000 },
      ];
      expect(await keyv.setMany(entries)).toEqual([true, true]);
      expect(await keyv.getMany(["1", "2", "3"])).toEqual(["one", { deep: [2] }, undefined]);
      expect(await keyv.hasMany(["1", "3"])).toEqual([true, false]);
      expect(map.size).toBe(2);
      await keyv.deleteMany(["1", "2"]);
      expect(map.size).toBe(0);
    });

    test("entries expire in the map too", async () => {
      const keyv = keyvOf("a");
      await keyv.set("long", 1, 60_000);
      await keyv.set("never", 1);
      const left = Array.from(map.keys(), (key) => map.ttl(key)!).sort((a, b) => a - b);
      expect(left[0]).toBeGreaterThan(0);
      expect(left[0]).toBeLessThanOrEqual(60_000);
      expect(left[1]).toBe(Number.POSITIVE_INFINITY);
      await keyv.set("short", 1, 1);
      await Bun.sleep(5);
      expect(await keyv.get("short")).toBeUndefined();
      expect(await keyv.has("short")).toBe(false);
    });

    test("clear leaves other namespaces, also one whose name begins alike", async () => {
      const [users, users2] = [keyvOf("users"), keyvOf("users2")];
      await users.set("a", 1);
      await users2.set("a", 2);
      await users.clear();
      expect([await users.get("a"), await users2.get("a")]).toEqual([undefined, 2]);
    });

    test("iterates over its namespace", async () => {
      const [users, others] = [keyvOf("users"), keyvOf("others")];
      await users.set("a:b", 1);
      await users.set("c", 2);
      await others.set("a:b", 3);
      const seen: unknown[] = [];
      const iterator = users.iterator as unknown as (() => AsyncIterable<unknown>) | undefined;
      for await (const entry of iterator!.call(users)) seen.push(entry);
      expect(seen.sort()).toEqual([
        ["a:b", 1],
        ["c", 2],
      ]);
    });

    test("a full map is told, as set answers", async () => {
      using small = SharedMap.create(uniqueName("keyv"), { size: 2 ** 14, codec: codecs.utf8 });
      const keyv = new Version({ store: new KeyvSharedMap(small) });
      const value = "x".repeat(500);
      let stored = 0;
      while (await keyv.set(`key ${stored}`, value)) stored++;
      expect(stored).toBeGreaterThan(5);
      expect(await keyv.get(`key ${stored}`)).toBeUndefined();
      expect(await keyv.get("key 0")).toBe(value);
      expect(await keyv.delete("key 0")).toBe(true);
      const results = await keyv.setMany([
        { key: "key 0", value },
        { key: `key ${stored}`, value },
      ]);
      expect(results).toEqual([true, false]);
      small.unlink();
    });

    test("a key that is too long is an error, and false", async () => {
      const keyv = keyvOf("a");
      const errors: unknown[] = [];
      keyv.on("error", (error: unknown) => errors.push(error));
      expect(await keyv.set("k".repeat(2000), 1)).toBe(false);
      expect(errors.map((error) => (error as Error).name)).toEqual(["RangeError"]);
    });

    test("disconnect leaves the map open", async () => {
      const keyv = keyvOf("a");
      await keyv.set("a", 1);
      await keyv.disconnect();
      expect(map.closed).toBe(false);
    });
  });
}

describe("Keyv over codecs.clone", () => {
  test("keeps what is not JSON", async () => {
    using map = SharedMap.create<unknown>(uniqueName("keyv"), {
      size: SIZE,
      codec: codecs.clone<unknown>(),
    });
    const value = {
      map: new Map([[1, new Date(7)]]),
      set: new Set(["a"]),
      bytes: new Uint8Array([1, 2]),
      big: 2n ** 70n,
      none: undefined,
    };
    const store = new KeyvSharedMap(map);
    const five = new Keyv({ store, serialize: undefined, deserialize: undefined } as never);
    await five.set("five", value, 60_000);
    expect(await five.get("five")).toEqual(value);
    const six = new Keyv6({ store: new KeyvSharedMap(map), serialization: false } as never);
    await six.set("six", value, 60_000);
    expect(await six.get("six")).toEqual(value);
    map.unlink();
  });
});

describe("Keyv in two processes", () => {
  test("each sees what the other one wrote", async () => {
    const map = textMap();
    const users = new Keyv({ store: new KeyvSharedMap(map), namespace: "users" });
    await users.set("ada", { born: 1815 });
    expect(await inAnotherProcess("keyv", map.name)).toEqual({ born: 1815 });
    expect(await users.get<{ from: string }>("eve")).toEqual({ from: "another process" });
  });
});

describe("cacheable", () => {
  test("has a second layer that its neighbours share", async () => {
    const map = textMap();
    const cacheOf = (): Cacheable =>
      new Cacheable({ secondary: new Keyv({ store: new KeyvSharedMap(map) }), ttl: "1h" });
    const [first, second] = [cacheOf(), cacheOf()];
    expect(await first.set("ada", { born: 1815 })).toBe(true);
    expect(await second.get<{ born: number }>("ada")).toEqual({ born: 1815 });
    expect(await second.getMany(["ada", "nobody"])).toEqual([{ born: 1815 }, undefined]);
    expect(await second.has("ada")).toBe(true);
    expect(await second.delete("ada")).toBe(true);
    expect(map.size).toBe(0);
    await first.clear();
    await first.setMany([
      { key: "a", value: 1 },
      { key: "b", value: 2, ttl: 1000 },
    ]);
    expect(await second.getMany(["a", "b"])).toEqual([1, 2]);
    const left = Array.from(map.keys(), (key) => map.ttl(key)!);
    expect(left.every((ms) => ms > 0 && ms <= 3_600_000)).toBe(true);
    await second.clear();
    expect(map.size).toBe(0);
  });
});

describe("the adapter", () => {
  test("is a store by Keyv's types", () => {
    const map = textMap();
    const store: Omit<KeyvStoreAdapter, "on" | "setMany"> = new KeyvSharedMap(map);
    expect(typeof store.get).toBe("function");
  });

  test("removes an entry whose time is over already", async () => {
    const map = textMap();
    const store = new KeyvSharedMap(map);
    await store.set("a", "old");
    expect(await store.set("a", "new", -1)).toBe(true);
    expect(await store.has("a")).toBe(false);
    await expect(store.set("a", "x", Number.NaN)).rejects.toBeInstanceOf(RangeError);
  });

  test("refuses what is no map", () => {
    for (const wrong of [undefined, null, new Map(), {}, "map"]) {
      expect(() => new KeyvSharedMap(wrong as never)).toThrow(
        /^Cannot make a store for Keyv: its map must be a SharedMap, not /,
      );
    }
  });
});
