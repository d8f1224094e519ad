/**
 * How long a lock is nobody's after its holder was killed: from the kill to the moment when one of
 * those who wait has it. Beside a robust pthread mutex and flock in C, in one run.
 *
 *     bun bench/locks/recovery.bench.ts [--rounds=200] [--waiters=4] [--json]
 */
import { parseArgs } from "node:util";
import { monotonicMs } from "../../src/libc/time.ts";
import { machine, percentile, table } from "../support/report.ts";
import { Locks, PLACES_OFFSET, type Way } from "./places.ts";

/** Waiters sleep by then, at any point of a slice. */
const SETTLE_MS = 20;

interface Recovery {
  readonly way: string;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

async function measure(
  locks: Locks,
  way: Way,
  { rounds, waiters }: { rounds: number; waiters: number },
): Promise<Recovery> {
  const hadMs = new Float64Array(locks.segment.buffer, PLACES_OFFSET, waiters);
  const peers = Array.from({ length: waiters }, (_, place) => way.start(undefined, "wait", place));
  for (const peer of peers) await peer.line();
  const times = new Float64Array(rounds);
  for (let round = 0; round < rounds; round++) {
    const holder = way.start(undefined, "hold");
    await holder.line();
    for (const peer of peers) peer.go();
    for (const peer of peers) await peer.line();
    await Bun.sleep(SETTLE_MS * (1 + Math.random()));
    const killedMs = monotonicMs();
    await holder.kill();
    for (const peer of peers) await peer.line();
    times[round] = Math.min(...hadMs) - killedMs;
  }
  for (const peer of peers) await peer.kill();
  return {
    way: way.title,
    medianMs: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    worstMs: percentile(times, 1),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "200" },
      waiters: { type: "string", default: "4" },
      json: { type: "boolean", default: false },
    },
  });
  const how = { rounds: Number(values.rounds), waiters: Number(values.waiters) };
  using locks = new Locks();
  const recoveries: Recovery[] = [];
  for (const way of [locks.inBun("lock"), locks.inBun("lockAsync"), ...locks.inC()]) {
    recoveries.push(await measure(locks, way, how));
  }
  const figures = { machine: machine(), ...how, recoveries };
  if (values.json) return console.log(JSON.stringify(figures, null, 2));
  const show = (ms: number): string => `${ms.toFixed(2)} ms`;
  console.log(`${figures.machine}; ${how.rounds} kills, ${how.waiters} waiters\n`);
  console.log(
    table([
      ["from the kill to the heir", "median", "p99", "worst"],
      ...recoveries.map((each) => [
        each.way,
        show(each.medianMs),
        show(each.p99Ms),
        show(each.worstMs),
      ]),
    ]),
  );
}

await main();
