import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Mutex, Segment, SharedEvent } from "../../src/index.ts";
import { MUTEX_MAGIC_OFFSET } from "../../src/layout/mutex-layout.ts";
import { rejected, thrown } from "../support/errors.ts";
import { uniqueName } from "../support/names.ts";
import { runBun, spawnBun } from "../support/process.ts";
import { firstLine } from "../support/kill.ts";

const PEER = "test/peers/mutex-peer.ts";
const WORKER = join(import.meta.dir, "../peers/mutex-worker.ts");

let name = "";
function create(): Segment {
  name = uniqueName("mutex");
  return Segment.create(name, { size: 4096 });
}
afterEach(() => {
  if (name !== "") Segment.unlink(name);
});

describe("one thread", () => {
  test("lock, unlock, tryLock, held", () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    expect(mutex.held).toBe(false);
    expect(mutex.lock()).toBe(true);
    expect(mutex.held).toBe(true);
    mutex.unlock();
    expect(mutex.tryLock()).toBe(true);
    mutex.unlock();
    expect(mutex.lock({ timeoutMs: 0 })).toBe(true);
    mutex.unlock();
    expect(mutex.deaths).toBe(0);
  });

  test("to lock again is an error, and to unlock what is not held", () => {
    using segment = create();
    const mutex = Mutex.init(segment, 128);
    const other = Mutex.at(segment, 128);
    mutex.lock();
    const shown = `mutex at 128 in segment "${name}"`;
    expect(thrown(() => mutex.lock())).toBe("StateError EDEADLK");
    expect(() => mutex.tryLock()).toThrow(`Cannot lock ${shown}: this handle holds it already`);
    expect(() => other.lock()).toThrow("through another handle");
    expect(() => other.unlock()).toThrow(`Cannot unlock ${shown}: this handle does not hold it`);
    expect(thrown(() => other.unlock())).toBe("StateError EPERM");
    mutex.unlock();
    expect(thrown(() => mutex.unlock())).toBe("StateError EPERM");
  });

  test("a guard unlocks at the end of its block, also when that throws", () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const fails = (): void => {
      using guard = mutex.acquire();
      expect(guard.ownerDied).toBe(false);
      throw new Error("inside");
    };
    expect(fails).toThrow("inside");
    expect(mutex.held).toBe(false);
    const guard = mutex.acquire();
    guard.unlock();
    guard.unlock();
  });

  test("withLock returns, unlocks, and refuses promises", () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    expect(mutex.withLock(() => 7)).toBe(7);
    const reason = "for an asynchronous function: it would be unlocked at the first await";
    let called = false;
    const later = async (): Promise<void> => {
      called = true;
    };
    expect(() => mutex.withLock(later)).toThrow(reason);
    expect(called).toBe(false);
    expect(() => mutex.withLock(() => Promise.resolve(1))).toThrow(reason);
    expect(() => mutex.withLock(5 as never)).toThrow("must be a function, not 5");
    expect(() => mutex.withLock(() => JSON.parse("{"))).toThrow(SyntaxError);
    expect(mutex.held).toBe(false);
  });

  test("the segment stays open while it is held", () => {
    const segment = create();
    const mutex = Mutex.init(segment, 0);
    mutex.lock();
    expect(() => segment.close()).toThrow("the mutex at 0 is held");
    expect(thrown(() => segment.close())).toBe("StateError EBUSY");
    expect(() => segment.resize(8192)).toThrow("the mutex at 0 is held");
    mutex.unlock();
    segment.close();
    expect(() => mutex.lock()).toThrow("it is closed");
    expect(() => mutex.tryLock()).toThrow("it is closed");
    expect(mutex.lockAsync()).rejects.toThrow("it is closed");
    expect(mutex.closed).toBe(true);
  });

  test("a segment closed in a hot loop is an exception", () => {
    const segment = create();
    const mutex = Mutex.init(segment, 0);
    const loop = (): void => {
      for (let i = 0; ; i++) {
        mutex.lock();
        mutex.unlock();
        if (i === 200_000) segment.close();
      }
    };
    expect(loop).toThrow("it is closed");
  });

  test("a forgotten handle keeps its held mutex mapped", async () => {
    const segment = create();
    Mutex.init(segment, 0);
    ((): void => void Mutex.at(segment, 0).lock())();
    for (let i = 0; i < 5; i++) {
      Bun.gc(true);
      await Bun.sleep(1);
    }
    expect(() => segment.close()).toThrow("is held");
    expect(thrown(() => Mutex.at(segment, 0).lock())).toBe("StateError EDEADLK");
  });

  test("what is no mutex is refused", () => {
    using segment = create();
    expect(() => Mutex.at(segment, 0)).toThrow("it holds only zeros");
    segment.view.setUint32(MUTEX_MAGIC_OFFSET, 7, true);
    const none = `Cannot open mutex at 0 in segment "${name}": there is no mutex`;
    const values = "expected 0x3254554d at offset 64, found 0x00000007";
    expect(() => Mutex.at(segment, 0)).toThrow(`${none}: ${values}`);
    Mutex.init(segment, 256);
    const event = SharedEvent.init(segment, 1024, { reset: "auto" });
    expect(() => Mutex.at(segment, event.offset)).toThrow(
      "it is another structure: expected a mutex at offset 1024, found an event",
    );
    expect(() => Mutex.init(segment, 64)).toThrow("multiple of 128");
    expect(() => Mutex.init(segment, 4096 - 128)).toThrow("beyond the segment's 4096");
    expect(() => Mutex.init(segment, -128)).toThrow(RangeError);
    using reader = Segment.open(name, { access: "read" });
    expect(() => Mutex.at(reader, 256)).toThrow("opened for reading only");
  });
});

