/** Rough handling of semaphores: calls at once, many handles, what a wait leaves, modes, names. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, readdirSync, statSync } from "node:fs";
import {
  ClosedError,
  MessageQueue,
  Segment,
  Semaphore,
  SystemVSemaphore,
} from "../../src/index.ts";
import { caught } from "../support/caught.ts";
import { uniqueName } from "../support/names.ts";
import { BUN, finished, runBun, spawnBun } from "../support/process.ts";

// A watchdog, and no limit on speed; the preload's holds for the first file alone.
setDefaultTimeout(300_000);

const PEER = "test/peers/semaphore-maker.ts";

function named(value = 0): Semaphore {
  const name = uniqueName("handling");
  const semaphore = Semaphore.create(name, { value });
  Semaphore.unlink(name);
  return semaphore;
}

function placed(value = 0): { semaphore: Semaphore; segment: Segment } {
  const segment = Segment.create(uniqueName("segment"), { size: 4096 });
  segment.unlink();
  return { segment, semaphore: Semaphore.init(segment, 128, { value }) };
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => `no error, but ${String(value)}`,
    (error: unknown) => error,
  );

describe("calls at the same time", () => {
  test("are served in order, and no other call of the handle comes before them", async () => {
    using semaphore = named();
    const order: number[] = [];
    const calls = [0, 1, 2].map(async (call) => {
      const token = await semaphore.acquireAsync();
      order.push(call);
      return token;
    });
    const late = semaphore.acquireAsync({ timeoutMs: 10 });
    const stop = new AbortController();
    const aborted = errorOf(semaphore.waitAsync({ signal: stop.signal }));
    expect(await late).toBeUndefined();
    stop.abort(new Error("enough"));
    expect(await aborted).toEqual(new Error("enough"));

    expect([semaphore.tryWait(), semaphore.tryAcquire()]).toEqual([false, undefined]);
    expect(semaphore.wait({ timeoutMs: 0 })).toBe(false);
    for (const call of [() => semaphore.wait(), () => semaphore.acquire({ timeoutMs: 10 })]) {
      const refused = caught(call);
      expect([refused.name, refused.code]).toEqual(["StateError", "EBUSY"]);
    }
    semaphore.post(3);
    // They are not this call's, even if the others have not taken them yet.
    expect(semaphore.tryWait()).toBe(false);
    const tokens = await Promise.all(calls);
    expect([order, semaphore.value]).toEqual([[0, 1, 2], 0]);
    for (const token of tokens) token![Symbol.dispose]();
    expect([semaphore.value, semaphore.wait(), semaphore.tryWait()]).toEqual([3, true, true]);
  });

  test("end with the handle, all of them, and at once", async () => {
    const name = uniqueName("ends");
    using other = Semaphore.create(name);
    const semaphore = Semaphore.open(name);
    const calls = [{}, { timeoutMs: 100_000 }, { ref: false }].map((options) =>
      errorOf(semaphore.waitAsync(options)),
    );
    await Bun.sleep(5);
    semaphore.close();
    const closed = new ClosedError(`semaphore "${name}"`);
    expect(await Promise.all(calls)).toEqual([closed, closed, closed]);
    other.post();
    // A thread that still sleeps in it posts back what it takes.
    expect(other.wait()).toBe(true);
    other.unlink();
  });

  test("that need not wait let timers run", async () => {
    using semaphore = named(1);
    let ended = false;
    setTimeout(() => (ended = true), 10);
    while (!ended) {
      using token = await semaphore.acquireAsync();
      expect(token).toBeDefined();
    }
    ended = false;
    setTimeout(() => (ended = true), 10);
    while (!ended) {
      expect(await semaphore.waitAsync()).toBe(true);
      semaphore.post();
    }
    expect(semaphore.value).toBe(1);
  });
});

test("a thousand handles wait on few threads, and each gets its token", async () => {
  const name = uniqueName("many");
  const { stdout, stderr, exitCode } = await runBun(PEER, "many", name);
  const [threads, tokens] = stdout.trim().split(" ").map(Number);
  expect([tokens, stderr, exitCode]).toEqual([1000, "", 0]);
  expect(threads).toBeLessThanOrEqual(5 + 8);
  expect(readdirSync("/dev/shm").filter((file) => file.includes(name.slice(1)))).toEqual([]);
});

test("a wait without free descriptors is refused, and the next one works", async () => {
  const outcomes = new Set<string>();
  for (let free = 0; free < 12; free++) {
    const args = [BUN, `${import.meta.dir}/../../${PEER}`, "poor", uniqueName("poor"), `${free}`];
    const child = Bun.spawn(["bash", "-c", 'ulimit -n 100; exec "$@"', "bash", ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { stdout, exitCode } = await finished(child);
    expect(exitCode).toBe(0);
    outcomes.add(stdout);
  }
  expect([...outcomes]).toEqual(["EMFILE false\n", "false false\n"]);
});

describe("after a wait that ended without a token, everything is free", () => {
  const ends: [string, (semaphore: Semaphore) => Promise<unknown>][] = [
    ["a timeout", (semaphore) => semaphore.waitAsync({ timeoutMs: 5 })],
    [
      "a timeout of two",
      (semaphore) =>
        Promise.all([
          semaphore.acquireAsync({ timeoutMs: 5 }),
          semaphore.waitAsync({ timeoutMs: 9 }),
        ]),
    ],
    ["an abort", (semaphore) => errorOf(semaphore.waitAsync({ signal: AbortSignal.timeout(5) }))],
  ];
  test.each(ends)("after %s", async (_, end) => {
    const { segment, semaphore } = placed();
    await end(semaphore);
    segment.close();
    expect([segment.closed, semaphore.closed]).toEqual([true, true]);
    const again = placed();
    await end(again.semaphore);
    again.segment.resize(8192);
    expect(again.semaphore.tryWait()).toBe(false);
    again.semaphore.post();
    expect(again.semaphore.wait()).toBe(true);
    again.semaphore.close();
    again.segment.close();
    const other = named();
    await end(other);
    other.close();
    expect(other.closed).toBe(true);
  });

  test.each(["named", "segment", "polling"] as const)(
    "of a queue (%s)",
    async (synchronization) => {
      for (const close of [
        (queue: MessageQueue) => queue.close(),
        (queue: MessageQueue) => queue.segment.close(),
      ]) {
        const queue = MessageQueue.create(uniqueName("free"), { slots: 1, synchronization });
        queue.unlink();
        queue.enqueue("full");
        expect(await queue.enqueueAsync("more", { timeoutMs: 5 })).toBe(false);
        expect(queue.tryDequeue()).toBe("full");
        const signal = AbortSignal.timeout(5);
        expect(await errorOf(queue.dequeueAsync({ signal }))).toBeInstanceOf(DOMException);
        close(queue);
        expect(queue.closed).toBe(true);
      }
    },
  );

  test("a token that comes after it is not lost", async () => {
    const name = uniqueName("after");
    using segment = Segment.create(name, { size: 4096 });
    for (let round = 0; round < 20; round++) {
      const own = Segment.open(name);
      const semaphore = Semaphore.init(own, 0);
      await semaphore.waitAsync({ timeoutMs: 1 });
      own.close();
      using other = Semaphore.at(segment, 0);
      other.post();
      expect(other.wait({ timeoutMs: 60_000 })).toBe(true);
    }
    segment.unlink();
  });
});

describe("modes", () => {
  test.each(["777", "277", "000"])("are those asked for under umask %s", (umask) => {
    const before = process.umask(umask);
    try {
      for (const mode of [undefined, 0o600, 0o640, 0o666, 0o400, 0o000]) {
        const name = uniqueName("mode");
        using made = mode === undefined ? Semaphore.create(name) : Semaphore.create(name, { mode });
        const file = `/dev/shm/sem.${name.slice(1)}`;
        expect(statSync(file).mode & 0o7777).toBe(mode ?? 0o600);
        made.post();
        expect([made.tryWait(), made.unlink()]).toEqual([true, true]);
        using either = Semaphore.openOrCreate(name, { mode: 0o660 });
        expect(statSync(file).mode & 0o7777).toBe(0o660);
        expect(either.unlink()).toBe(true);
      }
    } finally {
      process.umask(before);
    }
  });

  test("are there from the first instant of the name", async () => {
    const name = uniqueName("instant");
    const file = `/dev/shm/sem.${name.slice(1)}`;
    const child = spawnBun(PEER, "modes", name);
    const seen = new Set<number>();
    while (child.exitCode === null) {
      for (let look = 0; look < 2000; look++) {
        const stat = statSync(file, { throwIfNoEntry: false });
        if (stat !== undefined) seen.add(stat.mode & 0o7777);
      }
      await Bun.sleep(0);
    }
    expect(child.exitCode).toBe(0);
    expect([...seen]).toEqual([0o666]);
    expect(readdirSync("/dev/shm").filter((each) => each.includes(name.slice(1)))).toEqual([]);
  });

  test("that are impossible are refused alike", () => {
    const name = uniqueName("bad");
    for (const mode of [0o1777, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const make of [
        () => Semaphore.create(name, { mode }),
        () => Semaphore.openOrCreate(name, { mode }),
        () => MessageQueue.create(name, { mode }),
        () => MessageQueue.openOrCreate(name, { mode }),
        () => SystemVSemaphore.create("sysv:private", { mode }),
        () => SystemVSemaphore.openOrCreate("sysv:private", { mode }),
        () => Segment.create("sysv:private", { size: 4096, mode }),
        () => Segment.create(name, { size: 4096, mode }),
      ]) {
        expect(caught(make).name).toBe("RangeError");
      }
    }
  });
});

test("a semaphore is seen by its name in the maker's memory too", () => {
  const name = uniqueName("seen");
  using semaphore = Semaphore.create(name);
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  const seen = maps.filter((line) => line.includes(`/dev/shm/sem.${name.slice(1)}`));
  expect([seen.length, seen.join().includes("deleted")]).toEqual([1, false]);
  expect(semaphore.unlink()).toBe(true);
});

describe("names that went", () => {
  test("a named semaphore tells, and so does one in a segment", () => {
    const name = uniqueName("went");
    using semaphore = Semaphore.create(name, { value: 1 });
    using found = Semaphore.open(name);
    expect([semaphore.unlinked, found.unlinked]).toEqual([false, false]);
    Semaphore.unlink(name);
    expect([semaphore.unlinked, found.unlinked]).toEqual([true, true]);
    using newer = Semaphore.create(name);
    expect([semaphore.unlinked, found.unlinked, newer.unlinked]).toEqual([true, true, false]);
    expect([semaphore.unlink(), newer.unlink(), newer.unlinked]).toEqual([false, true, true]);

    using segment = Segment.create(name, { size: 4096 });
    using inside = Semaphore.init(segment, 0);
    expect(inside.unlinked).toBe(false);
    segment.unlink();
    expect(inside.unlinked).toBe(true);
    semaphore.close();
    expect(() => semaphore.unlinked).toThrow(ClosedError);
  });

  test("a System V semaphore tells", () => {
    const semaphore = SystemVSemaphore.create("sysv:private", { value: 1 });
    using same = SystemVSemaphore.open(semaphore.name);
    expect([semaphore.unlinked, same.unlinked]).toEqual([false, false]);
    expect(semaphore.unlink()).toBe(true);
    expect([semaphore.unlinked, same.unlinked]).toEqual([true, true]);
    semaphore.close();
    expect(() => semaphore.unlinked).toThrow(ClosedError);
  });
});
