/** `bun run bench:ring`: the ring beside its peers, in two processes on two cores. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { RingBuffer, Segment, listSegments } from "../../src/index.ts";
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
import { type Target, showTargets } from "../support/targets.ts";
import type { Measured } from "../support/turns.ts";
import { Peers, ROWS, type Row, measureRow } from "./windows.ts";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(
    "bun run bench:ring [--quick] [--runs N] [--json]\n\n" +
      "Measures round trips and rates of the ring beside C, Bun.spawn IPC, a Unix socket and a\n" +
      "Worker. Every figure is the median of N runs (5), with the least and the most; beside C, of\n" +
      "3 N + 1 windows of one pair of processes.",
  );
  process.exit(0);
}

const say = (text: string): void => {
  if (!options.json) console.log(text);
};

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

const peers = new Peers();
let names = 0;
const prefix = `/bun-shm-bench-${process.pid}-`;
const freshName = (): string => `${prefix}${++names}`;

function cleanUp(): void {
  for (const { name } of listSegments()) if (name.startsWith(prefix)) Segment.unlink(name);
  peers[Symbol.dispose]();
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
async function wake(mode: "spin" | "async"): Promise<RoundTrip> {
  const name = freshName();
  const args = ["64", count(500)];
  const pong = start(bunProgram(1, SIDE, name, "pong", "async", ...args));
  const waker = await figuresOf<RoundTrip>(
    start(bunProgram(0, SIDE, name, "waker", mode, ...args)),
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

function nameOf({ kind, size, batch }: Row): string {
  if (kind === "rtt") return `round trip ${size} B`;
  return batch === 1 ? `one way ${size} B` : `one way ${size} B x${batch}`;
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
  for (const size of SIZES) {
    for (const mode of ["spin", "adaptive", "async"]) {
      keepRoundTrip(`ring ${mode} ${size} B rtt`, await ringRoundTrip(mode, size));
    }
    for (const batch of [1, 32]) {
      const what = `${size} B x${batch}`;
      keep(`ring ${what}`, (await ringRate("spin", size, batch)).perSecond);
    }
  }
  for (const mode of ["adaptive", "async"]) {
    keep(`ring ${mode} 64 B x1`, (await ringRate(mode, 64, 1)).perSecond);
  }
  keepRoundTrip("ring woken 64 B rtt", await wake("spin"));
  keepRoundTrip("ring asleep 64 B rtt", await wake("async"));
  for (const transport of ["ipc", "ipc-json"]) {
    keepRoundTrip(`${transport} asleep 64 B rtt`, await peerFigures(transport, "paused", 64, 500));
  }
  for (const mode of ["fault", "prefault"]) {
    const lap = start(bunProgram(0, SIDE, freshName(), "lap", mode, "64", "200000"));
    keepRoundTrip(`first lap, ${mode}, a write`, await figuresOf<RoundTrip>(lap));
  }
  for (const transport of ["ipc", "ipc-json", "socket", "worker"]) {
    for (const size of [64, 1024]) {
      keepRoundTrip(
        `${transport} ${size} B rtt`,
        await peerFigures(transport, "rtt", size, 10_000),
      );
    }
    // Text is not streamed: of many messages on their way, most arrive seconds later.
    if (transport === "ipc-json") continue;
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

say(`${machine()}; ${PINNED ? "each process on a core of its own" : "NOT pinned"}`);
if (peers.library === undefined) say("No C compiler: the peers in C are left out.");
const besideC: [row: Row, measured: Measured<string>][] = [];
for (const row of peers.library === undefined ? [] : ROWS) {
  console.error(`beside C: ${nameOf(row)}`);
  besideC.push([row, await measureRow(row, 3 * RUNS + 1, peers.library!)]);
}
for (let run = 1; run <= RUNS; run++) {
  console.error(`run ${run} of ${RUNS}`);
  await runOnce();
}
for (const mode of ["block", "async"]) keep(`idle ${mode} %`, await idleUse(mode));

const spreads = new Map([...samples].map(([figure, values]) => [figure, spreadOf(values)]));
for (const [{ kind, size, batch }, { times }] of besideC) {
  const { median, min, max } = times["c"]!;
  if (kind === "rtt") {
    spreads.set(`C ring ${size} B rtt mean`, times["c"]!);
    spreads.set(`C words ${size} B rtt mean`, times["words"]!);
  } else {
    const perSecond = { median: 1e9 / median, min: 1e9 / max, max: 1e9 / min };
    spreads.set(`C ring ${size} B x${batch}`, perSecond);
  }
}
const cell = (figure: string, divisor = 1): string => {
  const spread = spreads.get(figure);
  if (spread === undefined) return "–";
  const { median, min, max } = spread;
  return show({ median: median / divisor, min: min / divisor, max: max / divisor });
};

const with64 = (what: string): string => `${what} 64 B`;
const roundTrips = SIZES.flatMap((size) =>
  ["spin", "adaptive", "async"].map((mode) => `ring ${mode} ${size} B`),
);
roundTrips.push(...["ring woken", "ring asleep", "ipc asleep", "ipc-json asleep"].map(with64));
for (const peer of ["ipc", "ipc-json", "socket", "worker"]) {
  roundTrips.push(`${peer} 64 B`, `${peer} 1024 B`);
}
const timed = roundTrips.map((what) => `${what} rtt`);
timed.push("first lap, fault, a write", "first lap, prefault, a write");
const shares = ["mean", "p50", "p99", "p99.9"];
say("\nRound trips and first writes, µs: median (least–most) of the runs\n");
say(
  table([
    ["", ...shares],
    ...timed
      .filter((what) => spreads.has(`${what} mean`))
      .map((what) => [what, ...shares.map((share) => cell(`${what} ${share}`, 1e3))]),
  ]),
);

say("\nOne way, million records a second: median (least–most) of the runs\n");
const rates = [...spreads.keys()].filter((figure) => / x\d+$/.test(figure));
say(table([["", "M/s"], ...rates.map((figure) => [figure, cell(figure, 1e6)])]));

/** How many times as fast as a variant the package was beside it. */
function beside(kind: Row["kind"], size: number, batch: number, what: string): Spread | undefined {
  const of = ([row]: [Row, Measured<string>]): boolean =>
    row.kind === kind && row.size === size && row.batch === batch;
  return besideC.find(of)?.[1].ratios[what];
}

