import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ClosedError,
  LayoutError,
  MessageQueue,
  type MessageQueueCreateOptions,
  type MessageQueueEvent,
  Segment,
  Semaphore,
  type StateError,
  type SystemError,
} from "../../src/index.ts";
import {
  MESSAGE_QUEUE_BOOK,
  MESSAGE_QUEUE_PARTICIPANT,
  QUEUE_BOOK_MAGIC,
  QUEUE_CREATOR_BUN,
  QUEUE_MODE_POLLING,
} from "../../src/layout/message-queue-layout.ts";
import { NEEDS_NO_LIBC } from "../../src/libc/semaphore.ts";
import { QUEUE_MARK } from "../../src/queue/half-done.ts";
import { uniqueName } from "../support/names.ts";
import { testWithC } from "../support/needs.ts";
import { outputUntil } from "../support/shm.ts";
import { type Child, compileC, finished, runBun, spawnBun } from "../support/process.ts";

// A watchdog, and no limit on speed; the preload's holds for the first file alone.
setDefaultTimeout(300_000);

function errorOf(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error("It did not throw");
}

const MODES = ["named", "segment", "polling"] as const;

for (const synchronization of MODES) {
  describe(`a queue with ${synchronization} tokens`, () => {
    const name = uniqueName("queue");
    let queue: MessageQueue;
    let other: MessageQueue;
    beforeAll(() => {
      queue = MessageQueue.create(name, { synchronization });
      other = MessageQueue.open(name);
    });
    afterAll(() => {
      queue.unlink();
      queue.close();
      other.close();
    });

    test("openers follow the creator's choice", () => {
      expect([other.synchronization, other.created, queue.created]).toEqual([
        synchronization,
        false,
        true,
      ]);
    });

    test("texts come out as they went in", () => {
      const texts = ["", "a", "hällo", "日本語", "🐇".repeat(63), "x".repeat(255), "\uFEFFbom"];
      for (const text of texts) expect(queue.enqueue(text)).toBe(true);
      expect([queue.size, other.size, queue.capacity]).toEqual([7, 7, 10]);
      for (const text of texts) expect(other.dequeue()).toBe(text);
      expect(other.tryDequeue()).toBeUndefined();
    });

    test("full and empty end in time", () => {
      for (let number = 0; number < 10; number++) expect(queue.enqueue(`${number}`)).toBe(true);
      expect(queue.tryEnqueue("more")).toBe(false);
      expect(queue.enqueue("more", { timeoutMs: 0 })).toBe(false);
      expect(queue.enqueue("more", { timeoutMs: 60 })).toBe(false);
      for (let number = 0; number < 10; number++) expect(other.dequeue()).toBe(`${number}`);
      const start = performance.now();
      expect(other.dequeue({ timeoutMs: 120 })).toBeUndefined();
      expect(performance.now() - start).toBeGreaterThanOrEqual(119);
    });

    test("many rounds", () => {
      for (let round = 0; round < 3000; round++) {
        queue.enqueue(`first ${round}`);
        other.enqueue(`second ${round}`);
        expect(other.dequeue()).toBe(`first ${round}`);
        expect(queue.dequeue()).toBe(`second ${round}`);
      }
    });

    test("in the event loop", async () => {
      const waiting = [other.dequeueAsync(), other.dequeueAsync(), other.dequeueAsync()];
      await Bun.sleep(20);
      for (const text of ["a", "b", "c"]) expect(await queue.enqueueAsync(text)).toBe(true);
      expect(await Promise.all(waiting)).toEqual(["a", "b", "c"]);
      expect(await other.dequeueAsync({ timeoutMs: 30 })).toBeUndefined();
      const signal = AbortSignal.timeout(30);
      const aborted = await other.dequeueAsync({ signal }).catch((error: Error) => error.name);
      expect(aborted).toBe("TimeoutError");
      // Nothing was lost on the way.
      queue.enqueue("later");
      expect(await other.dequeueAsync()).toBe("later");
    });

    test("for await ends when the handle is closed", async () => {
      const reader = MessageQueue.open(name);
      const texts: string[] = [];
      const reading = (async () => {
        for await (const text of reader) texts.push(text);
      })();
      for (let number = 0; number < 30; number++) await queue.enqueueAsync(`${number}`);
      while (queue.size > 0) await Bun.sleep(1);
      await Bun.sleep(5);
      reader.close();
      await reading;
      expect(texts).toEqual(Array.from({ length: 30 }, (_, number) => `${number}`));
    });

    test("stats", () => {
      const before = queue.stats();
      queue.enqueue("four");
      expect(queue.stats()).toEqual({
        ...before,
        in: before.in + 1,
        bytesIn: before.bytesIn + 4,
        depth: 1,
        repaired: 0,
        highWater: 10,
        capacity: 10,
      });
      const { out, bytesOut } = other.stats();
      expect(other.dequeue()).toBe("four");
      expect(other.stats()).toMatchObject({ out: out + 1, bytesOut: bytesOut + 4 });
      expect(other.stats().timeouts).toBeGreaterThan(0);
      expect(other.stats().empty).toBeGreaterThan(0);
      expect(queue.stats().full).toBeGreaterThan(0);
    });
  });
}

