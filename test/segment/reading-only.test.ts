/** Structures that are only read: they follow what others write, and refuse every change. */
import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  RingBuffer,
  Segment,
  Meters,
  SharedAtomics,
  SharedMap,
  SharedRecord,
  SharedTable,
  codecs,
  struct,
} from "../../src/index.ts";
import { SharedCounter, SharedWord } from "../../src/index.ts";
import { accessesPlainly } from "../../src/memory/atomics.ts";
import { titleNeeding } from "../support/needs.ts";
import { uniqueName } from "../support/names.ts";
import { finished, spawnBun } from "../support/process.ts";

const COUNT = 10_000_000;
const Point = struct({ n: "f64" });
const ATOMICS = { words: ["n"], counters: ["count"] } as const;
const READ = { access: "read" } as const;

let names: string[] = [];
function name(): string {
  const made = uniqueName("only");
  names.push(made);
  return made;
}
afterEach(() => {
  for (const each of names.splice(0)) Segment.unlink(each);
});

/** One structure that counts: how it is made, and how a reader of it finds out the count. */
interface Counting {
  make(name: string): Disposable;
  read(name: string): Disposable & { readonly segment: Segment; count(): number };
}

function reader<T extends Disposable & { readonly segment: Segment }>(
  handle: T,
  count: () => number,
): T & { count(): number } {
  return Object.assign(handle, { count });
}

const NOUNS: Record<"record" | "table" | "map" | "evicting map" | "atomics" | "meters", Counting> =
  {
    record: {
      make: (at) => SharedRecord.create(at, { codec: Point, initial: { n: 0 } }),
      read(at) {
        const record = SharedRecord.open(at, { codec: Point, ...READ });
        return reader(record, () => record.peek()!.n);
      },
    },
    table: {
      make(at) {
        const table = SharedTable.create(at, { codec: Point, rows: 4, names: true });
        table.write(table.rowOf("n")!, { n: 0 });
        return table;
      },
      read(at) {
        const table = SharedTable.open(at, { codec: Point, ...READ });
        const ns = new Float64Array(4);
        let look = 0;
        return reader(table, () =>
          (look ^= 1) === 0 ? table.view(0)!.n : table.columnInto("n", ns)[table.findRow("n")!]!,
        );
      },
    },
    map: {
      make: (at) => SharedMap.create(at, { size: 2 ** 17, codec: codecs.number }),
      read(at) {
        const map = SharedMap.open(at, { codec: codecs.number, ...READ });
        return reader(map, () => map.get("n") ?? 0);
      },
    },
    "evicting map": {
      make: (at) =>
        SharedMap.create(at, { size: 2 ** 17, codec: codecs.number, whenFull: "evict" }),
      read(at) {
        const map = SharedMap.open(at, { codec: codecs.number, ...READ });
        return reader(map, () => map.get("n") ?? 0);
      },
    },
    atomics: {
      make: (at) => SharedAtomics.create(at, ATOMICS),
      read(at) {
        const atomics = SharedAtomics.open(at, { ...ATOMICS, ...READ });
        const { words, counters } = atomics;
        return reader(atomics, () => Math.min(words.n.load(), counters.count.value));
      },
    },
    meters: {
      make(at) {
        const meters = Meters.create(at, { size: 2 ** 16 });
        meters.counter("n", { help: "h" });
        return meters;
      },
      read(at) {
        const meters = Meters.open(at, READ);
        const counter = meters.counter("n", { help: "h" });
        return reader(meters, () => counter.value);
      },
    },
  };

/** How many bytes of a segment's pages this process has copied, as the kernel says. */
function copiedBytes(segment: Segment): number {
  const maps = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = maps.filter((map) => map.includes(segment.name) && map.includes(" rw-p "));
  expect(own.length).toBeGreaterThan(0);
  const sizes = own.map((map) => Number(/^Anonymous: +(\d+) kB$/m.exec(map)![1]));
  return sizes.reduce((sum, size) => sum + size * 1024, 0);
}

interface Followed {
  /** How many different counts were seen, and how often one was less than that before. */
  changes: number;
  backwards: number;
  last: number;
}