const inverse = (spread: Spread | undefined): Spread | undefined =>
  spread && { median: 1 / spread.median, min: 1 / spread.max, max: 1 / spread.min };

if (besideC.length > 0) {
  say("\nBeside C, ns: median (least–most) of the windows of one pair of processes\n");
  const ns = ({ times }: Measured<string>, what: string): string =>
    times[what] === undefined ? "" : show(times[what]);
  say(
    table([
      ["", "here", "C ring", "modern C ring", "two bare words", "copy", "C ring / here"],
      ...besideC.map(([row, measured]) => [
        nameOf(row),
        ...["bun", "c", "c-modern", "words", "copy"].map((what) => ns(measured, what)),
        show(measured.ratios["c"]!),
      ]),
    ]),
  );
}

/** The faster form of IPC in each run. */
function fasterIpc(figure: string): string {
  const name = `faster ipc ${figure}`;
  const [bytes, json] = [samples.get(`ipc ${figure}`)!, samples.get(`ipc-json ${figure}`)!];
  samples.set(
    name,
    bytes.map((value, run) => Math.min(value, json[run]!)),
  );
  return name;
}
const inMicroseconds = (figure: string): Spread | undefined => {
  const spread = spreads.get(figure);
  return spread && { median: spread.median / 1e3, min: spread.min / 1e3, max: spread.max / 1e3 };
};

const wanted: Target[] = (
  [
    ["round trip 8 B / two bare words in C", "≤ 1.3", "1.1", inverse(beside("rtt", 8, 1, "words"))],
    ["8 B, record by record / C ring", "≥ 1.2", "2", beside("oneway", 8, 1, "c")],
    ["64 B, record by record / C ring", "≥ 1.5", "2.5", beside("oneway", 64, 1, "c")],
    ["64 B in batches of 32 / C ring", "≥ 0.9", "1.2", beside("oneway", 64, 32, "c")],
    ["1 KiB, record by record / C ring", "≥ 1.0", "1.3", beside("oneway", 1024, 1, "c")],
    ["64 KiB / one core's memcpy", "≥ 0.9", "1.0", beside("oneway", 65536, 1, "copy")],
    [
      "both sides async after a pause / Bun.spawn IPC, faster form",
      "≤ 1.0",
      "0.6",
      ratio("ring asleep 64 B rtt p50", fasterIpc("asleep 64 B rtt p50")),
    ],
    [
      "both sides async, back to back, 8 B, p50, µs",
      "≤ 1.2",
      "0.6",
      inMicroseconds("ring async 8 B rtt p50"),
    ],
    ["64 B one way / Bun.spawn IPC", "≥ 40", "100", ratio("ring 64 B x1", "ipc 64 B x1")],
    [
      "Bun.spawn IPC / round trip 64 B",
      "≥ 50",
      "150",
      ratio(fasterIpc("64 B rtt p50"), "ring spin 64 B rtt mean"),
    ],
    [
      "first lap, prefault: p99.9 of a write, µs",
      "no fault",
      "",
      inMicroseconds("first lap, prefault, a write p99.9"),
    ],
    ["idle use of a core, block, %", "< 1", "0.3", spreads.get("idle block %")],
    ["idle use of a core, async, %", "< 1", "0.3", spreads.get("idle async %")],
  ] as const
).map(([what, least, aim, measured]) => ({ what, least, aim, measured }));
showTargets(wanted, !options.json);

if (options.json) {
  const figures = Object.fromEntries(spreads);
  const ratios = Object.fromEntries(wanted.map(({ what, measured }) => [what, measured ?? null]));
  const windows = Object.fromEntries(
    besideC.map(([row, { times, ratios: own }]) => [nameOf(row), { times, ratios: own }]),
  );
  const results = { machine: machine(), pinned: PINNED, runs: RUNS, windows, figures, ratios };
  console.log(JSON.stringify(results, null, 2));
}