describe("texts that are refused", () => {
  test("each has its message, and truncation is on request", () => {
    const name = uniqueName("texts");
    using queue = MessageQueue.create(name, { slotSize: 8, slots: 2 });
    queue.unlink();
    expect(errorOf(() => queue.enqueue("12345678")).message).toBe(
      "Cannot enqueue a text of 8 bytes: a slot holds at most 7. Pass { truncate: true } to cut it",
    );
    expect(errorOf(() => queue.enqueue("ééééé"))).toBeInstanceOf(RangeError);
    expect(errorOf(() => queue.enqueue("a\0b")).message).toBe(
      "Cannot enqueue a text with a NUL character (at 1): it would end there",
    );
    expect(errorOf(() => queue.enqueue(5 as unknown as string)).message).toBe(
      "Cannot enqueue 5: it is not a string",
    );
    while (queue.tryDequeue() !== undefined);
    queue.enqueue("ééééé", { truncate: true });
    expect(queue.dequeue()).toBe("ééé");
    queue.enqueue("abc🐇🐇", { truncate: true });
    expect(queue.dequeue()).toBe("abc🐇");
    queue.enqueue("1234567");
    expect(queue.dequeue()).toBe("1234567");
  });
});

describe("creating and opening", () => {
  test("errors that a user can meet", () => {
    const name = uniqueName("open");
    const missing = errorOf(() => MessageQueue.open(name)) as SystemError;
    expect([missing.code, missing.message]).toEqual([
      "ENOENT",
      `Cannot open message queue "${name}": ENOENT, no such file or directory. ` +
        "Its producer is not running: MessageQueue.create makes a queue",
    ]);
    using queue = MessageQueue.create(name, { slots: 3, slotSize: 16 });
    const taken = errorOf(() => MessageQueue.create(name)) as SystemError;
    expect(taken.code).toBe("EEXIST");
    expect(taken.message).toContain("MessageQueue.removeLeftovers finds out");
    expect(MessageQueue.removeLeftovers(name)).toBe(false);
    using same = MessageQueue.open(name);
    expect([same.capacity, same.maxTextLength, same.unlinked]).toEqual([3, 15, false]);
    expect([queue.unlink(), queue.unlink(), same.unlinked]).toEqual([true, false, true]);
    for (const slots of [0, 1.5, 2 ** 24 + 1]) {
      expect(() => MessageQueue.create(name, { slots })).toThrow(
        `slots must be an integer from 1 to 16777216, not ${slots}`,
      );
    }
    for (const slotSize of [1, 2.5, 2 ** 30 + 1]) {
      expect(() => MessageQueue.create(name, { slotSize })).toThrow(
        `slotSize must be an integer from 2 to 1073741824, not ${slotSize}`,
      );
    }
    expect(() => MessageQueue.open("bad")).toThrow('it must start with "/"');
    expect(() => MessageQueue.open(name, { waitMs: -1 })).toThrow(RangeError);
  });

  test("what is no queue is refused", () => {
    const name = uniqueName("foreign");
    using small = Segment.create(name, { size: 8 });
    expect(() => MessageQueue.open(name)).toThrow("it is too small: expected at least 20 bytes");
    small.resize(2580);
    small.view.setUint32(0, 0xdeadbeef, true);
    const wrong = errorOf(() => MessageQueue.open(name)) as LayoutError;
    expect([wrong.name, wrong.message]).toEqual([
      "LayoutError",
      `Cannot open message queue "${name}": it is not a message queue: ` +
        "expected 0x4d51534d at offset 0, found 0xdeadbeef",
    ]);
    small.view.setUint32(0, 0x4d51534d, true);
    small.view.setUint32(4, 2, true);
    expect(() => MessageQueue.open(name)).toThrow("expected version 1 at offset 4, found 2");
    Segment.unlink(name);
  });

  test("openOrCreate makes it once, and finds it with what is in it", () => {
    const name = uniqueName("either");
    using made = MessageQueue.openOrCreate(name, { slots: 3, slotSize: 16 });
    made.enqueue("kept");
    using found = MessageQueue.openOrCreate(name);
    expect([made.created, found.created, found.capacity]).toEqual([true, false, 3]);
    using same = MessageQueue.openOrCreate(name, {
      slots: 3,
      slotSize: 16,
      synchronization: "named",
    });
    expect(same.dequeue({ timeoutMs: 0 })).toBe("kept");
    expect(MessageQueue.unlink(name)).toBe(true);
    expect(MessageQueue.unlink(name)).toBe(false);
    using again = MessageQueue.openOrCreate(name);
    expect([again.created, again.capacity, again.unlink()]).toEqual([true, 10, true]);
  });

  test("of many processes that open or make it at once, exactly one makes it", async () => {
    const name = uniqueName("race");
    const children = Array.from({ length: 6 }, () => spawnBun("test/peers/queue-opener.ts", name));
    const outputs = children.map((child) => child.stdout.getReader());
    const said = async (text: RegExp): Promise<string[]> =>
      Promise.all(
        outputs.map(async (output) => {
          let line = "";
          while (!text.test(line)) {
            const { value, done } = await output.read();
            if (done) throw new Error(`It ended with "${line}"`);
            line += new TextDecoder().decode(value);
          }
          return line.trim();
        }),
      );
    await said(/ready\n/);
    for (const { stdin } of children) {
      stdin.write("go\n");
      stdin.flush();
    }
    const outcomes = await said(/(made|found)\n/);
    expect(outcomes.toSorted()).toEqual(["found", "found", "found", "found", "found", "made"]);
    using queue = MessageQueue.open(name);
    const pids = children.map(() => queue.dequeue({ timeoutMs: 60_000 }));
    expect(pids.toSorted()).toEqual(children.map(({ pid }) => String(pid)).toSorted());
    for (const { stdin, exited } of children) {
      stdin.end();
      expect(await exited).toBe(0);
    }
    queue.unlink();
  });

  test("a wait with { ref: false } keeps no process alive", async () => {
    const name = uniqueName("unref");
    using queue = MessageQueue.create(name, { synchronization: "polling" });
    const { stdout, stderr, exitCode } = await runBun("test/peers/queue-waiter.ts", name);
    expect([stdout, stderr, exitCode]).toEqual(["waiting\n", "", 0]);
    queue.unlink();
  });

  test("another parameter than the one that is there is refused by its name", () => {
    const name = uniqueName("other");
    using queue = MessageQueue.create(name, {
      slots: 3,
      slotSize: 16,
      synchronization: "segment",
    });
    const refused = (options: MessageQueueCreateOptions): string => {
      const error = errorOf(() => MessageQueue.openOrCreate(name, options)) as LayoutError;
      expect(error).toBeInstanceOf(LayoutError);
      const { expected, found, offset } = error;
      expect(queue.segment.view.getUint8(offset)).toBeGreaterThan(0);
      return `${error.message.split(": ")[1]}: ${expected}, ${found}`;
    };
    expect(refused({ slots: 4 })).toBe("it was made with a different number of slots: 4, 3");
    expect(refused({ slotSize: 8 })).toBe("it was made with a different slotSize: 8, 16");
    expect(refused({ synchronization: "polling" })).toBe(
      "it was made with a different synchronization: polling, segment",
    );
    expect(refused({ synchronization: "named" })).toBe(
      "it was made with a different synchronization: named, segment",
    );
    expect(() => MessageQueue.open(name, { slots: 4 })).toThrow("a different number of slots");
    queue.unlink();
  });

  test("what its creator fell back on is taken by who asks for the same, and reported", () => {
    const name = uniqueName("fallback");
    const obstacle = `/dev/shm/sem.${name.slice(1)}_mutex`;
    mkdirSync(obstacle);
    using queue = MessageQueue.create(name, { synchronization: "named" });
    rmdirSync(obstacle);
    const events: MessageQueueEvent[] = [];
    using taken = MessageQueue.openOrCreate(name, {
      synchronization: "named",
      logger: (event) => void events.push(event),
    });
    using other = MessageQueue.openOrCreate(name, { synchronization: "segment" });
    expect([taken.synchronization, other.synchronization]).toEqual(["segment", "segment"]);
    expect(events.map(({ type }) => type)).toEqual(["degraded"]);
    queue.unlink();
  });

  test("semaphores of other names are refused, also where they exist", () => {
    const [name, another] = [uniqueName("names"), uniqueName("names")];
    using queue = MessageQueue.create(name);
    using second = MessageQueue.create(another);
    const semaphores = {
      mutex: `${another}_mutex`,
      items: `${another}_items`,
      spaces: `${another}_spaces`,
    };
    for (const call of [
      () => MessageQueue.open(name, { semaphores }),
      () => MessageQueue.openOrCreate(name, { semaphores }),
    ]) {
      const error = errorOf(call) as LayoutError;
      expect([error.name, error.expected]).toEqual([
        "LayoutError",
        `"${another}_mutex", "${another}_items", "${another}_spaces"`,
      ]);
      expect(error.message).toContain("it was made with semaphores of other names");
    }
    expect([queue.unlink(), second.unlink()]).toEqual([true, true]);
  });

  test("one that its creator left unfinished is said so, and made again", () => {
    const name = uniqueName("half");
    {
      using made = Segment.create(name, { size: 2580 });
      new Int32Array(made.buffer)[QUEUE_MARK.offset >> 2] = QUEUE_MARK.word;
    }
    const half = errorOf(() => MessageQueue.open(name)) as StateError;
    expect([half.name, half.code]).toEqual(["StateError", "ENODATA"]);
    expect(half.message).toContain("MessageQueue.openOrCreate makes it again");
    using queue = MessageQueue.openOrCreate(name);
    expect([queue.created, queue.tryEnqueue("whole"), queue.tryDequeue()]).toEqual([
      true,
      true,
      "whole",
    ]);
    queue.unlink();
  });

  test.each([
    ["open", (name: string) => MessageQueue.open(name)],
    ["open with waitMs", (name: string) => MessageQueue.open(name, { waitMs: 60_000 })],
    ["openOrCreate", (name: string) => MessageQueue.openOrCreate(name)],
  ])("%s waits for a maker that lives and is slow", async (_, open) => {
    const name = uniqueName("slow");
    const child = spawnBun("test/peers/queue-slow-maker.ts", name);
    expect(await outputUntil(child, "making")).toContain("making");
    using queue = open(name);
    expect([queue.created, queue.dequeue({ timeoutMs: 60_000 })]).toEqual([false, "finished"]);
    child.stdin.end();
    expect(await child.exited).toBe(0);
    queue.unlink();
  });

  test("a maker that died before it had finished is known to be dead, and nobody else is", async () => {
    const name = uniqueName("died");
    const child = spawnBun("test/peers/queue-slow-maker.ts", name, "dies");
    await child.exited;
    const dead = errorOf(() => MessageQueue.open(name)) as StateError;
    expect([dead.name, dead.code]).toEqual(["StateError", "ENODATA"]);
    // Others who wait for it do not keep anybody from making it again.
    using waiting = Segment.open(name);
    using queue = MessageQueue.openOrCreate(name, { synchronization: "segment" });
    expect([queue.created, waiting.unlinked, queue.unlink()]).toEqual([true, true, true]);

    // A live maker's object is neither removed nor called dead, however long that takes.
    const living = spawnBun("test/peers/queue-slow-maker.ts", name);
    await outputUntil(living, "making");
    expect(MessageQueue.removeLeftovers(name)).toBe(false);
    const early = errorOf(() => MessageQueue.open(name, { waitMs: 0 })) as StateError;
    expect([early.name, early.code]).toEqual(["StateError", "EBUSY"]);
    living.stdin.end();
    expect(await living.exited).toBe(0);
    MessageQueue.unlink(name);
  });

  test("options are checked, each by its name", async () => {
    const name = uniqueName("checked");
    type Wrong = Record<string, unknown>;
    const create = (options: Wrong): MessageQueue => MessageQueue.create(name, options);
    for (const [options, text] of [
      [{ slot: 3 }, 'there is no option "slot" (did you mean "slots"?)'],
      [{ slots: "3" }, 'slots must be an integer from 1 to 16777216, not "3"'],
      [{ logger: true }, "its logger must be a function, not true"],
      [{ mode: 0o1777 }, "its mode must be from 0 to 0o777, not 0o1777"],
      [{ synchronization: "none" }, 'must be "named" or "segment" or "polling", not "none"'],
      [{ semaphores: "/x" }, 'semaphores: its options must be an object, not "/x"'],
      [
        { semaphores: { mutex: "/a", items: "/b" } },
        'the name of its semaphore "spaces" must be a string',
      ],
      [{ semaphores: { mutex: "/a", items: "/a", spaces: "/b" } }, 'not "/a" twice'],
    ] as const) {
      expect(() => create(options)).toThrow(text);
    }
    expect(() => MessageQueue.open(name, { mode: 0o600 } as Wrong)).toThrow(
      'there is no option "mode"',
    );
    expect(() => MessageQueue.unlink(name, { slots: 3 } as Wrong)).toThrow(
      'there is no option "slots"',
    );
    expect(() => MessageQueue.create(7 as unknown as string)).toThrow(
      "Cannot create message queue 7: its name must be a string",
    );
    expect(Segment.exists(name)).toBe(false);

    using queue = MessageQueue.create(name);
    const what = `message queue "${name}"`;
    const wrong = { timoutMs: 5 } as Wrong;
    expect(() => queue.enqueue("x", wrong)).toThrow(
      `Cannot enqueue into ${what}: there is no option "timoutMs" (did you mean "timeoutMs"?)`,
    );
    expect(() => queue.dequeue(wrong)).toThrow(`Cannot dequeue from ${what}: there is no option`);
    expect(() => queue.tryEnqueue("x", { timeoutMs: 5 } as Wrong)).toThrow("it takes truncate");
    expect(() => queue.enqueue("x", { truncate: 1 } as Wrong)).toThrow("truncate must be true or");
    expect(() => queue.dequeue({ timeoutMs: -1 })).toThrow(RangeError);
    expect(() => queue.dequeue({ timeoutMs: Number.NaN })).toThrow(RangeError);
    expect(() => queue.dequeue({ signal: {} } as Wrong)).toThrow("signal must be an AbortSignal");
    expect(() => queue.dequeue(null as unknown as Wrong)).toThrow("must be an object, not null");
    expect(() => queue.values({ timeoutMs: 5 } as Wrong)).toThrow('no option "timeoutMs"');
    for (const call of [queue.enqueueAsync("x", wrong), queue.dequeueAsync(wrong)]) {
      expect(await call.catch((error: Error) => error.name)).toBe("TypeError");
    }
    expect(queue.size).toBe(0);
    queue.unlink();
  });

  test("a signal ends iterators, and calls that block when they begin", async () => {
    const name = uniqueName("signal");
    using queue = MessageQueue.create(name);
    queue.unlink();
    queue.enqueue("one");
    const stop = new AbortController();
    const texts: string[] = [];
    const reading = (async () => {
      for await (const text of queue.values({ signal: stop.signal })) {
        texts.push(text);
        setTimeout(() => stop.abort(new Error("enough")), 1);
      }
    })();
    expect(await reading.catch((error: Error) => error.message)).toBe("enough");
    expect(texts).toEqual(["one"]);
    expect(() => queue.dequeue({ signal: stop.signal })).toThrow("enough");
    expect(() => queue.enqueue("x", { signal: stop.signal })).toThrow("enough");
    expect(queue.size).toBe(0);
  });

  test("a header that somebody overwrote is found at each use", () => {
    const name = uniqueName("hostile");
    using queue = MessageQueue.create(name);
    using raw = Segment.open(name);
    const words = new Int32Array(raw.buffer, 0, 5);
    for (const [word, field] of [
      [2, "head"],
      [3, "tail"],
      [4, "count"],
    ] as const) {
      queue.enqueue("x");
      const before = words[word]!;
      for (const value of [11, -1, 0x7fffffff]) {
        words[word] = value;
        expect(() => queue.enqueue("y")).toThrow(`its ${field} is out of range`);
        expect(() => queue.dequeue()).toThrow(LayoutError);
        expect(() => MessageQueue.open(name)).toThrow(LayoutError);
      }
      words[word] = before;
      expect(queue.dequeue()).toBe("x");
    }
    // A slot without its NUL ends where it ends.
    queue.enqueue("x");
    raw.bytes.fill(0x41, 20, 2580);
    expect(queue.dequeue()).toBe("A".repeat(256));
    queue.unlink();
  });

  test("after close everything throws, in hot loops too", async () => {
    const name = uniqueName("closed");
    const queue = MessageQueue.create(name);
    queue.unlink();
    const use = (): void => {
      queue.enqueue("x");
      queue.dequeue();
    };
    for (let round = 0; round < 20_000; round++) use();
    const pending = [queue.dequeueAsync(), queue.dequeueAsync()];
    await Bun.sleep(10);
    queue.close();
    queue.close();
    for (const outcome of await Promise.allSettled(pending)) {
      const { reason } = outcome as PromiseRejectedResult;
      expect(reason).toEqual(new ClosedError(`message queue "${name}"`));
    }
    for (let round = 0; round < 1000; round++) expect(use).toThrow(ClosedError);
    for (const action of [
      () => queue.size,
      () => queue.unlinked,
      () => queue.stats(),
      () => queue.unlink(),
      () => queue.tryEnqueue("x"),
      () => queue.tryDequeue(),
      () => queue.values(),
    ]) {
      expect(action).toThrow(new ClosedError(`message queue "${name}"`));
    }
    expect([queue.closed, queue.name, queue.created, queue.capacity, queue.maxTextLength]).toEqual([
      true,
      name,
      true,
      10,
      255,
    ]);
    expect(await queue.dequeueAsync().catch((error: Error) => error.name)).toBe("ClosedError");
  });

  test.each(MODES)("closing its segment closes it (%s)", async (synchronization) => {
    const name = uniqueName("under");
    using other = MessageQueue.create(name, { synchronization });
    const queue = MessageQueue.open(name);
    queue.enqueue("kept");
    expect(await queue.dequeueAsync()).toBe("kept");
    queue.segment.close();
    expect(queue.closed).toBe(true);
    expect(() => queue.tryDequeue()).toThrow(ClosedError);
    expect(() => queue.size).toThrow(ClosedError);
    queue.close();
    // Its place among the 64 is free again, and the others go on.
    using next = MessageQueue.open(name);
    expect([next.tryEnqueue("on"), other.tryDequeue()]).toEqual([true, "on"]);
    other.unlink();
  });

  // Semaphores in the segment keep it from being closed while a thread waits for one.
  test.each(["named", "polling"] as const)(
    "closing its segment ends pending calls, and their tokens are not lost (%s)",
    async (synchronization) => {
      const name = uniqueName("pending");
      using other = MessageQueue.create(name, { synchronization });
      const queue = MessageQueue.open(name);
      const pending = queue.dequeueAsync().catch((error: unknown) => error);
      await Bun.sleep(20);
      queue.segment.close();
      other.enqueue("kept");
      expect(await pending).toEqual(new ClosedError(`message queue "${name}"`));
      expect(other.dequeue({ timeoutMs: 60_000 })).toBe("kept");
      other.unlink();
    },
  );

  test("64 handles and no more", () => {
    const name = uniqueName("many");
    using stack = new DisposableStack();
    const first = stack.use(MessageQueue.create(name));
    for (let handle = 1; handle < 64; handle++) stack.use(MessageQueue.open(name));
    const many = errorOf(() => MessageQueue.open(name)) as StateError;
    expect([many.name, many.code]).toEqual(["StateError", "EBUSY"]);
    expect(many.message).toContain("64 handles have it open, the most possible");
    first.unlink();
  });

  test("the mode is applied to all four objects", () => {
    const name = uniqueName("mode");
    using queue = MessageQueue.create(name, { mode: 0o660 });
    for (const file of ["", "sem._mutex", "sem._items", "sem._spaces"]) {
      const path = file === "" ? name.slice(1) : file.replace("._", `.${name.slice(1)}_`);
      expect(statSync(`/dev/shm/${path}`).mode & 0o777).toBe(0o660);
    }
    queue.unlink();
  });
});