/** Reads in one loop, which the engine compiles, until the count is there or a minute is over. */
function follow(count: () => number): Followed {
  const seen = { changes: 0, backwards: 0, last: 0 };
  const end = performance.now() + 60_000;
  for (let look = 0; seen.last < COUNT; look++) {
    const now = count();
    if (now < seen.last) seen.backwards++;
    if (now !== seen.last) seen.changes++;
    seen.last = now;
    if ((look & 0xffff) === 0 && performance.now() > end) break;
  }
  return seen;
}

const isPlain = accessesPlainly();
const title = (what: string): string => titleNeeding(what, "plain loads, as on x64", isPlain);

describe("a structure that is only read", () => {
  for (const [noun, { make, read }] of Object.entries(NOUNS)) {
    test.skipIf(!isPlain)(
      title(`follows ten million writes: ${noun}`),
      async () => {
        const at = name();
        using _ = make(at);
        using seen = read(at);
        const writer = spawnBun(
          "test/peers/counting-writer.ts",
          noun.replace("evicting ", ""),
          at,
          String(COUNT),
        );
        const { changes, backwards, last } = follow(() => seen.count());
        const { exitCode, stderr } = await finished(writer);
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
        expect({ backwards, last }).toEqual({ backwards: 0, last: COUNT });
        expect(changes).toBeGreaterThan(1000);
        expect(copiedBytes(seen.segment)).toBe(0);
      },
      120_000,
    );
  }

  test.skipIf(!isPlain)(title("refuses every change, and stays as it is"), () => {
    const [record, map, atomics] = [name(), name(), name()];
    using ownRecord = SharedRecord.create(record, { codec: Point, initial: { n: 1 } });
    using ownMap = SharedMap.create(map, { size: 2 ** 17, codec: codecs.number });
    using ownAtomics = SharedAtomics.create(atomics, ATOMICS);
    const table = name();
    using ownTable = SharedTable.create(table, { codec: Point, rows: 4, names: true });
    ownTable.write(ownTable.rowOf("n")!, { n: 1 });
    using seenTable = SharedTable.open(table, { codec: Point, ...READ });
    ownMap.set("n", 1);
    using seenRecord = SharedRecord.open(record, { codec: Point, ...READ });
    using seenMap = SharedMap.open(map, { codec: codecs.number, ...READ });
    using seenAtomics = SharedAtomics.open(atomics, READ);
    using segment = Segment.open(atomics, READ);
    const [word, counter] = [SharedWord.at(segment, 256), SharedCounter.at(segment, 256)];
    const n = seenAtomics.words["n"]!;
    const changes: (() => unknown)[] = [
      () => seenRecord.write({ n: 2 }),
      () => seenRecord.update(() => ({ n: 2 })),
      () => seenMap.set("n", 2),
      () => seenMap.setIfAbsent("m", 2),
      () => seenMap.delete("n"),
      () => seenMap.update("n", () => 2),
      () => seenMap.increment("n"),
      () => seenMap.clear(),
      ...[n, word].flatMap((each) => [
        () => each.store(2),
        () => each.add(1),
        () => each.and(0),
        () => each.or(1),
        () => each.exchange(2),
        () => each.compareExchange(0, 2),
      ]),
      () => seenAtomics.counters["count"]!.add(),
      () => counter.add(),
      () => seenTable.write(0, { n: 2 }),
      () => seenTable.update(0, () => ({ n: 2 })),
      () => SharedRecord.init(seenMap.segment, 0, { codec: Point, overwrite: true }),
    ];
    for (const change of changes) expect(change).toThrow(TypeError);
    for (const change of changes) expect(change).toThrow("opened for reading only");
    expect([ownRecord.version, ownRecord.read()]).toEqual([1, { n: 1 }]);
    expect([ownTable.version(0), ownTable.read(0)]).toEqual([1, { n: 1 }]);
    expect([seenTable.rowOf("n"), seenTable.rowOf("m"), ownTable.names()]).toEqual([
      0,
      undefined,
      ["n"],
    ]);
    expect([...ownMap]).toEqual([["n", 1]]);
    expect([ownAtomics.words.n.load(), ownAtomics.counters.count.value]).toEqual([0, 0]);
    for (const { segment: seen } of [seenRecord, seenTable, seenMap, seenAtomics]) {
      expect(copiedBytes(seen)).toBe(0);
    }
  });

  test.skipIf(!isPlain)(title("waits for changes"), async () => {
    const at = name();
    using own = SharedRecord.create(at, { codec: Point, initial: { n: 0 } });
    using seen = SharedRecord.open(at, { codec: Point, ...READ });
    expect(seen.waitChanged({ timeoutMs: 20 })).toBe(false);
    expect(await seen.waitChangedAsync({ timeoutMs: 20 })).toBe(false);
    const got: number[] = [];
    const reading = (async () => {
      for await (const { n } of seen) {
        got.push(n);
        if (n === 3) break;
      }
    })();
    for (let n = 1; n <= 3; n++) {
      while (got.at(-1) !== n - 1) await Bun.sleep(1);
      own.write({ n });
    }
    await reading;
    expect(got).toEqual([0, 1, 2, 3]);
    const changed = seen.waitChangedAsync({ since: own.version });
    own.write({ n: 4 });
    expect(await changed).toBe(true);
    const writer = spawnBun("test/peers/counting-writer.ts", "record", at, "1");
    expect(seen.waitChanged({ since: own.version, timeoutMs: 30_000 })).toBe(true);
    await finished(writer);
    const closed = seen.waitChangedAsync();
    seen.close();
    expect(closed).rejects.toThrow("it is closed");
  });

  test.skipIf(!isPlain)(title("watches the rows of a table"), async () => {
    const at = name();
    using own = SharedTable.create(at, { codec: Point, rows: 1000 });
    using seen = SharedTable.open(at, { codec: Point, ...READ });
    const changes = seen.changes();
    for (const row of [7, 999, 0]) {
      own.write(row, { n: row });
      expect(await changes.next()).toEqual({ done: false, value: [row] });
      expect(seen.read(row)).toEqual({ n: row });
    }
    expect(copiedBytes(seen.segment)).toBe(0);
    await changes.return();
  });

  test("a ring shows what it counts, and gives no roles", () => {
    const at = name();
    using ring = RingBuffer.create(at, { capacity: 4096 });
    using producer = ring.producer();
    using seen = RingBuffer.open(at, READ);
    producer.tryWrite("one");
    expect(seen.stats()).toEqual(ring.stats());
    expect(() => seen.producer()).toThrow("opened for reading only");
    expect(() => seen.consumer()).toThrow("opened for reading only");
  });

  test.skipIf(!isPlain)(title("needs no right to write"), () => {
    const at = name();
    using own = SharedMap.create(at, { size: 2 ** 17, codec: codecs.utf8, whenFull: "evict" });
    own.set("a", "x".repeat(3000), { ttlMs: 60_000 });
    own.set("b", "y");
    using segment = Segment.open(at, READ);
    const seen = SharedMap.at(segment, 0, { codec: codecs.utf8 });
    expect([seen.get("a")!.length, seen.has("b"), seen.size]).toEqual([3000, true, 2]);
    expect(new Map(seen)).toEqual(new Map(own));
    expect([seen.stats(), segment.access]).toEqual([own.stats(), "read"]);
    expect(copiedBytes(segment)).toBe(0);
  });
});

test.skipIf(isPlain)(titleNeeding("is refused", "Atomics' loads, as on arm64", !isPlain), () => {
  const at = name();
  using _ = SharedRecord.create(at, { codec: Point });
  using segment = Segment.open(at, READ);
  expect(() => SharedRecord.open(at, { codec: Point, ...READ })).toThrow("a look at a word writes");
  expect(() => SharedRecord.at(segment, 0, { codec: Point })).toThrow("opened for reading only");
  expect(() => SharedWord.at(segment, 256)).toThrow("opened for reading only");
});

test("access is checked, and only there where it can be", () => {
  const options = { codec: codecs.number, access: "write" as never };
  expect(() => SharedMap.open(name(), options)).toThrow('"readwrite" or "read"');
  expect(() => SharedAtomics.create(name(), { ...ATOMICS, access: "read" } as never)).toThrow(
    'no option "access"',
  );
});
