/**
 * What an operation costs as the work grows: messages, the ring's size, producers, consumers,
 * entries of a map, and waiters.
 *
 *     bun bench/growth/growth.bench.ts [--quick] [--long] [--json]
 *
 * Flat is good. Where there are more processes than cores they share those, and the time of one
 * operation of all together is what counts, and how evenly they get their shares.
 */
import { cpus } from "node:os";
import { join } from "node:path";
import {
  RingBuffer,
  Segment,
  SharedAtomics,
  SharedMap,
  SharedRecord,
  codecs,
  listSegments,
  struct,
} from "../../src/index.ts";
import {
  PINNED,
  type Spread,
  bunProgram,
  figuresOf,
  machine,
  show,
  spreadOf,
  start,
  table,
} from "../support/report.ts";

const isJson = process.argv.includes("--json");
const isQuick = process.argv.includes("--quick");
const isLong = process.argv.includes("--long");
const ROUNDS = isQuick ? 1 : 3;
const CORES = cpus().length;
const prefix = `/bun-shm-bench-${process.pid}-`;
let names = 0;
const freshName = (): string => `${prefix}${++names}`;

process.on("exit", () => {
  for (const { name } of listSegments()) if (name.startsWith(prefix)) Segment.unlink(name);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

/** How much there was of something, and what an operation took, in ns. */
interface Point {
  readonly at: number;
  readonly time: Spread;
  /** The least share of all shares over the greatest; 1 is even. */
  readonly fairness?: number | undefined;
}

interface Series {
  readonly what: string;
  readonly of: string;
  readonly points: Point[];
}

async function repeated<T>(once: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let round = 0; round < ROUNDS; round++) all.push(await once());
  return all;
}

/** A stream of 64-byte records between two processes. @returns ns a record. */
async function stream(count: number, capacity: number): Promise<number> {
  const name = freshName();
  const args = ["spin", "64", String(count), "1", String(capacity)];
  const producer = start(bunProgram(1, "bench/ring/side.ts", name, "producer", ...args));
  const consumer = start(bunProgram(0, "bench/ring/side.ts", name, "consumer", ...args));
  const { perSecond } = await figuresOf<{ perSecond: number }>(consumer);
  await producer.exited;
  return 1e9 / perSecond;
}

async function grow(
  what: string,
  of: string,
  sizes: readonly number[],
  once: (size: number) => Promise<number>,
): Promise<Series> {
  const points: Point[] = [];
  for (const at of sizes) points.push({ at, time: spreadOf(await repeated(() => once(at))) });
  return { what, of, points };
}

type Child = Bun.Subprocess<"ignore", "pipe", "inherit">;

async function startMany(
  count: number,
  role: string,
  name: string,
  last: number[],
): Promise<Child[]> {
  const children = Array.from({ length: count }, (_, at) =>
    start(bunProgram((at + 1) % CORES, "bench/growth/side.ts", role, name, String(last[at]))),
  );
  await Promise.all(children.map(async ({ stdout }) => void (await stdout.getReader().read())));
  return children;
}

/** Many producers of one MPSC ring, which this process reads. */
async function producers(count: number): Promise<{ time: number; fairness: number }> {
  using ring = RingBuffer.create(freshName(), { kind: "mpsc", capacity: 1 << 20 });
  using consumer = ring.consumer();
  const numbers = Array.from({ length: count }, (_, at) => at);
  const children = await startMany(count, "producer", ring.name, numbers);
  const shares = new Float64Array(count);
  const handler = (_view: DataView, _index: number, _length: number, type: number): void => {
    shares[type]!++;
  };
  const readFor = (records: number): number => {
    const begin = Bun.nanoseconds();
    for (let read = 0; read < records;) read += consumer.read(handler, { timeoutMs: 1000 });
    return (Bun.nanoseconds() - begin) / records;
  };
  const records = isQuick ? 1_000_000 : 5_000_000;
  readFor(records / 2);
  shares.fill(0);
  const time = readFor(records);
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map(({ exited }) => exited));
  ring.unlink();
  return { time, fairness: Math.min(...shares) / Math.max(...shares) };
}

/** Many consumers of one broadcast ring, to which this process writes. @returns ns a record. */
async function consumers(count: number): Promise<number> {
  const capacity = 1 << 20;
  using ring = RingBuffer.create(freshName(), { kind: "broadcast", policy: "block", capacity });
  using producer = ring.producer();
  const records = isQuick ? 500_000 : 2_000_000;
  const counts = Array.from({ length: count }, () => records);
  const children = await startMany(count, "consumer", ring.name, counts);
  const payload = new Uint8Array(64);
  const begin = Bun.nanoseconds();
  for (let written = 0; written < records; written++) producer.write(payload);
  await Promise.all(children.map(({ exited }) => exited));
  const time = (Bun.nanoseconds() - begin) / records;
  ring.unlink();
  return time;
}

