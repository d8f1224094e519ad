/** Asynchronous calls of one handle at once, and loops of calls that are answered at once. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  Barrier,
  Condition,
  Lease,
  Mutex,
  RwLock,
  Segment,
  SharedEvent,
  SharedRecord,
  struct,
} from "../../src/index.ts";
import { rejected, thrown } from "../support/errors.ts";
import { seededRandom } from "../support/random.ts";

type Options = { timeoutMs?: number; signal?: AbortSignal };

/** Something that one call of a handle has at a time. */
interface Role {
  take(options?: Options): Promise<unknown>;
  give(): void;
  close(): void;
}

let segment: Segment;
beforeEach(() => void (segment = Segment.create("memfd:calls", { size: 2 ** 16 })));
let open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open) each.close();
  open = [];
  segment.close();
});

const ROLES: Record<string, () => Role> = {
  "Mutex.lockAsync": () => {
    const mutex = Mutex.init(segment, 0);
    return {
      take: (options) => mutex.lockAsync(options),
      give: () => mutex.unlock(),
      close: () => mutex.close(),
    };
  },
  "RwLock.lockWriteAsync": () => {
    const lock = RwLock.init(segment, 0, { readers: 2 });
    return {
      take: (options) => lock.lockWriteAsync(options),
      give: () => lock.unlockWrite(),
      close: () => lock.close(),
    };
  },
  "Lease.acquireAsync": () => {
    const lease = Lease.init(segment, 0);
    return {
      take: (options) => lease.acquireAsync(options),
      give: () => lease.term!.release(),
      close: () => lease.close(),
    };
  },
  "SharedEvent.waitAsync": () => {
    const event = SharedEvent.init(segment, 0, { reset: "auto", set: true });
    return {
      take: (options) => event.waitAsync(options),
      give: () => event.set(),
      close: () => event.close(),
    };
  },
};

describe.each(Object.entries(ROLES))("%s", (name, make) => {
  test("calls at the same time are served in order, and never two at once", async () => {
    const role = make();
    const random = seededRandom(`order of ${name}`);
    const served: number[] = [];
    let holders = 0;
    const call = async (at: number): Promise<void> => {
      expect(await role.take()).toBeTruthy();
      served.push(at);
      expect(++holders).toBe(1);
      if (random() < 0.5) await Bun.sleep(random() * 3);
      holders--;
      role.give();
    };
    const first = Array.from({ length: 10 }, (_, at) => call(at));
    await Bun.sleep(2);
    await Promise.all([...first, ...Array.from({ length: 10 }, (_, at) => call(10 + at))]);
    expect(served).toEqual(Array.from({ length: 20 }, (_, at) => at));
    role.close();
  });

  test("a call that ends early in the line takes nothing, and holds nobody up", async () => {
    const role = make();
    await role.take();
    const abort = new AbortController();
    const first = role.take();
    const late = role.take({ timeoutMs: 10 });
    const aborted = role.take({ signal: abort.signal });
    const now = role.take({ timeoutMs: 0 });
    const last = role.take();
    expect([await late, await now].filter(Boolean)).toEqual([]);
    abort.abort(new Error("mine"));
    expect(await rejected(aborted)).toBe("Error");
    role.give();
    expect(await first).toBeTruthy();
    role.give();
    expect(await last).toBeTruthy();
    role.give();
    expect(await role.take()).toBeTruthy();
    role.give();
    role.close();
  });

  test("a loop of calls lets timers fire", async () => {
    const role = make();
    let fired = 0;
    const timer = setInterval(() => void fired++, 5);
    // Without turns of the event loop, this would never end.
    while (fired < 3) {
      await role.take();
      role.give();
    }
    clearInterval(timer);
    role.close();
  });
});

test("a guard whose hold was ended by the lock itself does not end the next one's", async () => {
  const mutex = Mutex.init(segment, 0);
  const lock = RwLock.init(segment, 1024, { readers: 2 });
  const guards = [
    [await mutex.acquireAsync(), mutex.acquireAsync(), () => mutex.unlock()],
    [await lock.acquireWriteAsync(), lock.acquireWriteAsync(), () => lock.unlockWrite()],
  ] as const;
  for (const [first, second, unlock] of guards) {
    unlock();
    const next = (await second)!;
    expect(thrown(() => first!.unlock())).toBe("StateError EPERM");
    expect([mutex.held || lock.held === "write"]).toEqual([true]);
    first!.unlock();
    next.unlock();
    next.unlock();
    expect(thrown(unlock)).toBe("StateError EPERM");
  }
});

test("a guard goes on guarding after a wait that released its mutex meanwhile", async () => {
  const mutex = Mutex.init(segment, 0);
  const condition = Condition.init(segment, 1024, { mutex });
  const guard = (await mutex.acquireAsync())!;
  const wait = condition.waitAsync();
  const other = (await mutex.acquireAsync())!;
  condition.notifyOne();
  other.unlock();
  expect(await wait).toBe(true);
  expect(thrown(() => other.unlock())).toBe("nothing");
  expect(mutex.held).toBe(true);
  guard.unlock();
  expect(mutex.held).toBe(false);
});

