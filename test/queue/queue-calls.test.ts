/** Calls at the same time, the logger's calls inside calls, and the event loop's share. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  ClosedError,
  MessageQueue,
  type MessageQueueCreateOptions,
  type MessageQueueEvent,
  Segment,
  Semaphore,
} from "../../src/index.ts";
import { COUNT_WORD } from "../../src/layout/message-queue-layout.ts";
import { caught } from "../support/caught.ts";
import { uniqueName } from "../support/names.ts";
import { runBun } from "../support/process.ts";

// A watchdog, and no limit on speed; the preload's holds for the first file alone.
setDefaultTimeout(300_000);

const queues: MessageQueue[] = [];

function create(options: MessageQueueCreateOptions = {}): MessageQueue {
  const queue = MessageQueue.create(uniqueName("calls"), options);
  queues.push(queue);
  return queue;
}

function open(queue: MessageQueue): MessageQueue {
  const other = MessageQueue.open(queue.name);
  queues.push(other);
  return other;
}

afterEach(() => {
  for (const queue of queues.splice(0)) {
    MessageQueue.unlink(queue.name);
    queue.close();
  }
});

function drain(queue: MessageQueue): string[] {
  const texts: string[] = [];
  for (let text = queue.tryDequeue(); text !== undefined; text = queue.tryDequeue()) {
    texts.push(text);
  }
  return texts;
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => `no error, but ${String(value)}`,
    (error: unknown) => error,
  );

const MODES = ["named", "segment", "polling"] as const;

describe.each(MODES)("with %s tokens", (synchronization) => {
  test("dequeues, iterators and timeouts at the same time share the texts in their order", async () => {
    const queue = create({ synchronization });
    const other = open(queue);
    for (const text of ["a", "b"]) other.enqueue(text);
    const calls = [1, 2, 3, 4].map(() => queue.dequeueAsync());
    const late = queue.dequeueAsync({ timeoutMs: 20 });
    const stop = new AbortController();
    const aborted = errorOf(queue.dequeueAsync({ signal: stop.signal }));
    const last = queue.dequeueAsync();
    expect(await late).toBeUndefined();
    stop.abort(new Error("enough"));
    expect(await aborted).toEqual(new Error("enough"));
    for (const text of ["c", "d", "e"]) other.enqueue(text);
    expect(await Promise.all([...calls, last])).toEqual(["a", "b", "c", "d", "e"]);

    const seen: number[][] = [[], [], []];
    const loops = seen.map(async (own) => {
      for await (const text of queue) own.push(Number(text));
    });
    for (let at = 0; at < 200; at++) await other.enqueueAsync(`${at}`);
    while (seen.flat().length < 200) await Bun.sleep(1);
    queue.close();
    await Promise.all(loops);
    for (const own of seen) expect(own).toEqual(own.toSorted((a, b) => a - b));
    const all = seen.flat().toSorted((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 200 }, (_, at) => at));
  });

  test("no later text of a handle overtakes one that waits for room", async () => {
    const queue = create({ synchronization, slots: 2 });
    const other = open(queue);
    for (const text of ["a", "b"]) queue.enqueue(text);
    const calls = ["c", "d"].map((text) => queue.enqueueAsync(text));
    expect(other.tryDequeue()).toBe("a");
    // There may be room, but it belongs to the calls that came before.
    expect(queue.tryEnqueue("x")).toBe(false);
    expect(queue.enqueue("x", { timeoutMs: 0 })).toBe(false);
    const refused = caught(() => queue.enqueue("x", { timeoutMs: 1000 }));
    expect([refused.name, refused.code]).toEqual(["StateError", "EBUSY"]);
    calls.push(queue.enqueueAsync("e"));
    expect(await other.dequeueAsync()).toBe("b");
    expect(await other.dequeueAsync()).toBe("c");
    expect(await Promise.all(calls)).toEqual([true, true, true]);
    expect(drain(other)).toEqual(["d", "e"]);
    expect([queue.tryEnqueue("f"), queue.enqueue("g"), queue.size]).toEqual([true, true, 2]);
  });

  test("what puts in does not wait for what takes out", async () => {
    const queue = create({ synchronization });
    const waiting = queue.dequeueAsync();
    expect(queue.tryDequeue()).toBeUndefined();
    const refused = caught(() => queue.dequeue());
    expect([refused.name, refused.code]).toEqual(["StateError", "EBUSY"]);
    queue.enqueue("mine");
    expect(await waiting).toBe("mine");
  });

  test("close ends all that wait in line, on both sides", async () => {
    const queue = create({ synchronization, slots: 1 });
    const other = open(queue);
    queue.enqueue("kept");
    const calls = [
      ...["x", "y"].map((text) => errorOf(queue.enqueueAsync(text))),
      errorOf(queue.enqueueAsync("z", { timeoutMs: 100_000 })),
    ];
    await Bun.sleep(5);
    queue.close();
    const closed = new ClosedError(`message queue "${queue.name}"`);
    expect(await Promise.all(calls)).toEqual([closed, closed, closed]);
    expect(drain(other)).toEqual(["kept"]);
    expect(other.enqueue("more", { timeoutMs: 60_000 })).toBe(true);
  });

  test("loops of calls that need not wait let timers run", async () => {
    const queue = create({ synchronization });
    let ended = false;
    setTimeout(() => (ended = true), 10);
    let calls = 0;
    while (!ended) {
      await queue.enqueueAsync("x");
      await queue.dequeueAsync();
      calls++;
    }
    expect(calls).toBeGreaterThan(0);
    ended = false;
    setTimeout(() => (ended = true), 10);
    queue.enqueue("x");
    for await (const text of queue) {
      if (ended) break;
      queue.enqueue(text);
    }
    expect(ended).toBe(true);
  });
});

test("a call in line keeps the process alive, even behind one that does not", async () => {
  const queue = create();
  const answers = MessageQueue.create(`${queue.name}-answers`);
  queues.push(answers);
  const child = runBun("test/peers/queue-waiter.ts", queue.name, "behind");
  expect(await answers.dequeueAsync({ timeoutMs: 60_000 })).toBe("waiting");
  // Time to end, for a process that nothing keeps alive.
  await Bun.sleep(300);
  for (const text of ["first", "second"]) queue.enqueue(text);
  expect(await child).toMatchObject({ exitCode: 0, stdout: "waiting\nfirst second\n", stderr: "" });
});

describe("a logger", () => {
  /** A queue with two texts and a wrong count, which the next operation repairs and logs. */
  function damaged(logger: (event: MessageQueueEvent) => void): MessageQueue {
    const queue = create({ logger });
    for (const text of ["a", "b", "c"]) queue.enqueue(text);
    new Int32Array(queue.segment.buffer, 0, 5)[COUNT_WORD] = 1;
    return queue;
  }

  test("may take out and put in: each text comes once, in order", () => {
    const inside: (string | undefined)[] = [];
    const queue: MessageQueue = damaged(() => {
      inside.push(queue.tryDequeue());
      queue.enqueue("d");
    });
    expect(queue.dequeue()).toBe("a");
    expect(inside).toEqual(["b"]);
    expect(drain(queue)).toEqual(["c", "d"]);
  });

  test("may close the queue inside any call, which has its outcome all the same", async () => {
    for (const call of [
      (queue: MessageQueue) => queue.tryDequeue(),
      (queue: MessageQueue) => queue.dequeue({ timeoutMs: 1000 }),
      (queue: MessageQueue) => queue.dequeueAsync(),
    ]) {
      const queue: MessageQueue = damaged(() => queue.close());
      const other = open(queue);
      expect(await call(queue)).toBe("a");
      expect(queue.closed).toBe(true);
      expect(drain(other)).toEqual(["b", "c"]);
    }
    for (const call of [
      (queue: MessageQueue) => queue.tryEnqueue("d"),
      (queue: MessageQueue) => queue.enqueue("d"),
      (queue: MessageQueue) => queue.enqueueAsync("d"),
    ]) {
      const queue: MessageQueue = damaged(() => queue.close());
      const other = open(queue);
      expect(await call(queue)).toBe(true);
      expect(drain(other)).toEqual(["a", "b", "c", "d"]);
    }
  });

  test("may close a queue whose call found nothing", async () => {
    for (const call of [
      (queue: MessageQueue) => queue.tryDequeue(),
      (queue: MessageQueue) => caught(() => queue.dequeue({ timeoutMs: 60_000 })).name,
      (queue: MessageQueue) => errorOf(queue.dequeueAsync()).then((error) => (error as Error).name),
    ]) {
      const queue: MessageQueue = create({ logger: () => queue.close() });
      // A token without a text is dropped, and logged.
      using items = Semaphore.open(`${queue.name}_items`);
      items.post();
      expect(["ClosedError", undefined]).toContain(await call(queue));
      expect(queue.closed).toBe(true);
    }
  });

  test("that throws changes no outcome, and what it throws is uncaught", async () => {
    const { stdout, exitCode } = await runBun("test/peers/queue-logger.ts", uniqueName("throws"));
    expect([stdout, exitCode]).toEqual([
      "created segment\ntook a\nuncaught: from create\nuncaught: from dequeue\n",
      0,
    ]);
  });
});

