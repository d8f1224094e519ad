/**
 * The driver for unstorage. That package does not publish the tests of its drivers, so what they
 * check is written here anew; unstorage's memory driver answers the same calls beside it.
 */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createStorage, prefixStorage, restoreSnapshot, snapshot, type Driver } from "unstorage";
import memoryDriver from "unstorage/drivers/memory";
import { sharedMapDriver } from "../../adapters/unstorage.ts";
import { type SharedMap as AnyMap, SharedMap, codecs } from "../../src/index.ts";
import { inAnotherProcess } from "../support/adapter-apps.ts";
import { uniqueName } from "../support/names.ts";

function itemMap(size: number = 2 ** 20): AnyMap<unknown> {
  const codec = codecs.clone<unknown>();
  const map = SharedMap.create<unknown>(uniqueName("items"), { size, codec });
  afterAll(() => {
    map.unlink();
    map.close();
  });
  return map;
}

const kinds: readonly [string, () => Driver][] = [
  ["unstorage's memory driver", () => memoryDriver()],
  ["a map", () => sharedMapDriver({ map: itemMap() })],
  ["a map, with a base", () => sharedMapDriver({ map: itemMap(), base: "app" })],
];
for (const [name, make] of kinds) {
  describe(`storage in ${name}`, () => {
    const driver = make();
    const storage = createStorage({ driver });
    const keys = async (base?: string, maxDepth?: number): Promise<string[]> =>
      (await storage.getKeys(base, maxDepth === undefined ? {} : { maxDepth })).sort();

    beforeEach(() => storage.clear());

    test("is empty at first, also when it is cleared twice", async () => {
      expect(await storage.hasItem("a:b")).toBe(false);
      expect(await storage.getItem("a:b")).toBeNull();
      expect(await keys()).toEqual([]);
      await storage.clear();
      expect(await keys()).toEqual([]);
    });

    test("keeps items of every JSON type", async () => {
      for (const value of [
        "text",
        "",
        0,
        12.5,
        true,
        false,
        null,
        { deep: [1, { two: 2 }] },
        [1],
      ]) {
        await storage.setItem("folder/item.json", value as never);
        expect(await storage.getItem<unknown>("folder:item.json")).toEqual(value);
      }
      await storage.setItem("own", { toJSON: () => ({ its: "form" }) } as never);
      expect(await storage.getItem<unknown>("own")).toEqual({ its: "form" });
      await expect(storage.setItem("bad", new Set([1]) as never)).rejects.toThrow();
    });

    test("keeps raw bytes", async () => {
      const bytes = new Uint8Array([0, 1, 254, 255]);
      await storage.setItemRaw("raw.bin", bytes);
      expect(await storage.getItemRaw<unknown>("raw.bin")).toEqual(bytes);
      expect(await storage.getItemRaw("none")).toBeNull();
    });

    test("lists keys by base and by depth", async () => {
      for (const key of ["top", "a:1", "a:2", "a:b:3", "ab:4"]) await storage.setItem(key, "x");
      expect(await keys()).toEqual(["a:1", "a:2", "a:b:3", "ab:4", "top"]);
      expect(await keys("a")).toEqual(["a:1", "a:2", "a:b:3"]);
      expect(await keys("a:b")).toEqual(["a:b:3"]);
      expect(await keys(undefined, 0)).toEqual(["top"]);
      expect(await keys(undefined, 1)).toEqual(["a:1", "a:2", "ab:4", "top"]);
    });

    test("removes an item, and its meta data on demand", async () => {
      await storage.setItem("a", 1);
      await storage.setMeta("a", { mtime: new Date(5) });
      expect((await storage.getMeta("a")).mtime).toEqual(new Date(5));
      await storage.removeItem("a");
      expect([await storage.hasItem("a"), await storage.hasItem("a$")]).toEqual([false, true]);
      await storage.removeItem("a", { removeMeta: true });
      expect(await storage.hasItem("a$")).toBe(false);
      await storage.setItem("a", 1);
      await storage.setItem("a", undefined as never);
      expect(await storage.hasItem("a")).toBe(false);
    });

    test("several at once", async () => {
      await storage.setItems([
        { key: "t:1", value: "one" },
        { key: "t:2?query=1", value: { two: 2 } as never },
      ]);
      const found = await storage.getItems(["t:1", { key: "t:2" }, "t:3"]);
      expect(found as unknown).toEqual([
        { key: "t:1", value: "one" },
        { key: "t:2", value: { two: 2 } },
        { key: "t:3", value: null },
      ]);
    });

    test("is saved, restored and mounted", async () => {
      await restoreSnapshot(storage, { "a:1": "one", "b:2": "two" });
      expect(await snapshot(storage, "a")).toEqual({ "1": "one" });
      const outer = createStorage();
      outer.mount("inner", driver);
      expect(await outer.getItem("inner:a:1")).toBe("one");
      expect((await prefixStorage(outer, "inner").getKeys()).sort()).toEqual(["a:1", "b:2"]);
      await outer.clear("inner");
      expect(await keys()).toEqual([]);
    });
  });
}

