/** Watching a map: nothing is lost in silence, and slow watchers get the newest value. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ClosedError, Segment, SharedMap, type SharedMapChange, codecs } from "../../src/index.ts";
import { logWords } from "../../src/map/algorithm/map-shape.ts";
import { uniqueName } from "../support/names.ts";
import { finished, spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";

const SIZE = 2 ** 18;

let name: string;
let map: SharedMap<number>;
/** Another handle, as another process has it. */
let other: SharedMap<number>;
beforeEach(() => {
  name = uniqueName("changes");
  map = SharedMap.create(name, { size: SIZE, codec: codecs.number });
  other = SharedMap.open(name, { codec: codecs.number });
});
afterEach(() => {
  map.close();
  other.close();
  Segment.unlink(name);
});

type Changes<K extends string | Uint8Array = string> = AsyncGenerator<
  SharedMapChange<number, K>,
  void,
  void
>;

async function next(changes: Changes): Promise<SharedMapChange<number>> {
  const { value, done } = await changes.next();
  if (done === true) throw new Error("the changes ended");
  return value;
}

/** The key that changed, and its value. */
async function nextSet(changes: Changes): Promise<[string, number]> {
  const change = await next(changes);
  if (change.type !== "set") throw new Error(`a change of type ${change.type}`);
  return [change.key, change.value];
}

describe("changes", () => {
  test("of other handles come, each key once with its newest value", async () => {
    other.set("before", 1);
    const changes = map.changes();
    for (let at = 0; at < 20; at++) other.set("k", at);
    expect(await nextSet(changes)).toEqual(["k", 19]);
    const waiting = next(changes);
    await Bun.sleep(5);
    other.set("late", 1);
    const { version } = map.getWithVersion("late")!;
    expect(await waiting).toEqual({ type: "set", key: "late", value: 1, version });
  });

  test("say why a key is gone", async () => {
    other.setMany([
      ["deleted", 1],
      ["taken", 1],
      ["updated", 1],
      ["expired", 1],
    ]);
    const changes = map.changes();
    other.delete("deleted");
    other.getAndDelete("taken");
    other.update("updated", () => undefined);
    other.touch("expired", 1e-6);
    other.flushExpired();
    const seen = new Map<string, string>();
    for (let at = 0; at < 4; at++) {
      const change = await next(changes);
      if (change.type !== "skipped") seen.set(change.key, change.type);
    }
    const gone = { deleted: "deleted", taken: "deleted", updated: "deleted", expired: "expired" };
    expect(Object.fromEntries(seen)).toEqual(gone);
  });

  test("of a key that came and went are one", async () => {
    const changes = map.changes();
    other.set("k", 1);
    other.delete("k");
    other.set("j", 1);
    other.delete("j");
    other.set("j", 2);
    const [one, two] = [await next(changes), await next(changes)];
    expect([one, two]).toContainEqual({ type: "deleted", key: "k" });
    expect([one.type, two.type].sort()).toEqual(["deleted", "set"]);
  });

  test("tell of evictions", async () => {
    const options = { size: 2 ** 14, codec: codecs.number, whenFull: "evict" } as const;
    using small = SharedMap.create("memfd:small", options);
    for (let at = 0; at < 200; at++) small.set(`k${at}`, at);
    const changes = small.changes();
    small.set("new", 1);
    const seen = [await next(changes), await next(changes)];
    expect(seen.map(({ type }) => type).sort()).toEqual(["evicted", "set"]);
    // To watch is no use of an entry: the eviction goes by users' reads.
    for (let at = 0; at < 500; at++) small.set(`more${at}`, at);
  });

  test("of some keys only, or with a prefix", async () => {
    const some = map.changes({ keys: ["a", "é"] });
    const begin = map.changes({ prefix: "user:" });
    other.setMany([
      ["b", 1],
      ["user:1", 2],
      ["a", 3],
      ["é", 4],
    ]);
    const seen = new Map([await nextSet(some), await nextSet(some)]);
    expect(Object.fromEntries(seen)).toEqual({ a: 3, é: 4 });
    expect(await nextSet(begin)).toEqual(["user:1", 2]);
    other.set("user:2", 5);
    expect(await nextSet(begin)).toEqual(["user:2", 5]);
  });

  test("keys are bytes where the map's are", async () => {
    const options = { size: SIZE, codec: codecs.number, key: codecs.bytes };
    using bytes = SharedMap.create("memfd:bytes", options);
    const changes = bytes.changes();
    bytes.set(new Uint8Array([0xff, 0]), 1);
    const { value } = await changes.next();
    expect(value).toMatchObject({ type: "set", key: new Uint8Array([0xff, 0]), value: 1 });
  });

  test("clear is told as skipped, once", async () => {
    other.setMany([
      ["a", 1],
      ["b", 2],
    ]);
    const changes = map.changes();
    other.clear();
    expect(await next(changes)).toEqual({ type: "skipped" });
    other.set("a", 3);
    expect(await nextSet(changes)).toEqual(["a", 3]);
  });

  test("too many at once are told as skipped, and then they go on", async () => {
    const changes = map.changes();
    for (let at = 0; at < 20_000; at++) other.set(`k${at % 500}`, at);
    expect(await next(changes)).toEqual({ type: "skipped" });
    for (let told = 0; ; told++) {
      expect(told).toBeLessThan(500);
      other.set("last", told);
      const change = await next(changes);
      if (change.type === "set" && change.key === "last") break;
    }
  });

  test("are logged only while somebody watches", async () => {
    const changes = map.changes();
    other.set("k", 1);
    await next(changes);
    await changes.return();
    // Two laps of every log later nobody is taken to watch; a new watcher begins anew.
    for (let at = 0; at < 50_000; at++) other.set(`k${at % 500}`, at);
    const again = map.changes();
    other.set("k", 2);
    expect(await nextSet(again)).toEqual(["k", 2]);
  });

  test("end with the signal, and with the map", async () => {
    const abort = new AbortController();
    const changes = map.changes({ signal: abort.signal });
    const waiting = next(changes);
    await Bun.sleep(5);
    abort.abort(new Error("enough"));
    expect(waiting).rejects.toThrow("enough");
    expect(() => map.changes({ signal: abort.signal })).toThrow("enough");
    const more = map.changes();
    const last = next(more);
    await Bun.sleep(5);
    map.close();
    expect(last).rejects.toBeInstanceOf(ClosedError);
    expect(() => map.changes()).toThrow(ClosedError);
  });

  test("a steady writer starves no timer", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const end = performance.now() + 100;
    let told = 0;
    const changes = map.changes();
    other.set("k", 1);
    for await (const _ of changes) {
      if (performance.now() > end) break;
      other.set(`k${++told % 100}`, told);
    }
    clearInterval(timer);
    expect(told).toBeGreaterThan(100);
    expect(ticks).toBeGreaterThan(5);
  }, 10_000);

  test("bad options are refused", () => {
    expect(() => map.changes({ key: "k" } as object)).toThrow("keys");
    expect(() => map.changes({ keys: "k" })).toThrow(TypeError);
    expect(() => map.changes({ keys: [5 as unknown as string] })).toThrow(TypeError);
    expect(() => map.changes({ prefix: 5 as unknown as string })).toThrow(TypeError);
    using reader = SharedMap.open(name, { codec: codecs.number, access: "read" });
    expect(() => reader.changes()).toThrow("reading only");
    map.update("k", () => void expect(() => map.changes()).toThrow("callback"));
  });
});

