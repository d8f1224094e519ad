import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Barrier, LayoutError, Segment } from "../../src/index.ts";
import { BARRIER_PARTIES_OFFSET } from "../../src/layout/barrier-layout.ts";
import { rejected, thrown } from "../support/errors.ts";
import { firstLine } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { finished, spawnBun } from "../support/process.ts";

const WORKER = join(import.meta.dir, "../peers/barrier-worker.ts");
const PEER = "test/peers/sync-peer.ts";

let name = "";
function create(): Segment {
  name = uniqueName("barrier");
  return Segment.create(name, { size: 4096 });
}
afterEach(() => {
  if (name !== "") Segment.unlink(name);
});

describe("a barrier", () => {
  test("lets all go when all have come, again and again", async () => {
    using segment = create();
    Barrier.init(segment, 0, { parties: 3 });
    using a = Barrier.at(segment, 0);
    using b = Barrier.at(segment, 0);
    using c = Barrier.at(segment, 0);
    for (let round = 0; round < 20; round++) {
      const waits = [a.waitAsync(), b.waitAsync()];
      expect(a.waiting).toBe(2);
      expect(c.wait()).toBe("last");
      expect(await Promise.all(waits)).toEqual(["passed", "passed"]);
    }
    using d = Barrier.at(segment, 0);
    expect(() => d.wait()).toThrow("other handles have all 3 seats");
    expect(thrown(() => d.wait())).toBe("StateError EBUSY");
    expect(() => segment.close()).toThrow("the barrier at 0 is held");
    c.close();
    const waits = [a.waitAsync(), b.waitAsync()];
    expect(d.wait()).toBe("last");
    await Promise.all(waits);
  });

  test("is broken by a timeout, an abort, and who leaves while it waits", async () => {
    using segment = create();
    using a = Barrier.init(segment, 0, { parties: 2 });
    using b = Barrier.at(segment, 0);
    expect(a.wait({ timeoutMs: 5 })).toBe("timedOut");
    expect([a.broken, b.broken, b.wait(), a.wait()]).toEqual([true, true, "broken", "broken"]);
    b.reset();
    expect(a.broken).toBe(false);
    const aborted = a.waitAsync({ signal: AbortSignal.timeout(5) });
    expect(await aborted.then(String, String)).toContain("timed out");
    expect(b.wait()).toBe("broken");
    a.reset();
    const wait = a.waitAsync();
    expect(a.waitAsync()).rejects.toThrow("is already waiting");
    expect(await rejected(a.waitAsync())).toBe("StateError EBUSY");
    expect(await rejected(a.waitAsync({ timeoutMs: -1 }))).toBe("RangeError");
    b.reset();
    expect(await wait).toBe("broken");
    expect(a.broken).toBe(false);
    const another = a.waitAsync({ timeoutMs: 5 });
    expect(await another).toBe("timedOut");
  });

  test("a Worker that is terminated breaks it", async () => {
    using segment = create();
    using barrier = Barrier.init(segment, 0, { parties: 2 });
    const worker = new Worker(WORKER, { workerData: name });
    while (barrier.waiting < 1) await Bun.sleep(1);
    await worker.terminate();
    expect(barrier.wait({ timeoutMs: 10_000 })).toBe("broken");
  });

  test("after its segment was closed it throws, in a hot loop too", () => {
    const segment = create();
    const barrier = Barrier.init(segment, 0, { parties: 1 });
    const loop = (): void => {
      for (let i = 0; ; i++) {
        barrier.wait();
        if (i !== 50_000) continue;
        barrier.close();
        segment.close();
      }
    };
    expect(loop).toThrow("closed");
    barrier.close();
  });

  test("is refused where there is none", () => {
    using segment = create();
    expect(() => Barrier.init(segment, 0, { parties: 0 })).toThrow("from 1 to 256, not 0");
    expect(() => Barrier.init(segment, 0, {} as never)).toThrow("not undefined");
    const barrier = Barrier.init(segment, 0, { parties: 3 });
    expect(() => Barrier.at(segment, 0, { parties: 2 })).toThrow(
      `it has a different number of parties: expected 2 at offset ${BARRIER_PARTIES_OFFSET}, found 3`,
    );
    barrier.close();
    expect(thrown(() => barrier.wait())).toBe("ClosedError ECLOSED");
    segment.view.setInt32(BARRIER_PARTIES_OFFSET, -1, true);
    expect(() => Barrier.at(segment, 0)).toThrow(LayoutError);
  });
});

describe("processes", () => {
  test("go round by round", async () => {
    using segment = create();
    Barrier.init(segment, 0, { parties: 3 });
    const children = ["0", "1", "2"].map((me) => spawnBun(PEER, name, "barrier-rounds", me));
    for (const child of children) expect((await finished(child)).stdout).toBe("done\n");
  });

  test("a participant's death breaks it, while it waits and after", async () => {
    using segment = create();
    using barrier = Barrier.init(segment, 0, { parties: 3 });
    const [victim, witness] = [1, 2].map(() => spawnBun(PEER, name, "barrier-wait"));
    await Promise.all([firstLine(victim!), firstLine(witness!)]);
    while (barrier.waiting < 2) await Bun.sleep(1);
    victim!.kill("SIGKILL");
    await witness!.exited;
    expect(barrier.broken).toBe(true);
    expect(barrier.wait()).toBe("broken");
    barrier.reset();
    expect(barrier.wait({ timeoutMs: 1 })).toBe("timedOut");
  });
});