describe("two processes", () => {
  test("exclude each other", async () => {
    using segment = create();
    Mutex.init(segment, 0);
    const outcomes = await Promise.all([
      runBun(PEER, name, "count", "100000"),
      runBun(PEER, name, "count", "100000"),
    ]);
    for (const { exitCode, stderr } of outcomes) expect([exitCode, stderr]).toEqual([0, ""]);
    const words = new Int32Array(segment.buffer, Mutex.byteLength(), 2);
    expect([...words]).toEqual([200_000, 200_000]);
  });

  test("time out, and abort", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const child = spawnBun(PEER, name, "hold");
    await firstLine(child);
    expect(mutex.tryLock()).toBe(false);
    expect(mutex.lock({ timeoutMs: 0 })).toBe(false);
    expect(mutex.lock({ timeoutMs: 120 })).toBe(false);
    expect(mutex.acquire({ timeoutMs: 1 })).toBeUndefined();
    expect(await mutex.lockAsync({ timeoutMs: 20 })).toBe(false);
    const signal = AbortSignal.timeout(20);
    expect(mutex.lockAsync({ signal })).rejects.toThrow("timed out");
    await Bun.sleep(40);
    expect(() => mutex.lock({ timeoutMs: Number.NaN })).toThrow(RangeError);
    child.kill("SIGKILL");
    await child.exited;
    expect(mutex.lock()).toBe(true);
    expect(mutex.ownerDied).toBe(true);
    mutex.unlock();
    expect(mutex.ownerDied).toBe(false);
  });

  test.each(["exit-held", "throw-held", "end-held"])("%s passes it on", async (how) => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    await runBun(PEER, name, how);
    using guard = mutex.acquire();
    expect(guard.ownerDied).toBe(true);
    expect(mutex.deaths).toBe(1);
  });

  test("lockAsync leaves the event loop free, and is told of the unlock", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const child = spawnBun(PEER, name, "hold");
    await firstLine(child);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const locked = mutex.lockAsync();
    // Timers run while it waits.
    while (turns < 3) await Bun.sleep(1);
    expect(mutex.held).toBe(false);
    child.kill("SIGKILL");
    expect(await locked).toBe(true);
    clearInterval(timer);
    expect(mutex.ownerDied).toBe(true);
    const second = mutex.acquireAsync();
    mutex.unlock();
    using guard = await second;
    expect(guard?.ownerDied).toBe(false);
  });
});

