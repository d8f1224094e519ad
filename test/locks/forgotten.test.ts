/** Locks, roles and seats whose handles, guards and terms are forgotten: no collection ends them. */
import { afterEach, expect, test } from "bun:test";
import { Barrier, Lease, Mutex, NamedLocks, RwLock, Segment } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { BUN } from "../support/process.ts";

let name = "";
afterEach(() => void Segment.unlink(name));

/** What each kind of lock is taken by, and how another process finds out that it is held. */
const KINDS: Record<string, { take(): void; look: string }> = {
  Mutex: {
    take: () => void Mutex.create(name).acquire(),
    look: "Mutex.open(name).tryLock()",
  },
  "RwLock, read": {
    take: () => void RwLock.create(name).acquireRead(),
    look: "RwLock.open(name).tryLockWrite()",
  },
  "RwLock, write": {
    take: () => void RwLock.create(name).acquireWrite(),
    look: "RwLock.open(name).tryLockRead()",
  },
  Lease: {
    take: () => void Lease.create(name).tryAcquire(),
    look: "!Lease.open(name).isHeld || Lease.open(name).tryAcquire() !== undefined",
  },
  NamedLocks: {
    take: () =>
      void NamedLocks.create(name, { names: 5 }).request("a", () => new Promise(() => {})),
    look: "NamedLocks.open(name).withLock('a', { ifAvailable: true }, (lock) => lock !== null)",
  },
  "a seat of a Barrier": {
    take: () => void Barrier.create(name, { parties: 1 }).wait(),
    look: "(() => { try { Barrier.open(name).wait({ timeoutMs: 0 }); return true; } catch { return false; } })()",
  },
  "a lock in a segment": {
    take: () => void Mutex.init(Segment.create(name, { size: 4096 }), 0).lock(),
    look: "Mutex.at(Segment.open(name), 0).tryLock()",
  },
};

test.each(Object.entries(KINDS))("%s", async (_, { take, look }) => {
  name = uniqueName("forgotten");
  take();
  for (let turn = 0; turn < 30; turn++) {
    // What was forgotten is not on the stack any more, whatever the collector takes for a pointer.
    Array.from({ length: 100 }, () => new ArrayBuffer(4096));
    Bun.gc(true);
    await Bun.sleep(1);
  }
  const script =
    `import { Barrier, Lease, Mutex, NamedLocks, RwLock, Segment } from "${process.cwd()}/src/index.ts";` +
    `const name = ${JSON.stringify(name)}; const taken = ${look};` +
    "console.log(taken ? 'free' : 'held'); process.exit();";
  const child = Bun.spawnSync([BUN, "-e", script]);
  expect(child.stdout.toString() + child.stderr.toString()).toBe("held\n");
});