describe("sharedMapDriver", () => {
  test("raw items come back as what they were", async () => {
    const storage = createStorage({ driver: sharedMapDriver({ map: itemMap() }) });
    const value = { at: new Date(5), set: new Set([1]), big: 2n ** 70n };
    await storage.setItemRaw("a", value);
    expect(await storage.getItemRaw("a")).toEqual(value);
  });

  test("items expire: by the driver's ttl, or their own", async () => {
    const map = itemMap();
    const storage = createStorage({ driver: sharedMapDriver({ map, ttl: 100 }) });
    await storage.setItem("a", 1);
    await storage.setItem("b", 1, { ttl: 10 });
    await storage.setItems([{ key: "c", value: "1", options: { ttl: 20 } }], { ttl: 30 });
    await storage.setItems([{ key: "d", value: "1" }], { ttl: 30 });
    const left = ["a", "b", "c", "d"].map((key) => Math.ceil(map.ttl(key)! / 1000));
    expect(left).toEqual([100, 10, 20, 30]);
    await storage.setItem("e", 1, { ttl: 0.005 });
    await Bun.sleep(10);
    expect(await storage.getItem("e")).toBeNull();
    expect(await storage.getKeys()).toHaveLength(4);
    await expect(storage.setItem("f", 1, { ttl: -1 })).rejects.toThrow(
      "Cannot store an item: its ttl must be a number above 0, not -1",
    );
  });

  test("clear keeps to its base", async () => {
    const map = itemMap();
    const driver = sharedMapDriver({ map, base: "one" });
    const one = createStorage({ driver });
    const two = createStorage({ driver: sharedMapDriver({ map, base: "one2" }) });
    await one.setItem("a", 1);
    await one.setItem("b:c", 1);
    await two.setItem("a", 2);
    await driver.clear!("b:", {});
    expect(await one.getKeys()).toEqual(["a"]);
    await one.clear();
    expect([await one.getItem("a"), await two.getItem("a")]).toEqual([null, 2]);
  });

  test("a full map is an error", async () => {
    const map = itemMap(2 ** 14);
    const storage = createStorage({ driver: sharedMapDriver({ map }) });
    for (let at = 0; map.set(`fill ${at}`, at); at++);
    await expect(storage.setItem("a", "x".repeat(500))).rejects.toMatchObject({
      code: "ENOSPC",
      message: expect.stringContaining('Cannot store item "a": map'),
    });
  });

  test("another process reads and changes what is here, and a watcher is told", async () => {
    const map = itemMap();
    const storage = createStorage({ driver: sharedMapDriver({ map, base: "app" }) });
    await storage.setItem("users:ada", { born: 1815 });
    map.set("elsewhere", 1);
    const told: string[] = [];
    const { promise: isAll, resolve } = Promise.withResolvers<void>();
    const unwatch = await storage.watch((event, key) => {
      told.push(`${event} ${key}`);
      if (told.length === 2) resolve();
    });
    expect(await inAnotherProcess("unstorage", map.name)).toEqual({ born: 1815 });
    await isAll;
    await unwatch();
    expect(told.sort()).toEqual(["remove users:ada", "update users:eve"]);
    expect(await storage.getItem<unknown>("users:eve")).toEqual({ from: "another process" });
    expect(await storage.hasItem("users:ada")).toBe(false);
  });

  test("dispose ends what watches, and leaves the map open", async () => {
    const map = itemMap();
    const storage = createStorage({ driver: sharedMapDriver({ map }) });
    await storage.watch(() => undefined);
    await storage.setItem("a", 1);
    await storage.dispose();
    expect([map.closed, map.get("a")]).toEqual([false, "1"]);
  });

  test("closing the map ends what watches it", async () => {
    const codec = codecs.clone<unknown>();
    const map = SharedMap.create<unknown>(uniqueName("items"), { size: 2 ** 16, codec });
    const driver = sharedMapDriver({ map });
    await driver.watch!(() => undefined);
    map.unlink();
    map.close();
    await Bun.sleep(10);
    expect(map.closed).toBe(true);
  });

  test("bad options are refused by name", () => {
    const map = itemMap();
    for (const [options, words] of [
      [undefined, "its options must be an object"],
      [{}, "its map must be a SharedMap, not undefined"],
      [{ map, base: 1 }, "its base must be a string, not number"],
      [{ map, ttl: "1" }, "its ttl must be a number above 0, not 1"],
      [{ map, ttlMs: 5 }, 'there is no option "ttlMs"; there are map, base, ttl'],
    ] as const) {
      expect(() => sharedMapDriver(options as never)).toThrow(words);
    }
  });
});