test("without named semaphores it degrades, and says so once", () => {
  const name = uniqueName("degraded");
  const events: MessageQueueEvent[] = [];
  // A directory where glibc would keep the semaphore.
  const obstacle = `/dev/shm/sem.${name.slice(1)}_items`;
  mkdirSync(obstacle);
  try {
    const logger = (event: MessageQueueEvent): void => void events.push(event);
    using queue = MessageQueue.create(name, { logger });
    expect(queue.synchronization).toBe("segment");
    expect(events.map(({ type, queue: named }) => [type, named])).toEqual([["degraded", name]]);
    expect(events[0]!.message).toContain("semaphores inside its segment");
    using other = MessageQueue.open(name);
    queue.enqueue("hello");
    expect(other.dequeue()).toBe("hello");
    expect(() => Semaphore.open(`${name}_mutex`)).toThrow("ENOENT");
    Segment.unlink(name);
  } finally {
    rmdirSync(obstacle);
  }
});

test.each([
  ["memfd", (): string => "memfd:queue"],
  ["file", (): string => `file:${join(tmpdir(), uniqueName("queue").slice(1))}`],
] as const)("on a %s it has no named semaphores, and says so", (_, makeName) => {
  const name = makeName();
  const events: MessageQueueEvent[] = [];
  using queue = MessageQueue.create(name, { logger: (event) => void events.push(event) });
  expect([queue.synchronization, events.map(({ type }) => type)]).toEqual([
    "segment",
    ["degraded"],
  ]);
  expect(events[0]!.message).toContain("it is not a POSIX object. Pass { semaphores }");
  using other = MessageQueue.open(queue.segment.path!);
  queue.enqueue("hello");
  expect(other.dequeue()).toBe("hello");
  const named = name.startsWith("file:");
  // A memfd has no name to lose.
  expect([queue.unlinked, queue.unlink(), queue.unlinked]).toEqual([false, named, named]);
});

