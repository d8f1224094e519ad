/**
 * The message queue between two processes, 256 bytes a message, each pinned to a core of its own:
 * beside the same queue in C, Bun.spawn's IPC and a Unix socket. Median of several runs (min-max);
 * the peers take turns, so that a disturbance hits all of them.
 *
 *   bun bench/queue/queue.bench.ts [--runs=5] [--json]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";

interface Figures {
  readonly perSecond?: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
}

const json = process.argv.includes("--json");
const runs = Number(/--runs=(\d+)/.exec(process.argv.join(" "))?.[1] ?? 5);
const here = import.meta.dir;
const scratch = mkdtempSync(join(tmpdir(), "bun-shm-bench-"));
const taskset = Bun.which("taskset");
const mayPin = taskset !== null && cpus().length > 1;
const onCore = (core: number, command: string[]): string[] =>
  mayPin ? [taskset, "-c", String(core), ...command] : command;

function compile(): string | undefined {
  const compiler = Bun.which("cc") ?? Bun.which("gcc") ?? Bun.which("clang");
  if (compiler === null) return undefined;
  const output = join(scratch, "queue");
  const command = [compiler, "-O2", "-o", output, join(here, "queue.c"), "-pthread", "-lrt"];
  return Bun.spawnSync(command).exitCode === 0 ? output : undefined;
}

function start(core: number, command: string[]): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  return Bun.spawn(onCore(core, command), { stdio: ["ignore", "pipe", "inherit"] });
}

/** Runs the side that makes the queue, and then the other. @returns The figures that one prints. */
async function exchange(first: string[], second: string[] | undefined): Promise<Figures> {
  const a = start(second === undefined ? 0 : 1, first);
  const reader = a.stdout.getReader();
  const decoder = new TextDecoder();
  let output = "";
  const read = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    if (value !== undefined) output += decoder.decode(value, { stream: true });
    return !done;
  };
  if (second !== undefined) {
    while (!output.includes("ready\n") && (await read()));
    const b = start(0, second);
    const [text] = await Promise.all([b.stdout.text(), b.exited]);
    output += text;
  }
  while (await read());
  await a.exited;
  const line = output.split("\n").find((candidate) => candidate.startsWith("{"));
  if (line === undefined) throw new Error(`${first.join(" ")} printed no figures: ${output}`);
  return JSON.parse(line) as Figures;
}

let pair = 0;
function queueRun(
  maker: string[],
  other: string[],
  role: "throughput" | "trip",
  count: number,
): Promise<Figures> {
  const name = `/bench-queue-${process.pid}-${++pair}`;
  const [first, second] = role === "throughput" ? ["receive", "send"] : ["pong", "ping"];
  const args = [name, String(count)];
  return exchange([...maker, first!, ...args], [...other, second!, ...args]);
}

type Run = (role: "throughput" | "trip", count: number) => Promise<Figures>;

const bun = [process.execPath, join(here, "queue-peer.ts")];
const c = compile();
const peers: { title: string; messages: number; trips: number; run: Run }[] = [
  {
    title: "bun-shm MessageQueue",
    messages: 100_000,
    trips: 10_000,
    run: (role, count) => queueRun(bun, bun, role, count),
  },
];
if (c !== undefined) {
  peers.push(
    {
      title: "the same queue in C",
      messages: 100_000,
      trips: 10_000,
      run: (role, count) => queueRun([c], [c], role, count),
    },
    {
      title: "C to bun-shm",
      messages: 100_000,
      trips: 10_000,
      run: (role, count) => queueRun(bun, [c], role, count),
    },
  );
}
peers.push(
  {
    title: "Bun.spawn IPC",
    messages: 30_000,
    trips: 10_000,
    run: (role, count) =>
      exchange([process.execPath, join(here, "ipc-peer.ts"), role, String(count)], undefined),
  },
  {
    title: "Unix socket",
    messages: 100_000,
    trips: 10_000,
    run: (role, count) => {
      const path = join(scratch, `socket-${++pair}`);
      const side = (which: string): string[] => [
        process.execPath,
        join(here, "socket-peer.ts"),
        which,
        path,
        role,
        String(count),
      ];
      return exchange(side("server"), side("client"));
    },
  },
);

interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

function spread(values: number[]): Spread {
  values.sort((a, b) => a - b);
  return { median: values[values.length >> 1]!, min: values[0]!, max: values.at(-1)! };
}

const samples = peers.map(() => ({ perSecond: [], p50Us: [], p99Us: [] })) as {
  perSecond: number[];
  p50Us: number[];
  p99Us: number[];
}[];
try {
  for (let run = 0; run < runs; run++) {
    for (const [at, peer] of peers.entries()) {
      samples[at]!.perSecond.push((await peer.run("throughput", peer.messages)).perSecond!);
      const { p50Us, p99Us } = await peer.run("trip", peer.trips);
      samples[at]!.p50Us.push(p50Us!);
      samples[at]!.p99Us.push(p99Us!);
    }
  }
} finally {
  rmSync(scratch, { recursive: true });
}

const machine = {
  processor: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  system: `${process.platform} ${process.arch}`,
  bun: Bun.version,
  pinned: mayPin,
};
const results = peers.map(({ title }, at) => ({
  title,
  perSecond: spread(samples[at]!.perSecond),
  p50Us: spread(samples[at]!.p50Us),
  p99Us: spread(samples[at]!.p99Us),
}));

if (json) {
  console.log(JSON.stringify({ benchmark: "queue", machine, runs, results }));
} else {
  const show = ({ median, min, max }: Spread, unit: number, digits: number): string => {
    const text = (value: number): string => (value / unit).toFixed(digits);
    return `${text(median)} (${text(min)}-${text(max)})`.padEnd(24);
  };
  const { processor, cores, system, pinned } = machine;
  console.log(`${processor}, ${cores} cores, ${system}, Bun ${machine.bun}`);
  console.log(`${pinned ? "pinned" : "not pinned"}, median (min-max) of ${runs} runs, 256 bytes\n`);
  const head = ["", "M messages/s", "round trip p50, µs", "p99, µs"];
  console.log(head.map((title) => title.padEnd(24)).join(""));
  for (const { title, perSecond, p50Us, p99Us } of results) {
    console.log(title.padEnd(24) + show(perSecond, 1e6, 3) + show(p50Us, 1, 1) + show(p99Us, 1, 1));
  }
  const inC = results.find(({ title }) => title === "the same queue in C");
  if (inC !== undefined) {
    const [own] = results;
    const rate = own!.perSecond.median / inC.perSecond.median;
    const trip = own!.p50Us.median / inC.p50Us.median;
    console.log(`\nOf C's: ${rate.toFixed(2)} of the rate, ${trip.toFixed(2)} of the round trip`);
    console.log("Wanted: at least 0.8 of the rate, at most 1.2 of the round trip");
  }
}
