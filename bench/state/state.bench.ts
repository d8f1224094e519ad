/**
 * What shared state costs, compared in one run with what one would use instead.
 *
 *     bun bench/state/state.bench.ts [--json]
 *
 * lmdb takes part when it is installed (`npm install --no-save lmdb`), Redis when `redis-server`
 * is.
 */
import {
  Segment,
  SharedAtomics,
  SharedMap,
  SharedRecord,
  arrayOf,
  byteArray,
  codecs,
  struct,
} from "../../src/index.ts";
import { type Spread } from "../support/report.ts";
import { type Target, showTargets } from "../support/targets.ts";
import { measureInTurns, summary } from "../support/turns.ts";
import {
  compare,
  finish,
  heading,
  measure,
  measureAsync,
  note,
  report,
  reportSpread,
} from "./measure.ts";
import { openLmdb, openRedis, openSqlite } from "./peers.ts";

const skipped: string[] = [];
const targets: Target[] = [];
/** Rounds of what is measured in turns. */
const TURNS = 15;
const prefix = `/bench-state-${process.pid}`;
const COUNT = 10_000;
const keys: string[] = Array.from({ length: COUNT }, (_, at) => `user:${at}`);
const value: Uint8Array = new Uint8Array(64).fill(7);

/** A core for each of two processes, where the system can pin them. */
const pin = (core: number): string[] => {
  const taskset = Bun.which("taskset");
  return taskset === null ? [] : [taskset, "-c", String(core)];
};

function spawn(core: number, program: string, ...args: string[]): Bun.Subprocess<"pipe", "pipe"> {
  const command = [...pin(core), process.execPath, `${import.meta.dir}/${program}`, ...args];
  return Bun.spawn(command, { stdio: ["pipe", "pipe", "inherit"] });
}

function scaled({ median, min, max }: Spread, by: number): Spread {
  return { median: median * by, min: min * by, max: max * by };
}

function atomics(): void {
  heading("Atomics and structs");
  const names = { words: ["word"], counters: ["count"] } as const;
  using shared = SharedAtomics.create(`${prefix}-atomics`, names);
  shared.segment.unlink();
  const { word } = shared.words;
  const { count } = shared.counters;
  const words = new Int32Array(new ArrayBuffer(64));
  const big = new BigInt64Array(new ArrayBuffer(64));
  measure("Atomics.add, 32 bits", 1e6, () => Atomics.add(words, 0, 1));
  measure("SharedWord.add", 1e6, () => word.add(1));
  measure("SharedCounter.add, 64 bits", 1e6, () => count.add(1));
  measure("Atomics.add of a BigInt, 64 bits", 1e6, () => Atomics.add(big, 0, 1n));
  const Point = struct({ x: "f64", y: "f64" });
  const view = new DataView(new ArrayBuffer(64));
  const point = Point.at(view);
  measure("DataView getFloat64 + setFloat64", 1e6, (at) => {
    view.setFloat64(8, view.getFloat64(8, true) + at, true);
  });
  measure("struct accessor, read + write of a field", 1e6, (at) => {
    point.y += at;
  });
}

async function record(): Promise<void> {
  heading("SharedRecord");
  const Eight = struct({
    a: "f64",
    b: "f64",
    c: "f64",
    d: "f64",
    e: "f64",
    f: "f64",
    g: "f64",
    h: "f64",
  });
  const initial = { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8 };
  using eight = SharedRecord.create(`${prefix}-record`, { codec: Eight, initial });
  eight.segment.unlink();
  measure("64 B: peek and read one field", 1e6, () => eight.peek()!.d);
  measure("64 B: readInto, eight fields", 1e6, () => eight.readInto(initial));
  measure("64 B: read, a new object", 1e6, () => eight.read());
  measure("64 B: write", 1e6, () => eight.write(initial));
  const Kilobyte = struct({ data: byteArray(1024) });
  const name = `${prefix}-busy`;
  using busy = SharedRecord.create(name, {
    codec: Kilobyte,
    initial: { data: new Uint8Array(1024) },
  });
  try {
    measure("1 KiB: peek", 1e5, () => busy.peek());
    const writer = spawn(1, "record-writer.ts", name);
    for await (const _ of writer.stdout) break;
    const before = busy.version;
    const start = performance.now();
    measure("1 KiB: peek, while another writes without pause", 1e5, () => busy.peek());
    const perSecond = (busy.version - before) / (performance.now() - start) / 1000;
    report("1 KiB: what the other writes meanwhile", "M/s", [perSecond]);
    writer.kill();
    await writer.exited;
  } finally {
    Segment.unlink(name);
  }
  const Wide = struct({ words: arrayOf("u32", 16) });
  using wide = SharedRecord.create(`${prefix}-wide`, {
    codec: Wide,
    initial: { words: Array.from({ length: 16 }, () => 1) },
  });
  wide.segment.unlink();
  measure("64 B: peek at an array of 16", 1e5, () => wide.peek()!.words.get(3));
}