test("options whose getters close the queue meet a closed queue", async () => {
  const closing = (): [MessageQueue, { readonly timeoutMs: number }] => {
    const queue = create();
    return [
      queue,
      {
        get timeoutMs(): number {
          queue.close();
          return 0;
        },
      },
    ];
  };
  const outcomes: string[] = [];
  for (const call of [
    (queue: MessageQueue, options: object) => queue.dequeue(options),
    (queue: MessageQueue, options: object) => queue.enqueue("x", options),
    (queue: MessageQueue, options: object) => queue.dequeueAsync(options),
    (queue: MessageQueue, options: object) => queue.enqueueAsync("x", options),
  ]) {
    const [queue, options] = closing();
    const error = await errorOf((async () => call(queue, options))());
    outcomes.push((error as Error).name);
    expect(Segment.exists(queue.name)).toBe(true);
  }
  expect(outcomes).toEqual(["ClosedError", "ClosedError", "ClosedError", "ClosedError"]);
});

test("lone surrogates become U+FFFD, as documented", async () => {
  const queue = create();
  queue.enqueue("a\ud800");
  queue.tryEnqueue("\udc00b", { truncate: true });
  await queue.enqueueAsync("🐇\ud83d");
  expect(drain(queue)).toEqual(["a\ufffd", "\ufffdb", "🐇\ufffd"]);
});