test("a queue of other names for its semaphores", () => {
  const name = uniqueName("names");
  const semaphores = { mutex: `${name}-m`, items: `${name}-i`, spaces: `${name}-s` };
  using queue = MessageQueue.create(name, { semaphores });
  using other = MessageQueue.open(name, { semaphores });
  queue.enqueue("hello");
  expect(other.dequeue()).toBe("hello");
  using items = Semaphore.open(semaphores.items);
  expect(items.value).toBe(0);
  expect(MessageQueue.removeLeftovers(name, { semaphores })).toBe(false);
  expect(MessageQueue.unlink(name, { semaphores })).toBe(true);
  expect(() => Semaphore.open(semaphores.items)).toThrow("ENOENT");
});

test("the bookkeeping lies where its layout says", () => {
  const name = uniqueName("book");
  using queue = MessageQueue.create(name, { slots: 3, slotSize: 16, synchronization: "polling" });
  queue.enqueue("one");
  const start = 128; // 20 + 3 × 16, rounded up.
  expect(queue.segment.size).toBe(start + MESSAGE_QUEUE_BOOK.length);
  const book = new DataView(queue.segment.buffer, start);
  const found = MESSAGE_QUEUE_BOOK.fields.map((field): [string, number] => [
    field.name,
    book.getUint32(field.offset, true),
  ]);
  expect(Object.fromEntries(found)).toEqual({
    magic: QUEUE_BOOK_MAGIC,
    version: 2,
    slots: 3,
    slot_size: 16,
    mode: QUEUE_MODE_POLLING,
    wanted: QUEUE_MODE_POLLING,
    names: 0,
    creator: QUEUE_CREATOR_BUN,
    repaired: 0,
    high_water: 1,
    operations: 1,
    lock: 0,
    journal: 0,
    mutex: 1,
    items: 1,
    spaces: 2,
    participants: 0,
  });
  const participants = MESSAGE_QUEUE_BOOK.fields.at(-1)!;
  expect(participants.count! * 4).toBe(64 * MESSAGE_QUEUE_PARTICIPANT.length);
  const { offset } = MESSAGE_QUEUE_PARTICIPANT.fields.at(-2)!;
  expect(book.getUint32(participants.offset + offset, true)).toBe(process.pid);
  queue.unlink();
});