async function map(): Promise<void> {
  heading(`SharedMap, values of 64 B, ${COUNT} short keys`);
  const name = `${prefix}-map`;
  using shared = SharedMap.create(name, { size: 2 ** 22, codec: codecs.bytes });
  shared.segment.unlink();
  const target = new Uint8Array(64);
  const key = (at: number): string => keys[at % COUNT]!;
  for (const each of keys) shared.set(each, value);
  const getInto = measure("SharedMap.getInto", COUNT * 20, (at) => shared.getInto(key(at), target));
  const get = measure("SharedMap.get, a new Uint8Array", COUNT * 20, (at) => shared.get(key(at)));
  measure("SharedMap.has, of a key that is not there", COUNT * 20, () => shared.has("nobody"));
  const set = measure("SharedMap.set", COUNT * 20, (at) => shared.set(key(at), value));
  using numbers = SharedMap.create(`${prefix}-numbers`, { size: 2 ** 20, codec: codecs.number });
  numbers.segment.unlink();
  measure("SharedMap.increment", COUNT * 10, (at) => numbers.increment(keys[at % 100]!));
  using text = SharedMap.create(`${prefix}-text`, { size: 2 ** 22, codec: codecs.utf8 });
  text.segment.unlink();
  for (const each of keys) text.set(each, "x".repeat(64));
  measure("SharedMap.get, a string", COUNT * 20, (at) => text.get(key(at)));
  const plain = new Map(keys.map((each) => [each, value]));
  measure("for scale: Map.get in this process", COUNT * 20, (at) => plain.get(key(at)));

  const sqlite = openSqlite();
  for (const each of keys) sqlite.set(each, value);
  const gets = measureInTurns(
    {
      getInto: {
        count: COUNT * 10,
        run(count) {
          for (let at = 0; at < count; at++) shared.getInto(keys[at % COUNT]!, target);
        },
      },
      sqlite: {
        count: COUNT,
        run(count) {
          for (let at = 0; at < count; at++) sqlite.get(keys[at]!);
        },
      },
    },
    TURNS,
  );
  const sets = measureInTurns(
    {
      set: {
        count: COUNT * 10,
        run(count) {
          for (let at = 0; at < count; at++) shared.set(keys[at % COUNT]!, value);
        },
      },
      sqlite: {
        count: COUNT,
        run(count) {
          for (let at = 0; at < count; at++) sqlite.set(keys[at]!, value);
        },
      },
    },
    TURNS,
  );
  sqlite.close();
  heading("In turns with bun:sqlite in memory");
  reportSpread("SharedMap.getInto", "ns", gets.times.getInto);
  reportSpread("bun:sqlite, get", "ns", gets.times.sqlite);
  reportSpread("get, × faster than bun:sqlite", "ratio", gets.ratios.sqlite);
  reportSpread("SharedMap.set", "ns", sets.times.set);
  reportSpread("bun:sqlite, set", "ns", sets.times.sqlite);
  reportSpread("set, × faster than bun:sqlite", "ratio", sets.ratios.sqlite);
  targets.push(
    {
      what: "SharedMap.getInto, 64 B, a short key, µs",
      least: "≤ 0.12",
      aim: "0.08",
      measured: scaled(gets.times.getInto, 1e-3),
    },
    {
      what: "SharedMap.set / bun:sqlite in memory, × faster",
      least: "≥ 10",
      aim: "30",
      measured: sets.ratios.sqlite,
    },
  );

  const lmdb = await openLmdb();
  if (lmdb === undefined) skipped.push("lmdb (npm install --no-save lmdb)");
  else {
    const buffer = Buffer.from(value);
    lmdb.transactionSync(() => keys.forEach((each) => void lmdb.putSync(each, buffer)));
    const lmdbGet = measure("lmdb get, a new Buffer", COUNT, (at) => lmdb.get(key(at)));
    const lmdbFast = measure("lmdb getBinaryFast", COUNT, (at) => lmdb.getBinaryFast(key(at)));
    const lmdbPut = measure("lmdb putSync, no sync", 1000, (at) => lmdb.putSync(key(at), buffer));
    const lmdbBatch = measure("lmdb putSync, 1000 in a transaction, each", 1000, (at) => {
      if (at === 0) {
        lmdb.transactionSync(() => {
          for (let each = 0; each < 1000; each++) lmdb.putSync(keys[each]!, buffer);
        });
      }
    });
    compare("get, × faster than lmdb get", lmdbGet, get);
    compare("getInto, × faster than lmdb getBinaryFast", lmdbFast, getInto);
    compare("set, × faster than lmdb putSync", lmdbPut, set);
    compare("set, × faster than lmdb in transactions of 1000", lmdbBatch, set);
    await lmdb.remove();
  }

  const redis = await openRedis();
  if (redis === undefined) skipped.push("Redis (redis-server is not installed)");
  else {
    await Promise.all(keys.map((each) => redis.client.set(each, "x".repeat(64))));
    const one = await measureAsync("Redis get over a Unix socket, one by one", 2000, (at) =>
      redis.client.get(key(at)),
    );
    const many = await measureAsync("Redis get, 1000 at once, each", 1000, async (at) => {
      if (at === 0) {
        await Promise.all(keys.slice(0, 1000).map((each) => redis.client.get(each)));
      }
    });
    compare("get, × faster than Redis, one by one", one, get);
    compare("get, × faster than Redis, 1000 at once", many, get);
    await redis.close();
  }
}