/**
 * Keeps a copy of the map by its changes, until the key "end" is set, and a little longer: the
 * changes of different keys may come in another order than they were made.
 */
async function mirror(changes: Changes): Promise<{ copy: Map<string, number>; skipped: number }> {
  const copy = new Map<string, number>();
  let skipped = 0;
  for await (const change of changes) {
    if (change.type === "skipped") {
      skipped++;
      copy.clear();
      for (const [key, value] of map) copy.set(key, value);
    } else if (change.type !== "set") copy.delete(change.key);
    else {
      copy.set(change.key, change.value);
      if (change.key === "end") map.set("later", 1);
      if (change.key === "later") break;
    }
  }
  return { copy, skipped };
}

describe("a copy that is kept by the changes", () => {
  test.each([
    ["a few", 20],
    ["many", 3000],
  ])("is the map, under random writes of %s keys", async (_, keys) => {
    const random = seededRandom(`changes ${keys}`);
    const mirrored = mirror(map.changes());
    for (let turn = 0; turn < 200; turn++) {
      const count = Math.floor(random() ** 4 * 2000);
      for (let at = 0; at < count; at++) {
        const key = `k${Math.floor(random() * keys)}`;
        if (random() < 0.3) other.delete(key);
        else other.set(key, Math.floor(random() * 1000), random() < 0.1 ? { ttlMs: 1 } : undefined);
      }
      if (random() < 0.02) other.clear();
      if (random() < 0.5) await Bun.sleep(0);
    }
    await Bun.sleep(2);
    other.flushExpired();
    other.set("end", 1);
    const { copy, skipped } = await mirrored;
    console.log(`mirror of ${copy.size} keys, skipped ${skipped} times`);
    expect(new Map([...copy].sort())).toEqual(new Map([...map].sort()));
  });

  test("is the map after four processes wrote to it at once", async () => {
    const mirrored = mirror(map.changes());
    const writers = Array.from({ length: 4 }, (_, seed) =>
      finished(spawnBun("test/peers/map-changer.ts", name, String(seed))),
    );
    for (const outcome of await Promise.all(writers)) {
      expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    }
    await Bun.sleep(1);
    map.set("end", 1);
    const { copy, skipped } = await mirrored;
    console.log(`mirror of ${copy.size} keys, skipped ${skipped} times`);
    expect(new Map([...copy].sort())).toEqual(new Map([...map].sort()));
  });
});

test("a log holds a key of any length", async () => {
  expect(logWords({ stripeCount: 1, bucketCount: 1, unitCount: 8, unitWords: 16 })).toBe(512);
  const changes = map.changes();
  for (let at = 0; at < 20; at++) {
    const key = `${at}${"é".repeat(510)}`;
    other.set(key, at);
    expect(await nextSet(changes)).toEqual([key, at]);
  }
});
