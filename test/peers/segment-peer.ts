/** What other processes do in the tests of Segment: ACTION NAME … */
import { readdirSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { Segment } from "../../src/index.ts";

const [action, name = "", argument = ""] = process.argv.slice(2);
const SIZE = 4096;

/** Stays until it is killed. */
function stay(): void {
  console.log("ready");
  setInterval(() => undefined, 1000);
}

function tryCall(call: () => unknown): Error | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

function openWithoutPause(name: string): Segment {
  for (;;) {
    try {
      return Segment.open(name);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }
}

if (action === "await") {
  console.log(Segment.open(name, { waitMs: 30_000 }).size);
} else if (action === "race-create") {
  // Each round: make it, wait until the opener has said so in it, remove it.
  for (let round = 0; round < Number(argument); round++) {
    using segment = Segment.create(name, { size: SIZE });
    const words = new Int32Array(segment.buffer);
    while (Atomics.load(words, 0) === 0) Bun.sleepSync(0);
    segment.unlink();
    Atomics.store(words, 1, 1);
  }
} else if (action === "race-open") {
  for (let round = 0; round < Number(argument); round++) {
    // It does not sleep between attempts, so that some fall between the creator's steps.
    using segment = openWithoutPause(name);
    if (segment.size !== SIZE) throw new Error(`Saw a segment of ${segment.size} bytes`);
    const words = new Int32Array(segment.buffer);
    Atomics.store(words, 0, 1);
    while (Atomics.load(words, 1) === 0) Bun.sleepSync(0);
  }
  console.log(`${argument} opened`);
} else if (action === "open-or-create") {
  console.log(Segment.openOrCreate(name, { size: SIZE }).created ? "created" : "opened");
} else if (action === "hold") {
  const segment = Segment.open(name);
  stay();
  process.on("exit", () => segment.close());
} else if (action === "lock") {
  const lock = Segment.open(name).tryLock(Number(argument));
  stay();
  process.on("exit", () => lock?.close());
} else if (action === "try-open") {
  const failure = tryCall(() => Segment.open(name, { access: argument as "read" }));
  console.log(failure?.message ?? "opened");
} else if (action === "full") {
  const failure = tryCall(() => Segment.create("/big", { size: 2 << 20 }));
  console.log(failure?.message);
  console.log(`left: ${readdirSync("/dev/shm").join(" ")}`);
  using unreserved = Segment.create("/big", { size: 2 << 20, reserve: false });
  console.log(`unreserved: ${unreserved.size}`);
  using small = Segment.create("/small", { size: 65536 });
  small.bytes[0] = 5;
  const resized = tryCall(() => small.resize(2 << 20)) as { code?: string } | undefined;
  const after = `still ${small.size} bytes, first ${small.bytes[0]}`;
  console.log(`Cannot resize: ${resized?.code}, ${after}`);
} else if (action === "worker") {
  using segment = Segment.create(name, { size: 64 });
  using lock = segment.tryLock(1);
  const worker = new Worker(import.meta.path, { argv: ["in-worker", name] });
  await new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
  console.log(`shared ${segment.bytes[0]}, lock ${lock?.held ? "taken" : "free"}`);
  worker.terminate();
} else if (action === "in-worker" && !isMainThread) {
  using segment = Segment.open(name);
  segment.bytes[0] = segment.tryLock(1) === undefined ? 7 : 8;
  postMessage("done");
}
