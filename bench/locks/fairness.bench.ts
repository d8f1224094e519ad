/**
 * How evenly processes get a lock that they all want all the time, with 5 µs of work under it and
 * none between. Beside a robust pthread mutex and flock in C, in one run.
 *
 *     bun bench/locks/fairness.bench.ts [--processes=8] [--seconds=5] [--json]
 */
import { parseArgs } from "node:util";
import { machine, table } from "../support/report.ts";
import { Locks, type Way } from "./places.ts";

interface Fairness {
  readonly way: string;
  readonly locksPerSecond: number;
  /** The smallest and the largest share, as multiples of an equal one. */
  readonly leastShare: number;
  readonly mostShare: number;
  /** The longest time that anybody waited for the lock. */
  readonly longestMs: number;
}

async function measure(way: Way, processes: number, seconds: number): Promise<Fairness> {
  const peers = Array.from({ length: processes }, (_, place) =>
    way.start(undefined, "share", place, seconds * 1000),
  );
  for (const peer of peers) await peer.line();
  for (const peer of peers) peer.go();
  const lines = await Promise.all(peers.map((peer) => peer.line()));
  const outcomes = lines.map((line) => line.split(" ").map(Number) as [number, number]);
  const counts = outcomes.map(([count]) => count);
  const total = counts.reduce((sum, count) => sum + count, 0);
  return {
    way: way.title,
    locksPerSecond: Math.round(total / seconds),
    leastShare: (Math.min(...counts) * processes) / total,
    mostShare: (Math.max(...counts) * processes) / total,
    longestMs: Math.max(...outcomes.map(([, longestMs]) => longestMs)),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      processes: { type: "string", default: "8" },
      seconds: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
    },
  });
  const [processes, seconds] = [Number(values.processes), Number(values.seconds)];
  using locks = new Locks();
  const fairness: Fairness[] = [];
  for (const way of [locks.inBun("lock"), locks.inBun("lockAsync"), ...locks.inC()]) {
    fairness.push(await measure(way, processes, seconds));
  }
  const figures = { machine: machine(), processes, seconds, fairness };
  if (values.json) return console.log(JSON.stringify(figures, null, 2));
  console.log(`${figures.machine}; ${processes} processes, ${seconds} s\n`);
  console.log(
    table([
      ["5 µs with the lock", "locks a second", "least share", "most share", "longest wait"],
      ...fairness.map((each) => [
        each.way,
        String(each.locksPerSecond),
        each.leastShare.toFixed(2),
        each.mostShare.toFixed(2),
        `${each.longestMs.toFixed(2)} ms`,
      ]),
    ]),
  );
}

await main();