/** One key, which this process reads alone, and beside another that does the same, in turns. */
async function readers(): Promise<void> {
  heading("Two processes that read one key of a SharedMap");
  const name = `${prefix}-readers`;
  using shared = SharedMap.create(name, { size: 2 ** 20, codec: codecs.bytes });
  try {
    shared.set("one", value);
    const target = new Uint8Array(64);
    const read = (): number => {
      const count = 500_000;
      const start = Bun.nanoseconds();
      for (let at = 0; at < count; at++) shared.getInto("one", target);
      return (Bun.nanoseconds() - start) / count;
    };
    const other = spawn(1, "map-reader.ts", name);
    const lines = other.stdout.getReader();
    const times = { alone: [] as number[], both: [] as number[] };
    for (let round = -2; round < TURNS; round++) {
      for (const which of ["alone", "both"] as const) {
        other.stdin.write(which === "both" ? "read\n" : "stop\n");
        await other.stdin.flush();
        await lines.read();
        const time = read();
        if (round >= 0) times[which].push(time);
      }
    }
    other.kill();
    await other.exited;
    const { times: spreads, ratios } = summary(times);
    reportSpread("alone", "ns", spreads.alone);
    reportSpread("beside the other", "ns", spreads.both);
    reportSpread("two / one", "ratio", ratios.both);
    targets.push({
      what: "two processes reading one map key / one alone, time a read",
      least: "≤ 1.1",
      aim: "1.0",
      measured: ratios.both,
    });
  } finally {
    Segment.unlink(name);
  }
}

async function writers(): Promise<void> {
  heading("Processes that write one SharedMap");
  const name = `${prefix}-writers`;
  using shared = SharedMap.create(name, { size: 2 ** 22, codec: codecs.bytes });
  try {
    const run = async (count: number): Promise<number> => {
      const children = Array.from({ length: count }, (_, at) =>
        spawn(at, "map-writer.ts", name, String(at * 5000), "500"),
      );
      const readers = children.map((child) => child.stdout.getReader());
      await Promise.all(readers.map((reader) => reader.read()));
      for (const child of children) {
        child.stdin.write("go\n");
        child.stdin.end();
      }
      const rates = await Promise.all(
        readers.map(async (reader) => {
          const { value: chunk } = await reader.read();
          return Number(Buffer.from(chunk!).toString());
        }),
      );
      await Promise.all(children.map((child) => child.exited));
      return rates.reduce((sum, rate) => sum + rate, 0);
    };
    const [ones, twos]: [number[], number[]] = [[], []];
    for (let round = 0; round < 5; round++) {
      ones.push(await run(1));
      twos.push(await run(2));
    }
    const one = report("one process, sets", "M/s", ones);
    const two = report("two processes, sets together", "M/s", twos);
    report("two against one", "ratio", [two.median / one.median]);
    note(`${shared.size} entries, ${shared.stats().stripes} stripes`);
  } finally {
    Segment.unlink(name);
  }
}

function zipf(): void {
  heading("Evicting: hit rate on a Zipf workload (exponent 0.99, ten times as many keys as room)");
  using cache = SharedMap.create(`${prefix}-zipf`, {
    size: 2 ** 20,
    codec: codecs.bytes,
    whenFull: "evict",
    entryLength: 24,
  });
  cache.segment.unlink();
  const small = new Uint8Array(16);
  let capacity = 0;
  while (cache.stats().lost === 0) cache.set(`fill${capacity++}`, small);
  const all = capacity * 10;
  const sums = new Float64Array(all);
  for (let at = 0, sum = 0; at < all; at++) sums[at] = sum += 1 / (at + 1) ** 0.99;
  const lru = new Map<string, true>();
  let [hits, lruHits] = [0, 0];
  const requests = 500_000;
  for (let request = 0; request < requests; request++) {
    const aim = Math.random() * sums[all - 1]!;
    let [low, high] = [0, all - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < aim) low = middle + 1;
      else high = middle;
    }
    const name = `k${low}`;
    if (cache.has(name)) hits++;
    else cache.set(name, small);
    if (lru.delete(name)) lruHits++;
    lru.set(name, true);
    if (lru.size > capacity) lru.delete(lru.keys().next().value!);
  }
  report(`SharedMap, room for ${capacity} entries`, "percent", [(hits / requests) * 100]);
  report("true LRU of the same size", "percent", [(lruHits / requests) * 100]);
}

atomics();
await record();
await map();
await readers();
await writers();
zipf();
finish(skipped);
showTargets(targets, !process.argv.includes("--json"));
