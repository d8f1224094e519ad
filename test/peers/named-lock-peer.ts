/**
 * Takes named locks in four loops at once, until it is killed. Says so when it has done a few turns.
 * Arguments: names of the locks and of the segment that they guard, and a number of its own.
 */
import { NamedLocks, Segment } from "../../src/index.ts";
import { takeTurns } from "../support/named-lock-turns.ts";

const isWorker = !Bun.isMainThread;
const [name, guarded, number] = (
  isWorker ? (await import("node:worker_threads")).workerData : process.argv.slice(2)
) as [string, string, string];
const locks = NamedLocks.open(name);
const segment = Segment.open(guarded);
const words = new Int32Array(segment.buffer);
let loops = 4;
const told = (): void => {
  if (--loops > 0) return;
  if (isWorker) postMessage("ready");
  else console.log("ready");
};
await Promise.all(
  Array.from({ length: loops }, () => takeTurns(locks, words, Math.random, Number(number), told)),
);