/** Gets and sets of random keys of a map that is about two thirds full; and of JavaScript's own. */
function mapOf(entries: number): { get: number; set: number; own: number } {
  const size = Math.max(2 ** 16, Math.ceil(entries * 200));
  using map = SharedMap.create(freshName(), { size, codec: codecs.bytes, prefault: true });
  map.unlink();
  const keys = Array.from({ length: entries }, (_, at) => `user:${at}`);
  const value = new Uint8Array(64);
  const own = new Map(keys.map((key) => [key, value]));
  for (const key of keys) if (!map.set(key, value)) throw new Error("The map is full");
  let state = 1;
  const next = (): string => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return keys[(state >>> 1) % entries]!;
  };
  const calls = 500_000;
  const time = (call: (key: string) => void): number => {
    for (let at = 0; at < calls; at++) call(next());
    const begin = Bun.nanoseconds();
    for (let at = 0; at < calls; at++) call(next());
    return (Bun.nanoseconds() - begin) / calls;
  };
  return {
    get: time((key) => void map.getInto(key, value)),
    set: time((key) => void map.set(key, value)),
    own: time((key) => void own.get(key)),
  };
}

/** A write to a record for whose changes so many threads wait, until each has seen it. */
async function waiters(count: number): Promise<number> {
  const [name, counters] = [freshName(), freshName()];
  const codec = struct({ n: "f64" });
  using record = SharedRecord.create(name, { codec, initial: { n: 0 } });
  using seen = SharedAtomics.create(counters, { counters: ["ready", "seen"] });
  const path = join(import.meta.dir, "waiter.ts");
  const workers = Array.from({ length: count }, () => new Worker(path, { argv: [name, counters] }));
  const { ready, seen: answers } = seen.counters;
  while (ready.value < count) await Bun.sleep(5);
  await Bun.sleep(50);
  const times: number[] = [];
  for (let n = 1; n <= 20; n++) {
    const begin = Bun.nanoseconds();
    record.write({ n });
    while (answers.value < n * count) await Bun.sleep(0);
    times.push((Bun.nanoseconds() - begin) / count);
    await Bun.sleep(20);
  }
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve) => {
          worker.addEventListener("close", resolve);
          worker.terminate();
        }),
    ),
  );
  record.unlink();
  seen.unlink();
  return spreadOf(times).median;
}

const powers = (base: number, from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => base ** (from + at * step));

/** Keeps this process on some cores: on the first one, as long as its peers are kept on theirs. */
function pinSelf(cores: string): void {
  if (PINNED) Bun.spawnSync(["taskset", "-acp", cores, String(process.pid)]);
}

async function main(): Promise<void> {
  pinSelf("0");
  const series: Series[] = [];
  const progress = (what: string): void => {
    console.error(`growth: ${what} (${Math.round(performance.now() / 1000)} s)`);
  };
  progress("messages");
  const last = isLong ? 9 : isQuick ? 6 : 8;
  series.push(
    await grow("a record, as messages grow", "messages", powers(10, 5, last), (count) =>
      stream(count, 1 << 18),
    ),
  );
  progress("ring sizes");
  const sizes = powers(2, 16, isQuick ? 22 : 30, 2);
  series.push(
    // At least a lap, of 72 bytes a record, to warm up, and another one that counts.
    await grow("a record, as the ring grows", "bytes of the ring", sizes, (capacity) =>
      stream(Math.max(4_000_000, Math.ceil(capacity / 72)), capacity),
    ),
  );
  progress("producers");
  const many: Point[] = [];
  for (const at of [1, 2, 4, 8]) {
    const rounds = await repeated(() => producers(at));
    const fairness = spreadOf(rounds.map((round) => round.fairness)).median;
    many.push({ at, time: spreadOf(rounds.map(({ time }) => time)), fairness });
  }
  series.push({ what: "a record of an MPSC ring", of: "producers", points: many });
  progress("consumers");
  series.push(await grow("a record of a broadcast ring", "consumers", [1, 2, 4, 8], consumers));
  progress("maps");
  const [gets, sets, own]: [Point[], Point[], Point[]] = [[], [], []];
  for (const at of powers(10, 3, isQuick ? 5 : 7)) {
    const rounds = Array.from({ length: ROUNDS }, () => mapOf(at));
    gets.push({ at, time: spreadOf(rounds.map(({ get }) => get)) });
    sets.push({ at, time: spreadOf(rounds.map(({ set }) => set)) });
    own.push({ at, time: spreadOf(rounds.map((round) => round.own)) });
  }
  series.push({ what: "a get of a map", of: "entries", points: gets });
  series.push({ what: "a set of a map", of: "entries", points: sets });
  series.push({ what: "for scale: a get of JavaScript's Map", of: "entries", points: own });
  progress("waiters");
  pinSelf(`0-${CORES - 1}`);
  const counts = [1, 10, 30, 100, ...(isLong ? [1000] : [])];
  series.push(await grow("a waiter, until all have seen a change", "waiters", counts, waiters));
  report(series);
}

function report(series: readonly Series[]): void {
  if (isJson) {
    console.log(JSON.stringify({ machine: machine(), rounds: ROUNDS, series }, null, 2));
    return;
  }
  console.log(`${machine()}; ns, median (least–most) of ${ROUNDS} rounds`);
  for (const { what, of, points } of series) {
    const least = points[0]!.time.median;
    console.log(`\n${what}\n`);
    console.log(
      table([
        [of, "ns", "× the first", "least / greatest share"],
        ...points.map(({ at, time, fairness }) => [
          String(at),
          show(time),
          (time.median / least).toFixed(2),
          fairness === undefined ? "" : fairness.toFixed(2),
        ]),
      ]),
    );
  }
}

await main();
process.exit();