test("close ends every call in the line with ClosedError", async () => {
  const held = SharedEvent.init(segment, 0, { reset: "auto" });
  const others = [Lease.init(segment, 1024), Mutex.init(segment, 2048)] as const;
  const waiting = SharedEvent.at(segment, 0);
  const lease = Lease.at(segment, 1024);
  const mutex = Mutex.at(segment, 2048);
  others[0].tryAcquire();
  others[1].lock();
  const calls = [0, 1, 2].flatMap(() => [
    rejected(waiting.waitAsync()),
    rejected(lease.acquireAsync()),
    rejected(mutex.lockAsync()),
  ]);
  await Bun.sleep(5);
  for (const each of [waiting, lease, mutex]) each.close();
  expect(new Set(await Promise.all(calls))).toEqual(new Set(["ClosedError ECLOSED"]));
  others[0].close();
  others[1].unlock();
  held.close();
});

describe("a readers-writer lock", () => {
  test("reads of one handle nest, also while its write waits for them", async () => {
    const lock = RwLock.init(segment, 0, { readers: 2 });
    expect(await Promise.all([lock.lockReadAsync(), lock.lockReadAsync()])).toEqual([true, true]);
    let written = false;
    const write = lock.lockWriteAsync().then(() => (written = true));
    expect(await lock.lockReadAsync()).toBe(true);
    for (let times = 0; times < 3; times++) {
      expect(written).toBe(false);
      lock.unlockRead();
    }
    expect(await write).toBe(true);
    lock.unlockWrite();
  });

  test("a write that gives up in the line leaves what the one before it took", async () => {
    const lock = RwLock.init(segment, 0, { readers: 2 });
    const reader = RwLock.at(segment, 0);
    reader.lockRead();
    const first = lock.lockWriteAsync();
    await Bun.sleep(2);
    expect(await lock.lockWriteAsync({ timeoutMs: 5 })).toBe(false);
    // The first one waits for the reader, and keeps new readers out.
    expect(reader.tryLockRead()).toBe(true);
    const other = RwLock.at(segment, 0);
    const read = other.lockReadAsync();
    expect(await Promise.race([read, Bun.sleep(5).then(() => "waits")])).toBe("waits");
    reader.unlockRead();
    reader.unlockRead();
    expect(await first).toBe(true);
    lock.unlockWrite();
    expect(await read).toBe(true);
    other.unlockRead();
  });

  test("two handles of one thread write in turns", async () => {
    const handles = [RwLock.init(segment, 0, { readers: 2 }), RwLock.at(segment, 0)];
    let writers = 0;
    const write = async (lock: RwLock): Promise<void> => {
      for (let times = 0; times < 20; times++) {
        expect(await lock.lockWriteAsync()).toBe(true);
        expect(++writers).toBe(1);
        await Bun.sleep(0);
        writers--;
        lock.unlockWrite();
      }
    };
    await Promise.all([...handles, ...handles].map(write));
  });
});

test("notifyOne ends the waits of one condition in order, and notifyAll all of them", async () => {
  const mutex = Mutex.init(segment, 0);
  const condition = Condition.init(segment, 1024, { mutex });
  const ended: number[] = [];
  const wait = async (at: number): Promise<void> => {
    await mutex.lockAsync();
    await condition.waitAsync();
    ended.push(at);
    mutex.unlock();
  };
  const notify = async (how: "notifyOne" | "notifyAll"): Promise<void> => {
    await mutex.lockAsync();
    condition[how]();
    mutex.unlock();
  };
  const waits = Array.from({ length: 6 }, (_, at) => wait(at));
  await Bun.sleep(5);
  for (let times = 1; times <= 3; times++) {
    await notify("notifyOne");
    while (ended.length < times) await Bun.sleep(1);
  }
  expect(ended).toEqual([0, 1, 2]);
  await notify("notifyAll");
  await Promise.all(waits);
  expect(ended).toEqual([0, 1, 2, 3, 4, 5]);
});

describe("a loop of calls that are answered at once lets timers fire", () => {
  const record = (): SharedRecord<{ n: "f64" }> =>
    SharedRecord.init(segment, 0, { codec: struct({ n: "f64" }), initial: { n: 1 } });
  const LOOPS: Record<string, () => () => Promise<unknown>> = {
    "RwLock.lockReadAsync": () => {
      const lock = RwLock.init(segment, 0, { readers: 1 });
      return async () => {
        await lock.lockReadAsync();
        lock.unlockRead();
      };
    },
    "Mutex.acquireAsync": () => {
      const mutex = Mutex.init(segment, 0);
      return async () => void (await mutex.acquireAsync())!.unlock();
    },
    "a manual event": () => {
      const event = SharedEvent.init(segment, 0, { reset: "manual", set: true });
      return () => event.waitAsync();
    },
    "Condition.waitForAsync": () => {
      const mutex = Mutex.init(segment, 0);
      const condition = Condition.init(segment, 1024, { mutex });
      return async () => {
        mutex.lock();
        await condition.waitForAsync(() => true);
        mutex.unlock();
      };
    },
    "a barrier of one": () => {
      const barrier = Barrier.init(segment, 0, { parties: 1 });
      open.push(barrier);
      return () => barrier.waitAsync();
    },
    "a broken barrier": () => {
      const barrier = Barrier.init(segment, 0, { parties: 2 });
      open.push(barrier);
      barrier.wait({ timeoutMs: 0 });
      return () => barrier.waitAsync();
    },
    "SharedRecord.waitChangedAsync": () => {
      const values = record();
      return () => values.waitChangedAsync({ since: 0 });
    },
    "the values of a record": () => {
      const values = record();
      const iterator = values.values();
      return async () => {
        values.write({ n: 2 });
        await iterator.next();
      };
    },
  };
  test.each(Object.entries(LOOPS))("%s", async (_, make) => {
    const call = make();
    let fired = 0;
    const timer = setInterval(() => void fired++, 5);
    while (fired < 3) await call();
    clearInterval(timer);
  });
});
