/** `bun run bench:ring`: the ring beside its peers, in two processes on two cores. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RingBuffer, Segment, listSegments } from "../../src/index.ts";
import {
  PINNED,
  type Spread,
  bunProgram,
  compile,
  figuresOf,
  machine,
  show,
  spreadOf,
  start,
  table,
} from "../support/report.ts";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(
    "bun run bench:ring [--quick] [--runs N] [--json FILE]\n\n" +
      "Measures round trips and rates of the ring beside C, Bun.spawn IPC, a Unix socket and a\n" +
      "Worker. Every figure is the median of N runs (5), with the least and the most.",
  );
  process.exit(0);
}

const RUNS = Number(options.runs ?? (options.quick ? 2 : 5));
const SHARE = options.quick ? 0.2 : 1;
const SIDE = "bench/ring/side.ts";
const PEERS = "bench/ring/peers.ts";
const SIZES: readonly number[] = [8, 64, 256, 1024, 65536];
/** How many seconds a waiting consumer's use of its core is measured. */
const IDLE_SECONDS = options.quick ? 2 : 10;

interface RoundTrip {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}
interface Rate {
  readonly perSecond: number;
}

const directory = mkdtempSync(join(tmpdir(), "bun-shm-bench-"));
const native = compile("bench/ring/native.c", join(directory, "native"));
let names = 0;
const prefix = `/bun-shm-bench-${process.pid}-`;
const freshName = (): string => `${prefix}${++names}`;

function cleanUp(): void {
  for (const { name } of listSegments()) if (name.startsWith(prefix)) Segment.unlink(name);
  rmSync(directory, { recursive: true, force: true });
}
process.on("exit", cleanUp);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const count = (full: number): string => String(Math.max(Math.round(full * SHARE), 100));

/** Larger records take longer, so fewer of them are sent. */
const scaled = (full: number, size: number): number => full / Math.max(1, size / 256);

async function ringRoundTrip(mode: string, size: number): Promise<RoundTrip> {
  const full = mode === "spin" ? 1_500_000 : mode === "adaptive" ? 30_000 : 15_000;
  const args = [mode, String(size), count(scaled(full, size))];
  const name = freshName();
  const pong = start(bunProgram(1, SIDE, name, "pong", ...args));
  const ping = await figuresOf<RoundTrip>(start(bunProgram(0, SIDE, name, "ping", ...args)));
  await pong.exited;
  return ping;
}

/** A round trip that pauses before each send, to a peer that waits in its event loop. */
async function wake(): Promise<RoundTrip> {
  const name = freshName();
  const args = ["64", count(500)];
  const pong = start(bunProgram(1, SIDE, name, "pong", "async", ...args));
  const waker = await figuresOf<RoundTrip>(
    start(bunProgram(0, SIDE, name, "waker", "spin", ...args)),
  );
  pong.kill("SIGKILL");
  await pong.exited;
  return waker;
}

async function ringRate(mode: string, size: number, batch: number): Promise<Rate> {
  const args = [mode, String(size), count(scaled(8_000_000, size)), String(batch)];
  const name = freshName();
  const producer = start(bunProgram(1, SIDE, name, "producer", ...args));
  const consumer = await figuresOf<Rate>(start(bunProgram(0, SIDE, name, "consumer", ...args)));
  await producer.exited;
  return consumer;
}

function nativeFigures<T>(...args: (string | number)[]): Promise<T> {
  return figuresOf<T>(start([native!, ...args.map(String)]));
}

const nativeRoundTrip = (size: number): Promise<RoundTrip> =>
  nativeFigures("rtt", size, count(scaled(600_000, size)));

const nativeRate = (size: number, batch: number): Promise<Rate> =>
  nativeFigures("oneway", size, count(scaled(8_000_000, size)), batch, capacityFor(size));

const capacityFor = (size: number): number => (size > 4096 ? 1 << 20 : 1 << 18);

const peerFigures = <T>(transport: string, kind: string, size: number, full: number): Promise<T> =>
  figuresOf<T>(start(bunProgram(0, PEERS, transport, kind, String(size), count(full))));

