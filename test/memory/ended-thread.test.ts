/** The descriptors of a Worker, and the kernel's locks on them, end with it, however it ends. */
import { expect } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Mutex, RingBuffer, Segment, Semaphore, SharedEvent } from "../../src/index.ts";
import { eventually } from "../support/shm.ts";
import { uniqueName } from "../support/names.ts";
import { NESTED, testNested, testNeeding } from "../support/needs.ts";

const WORKER = join(import.meta.dir, "../peers/ending-worker.ts");

const ENDS = ["idle", "loop", "block", "sleep", "throw", "exit", "parent"] as const;

/** The ends for which the Worker needs nobody. */
const OWN_ENDS: ReadonlySet<string> = new Set(["throw", "exit"]);

interface Running {
  readonly worker: Worker;
  /** Fulfilled when it has ended. */
  readonly ended: Promise<unknown>;
}

/** Starts a Worker, and waits until it has everything. */
async function start(name: string, how: string): Promise<Running> {
  const worker = new Worker(WORKER, { workerData: { name, how } });
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  worker.on("error", () => {});
  await new Promise((resolve) => worker.once("message", resolve));
  return { worker, ended };
}

/** How many descriptors of objects of that name, and of bells, this process has. */
function countDescriptors(name: string): number {
  const links = readdirSync("/proc/self/fd").map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.startsWith("socket:") || link.includes(name)).length;
}

for (const how of ENDS) {
  testNeeding("/proc", process.platform === "linux")(`by ${how}`, async () => {
    const name = uniqueName("ended");
    using segment = Segment.create(name, { size: 8192 });
    using blocked = Semaphore.init(segment, 0);
    using event = SharedEvent.init(segment, 1024, { reset: "manual" });
    using mutex = Mutex.init(segment, 2048);
    using ring = RingBuffer.create(`${name}-ring`, { capacity: 1024 });
    // The Worker rings the bell of this thread, on a connection that it keeps.
    await Promise.all([event.waitAsync({ timeoutMs: 1 }), event.waitAsync({ timeoutMs: 1 })]);
    const before = countDescriptors(name);
    for (let round = 0; round < 3; round++) {
      const rung = event.waitAsync();
      const { worker, ended } = await start(name, how);
      expect([await rung, segment.isLocked(7)]).toEqual([true, true]);
      expect(countDescriptors(name)).toBeGreaterThan(before);
      if (!OWN_ENDS.has(how)) await worker.terminate();
      await ended;
      event.reset();
      {
        using guard = (await mutex.acquireAsync())!;
        expect(guard.ownerDied).toBe(true);
      }
      await eventually(() => !segment.isLocked(7));
      {
        using lock = segment.tryLock(7);
        using consumer = ring.consumer();
        expect([lock?.held, consumer.tryTake()]).toEqual([true, undefined]);
      }
      await eventually(() => countDescriptors(name) === before);
    }
    expect(blocked.value).toBe(0);
    segment.unlink();
    ring.unlink();
  });
}

testNested("a Worker's end is seen from another PID namespace", async () => {
  const name = uniqueName("ended");
  using segment = Segment.create(name, { size: 8192 });
  using mutex = Mutex.init(segment, 2048);
  SharedEvent.init(segment, 1024, { reset: "manual" }).close();
  using ring = RingBuffer.create(`${name}-ring`, { capacity: 1024 });
  const program = `
    const { Worker } = require("node:worker_threads");
    const worker = new Worker(${JSON.stringify(WORKER)}, { workerData: ${JSON.stringify({ name, how: "idle" })} });
    worker.once("message", () => console.log("taken"));
    process.stdin.once("data", () => worker.terminate());`;
  const stdio = ["pipe", "pipe", "inherit"] as const;
  const child = Bun.spawn([...NESTED, process.execPath, "-e", program], { stdio: [...stdio] });
  await child.stdout.getReader().read();
  expect([mutex.tryLock(), segment.isLocked(7)]).toEqual([false, true]);
  child.stdin.write("end it\n");
  child.stdin.flush();
  {
    using guard = (await mutex.acquireAsync())!;
    expect(guard.ownerDied).toBe(true);
  }
  await eventually(() => !segment.isLocked(7));
  ring.consumer().close();
  expect(child.exitCode).toBeNull();
  child.kill("SIGKILL");
  await child.exited;
  segment.unlink();
  ring.unlink();
});