describe("with C programs", () => {
  // musl's semaphores have the names of their files.
  const cName = (name: string): string => (NEEDS_NO_LIBC ? name : `/sem.${name.slice(1)}`);
  const start = (program: string, name: string, ...args: string[]): Child =>
    Bun.spawn(
      [
        compileC(`test/peers/c/${program}.c`),
        name,
        ...["mutex", "items", "spaces"].map((which) => cName(`${name}_${which}`)),
        ...args,
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );

  testWithC("a C producer feeds bun run consumer", async () => {
    const name = uniqueName("from-c");
    const consumer = spawnBun("examples/consumer.ts", "--name", name, "--wait", "30");
    const producer = start("producer", name, "25", "5");
    const [c, bun] = await Promise.all([finished(producer), finished(consumer)]);
    expect([c.exitCode, bun.exitCode, bun.stderr]).toEqual([0, 0, ""]);
    const lines = bun.stdout.trim().split("\n");
    const text = (number: number): string => `Message #${number} from PID ${producer.pid}`;
    expect(lines.at(-1)).toBe("Exiting");
    for (let number = 0; number < 25; number++) {
      expect(lines[number]).toMatch(
        new RegExp(`^Consumed: ${text(number)} \\(queue size: \\d+\\)$`),
      );
    }
    expect(lines).toHaveLength(26);
  });

  testWithC("bun run producer feeds a C consumer", async () => {
    const name = uniqueName("to-c");
    const args = ["--name", name, "--count", "25", "--interval", "5", "--message", "Hällo"];
    const producer = spawnBun("examples/producer.ts", ...args);
    while (!Segment.exists(name) || statSync(`/dev/shm${name}`).size === 0) await Bun.sleep(1);
    await Bun.sleep(50);
    const consumer = start("consumer", name, "25");
    const [bun, c] = await Promise.all([finished(producer), finished(consumer)]);
    expect([bun.exitCode, c.exitCode, bun.stderr, c.stderr]).toEqual([0, 0, "", ""]);
    const consumed = c.stdout.trim().split("\n");
    const produced = bun.stdout.trim().split("\n");
    for (let number = 0; number < 25; number++) {
      const text = `Hällo #${number} from PID ${producer.pid} (queue size: `;
      expect(consumed[number]).toStartWith(`Consumed: ${text}`);
      expect(produced[number]).toStartWith(`Produced: ${text}`);
    }
    expect(produced.slice(25)).toEqual(["Exiting", "Removed shared resources"]);
    expect(Segment.exists(name)).toBe(false);
  });

  testWithC("the bytes are those of the C struct", () => {
    const name = uniqueName("bytes");
    using queue = MessageQueue.create(name);
    for (const text of ["one", "two", "three"]) queue.enqueue(text);
    expect(queue.dequeue()).toBe("one");
    const bytes = readFileSync(`/dev/shm${name}`);
    const words = [0, 4, 8, 12, 16].map((offset) => bytes.readUInt32LE(offset));
    expect(words).toEqual([0x4d51534d, 1, 1, 3, 2]);
    expect(bytes.subarray(276, 280).toString("latin1")).toBe("two\0");
    expect(bytes.subarray(532, 538).toString("latin1")).toBe("three\0");
    expect(bytes.length).toBe(4608);
    queue.unlink();
  });
});
