/**
 * What a call of a rate limiter costs, beside what one would write by hand.
 *
 *     bun bench/limiter/limiter.bench.ts [--json]
 */
import { RateLimiterMemory } from "rate-limiter-flexible";
import { RateLimiter, type RateLimiterAlgorithm } from "../../src/index.ts";
import {
  type Figure,
  finish,
  heading,
  measure,
  measureAsync,
  note,
  report,
} from "../state/measure.ts";
import { bunProgram } from "../support/report.ts";
import { type Target, showTargets } from "../support/targets.ts";
import { PEERS } from "./peers.ts";

const COUNT = 10_000;
const CALLS = 200_000;
const LIMIT = { limit: 1000, windowMs: 1000, keys: COUNT };
const keys: string[] = Array.from({ length: COUNT }, (_, at) => `user:${at}`);
const key = (at: number): string => keys[at % COUNT]!;
const targets: Target[] = [];
const name = `/bench-limiter-${process.pid}`;

function perSecond({ median, min, max }: Figure): { median: number; min: number; max: number } {
  return { median: 1000 / median, min: 1000 / max, max: 1000 / min };
}

function oneProcess(): void {
  heading(`RateLimiter, 1000 a second for each of ${COUNT} short keys`);
  for (const algorithm of ["gcra", "sliding-window", "fixed-window"] as const) {
    using limiter = RateLimiter.create("memfd:limiter", { ...LIMIT, algorithm });
    const many = measure(`${algorithm}: tryConsume`, CALLS, (at) => limiter.tryConsume(key(at)));
    measure(`${algorithm}: tryConsume of one key`, CALLS, () => limiter.tryConsume("user:1"));
    measure(`${algorithm}: consume`, CALLS, (at) => limiter.consume(key(at)));
    targets.push({
      what: `RateLimiter.tryConsume, ${algorithm}, one process, M/s`,
      least: "≥ 3",
      aim: "5",
      measured: perSecond(many),
    });
  }
  using limiter = RateLimiter.create("memfd:limiter", { ...LIMIT, algorithm: "gcra" });
  const long = keys.map((text) => text.padEnd(100, "."));
  measure("gcra: tryConsume, keys of 100 bytes", CALLS, (at) =>
    limiter.tryConsume(long[at % COUNT]!),
  );
  for (const make of PEERS) {
    using peer = make();
    measure(peer.name, CALLS, (at) => peer.tryConsume(key(at)));
  }
}

async function rateOf(processes: number): Promise<number> {
  const children = Array.from({ length: processes }, (_, core) =>
    Bun.spawn(bunProgram(core, "bench/limiter/consumer.ts", name), {
      stdio: ["pipe", "pipe", "inherit"],
    }),
  );
  const readers = children.map((child) => child.stdout.getReader());
  await Promise.all(readers.map((reader) => reader.read()));
  for (const child of children) {
    child.stdin.write("go\n");
    child.stdin.end();
  }
  const rates = await Promise.all(
    readers.map(async (reader) => Number(Buffer.from((await reader.read()).value!).toString())),
  );
  await Promise.all(children.map((child) => child.exited));
  return rates.reduce((sum, rate) => sum + rate, 0);
}

async function twoProcesses(algorithm: RateLimiterAlgorithm): Promise<void> {
  heading(`Processes that use one RateLimiter, ${algorithm}`);
  using limiter = RateLimiter.create(name, { ...LIMIT, algorithm });
  try {
    const [ones, twos]: [number[], number[]] = [[], []];
    for (let round = 0; round < 5; round++) {
      ones.push(await rateOf(1));
      twos.push(await rateOf(2));
    }
    report("one process, calls", "M/s", ones);
    report("two processes, calls together", "M/s", twos);
    note(`${limiter.size} keys`);
  } finally {
    limiter.unlink();
  }
}

/** A promise for each call, and one process: its limits are nobody else's. */
async function flexible(): Promise<void> {
  const limiter = new RateLimiterMemory({ points: LIMIT.limit, duration: LIMIT.windowMs / 1000 });
  const tryConsume = (at: number): Promise<boolean> =>
    limiter.consume(key(at)).then(
      () => true,
      () => false,
    );
  await measureAsync("rate-limiter-flexible in memory, in one process only", CALLS, tryConsume);
}

oneProcess();
await flexible();
await twoProcesses("gcra");
finish([]);
showTargets(targets, !process.argv.includes("--json"));
