/** Lists under a key. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { Segment, SharedMap, codecs } from "../../src/index.ts";
import { caught } from "../support/caught.ts";
import { uniqueName } from "../support/names.ts";
import { finished, spawnBun } from "../support/process.ts";

let map: SharedMap<string>;
beforeEach(() => {
  map = SharedMap.create("memfd:lists", { size: 2 ** 18, codec: codecs.utf8 });
});
afterEach(() => map.close());

describe("lists", () => {
  test("grow and shrink at both ends", () => {
    expect([map.pushRight("l", "b"), map.pushRight("l", "c"), map.pushLeft("l", "a")]).toEqual([
      1, 2, 3,
    ]);
    expect(map.listLength("l")).toBe(3);
    expect([map.popLeft("l"), map.popRight("l"), map.popRight("l"), map.popRight("l")]).toEqual([
      "a",
      "c",
      "b",
      undefined,
    ]);
    expect([map.listLength("l"), map.popLeft("l")]).toEqual([0, undefined]);
    const { freeBytes, byteLength } = map.stats();
    expect(freeBytes).toBe(byteLength);
  });

  test("are apart from values", () => {
    map.pushLeft("l", "a");
    expect([map.get("l"), map.has("l"), map.size, [...map.keys()]]).toEqual([
      undefined,
      false,
      0,
      [],
    ]);
    map.set("v", "x");
    expect(caught(() => map.pushLeft("v", "a"))).toMatchObject({ code: "EEXIST" });
    expect([map.get("v"), map.popLeft("v"), map.listLength("v")]).toEqual(["x", undefined, 0]);
    expect([map.getAndDelete("l"), map.update("l", () => undefined)]).toEqual([undefined, true]);
    expect(map.listLength("l")).toBe(1);
    map.set("l", "value");
    expect([map.get("l"), map.listLength("l")]).toEqual(["value", 0]);
    map.delete("l");
    map.pushLeft("l", "again");
    expect([map.delete("l"), map.delete("l"), map.listLength("l")]).toEqual([true, false, 0]);
    map.pushLeft("l", "again");
    map.clear();
    expect(map.popLeft("l")).toBeUndefined();
  });

  test("expire by touch, whole", async () => {
    for (let at = 0; at < 10; at++) map.pushRight("l", "x".repeat(500));
    expect(map.touch("l", 5)).toBe(true);
    await Bun.sleep(10);
    expect([map.listLength("l"), map.popLeft("l"), map.touch("l", 5)]).toEqual([
      0,
      undefined,
      false,
    ]);
    expect(map.pushLeft("l", "new")).toBe(1);
    expect(map.touch("l", Number.POSITIVE_INFINITY)).toBe(true);
    map.touch("l", 5);
    await Bun.sleep(10);
    map.flushExpired();
    expect(map.stats().freeBytes).toBe(map.stats().byteLength);
  });

  test("a full map refuses, and lets elements go", () => {
    using full = SharedMap.create("memfd:full", { size: 2 ** 14, codec: codecs.utf8 });
    let count = 0;
    while (full.pushRight("l", "x".repeat(200)) !== undefined) count++;
    expect([full.lastOutcome, full.listLength("l"), full.stats().full]).toEqual(["full", count, 1]);
    // Also where not a single unit is left.
    for (let length = 100; full.set("v", "x".repeat(length)); length += 40);
    expect(full.stats().freeBytes).toBeLessThan(1024);
    for (let at = 0; at < count; at++) expect(full.popLeft("l")).toBe("x".repeat(200));
    expect(full.popLeft("l")).toBeUndefined();
  });

  test("a map that evicts evicts lists whole, those that are not used", () => {
    const options = { size: 2 ** 15, codec: codecs.utf8, whenFull: "evict" } as const;
    using small = SharedMap.create("memfd:evict", options);
    for (let at = 0; at < 20; at++) small.pushRight("cold", "x".repeat(100));
    for (let at = 0; at < 20; at++) small.pushRight("hot", "x".repeat(100));
    for (let at = 0; at < 500; at++) {
      small.set(`k${at}`, "x".repeat(100));
      if (at % 20 === 0) {
        expect(small.pushRight("hot", "y")).toBe(21);
        expect(small.popRight("hot")).toBe("y");
      }
    }
    expect([small.listLength("cold"), small.listLength("hot")]).toEqual([0, 20]);
  });

  test("do not get in the way of a load of the same key", async () => {
    map.pushLeft("k", "a");
    expect(await map.getOrSet("k", () => "loaded")).toBe("loaded");
    expect([map.get("k"), map.listLength("k")]).toEqual(["loaded", 0]);
  });

  test("behave like arrays, whatever is called", () => {
    const call = fc.tuple(
      fc.constantFrom("pushLeft", "pushRight", "popLeft", "popRight", "delete", "listLength"),
      fc.constantFrom("a", "b"),
      fc.string({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        map.clear();
        const model: Record<string, string[]> = { a: [], b: [] };
        for (const [method, key, raw] of calls) {
          const list = model[key]!;
          const text = raw.toWellFormed();
          if (method === "pushLeft") expect(map.pushLeft(key, text)).toBe(list.unshift(text));
          else if (method === "pushRight") expect(map.pushRight(key, text)).toBe(list.push(text));
          else if (method === "popLeft") expect(map.popLeft(key)).toBe(list.shift()!);
          else if (method === "popRight") expect(map.popRight(key)).toBe(list.pop()!);
          else if (method === "listLength") expect(map.listLength(key)).toBe(list.length);
          else expect(map.delete(key)).toBe(list.splice(0).length > 0);
        }
        for (const key of ["a", "b"]) {
          expect(map.listLength(key)).toBe(model[key]!.length);
          while (model[key]!.length > 0) expect(map.popLeft(key)).toBe(model[key]!.shift()!);
        }
        expect(map.stats().freeBytes).toBe(map.stats().byteLength);
      }),
      { numRuns: 300 },
    );
  });

  test("each element goes to one of four processes", async () => {
    const name = uniqueName("lists");
    using shared = SharedMap.create(name, { size: 2 ** 20, codec: codecs.utf8 });
    const count = 800;
    for (let at = 0; at < count; at++) {
      expect(shared.pushRight("jobs", `job ${at}`)).toBe(at + 1);
    }
    const takers = Array.from({ length: 4 }, () =>
      finished(spawnBun("test/peers/list-taker.ts", name)),
    );
    const taken: string[] = [];
    for (const { exitCode, stdout, stderr } of await Promise.all(takers)) {
      expect([exitCode, stderr]).toEqual([0, ""]);
      taken.push(...stdout.split("\n").filter((line) => line !== ""));
    }
    expect(taken.sort()).toEqual(Array.from({ length: count }, (_, at) => `job ${at}`).sort());
    expect(shared.listLength("jobs")).toBe(0);
    Segment.unlink(name);
  });
});
