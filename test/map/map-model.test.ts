/** The map's algorithms against a plain Map, on a plain ArrayBuffer. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { LayoutError } from "../../src/errors.ts";
import { MapMemory } from "../../src/map/algorithm/map-memory.ts";
import { ABSENT, MapReader } from "../../src/map/algorithm/map-reader.ts";
import { rebuild } from "../../src/map/algorithm/map-repair.ts";
import { HashedKey } from "../../src/struct/hashed-key.ts";
import { Scratch } from "../../src/struct/scratch.ts";
import { isShape, mapLength, planMap } from "../../src/map/algorithm/map-shape.ts";
import { mapStats, slotsOf } from "../../src/map/algorithm/map-stats.ts";
import { MapDraft } from "../../src/map/algorithm/map-units.ts";
import { ANYTHING, MapWriter, STORED } from "../../src/map/algorithm/map-writer.ts";
import { sipHash } from "../../src/struct/sip-hash.ts";
import { seededRandom } from "../support/random.ts";

/** A map without processes: its locks are never taken by anyone else. */
class LocalMap {
  readonly memory: MapMemory;
  readonly clock = { boot: 7, now: 5000, nowMs: (): number => this.clock.now };
  readonly #found = new Scratch(64);
  readonly #value = new Scratch(64);
  readonly #draft = new MapDraft(this.#value);
  readonly #key = new HashedKey(1, 2);
  readonly #reader: MapReader;
  readonly #writer: MapWriter;
  held = 0;
  died = false;

  constructor(size: number, { evict = false, unitLength = 64, entryLength = 96 } = {}) {
    const shape = planMap(size, entryLength, unitLength);
    expect(isShape(shape, mapLength(shape))).toBe(true);
    expect(mapLength(shape)).toBeLessThanOrEqual(size);
    this.memory = new MapMemory(new ArrayBuffer(mapLength(shape)), 0, shape, this.clock);
    for (let at = 0; at < shape.stripeCount; at++) rebuild(this.memory, this.memory.stripeOf(at));
    this.#reader = new MapReader(this.memory, this.#found);
    const lock = (): boolean => {
      this.held++;
      return this.died;
    };
    const unlock = (): void => void this.held--;
    const system = { lock, unlock, isAlive: () => true, wakeWatchers() {}, wakeLoads() {} };
    this.#writer = new MapWriter(this.memory, system, evict);
  }

  get(key: string): string | undefined {
    this.#key.set(key);
    const length = this.#reader.read(this.#key);
    return length === ABSENT ? undefined : this.#found.node.toString("utf8", 0, length);
  }