describe("a dead owner", () => {
  async function leaveHeld(): Promise<void> {
    await runBun(PEER, name, "exit-held");
  }

  test("a failed repair is told to everyone", async () => {
    using segment = create();
    Mutex.init(segment, 0);
    await leaveHeld();
    const onOwnerDied = (): void => {
      throw new Error("no way");
    };
    const mutex = Mutex.at(segment, 0, { onOwnerDied });
    expect(() => mutex.lock()).toThrow("onOwnerDied failed. Nobody can lock it now");
    expect(mutex.held).toBe(false);
    expect(thrown(() => mutex.lock())).toBe("StateError ENOTRECOVERABLE");
    expect(() => mutex.tryLock()).toThrow("the repair of its data failed");
    expect(await rejected(mutex.lockAsync())).toBe("StateError ENOTRECOVERABLE");
    const { exitCode, stderr } = await runBun(PEER, name, "hold");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("ENOTRECOVERABLE");
    const anew = Mutex.init(segment, 0, { overwrite: true });
    expect(anew.tryLock()).toBe(true);
    anew.unlock();
  });

  test("a repair that uses the mutex leaves it held by who asked for it, or refused", async () => {
    const calls: [(mutex: Mutex) => unknown, lock: string][] = [
      [(mutex) => mutex.unlock(), "true"],
      [(mutex) => mutex.close(), "StateError ENOTRECOVERABLE"],
      [(mutex) => mutex.segment.close(), "StateError ENOTRECOVERABLE"],
      [(mutex) => mutex.lock(), "StateError ENOTRECOVERABLE"],
      [(mutex) => mutex.abandon(), "StateError ENOTRECOVERABLE"],
      [(mutex) => mutex.withLock(() => 1), "StateError ENOTRECOVERABLE"],
    ];
    for (const [call, answer] of calls) {
      using segment = create();
      Mutex.init(segment, 0);
      await leaveHeld();
      const mutex = Mutex.at(segment, 0, { onOwnerDied: call });
      let held = false;
      const locked = thrown(() => (held = mutex.lock()));
      expect([locked === "nothing" ? String(held) : locked, mutex.held]).toEqual([
        answer,
        answer === "true",
      ]);
      if (held) mutex.unlock();
      expect(thrown(() => mutex.lock())).toBe(held ? "nothing" : "StateError ENOTRECOVERABLE");
      if (mutex.held) mutex.unlock();
      Segment.unlink(name);
    }
  });

  test("an asynchronous repair counts as failed", async () => {
    using segment = create();
    Mutex.init(segment, 0);
    await leaveHeld();
    const refused = (): unknown => Mutex.at(segment, 0, { onOwnerDied: async () => {} });
    expect(refused).toThrow("onOwnerDied must not be asynchronous");
    const mutex = Mutex.at(segment, 0, { onOwnerDied: () => Promise.resolve() });
    expect(() => mutex.lock()).toThrow("onOwnerDied failed");
  });

  test("abandon gives the data up; only after a death", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    mutex.lock();
    expect(() => mutex.abandon()).toThrow("no owner died");
    mutex.unlock();
    await leaveHeld();
    {
      using guard = mutex.acquire();
      guard.abandon();
    }
    expect(thrown(() => mutex.lock())).toBe("StateError ENOTRECOVERABLE");
  });
});

describe("workers", () => {
  function start(what: string): { worker: Worker; held: Promise<void>; ended: Promise<void> } {
    const worker = new Worker(WORKER, { workerData: { name, what } });
    const held = new Promise<void>((resolve) => worker.once("message", () => resolve()));
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    worker.on("error", () => {});
    return { worker, held, ended };
  }

  test.each(["wait", "busy"])("one terminated while it holds the mutex: %s", async (what) => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const { worker, held } = start(what);
    await held;
    expect(mutex.tryLock()).toBe(false);
    await worker.terminate();
    using guard = mutex.acquire({ timeoutMs: 10_000 });
    expect(guard?.ownerDied).toBe(true);
  });

  test.each(["exit", "throw", "end"])("one that ends while it holds it: %s", async (what) => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const { worker, held, ended } = start(what);
    await held;
    worker.postMessage("go");
    await ended;
    using guard = mutex.acquire({ timeoutMs: 10_000 });
    expect(guard?.ownerDied).toBe(true);
  });

  test("one that unlocks is another owner", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const { worker, held, ended } = start("unlock");
    await held;
    expect(thrown(() => mutex.unlock())).toBe("StateError EPERM");
    const locked = mutex.lockAsync();
    worker.postMessage("go");
    expect(await locked).toBe(true);
    expect(mutex.ownerDied).toBe(false);
    mutex.unlock();
    await ended;
  });
});
