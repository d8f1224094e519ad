/**
 * What the locks cost, beside the same mutex through bun_shm.h and libc's locks in C, in one run.
 *
 * `bun bench/locks/locks.bench.ts [--json]`; without a C compiler the C columns stay empty.
 */
import { cpus } from "node:os";
import { Lease, Mutex, RwLock, Segment, SharedEvent } from "../../src/index.ts";
import { PINNED, type Spread, machine, pinned, show, spreadOf, table } from "../support/report.ts";
import { showTargets } from "../support/targets.ts";
import { COUNTER_OFFSET, Locks, type Way } from "./places.ts";

// Rounds are short, so that on a busy machine some of them are not disturbed.
const ROUNDS = 25;
const CONTENDED_ROUNDS = 7;
const COUNT = 200_000;
const CONTENDED_COUNT = 300_000;

/** Peers in C, for which there is no row of this package's: lock and unlock. */
const PEERS: readonly [kind: string, what: string, count: number][] = [
  ["robust", "robust pthread mutex", COUNT],
  ["flock", "flock", COUNT / 20],
];

/** What one lock and unlock take, in ns. */
interface Row {
  readonly what: string;
  readonly bun: Spread | undefined;
  readonly c: Spread | undefined;
  /** Of each round its own; undefined without a peer. */
  readonly ratio?: Spread | undefined;
}

const READ = "RwLock lockRead + unlockRead";

/** How many ns one call takes, for each round. */
function time(count: number, work: (count: number) => void): number {
  const start = Bun.nanoseconds();
  work(count);
  return (Bun.nanoseconds() - start) / count;
}

function runC(program: string, kind: string, count: number): number {
  const { stdout } = Bun.spawnSync(pinned(0, [program, "cost", kind, String(count)]));
  return Number(String(stdout));
}

/** Lets two processes lock one lock, and checks their sum. @returns How many ns a lock takes each. */
async function contend(way: Way, segment: Segment): Promise<number> {
  const counter = new Int32Array(segment.buffer, COUNTER_OFFSET, 1);
  counter[0] = 0;
  const peers = [0, 1].map((core) => way.start(core % cpus().length, "contend", CONTENDED_COUNT));
  for (const peer of peers) await peer.line();
  for (const peer of peers) peer.go();
  const times = await Promise.all(peers.map((peer) => peer.line()));
  if (counter[0] !== 2 * CONTENDED_COUNT) throw new Error(`A lock was lost: ${counter[0]}`);
  return Math.max(...times.map(Number));
}

async function main(): Promise<void> {
  using locks = new Locks();
  using segment = Segment.create("memfd:bench-locks", { size: 65_536 });
  const rows = [...measure(segment, locks.program), ...(await measureContended(locks))];
  const isJson = process.argv.includes("--json");
  if (isJson) console.log(JSON.stringify(describe(rows), null, 2));
  else print(rows);
  const target = {
    what: "RwLock read lock and unlock / pthread_rwlock in C",
    least: "≤ 2.5",
    aim: "1.5",
    measured: rows.find(({ what }) => what === READ)?.ratio,
  };
  showTargets([target], !isJson);
}

function measure(segment: Segment, program: string | undefined): Row[] {
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
      "bun_shm",
      COUNT,
    ],
    [
      "Mutex, using acquire()",
      (count) => {
        for (let i = 0; i < count; i++) {
          using _ = mutex.acquire();
        }
      },
      "bun_shm",
      COUNT,
    ],
    [
      READ,
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
    const hasPeer = theirs.length > 0;
    const ratios = theirs.map((c, round) => ours[round]! / c);
    rows.push({
      what,
      bun: spreadOf(ours),
      c: hasPeer ? spreadOf(theirs) : undefined,
      ratio: hasPeer ? spreadOf(ratios) : undefined,
    });
  }
  for (const [kind, what, count] of PEERS) {
    if (program === undefined) break;
    const theirs = Array.from({ length: ROUNDS }, () => runC(program, kind, count));
    rows.push({ what, bun: undefined, c: spreadOf(theirs) });
  }
  return rows;
}

async function measureContended(locks: Locks): Promise<Row[]> {
  const ways = [locks.inBun("lock"), ...locks.inC()];
  const times = ways.map((): number[] => []);
  for (let round = 0; round < CONTENDED_ROUNDS; round++) {
    for (const [at, way] of ways.entries()) times[at]!.push(await contend(way, locks.segment));
  }
  return ways.map(({ title }, at) => ({
    what: `two processes contend: ${title}`,
    bun: at === 0 ? spreadOf(times[at]!) : undefined,
    c: at === 0 ? undefined : spreadOf(times[at]!),
  }));
}

function describe(rows: readonly Row[]): object {
  return { machine: machine(), rounds: ROUNDS, pinned: PINNED, unit: "ns", rows };
}

function print(rows: readonly Row[]): void {
  const cell = (values: Spread | undefined): string => (values === undefined ? "—" : show(values));
  console.log(`${machine()}; ns\n`);
  console.log(
    table([
      ["", "Bun", "C", "Bun / C"],
      ...rows.map(({ what, bun, c, ratio }) => [what, cell(bun), cell(c), cell(ratio)]),
    ]),
  );
}

await main();