/** How much of its core a consumer uses that waits for a record that never comes, in percent. */
async function idleUse(mode: string): Promise<number> {
  const name = freshName();
  using ring = RingBuffer.create(name);
  const child = start(bunProgram(1, "bench/ring/idle.ts", name, mode));
  const reader = child.stdout.getReader();
  await reader.read();
  const ticks = (): number => {
    const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  await Bun.sleep(500);
  const before = ticks();
  await Bun.sleep(IDLE_SECONDS * 1000);
  const used = ticks() - before;
  child.kill("SIGKILL");
  await child.exited;
  ring.unlink();
  // A tick is 10 ms.
  return used / IDLE_SECONDS;
}

const samples = new Map<string, number[]>();
function keep(figure: string, value: number): void {
  const known = samples.get(figure);
  if (known === undefined) samples.set(figure, [value]);
  else known.push(value);
}
function keepRoundTrip(what: string, { mean, p50, p99, p999 }: RoundTrip): void {
  keep(`${what} mean`, mean);
  keep(`${what} p50`, p50);
  keep(`${what} p99`, p99);
  keep(`${what} p99.9`, p999);
}

/**
 * Runs everything once. The peers take turns, so that a change of the machine affects all alike.
 */
async function runOnce(): Promise<void> {
  if (native !== undefined) {
    keepRoundTrip("C words 4 B rtt", await nativeFigures("pingpong", count(600_000)));
    keep("memcpy 65536 B", (await nativeFigures<Rate>("memcpy", 65536, count(100_000))).perSecond);
  }
  for (const size of SIZES) {
    for (const mode of ["spin", "adaptive", "async"]) {
      keepRoundTrip(`ring ${mode} ${size} B rtt`, await ringRoundTrip(mode, size));
    }
    if (native !== undefined) keepRoundTrip(`C ring ${size} B rtt`, await nativeRoundTrip(size));
    for (const batch of [1, 32]) {
      const what = `${size} B x${batch}`;
      keep(`ring ${what}`, (await ringRate("spin", size, batch)).perSecond);
      if (native !== undefined) keep(`C ring ${what}`, (await nativeRate(size, batch)).perSecond);
    }
  }
  for (const mode of ["adaptive", "async"]) {
    keep(`ring ${mode} 64 B x1`, (await ringRate(mode, 64, 1)).perSecond);
  }
  keepRoundTrip("ring woken 64 B rtt", await wake());
  keepRoundTrip("ipc paused 64 B rtt", await peerFigures("ipc", "paused", 64, 500));
  for (const transport of ["ipc", "socket", "worker"]) {
    for (const size of [64, 1024]) {
      keepRoundTrip(
        `${transport} ${size} B rtt`,
        await peerFigures(transport, "rtt", size, 10_000),
      );
    }
    for (const size of [64, 1024]) {
      const rate = await peerFigures<Rate>(transport, "oneway", size, 200_000);
      keep(`${transport} ${size} B x1`, rate.perSecond);
    }
  }
}

/** The ratio is taken within each run, because the machine may be faster in one than in another. */
function ratio(over: string, under: string): Spread | undefined {
  const [a, b] = [samples.get(over), samples.get(under)];
  if (a === undefined || b === undefined) return undefined;
  return spreadOf(a.map((value, run) => value / b[run]!));
}

console.log(`${machine()}; ${PINNED ? "each process on a core of its own" : "NOT pinned"}`);
if (native === undefined) console.log("No C compiler: the peers in C are left out.");
for (let run = 1; run <= RUNS; run++) {
  console.error(`run ${run} of ${RUNS}`);
  await runOnce();
}
for (const mode of ["block", "async"]) keep(`idle ${mode} %`, await idleUse(mode));

const spreads = new Map([...samples].map(([figure, values]) => [figure, spreadOf(values)]));
const cell = (figure: string, divisor = 1): string => {
  const spread = spreads.get(figure);
  if (spread === undefined) return "–";
  const { median, min, max } = spread;
  return show({ median: median / divisor, min: min / divisor, max: max / divisor });
};

const roundTrips = ["C words 4 B"];
for (const size of SIZES) {
  for (const mode of ["spin", "adaptive", "async"]) roundTrips.push(`ring ${mode} ${size} B`);
  roundTrips.push(`C ring ${size} B`);
}
roundTrips.push("ring woken 64 B", "ipc paused 64 B");
for (const peer of ["ipc", "socket", "worker"]) roundTrips.push(`${peer} 64 B`, `${peer} 1024 B`);
console.log("\nRound trips, µs: median (least–most) of the runs\n");
console.log(
  table([
    ["", "mean", "p50", "p99", "p99.9"],
    ...roundTrips
      .filter((what) => spreads.has(`${what} rtt mean`))
      .map((what) => [
        what,
        ...["mean", "p50", "p99", "p99.9"].map((share) => cell(`${what} rtt ${share}`, 1e3)),
      ]),
  ]),
);

console.log("\nOne way, million records a second: median (least–most) of the runs\n");
const rates = [...samples.keys()].filter((figure) => / x\d+$/.test(figure));
console.log(table([["", "M/s"], ...rates.map((figure) => [figure, cell(figure, 1e6)])]));

const wanted: [string, string, string, Spread | undefined][] = [
  [
    "round trip 8 B / two bare words in C",
    "≤ 1.7",
    "1.2",
    ratio("ring spin 8 B rtt mean", "C words 4 B rtt mean"),
  ],
  ["64 B, record by record / C ring", "≥ 1.0", "1.5", ratio("ring 64 B x1", "C ring 64 B x1")],
  ["64 B in batches of 32 / C ring", "≥ 0.5", "1.0", ratio("ring 64 B x32", "C ring 64 B x32")],
  ["1 KiB, record by record / C ring", "≥ 0.4", "0.8", ratio("ring 1024 B x1", "C ring 1024 B x1")],
  ["64 KiB / one core's memcpy", "≥ 0.5", "0.8", ratio("ring 65536 B x1", "memcpy 65536 B")],
  [
    "Bun.spawn IPC / round trip 64 B",
    "≥ 50",
    "150",
    ratio("ipc 64 B rtt p50", "ring spin 64 B rtt mean"),
  ],
  ["64 B one way / Bun.spawn IPC", "≥ 40", "100", ratio("ring 64 B x1", "ipc 64 B x1")],
  [
    "async wake after a pause / Bun.spawn IPC, too",
    "≤ 1",
    "0.5",
    ratio("ring woken 64 B rtt p50", "ipc paused 64 B rtt p50"),
  ],
  ["idle use of a core, block, %", "< 1", "0.3", spreads.get("idle block %")],
  ["idle use of a core, async, %", "< 1", "0.3", spreads.get("idle async %")],
];
console.log("\nRatios: of each run its own, then median (least–most)\n");
console.log(
  table([
    ["", "at least", "aim", "measured"],
    ...wanted.map(([what, least, aim, spread]) => [
      what,
      least,
      aim,
      spread === undefined ? "–" : show(spread),
    ]),
  ]),
);

if (options.json !== undefined) {
  const figures = Object.fromEntries(spreads);
  const ratios = Object.fromEntries(wanted.map(([what, , , spread]) => [what, spread ?? null]));
  const results = { machine: machine(), pinned: PINNED, runs: RUNS, figures, ratios };
  await Bun.write(options.json, `${JSON.stringify(results, null, 2)}\n`);
}
