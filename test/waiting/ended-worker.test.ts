/** What a Worker leaves that ends while a thread waits in its place. */
import { expect } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Segment, Semaphore } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { eventually } from "../support/shm.ts";

const SOURCE = join(import.meta.dir, "../../src/index.ts");

/** Waits for a token that never comes, which a thread does for it, and ends in some way. */
function program(name: string, end: string): string {
  return `
    const { parentPort } = require("node:worker_threads");
    const { Segment, Semaphore } = require(${JSON.stringify(SOURCE)});
    const segment = Segment.open(${JSON.stringify(name)});
    const semaphore = Semaphore.at(segment, 0);
    const wait = () => semaphore.waitAsync({ timeoutMs: 200 }).catch(() => {});
    const close = () => (semaphore.close(), segment.close());
    const say = () => parentPort.postMessage("waited");
    ${end}`;
}

const ENDS: Readonly<Record<string, string>> = {
  "after it has closed": "wait().then(close).then(say);",
  "by process.exit while it waits": "wait().then(() => (wait(), setTimeout(process.exit, 100)));",
  "by terminate while it waits": "wait().then(() => (wait(), setTimeout(say, 100)));",
};

for (const [how, end] of Object.entries(ENDS)) {
  testNeeding("/proc", process.platform === "linux")(
    `a Worker that ends ${how} leaves nothing`,
    async () => {
      const name = uniqueName("ended");
      const made = Segment.create(name, { size: 1 << 16 });
      Semaphore.init(made, 0).close();
      made.close();
      const mappings = (): number =>
        readFileSync("/proc/self/maps", "latin1").split(name).length - 1;
      const descriptors = (): number => readdirSync("/proc/self/fd").length;
      let before = 0;
      for (let round = 0; round < 8; round++) {
        const worker = new Worker(program(name, end), { eval: true });
        const exited = new Promise((resolve) => worker.once("exit", resolve));
        const said = new Promise((resolve) => worker.once("message", resolve));
        await Promise.race([exited, said]);
        await worker.terminate();
        if (round === 1) before = descriptors();
      }
      // A thread leaves within a slice. A Worker that ends before its thread has begun leaves a page.
      while (mappings() > 2) await Bun.sleep(1);
      await eventually(() => descriptors() <= before);
      const segment = Segment.open(name);
      expect(segment.tryLock(1)?.held).toBe(true);
      segment.close();
      Segment.unlink(name);
    },
  );
}