  set(key: string, value: string, expiry = 0): boolean {
    this.#value.reserve(value.length * 3);
    const { written } = new TextEncoder().encodeInto(value, this.#value.bytes);
    this.#key.set(key);
    this.#draft.length = written;
    this.#draft.expiry = expiry;
    return this.#writer.set(this.#key, this.#draft, ANYTHING) === STORED;
  }

  delete(key: string): boolean {
    this.#key.set(key);
    return this.#writer.delete(this.#key);
  }

  clear(): void {
    this.#writer.clear();
  }

  entries(): Map<string, string> {
    const all = new Map<string, string>();
    for (const [stripe, slot] of slotsOf(this.memory)) {
      const length = this.#reader.readSlot(stripe, slot);
      if (length === ABSENT) continue;
      const { keyLength } = this.#reader;
      const start = (keyLength + 3) & ~3;
      const key = this.#found.node.toString("utf8", 0, keyLength);
      expect(all.has(key)).toBe(false);
      all.set(key, this.#found.node.toString("utf8", start, start + length));
    }
    return all;
  }

  /** Every unit is either free or in exactly one entry, and the counts agree. */
  check(model: ReadonlyMap<string, string>): void {
    expect(this.held).toBe(0);
    expect(this.entries()).toEqual(new Map(model));
    const before = mapStats(this.memory);
    expect(before.depth).toBe(model.size);
    for (let at = 0; at < before.stripes; at++) rebuild(this.memory, this.memory.stripeOf(at));
    expect(mapStats(this.memory)).toEqual(before);
    expect(this.entries()).toEqual(new Map(model));
  }
}

test("the hash is HalfSipHash-1-3", () => {
  // For the bytes 0, 1, 2 … and the key 0 to 7. Source: Linux, lib/tests/siphash_kunit.c.
  const vectors = [
    0x5814c896, 0xe7e864ca, 0xbc4b0e30, 0x01539939, 0x7e059ea6, 0x88e3d89b, 0xa0080b65, 0x9d38d9d6,
    0x577999b1, 0xc839caed, 0xe4fa32cf, 0x959246ee, 0x6b28096c, 0x66dd9cd6, 0x16658a7c, 0xd0257b04,
  ];
  const hashes = vectors.map((_, length) => {
    const input = Uint8Array.from({ length: 16 }, (_, at) => (at < length ? at : 0));
    return sipHash(new Int32Array(input.buffer), length, 0x03020100, 0x07060504) >>> 0;
  });
  expect(hashes).toEqual(vectors);
});

describe("the map against a model", () => {
  const key = fc.oneof(
    fc.integer({ min: 0, max: 40 }).map((n) => `k${n}`),
    fc.string({ maxLength: 60, unit: "binary" }),
    fc.constantFrom("", "a", "ab", "abc", "abcd", "\0", "\0\0", "x".repeat(31), "y".repeat(300)),
  );
  const value = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.integer({ min: 0, max: 3000 }).map((n) => "v".repeat(n)),
  );
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant("set" as const), key, value) },
    { weight: 2, arbitrary: fc.tuple(fc.constant("delete" as const), key) },
    { weight: 3, arbitrary: fc.tuple(fc.constant("get" as const), key) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom("repair" as const, "clear" as const)) },
  );

  test.each([64, 256])("any sequence of calls, units of %i", (unitLength) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const map = new LocalMap(2 ** 16, { unitLength });
        const model = new Map<string, string>();
        for (const [what, name = "", text = ""] of steps) {
          // fast-check's strings may hold half a surrogate pair, which UTF-8 cannot.
          const own = name.toWellFormed();
          if (what === "set") {
            if (map.set(own, text.toWellFormed())) model.set(own, text.toWellFormed());
          } else if (what === "delete") expect(map.delete(own)).toBe(model.delete(own));
          else if (what === "get") expect(map.get(own)).toBe(model.get(own));
          else if (what === "repair") map.died = true;
          else if (Math.abs(steps.length) % 3 === 0) {
            map.clear();
            model.clear();
          }
        }
        map.check(model);
      }),
      { seed: seededRandom(`calls of a map, units of ${unitLength}`).seed | 0, numRuns: 150 },
    );
  });

  test("an entry that expires is gone, and its memory comes back", () => {
    const map = new LocalMap(2 ** 15);
    const { clock } = map;
    const soon = clock.now + 500;
    let count = 0;
    while (map.set(`soon${count}`, "x".repeat(100), soon)) count++;
    expect(map.set("late", "x".repeat(100))).toBe(false);
    clock.now += 499;
    expect(map.get("soon0")).toBe("x".repeat(100));
    clock.now += 1;
    expect(map.get("soon0")).toBeUndefined();
    expect(map.delete("soon0")).toBe(false);
    for (let at = 0; at < count; at++) expect(map.set(`late${at}`, "y".repeat(100))).toBe(true);
    expect(mapStats(map.memory).expired).toBeGreaterThan(0);
    expect(map.entries().size).toBe(count);
  });

  test.each(["before its clock's time is reached", "after"])(
    "entries of an earlier start of the machine have expired, %s",
    (when) => {
      const map = new LocalMap(2 ** 15);
      const { clock } = map;
      let count = 0;
      while (map.set(`old${count}`, "x".repeat(100), clock.now + 60_000)) count++;
      clock.boot = 8;
      clock.now = when === "after" ? 1e9 : 20;
      expect([map.get("old0"), map.get("old1")]).toEqual([undefined, undefined]);
      expect(map.entries().size).toBe(0);
      for (let at = 0; at < count; at++) {
        expect(map.set(`new${at}`, "y".repeat(100), clock.now + 100)).toBe(true);
        expect(map.get(`new${at}`)).toBe("y".repeat(100));
      }
      clock.now += 200;
      expect(map.get("new0")).toBeUndefined();
      for (let at = 0; at < count; at++) expect(map.set(`again${at}`, "z".repeat(100))).toBe(true);
    },
  );

  test("where the machine's start is not known, entries of any start count", () => {
    const map = new LocalMap(2 ** 15);
    map.set("known", "x", map.clock.now + 100);
    map.clock.boot = 0;
    map.set("unknown", "x", map.clock.now + 100);
    expect([map.get("known"), map.get("unknown")]).toEqual(["x", "x"]);
    map.clock.boot = 9;
    expect([map.get("known"), map.get("unknown")]).toEqual([undefined, "x"]);
    map.clock.now += 100;
    expect(map.get("unknown")).toBeUndefined();
  });

  test("a full map refuses new keys, and takes new values of old ones", () => {
    const map = new LocalMap(2 ** 16);
    const model = new Map<string, string>();
    for (let at = 0; map.set(`k${at}`, `v${at}`); at++) model.set(`k${at}`, `v${at}`);
    expect(model.size).toBeGreaterThan(300);
    for (const each of model.keys()) {
      expect(map.set(each, `new ${each}`)).toBe(true);
      model.set(each, `new ${each}`);
    }
    expect(mapStats(map.memory).full).toBe(1);
    map.check(model);
    expect(() => map.set("k", "x".repeat(2 ** 16))).toThrow(RangeError);
  });

  test("memory never falls to pieces: fill, delete, refill with other sizes", () => {
    const random = seededRandom("map fragmentation");
    const map = new LocalMap(2 ** 20);
    const model = new Map<string, number>();
    const operations = process.env["BUN_SHM_SOAK"] === undefined ? 100_000 : 1_000_000;
    const fill = (longest: number): number => {
      for (;;) {
        const name = `k${Math.trunc(random() * 1e9)}`;
        const length = Math.trunc(random() * longest);
        if (!map.set(name, "x".repeat(length))) {
          const { freeBytes, byteLength } = mapStats(map.memory);
          return 1 - freeBytes / byteLength;
        }
        model.set(name, length);
      }
    };
    let done = 0;
    const shares: number[] = [];
    while (done < operations) {
      const longest = [40, 400, 4000, 150][shares.length % 4]!;
      const before = model.size;
      shares.push(fill(longest));
      done += model.size - before;
      // A random nine tenths go.
      for (const name of model.keys()) {
        if (random() < 0.1) continue;
        expect(map.delete(name)).toBe(true);
        model.delete(name);
        done++;
      }
    }
    console.log(
      `filled to ${shares
        .slice(0, 8)
        .map((share) => share.toFixed(3))
        .join(" ")} …`,
    );
    // Full is when one stripe is: what is used by then varies with the sizes of values, and does not
    // get less, however long this goes on.
    expect(Math.min(...shares.slice(-4))).toBeGreaterThan(0.5);
    for (const [name, length] of model) expect(map.get(name)?.length).toBe(length);
    map.clear();
    expect(mapStats(map.memory).freeBytes).toBe(mapStats(map.memory).byteLength);
  });

  test("evicting keeps what is read: a Zipf workload beside true LRU", () => {
    const random = seededRandom("map eviction");
    const map = new LocalMap(2 ** 18, { evict: true, entryLength: 24 });
    // As many entries as the map holds, in a Map whose order is the order of use.
    let capacity = 0;
    while (mapStats(map.memory).lost === 0) map.set(`fill${capacity++}`, "x".repeat(16));
    const keys = capacity * 10;
    const sums = new Float64Array(keys);
    for (let at = 0, sum = 0; at < keys; at++) sums[at] = sum += 1 / (at + 1) ** 0.99;
    const lru = new Map<string, true>();
    let [hits, lruHits] = [0, 0];
    const requests = 200_000;
    for (let request = 0; request < requests; request++) {
      const aim = random() * sums[keys - 1]!;
      let [low, high] = [0, keys - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sums[middle]! < aim) low = middle + 1;
        else high = middle;
      }
      const name = `k${low}`;
      if (map.get(name) === undefined) map.set(name, "x".repeat(16));
      else hits++;
      if (lru.delete(name)) lruHits++;
      lru.set(name, true);
      if (lru.size > capacity) lru.delete(lru.keys().next().value!);
    }
    console.log(
      `hit rate ${((hits / requests) * 100).toFixed(1)} %, ` +
        `true LRU ${((lruHits / requests) * 100).toFixed(1)} % of ${capacity} entries`,
    );
    expect(hits / requests).toBeGreaterThan((lruHits / requests) * 0.95);
  });

  test("whatever the bytes are, calls end with an answer or a LayoutError", () => {
    const random = seededRandom("map corruption");
    for (let round = 0; round < 300; round++) {
      const map = new LocalMap(2 ** 14 + 2048, { evict: round % 2 === 0, entryLength: 40 });
      for (let at = 0; at < 60; at++) map.set(`k${at}`, "x".repeat(at * 3));
      const { words } = map.memory;
      const hits = 1 + Math.trunc(random() * 40);
      for (let hit = 0; hit < hits; hit++) {
        const wild = random() < 0.5 ? random() * 2 ** 32 : random() * 300;
        words[Math.trunc(random() * words.length)] = wild | 0;
      }
      map.died = round % 3 === 0;
      for (let at = 0; at < 60; at++) {
        for (const call of [
          () => map.get(`k${at}`),
          () => map.set(`k${at}`, "y".repeat(at * 2)),
          () => map.delete(`k${at}`),
        ]) {
          try {
            call();
          } catch (error) {
            expect(error).toBeInstanceOf(LayoutError);
          }
        }
      }
      expect(map.held).toBe(0);
      // A repair makes any bytes a map again.
      const { stripes } = mapStats(map.memory);
      for (let at = 0; at < stripes; at++) rebuild(map.memory, map.memory.stripeOf(at));
      map.died = false;
      for (let at = 0; at < 60; at++) {
        map.get(`k${at}`);
        if (map.set(`k${at}`, `v${at}`)) expect(map.get(`k${at}`)).toBe(`v${at}`);
      }
    }
  });

  test("slots that change between the look and the store are a LayoutError, and take nothing", () => {
    const map = new LocalMap(2 ** 14);
    for (let at = 0; at < 60; at++) map.set(`k${at}`, "x", 9000);
    const { words } = map.memory;
    const slots = [...slotsOf(map.memory)].map(([, slot]) => slot);
    const whole = words.slice();
    const before = mapStats(map.memory);
    let looks = 0;
    let unit = 0;
    // The store asks when the next entry expires after it has found the slot.
    Object.defineProperty(map.clock, "boot", {
      get() {
        looks++;
        for (const slot of slots) words[slot] = (whole[slot]! & 0xff000000) | unit;
        return 7;
      },
    });
    for (unit of [0, map.memory.unitCount, 0xffffff]) {
      looks = 0;
      expect(() => map.set("k7", "y")).toThrow(LayoutError);
      expect(looks).toBeGreaterThan(0);
      expect(map.held).toBe(0);
      words.set(whole);
      expect(mapStats(map.memory)).toEqual(before);
    }
  });
});
