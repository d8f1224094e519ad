/**
 * What `load` relies on, of the engine: in compiled code too, it leaves each load where it stands.
 * Another thread writes at full speed meanwhile; a load that is moved shows as an order that cannot
 * be, or as a loop that never ends.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Segment } from "../../src/index.ts";
import { load, store } from "../../src/memory/atomics.ts";
import { uniqueName } from "../support/names.ts";

const WRITER = join(import.meta.dir, "../peers/plain-writer.ts");
const ROUNDS = 10_000_000;
/** It goes on until the writer was seen at work so often. */
const CHANGES = 1000;
/** The words of test/peers/plain-writer.ts. */
const [GO, FIRST, SECOND, GUARD, DATA] = [0, 64, 128, 192, 256];

async function start(mode: string, name: string): Promise<Worker> {
  const worker = new Worker(WRITER, { workerData: { mode, name } });
  await new Promise((resolve) => worker.once("message", resolve));
  return worker;
}

/**
 * FIRST is written before SECOND: whoever finds SECOND finds FIRST at least as new.
 * @returns How often it was not so.
 */
function watchOrder(words: Int32Array): number {
  let [wrong, changes, last] = [0, 0, 0];
  for (let round = 0; round < ROUNDS || changes < CHANGES; round++) {
    const second = load(words, SECOND);
    const first = words[FIRST]!;
    if (((first - second) | 0) < 0) wrong++;
    if (first !== last) changes++;
    last = first;
  }
  return wrong;
}

/**
 * Plain words between two looks at a guard, as a seqlock reads them: each is as new as the guard.
 * @returns How often one was not.
 */
function watchGuarded(words: Int32Array): number {
  let [wrong, changes, last] = [0, 0, 0];
  for (let round = 0; round < ROUNDS || changes < CHANGES; round++) {
    const before = load(words, GUARD);
    const data = words[DATA]!;
    const more = words[DATA + 16]!;
    if (load(words, GUARD) !== before || (before & 1) === 1) continue;
    if (data !== before || more !== before) wrong++;
    if (before !== last) changes++;
    last = before;
  }
  return wrong;
}

/** Ends only if the loop looks again. */
function waitFor(words: Int32Array, value: number): void {
  while (load(words, GO) !== value);
}

for (const [mode, watch] of [
  ["order", watchOrder],
  ["guarded", watchGuarded],
] as const) {
  test(`words in their order: ${mode}`, async () => {
    using segment = Segment.create(uniqueName("plain"), { size: 4096 });
    const words = new Int32Array(segment.buffer);
    const worker = await start(mode, segment.name);
    const wrong = watch(words);
    await worker.terminate();
    segment.unlink();
    expect(wrong).toBe(0);
  });
}

test("a loop of loads sees each change", async () => {
  using segment = Segment.create(uniqueName("plain"), { size: 4096 });
  const words = new Int32Array(segment.buffer);
  const worker = await start("answer", segment.name);
  for (let round = 1; round <= 100_000; round += 2) {
    store(words, GO, round);
    waitFor(words, round + 1);
  }
  await worker.terminate();
  segment.unlink();
  expect(load(words, GO)).toBe(100_000);
});

test("a reader with read access follows ten million writes", async () => {
  using segment = Segment.create(uniqueName("plain"), { size: 4096 });
  // Its pages are copied as soon as they are written to, and a compiled Atomics.load writes.
  using seen = Segment.open(segment.name, { access: "read" });
  const words = new Int32Array(seen.buffer);
  const worker = await start("order", segment.name);
  let looks = 0;
  while (load(words, SECOND) < ROUNDS) looks++;
  await worker.terminate();
  segment.unlink();
  expect(looks).toBeGreaterThan(0);
});
