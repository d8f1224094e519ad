/**
 * The mutex of the benchmarks in this folder, in a process of its own; `locks-peer.c` has the same
 * modes. KIND is `lock` or `lockAsync`.
 *
 *     contend KIND NAME COUNT
 *     hold KIND NAME
 *     wait KIND NAME PLACE
 *     share KIND NAME PLACE TIME_MS
 */
import { Mutex, Segment } from "../../src/index.ts";
import { monotonicMs } from "../../src/libc/time.ts";
import { COUNTER_OFFSET, PLACES_OFFSET, SIZE } from "./places.ts";

const [mode, kind, name, first = "", second = ""] = process.argv.slice(2);
const segment = Segment.open(name!);
const mutex = Mutex.at(segment, 0);
const lines = console[Symbol.asyncIterator]();

const hasLine = async (): Promise<boolean> => (await lines.next()).done !== true;

async function lock(): Promise<void> {
  if (kind === "lock") mutex.lock();
  else await mutex.lockAsync();
}

function lockOften(held: Mutex, counter: Int32Array, count: number): void {
  for (let at = 0; at < count; at++) {
    held.lock();
    counter[0] = counter[0]! + 1;
    held.unlock();
  }
}

async function contend(count: number): Promise<void> {
  // It warms up before the start, and alone.
  using own = Segment.create(`memfd:warm`, { size: SIZE });
  lockOften(Mutex.init(own, 0), new Int32Array(own.buffer, COUNTER_OFFSET, 1), 200_000);
  console.log("ready");
  await hasLine();
  const start = Bun.nanoseconds();
  lockOften(mutex, new Int32Array(segment.buffer, COUNTER_OFFSET, 1), count);
  console.log(String((Bun.nanoseconds() - start) / count));
}

async function waitOften(place: number): Promise<void> {
  const hadMs = new Float64Array(segment.buffer, PLACES_OFFSET, place + 1);
  while (await hasLine()) {
    console.log("waiting");
    await lock();
    hadMs[place] = monotonicMs();
    mutex.unlock();
    console.log("got");
  }
}

/** 5 µs of work with the lock, and none without. */
async function share(timeMs: number): Promise<void> {
  const end = Bun.nanoseconds() + timeMs * 1e6;
  let [longest, count] = [0, 0];
  for (let before = Bun.nanoseconds(); before < end; before = Bun.nanoseconds()) {
    await lock();
    const start = Bun.nanoseconds();
    while (Bun.nanoseconds() < start + 5000);
    mutex.unlock();
    count++;
    longest = Math.max(longest, start - before);
  }
  console.log(`${count} ${longest / 1e6}`);
}

if (mode === "contend") {
  await contend(Number(first));
} else if (mode === "hold") {
  mutex.lock();
  console.log("held");
  while (await hasLine());
} else {
  console.log("ready");
  if (mode === "wait") await waitOften(Number(first));
  else if (await hasLine()) await share(Number(second));
}
process.exit();
