/**
 * What the locks cost, beside C through the same libc, in one run.
 *
 * `bun bench/locks/locks.bench.ts [--json]`; without a C compiler the C columns stay empty.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Lease, Mutex, RwLock, Segment, SharedEvent } from "../../src/index.ts";

// Rounds are short, so that on a busy machine some of them are not disturbed.
const ROUNDS = 25;
const CONTENDED_ROUNDS = 7;
const COUNT = 200_000;
const CONTENDED_COUNT = 300_000;
const COUNTER_OFFSET = 1024;

interface Row {
  readonly what: string;
  readonly unit: string;
  readonly bun: Spread;
  readonly c: Spread | undefined;
}

interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)! };
}

/** How many ns one call takes, for each round. */
function time(count: number, work: (count: number) => void): number {
  const start = Bun.nanoseconds();
  work(count);
  return (Bun.nanoseconds() - start) / count;
}

const compiler = Bun.which("cc") ?? Bun.which("gcc") ?? Bun.which("clang");
const taskset = Bun.which("taskset");

function pinned(cpu: number, command: string[]): string[] {
  return taskset === null ? command : [taskset, "-c", String(cpu % cpus().length), ...command];
}

function compile(directory: string): string | undefined {
  if (compiler === null) return undefined;
  const output = join(directory, "locks-peer");
  const source = join(import.meta.dir, "locks-peer.c");
  const flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];
  const { exitCode, stderr } = Bun.spawnSync([compiler, ...flags, "-o", output, source, "-lrt"]);
  if (exitCode !== 0) throw new Error(String(stderr));
  return output;
}

function runC(program: string, kind: string, count: number): number {
  const { stdout } = Bun.spawnSync(pinned(0, [program, kind, String(count)]));
  return Number(String(stdout));
}

/**
 * Lets two processes lock one mutex, and checks their sum. @returns How many ns a lock takes each.
 */
async function contend(command: (name: string) => string[], mutexes: Segment): Promise<number> {
  const counter = new Int32Array(mutexes.buffer, COUNTER_OFFSET, 1);
  counter[0] = 0;
  const children = [0, 1].map((cpu) =>
    Bun.spawn(pinned(cpu, command(mutexes.name)), { stdio: ["pipe", "pipe", "inherit"] }),
  );
  const readers = children.map((child) => child.stdout.getReader());
  for (const reader of readers) await reader.read();
  for (const child of children) {
    child.stdin.write("go\n");
    child.stdin.flush();
  }
  const times = await Promise.all(
    readers.map(async (reader) => Number(new TextDecoder().decode((await reader.read()).value))),
  );
  for (const child of children) {
    child.stdin.end();
    await child.exited;
  }
  if (counter[0] !== 2 * CONTENDED_COUNT) throw new Error(`A lock was lost: ${counter[0]}`);
  return Math.max(...times);
}

/** The child of `contend`. */
async function contender(name: string): Promise<void> {
  using segment = Segment.open(name);
  const mutex = Mutex.at(segment, 0);
  const counter = new Int32Array(segment.buffer, COUNTER_OFFSET, 1);
  const work = (count: number): void => {
    for (let i = 0; i < count; i++) {
      mutex.lock();
      counter[0] = counter[0]! + 1;
      mutex.unlock();
    }
  };
  // It warms up before the start, and alone.
  using own = Segment.create(`${name}-${process.pid}`, { size: 4096 });
  own.unlink();
  const practice = Mutex.init(own, 0);
  for (let i = 0; i < 200_000; i++) {
    practice.lock();
    practice.unlock();
  }
  console.log("ready");
  for await (const _ of console) break;
  console.log(String(time(CONTENDED_COUNT, work)));
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bun-shm-bench-"));
  const program = compile(directory);
  using segment = Segment.create(`/bench-locks-${process.pid}`, { size: 65_536 });
  try {
    const rows = await measure(segment, program);
    if (process.argv.includes("--json")) console.log(JSON.stringify(describe(rows), null, 2));
    else print(rows);
  } finally {
    segment.unlink();
    rmSync(directory, { recursive: true });
  }
}

async function measure(segment: Segment, program: string | undefined): Promise<Row[]> {
  const mutex = Mutex.init(segment, 0);
  const lock = RwLock.init(segment, 4096);
  const event = SharedEvent.init(segment, 16_384, { reset: "auto" });
  const lease = Lease.init(segment, 32_768);
  const kinds: [string, (count: number) => void, string | undefined, number][] = [
    [
      "Mutex lock + unlock",
      (count) => {
        for (let i = 0; i < count; i++) {
          mutex.lock();
          mutex.unlock();
        }
      },
      "mutex",
      COUNT,
    ],
    [
      "Mutex, using acquire()",
      (count) => {
        for (let i = 0; i < count; i++) {
          using _ = mutex.acquire();
        }
      },
      "mutex",
      COUNT,
    ],
    [
      "RwLock lockRead + unlockRead",
      (count) => {
        for (let i = 0; i < count; i++) {
          lock.lockRead();
          lock.unlockRead();
        }
      },
      "read",
      COUNT,
    ],
    [
      "RwLock lockWrite + unlockWrite, 16 places",
      (count) => {
        for (let i = 0; i < count; i++) {
          lock.lockWrite();
          lock.unlockWrite();
        }
      },
      undefined,
      COUNT / 20,
    ],
    [
      "SharedEvent set + wait",
      (count) => {
        for (let i = 0; i < count; i++) {
          event.set();
          event.wait();
        }
      },
      undefined,
      COUNT,
    ],
    [
      "Lease tryAcquire + release",
      (count) => {
        for (let i = 0; i < count; i++) lease.tryAcquire()!.release();
      },
      undefined,
      COUNT / 2000,
    ],
  ];
  const rows: Row[] = [];
  for (const [what, work, kind, count] of kinds) {
    work(count);
    work(count);
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(time(count, work));
      if (program !== undefined && kind !== undefined) theirs.push(runC(program, kind, count));
    }
    const c = theirs.length > 0 ? spread(theirs) : undefined;
    rows.push({ what, unit: "ns", bun: spread(ours), c });
  }
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < CONTENDED_ROUNDS; round++) {
    const self = [process.execPath, import.meta.path, "--contender"];
    ours.push(await contend((name) => [...self, name], segment));
    if (program === undefined) continue;
    const count = String(CONTENDED_COUNT);
    theirs.push(await contend((name) => [program, "contend", name, count], segment));
  }
  const c = theirs.length > 0 ? spread(theirs) : undefined;
  rows.push({ what: "Mutex, two processes contend", unit: "ns", bun: spread(ours), c });
  return rows;
}

function describe(rows: readonly Row[]): object {
  const { model } = cpus()[0]!;
  const machine = `${model}, ${cpus().length} cores, ${process.platform} ${process.arch}`;
  return { machine, bun: Bun.version, rounds: ROUNDS, pinned: taskset !== null, rows };
}

function print(rows: readonly Row[]): void {
  const show = (values: Spread | undefined): string => {
    if (values === undefined) return "—";
    const { median, min, max } = values;
    return `${median.toFixed(1)} (${min.toFixed(1)}–${max.toFixed(1)})`;
  };
  console.log(describe([]));
  console.table(
    rows.map(({ what, unit, bun, c }) => ({
      what,
      [`Bun, ${unit}`]: show(bun),
      [`C, ${unit}`]: show(c),
      "Bun / C": c === undefined ? "—" : (bun.median / c.median).toFixed(2),
    })),
  );
}

const contenderAt = process.argv.indexOf("--contender");
if (contenderAt >= 0) await contender(process.argv[contenderAt + 1]!);
else await main();
