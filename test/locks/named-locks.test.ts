/**
 * The rules of the Web Locks API, one by one, over two handles of one thread: what web-platform-tests
 * ask of `navigator.locks`, and what this package adds.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ClosedError, NamedLocks, Segment, StateError } from "../../src/index.ts";
import { any } from "../errors/provoke.ts";
import { uniqueName } from "../support/names.ts";

let locks: NamedLocks;
/** Another handle, as another process has one. */
let others: NamedLocks;

beforeEach(() => {
  locks = NamedLocks.create(uniqueName("locks"), { names: 8, requests: 24 });
  others = NamedLocks.open(locks.name);
});
afterEach(() => {
  NamedLocks.unlink(locks.name);
  locks.close();
  others.close();
});

/** A lock that is held until it is told to end. */
function holdOf(
  on: NamedLocks,
  name: string,
  options: object = {},
): { held: Promise<void>; done: Promise<unknown>; end: (value?: unknown) => void } {
  const held = Promise.withResolvers<void>();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const done = on.request(name, options, () => (held.resolve(), promise));
  done.catch(() => held.resolve());
  return { held: held.promise, done, end: resolve };
}

async function caught(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

const isFree = (name: string): Promise<boolean> =>
  others.request(name, { ifAvailable: true }, (lock) => lock !== null);

describe("a request", () => {
  test("gets the lock, and returns what its function returns", async () => {
    expect(await locks.request("a", (lock) => lock)).toEqual({ name: "a", mode: "exclusive" });
    const { mode } = await locks.request("a", { mode: "shared" }, async (lock) => lock);
    expect(mode).toBe("shared");
    expect(await locks.request("a", () => undefined)).toBeUndefined();
  });

  test("calls its function after it has returned", async () => {
    const order: string[] = [];
    const pending = locks.request("a", () => order.push("called"));
    order.push("returned");
    await pending;
    expect(order).toEqual(["returned", "called"]);
  });

  test("holds the lock until the promise settles", async () => {
    const hold = holdOf(locks, "a");
    await hold.held;
    expect(await isFree("a")).toBe(false);
    expect(await isFree("b")).toBe(true);
    hold.end(7);
    expect(await hold.done).toBe(7);
    expect(await isFree("a")).toBe(true);
  });

  test("releases the lock when its function throws or rejects", async () => {
    for (const fail of [
      () => {
        throw new RangeError("mine");
      },
      async () => {
        await Bun.sleep(0);
        throw new RangeError("mine");
      },
    ]) {
      const error = await caught(() => locks.request("a", fail));
      expect(error).toEqual(new RangeError("mine"));
      expect(await isFree("a")).toBe(true);
    }
  });

  test("releases the lock before the caller goes on", async () => {
    await locks.request("a", () => Bun.sleep(1));
    expect((await locks.query()).held).toEqual([]);
  });

  test.each(["", "a", "abc\0def", "名前", "\u{1f512}", "constructor", "a-b", "x".repeat(256)])(
    "takes the name %j",
    async (name) => {
      const seen = await locks.request(name, async (lock) => [
        lock.name,
        (await others.query()).held.map((one) => one.name),
        await isFree(name),
      ]);
      expect(seen).toEqual([name, [name], false]);
    },
  );

  test("tells names apart, and takes as many as there is room for", async () => {
    const holds = Array.from({ length: 8 }, (_, at) => holdOf(locks, `n${at}`));
    await Promise.all(holds.map(({ held }) => held));
    const error = (await caught(() => locks.request("n8", () => 1))) as StateError;
    expect([error.code, error.message]).toEqual([
      "ENOSPC",
      `Cannot request "n8" of named locks "${locks.name}": as many other names hold and wait as ` +
        "there is room for. Make them with more names",
    ]);
    holds[3]!.end();
    await holds[3]!.done;
    expect(await locks.request("n8", () => 1)).toBe(1);
    for (const hold of holds) hold.end();
    await Promise.all(holds.map(({ done }) => done));
    expect(await locks.query()).toEqual({ held: [], pending: [] });
  });

  test("takes as many requests as there is room for", async () => {
    const holds = Array.from({ length: 24 }, () => holdOf(locks, "a"));
    const error = (await caught(() => locks.request("a", () => 1))) as StateError;
    expect(error.code).toBe("ENOSPC");
    for (const hold of holds) hold.end();
    await Promise.all(holds.map(({ done }) => done));
    expect(await locks.request("a", () => 1)).toBe(1);
  });
});

describe("the order", () => {
  test("is that of the requests, over all handles", async () => {
    const order: number[] = [];
    const all = Array.from({ length: 12 }, (_, at) =>
      (at % 2 === 0 ? locks : others).request("a", async () => {
        order.push(at);
        await Bun.sleep(0);
        order.push(at);
      }),
    );
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 24 }, (_, at) => at >> 1));
  });

  test("grants shared requests together, and an exclusive one between them alone", async () => {
    const shared = { mode: "shared" };
    const [a, b] = [holdOf(locks, "a", shared), holdOf(others, "a", shared)];
    await Promise.all([a.held, b.held]);
    const exclusive = holdOf(locks, "a");
    const [c, d] = [holdOf(others, "a", shared), holdOf(locks, "a", shared)];
    const modes = async (): Promise<string[][]> => {
      const { held, pending } = await others.query();
      return [held, pending].map((list) => list.map(({ mode }) => mode));
    };
    expect(await modes()).toEqual([
      ["shared", "shared"],
      ["exclusive", "shared", "shared"],
    ]);
    a.end();
    await a.done;
    expect((await modes())[0]).toEqual(["shared"]);
    b.end();
    await exclusive.held;
    expect(await modes()).toEqual([["exclusive"], ["shared", "shared"]]);
    exclusive.end();
    await Promise.all([c.held, d.held]);
    expect(await modes()).toEqual([["shared", "shared"], []]);
    c.end();
    d.end();
    await Promise.all([c.done, d.done]);
  });

  test("lets nobody overtake a waiting exclusive request, also if-available", async () => {
    const a = holdOf(locks, "a", { mode: "shared" });
    await a.held;
    expect(await others.request("a", { mode: "shared", ifAvailable: true }, Boolean)).toBe(true);
    const b = holdOf(locks, "a");
    const free = await others.request("a", { mode: "shared", ifAvailable: true }, Boolean);
    expect(free).toBe(false);
    a.end();
    await b.held;
    b.end();
    await b.done;
  });

  test("goes on past a waiter that gives up", async () => {
    const a = holdOf(locks, "a", { mode: "shared" });
    await a.held;
    const abort = new AbortController();
    const b = holdOf(locks, "a", { signal: abort.signal });
    const c = holdOf(others, "a", { mode: "shared" });
    abort.abort();
    expect((await caught(() => b.done)).name).toBe("AbortError");
    await c.held;
    a.end();
    c.end();
    await Promise.all([a.done, c.done]);
  });
});

describe("ifAvailable and timeoutMs", () => {
  test.each([{ ifAvailable: true }, { timeoutMs: 0 }, { timeoutMs: 5 }])(
    "with %j, a function gets null when the name is held",
    async (options) => {
      expect(await others.request("a", options, (lock) => lock?.name)).toBe("a");
      const hold = holdOf(locks, "a");
      await hold.held;
      expect(await others.request("a", options, async (lock) => [lock])).toEqual([null]);
      expect((await others.query()).pending).toEqual([]);
      const error = await caught(() =>
        others.request("a", options, () => {
          throw new RangeError("mine");
        }),
      );
      expect(error.message).toBe("mine");
      hold.end();
      await hold.done;
    },
  );

  test("a wait that ends in time gets the lock", async () => {
    const hold = holdOf(locks, "a");
    await hold.held;
    setTimeout(hold.end, 5);
    expect(await others.request("a", { timeoutMs: 60_000 }, (lock) => lock?.name)).toBe("a");
  });
});

describe("a signal", () => {
  test("that is aborted already ends the request with its reason", async () => {
    const signal = AbortSignal.abort(new RangeError("mine"));
    let called = false;
    const error = await caught(() => locks.request("a", { signal }, () => (called = true)));
    expect([error, called]).toEqual([new RangeError("mine"), false]);
  });

  test("that is aborted before the function runs ends the request", async () => {
    const abort = new AbortController();
    let called = false;
    const pending = locks.request("a", { signal: abort.signal }, () => (called = true));
    abort.abort("reason");
    expect(await pending.catch((reason: unknown) => reason)).toBe("reason");
    expect([called, await isFree("a")]).toEqual([false, true]);
  });

  test("ends a wait, and leaves the queue", async () => {
    const hold = holdOf(locks, "a");
    await hold.held;
    const abort = new AbortController();
    const waiting = others.request("a", { signal: abort.signal }, () => 1);
    expect((await locks.query()).pending.length).toBe(1);
    abort.abort("reason");
    expect(await waiting.catch((reason: unknown) => reason)).toBe("reason");
    expect((await locks.query()).pending).toEqual([]);
    hold.end();
    await hold.done;
  });

  test("does nothing once the lock is held", async () => {
    const abort = new AbortController();
    const hold = holdOf(locks, "a", { signal: abort.signal });
    await hold.held;
    abort.abort();
    await Bun.sleep(2);
    expect(await isFree("a")).toBe(false);
    hold.end("whole");
    expect(await hold.done).toBe("whole");
  });
});

describe("steal", () => {
  test("ends the holder's call at once, and goes before those that wait", async () => {
    for (const thief of [locks, others]) {
      const order: string[] = [];
      const hold = holdOf(locks, "a");
      await hold.held;
      const waiting = locks.request("a", () => order.push("waited"));
      const stolen = holdOf(thief, "a", { steal: true });
      const error = (await caught(() => hold.done)) as DOMException;
      expect([error.name, error instanceof DOMException]).toEqual(["AbortError", true]);
      expect(error.message).toBe(`Cannot hold "a" of named locks "${locks.name}": it was stolen`);
      await stolen.held;
      expect((await locks.query()).held.length).toBe(1);
      // The function that lost it goes on, and releases nothing when it ends.
      hold.end();
      await Bun.sleep(2);
      expect(await isFree("a")).toBe(false);
      order.push("stolen");
      stolen.end();
      await Promise.all([stolen.done, waiting]);
      expect(order).toEqual(["stolen", "waited"]);
    }
  });

  test("takes a shared lock from all of its holders", async () => {
    const holds = [locks, others, locks].map((on) => holdOf(on, "a", { mode: "shared" }));
    await Promise.all(holds.map(({ held }) => held));
    expect(await others.request("a", { steal: true }, ({ mode }) => mode)).toBe("exclusive");
    for (const { done } of holds) expect((await caught(() => done)).name).toBe("AbortError");
  });

  test("takes what nobody holds, and what a thief holds", async () => {
    expect(await locks.request("a", { steal: true }, (lock) => lock?.name)).toBe("a");
    const first = holdOf(locks, "a", { steal: true });
    await first.held;
    expect(await others.request("a", { steal: true }, () => 1)).toBe(1);
    expect((await caught(() => first.done)).name).toBe("AbortError");
  });
});

describe("wrong arguments", () => {
  const action = (): string => `Cannot request a name of named locks "${locks.name}"`;
  const { signal } = new AbortController();

  test.each([
    ["-a", {}, 'names that begin with "-" are reserved, as "-a" is'],
    ["a", { steal: true, mode: "shared" }, 'only "exclusive" locks can be stolen for'],
    ["a", { steal: true, ifAvailable: true }, "with steal it is always available"],
    ["a", { steal: true, signal }, "with steal it does not wait, so a signal is of no use"],
    ["a", { ifAvailable: true, signal }, "with ifAvailable it does not wait, so a signal is"],
    ["a", { steal: true, timeoutMs: 1 }, "with steal it does not wait, so timeoutMs is of no use"],
    ["a", { ifAvailable: true, timeoutMs: 1 }, "with ifAvailable it does not wait, so timeoutMs"],
    ["a", { mode: "both" }, 'its mode must be "exclusive" or "shared", not "both"'],
    ["a", { ifAvailable: 1 }, "ifAvailable must be true or false, not 1"],
    ["a", { steal: "yes" }, 'steal must be true or false, not "yes"'],
    ["a", { signal: 5 }, "signal must be an AbortSignal, not 5"],
    ["a", { modes: "shared" }, 'there is no option "modes" (did you mean "mode"?)'],
    [5, {}, "a name is text, and this is 5"],
    ["\ud800", {}, "a name must be well-formed text"],
    ["x".repeat(257), {}, "a name has at most 256 bytes of UTF-8"],
  ] as const)("%j with %j", async (name, options, text) => {
    const error = await caught(() => locks.request(any(name), any(options), () => 1));
    expect(error.message.startsWith(`${action()}: ${text}`)).toBe(true);
    expect(error.name).toMatch(/^(TypeError|RangeError)$/);
    expect(() => locks.withLock(any(name), any(options), () => 1)).toThrow(error.message);
    expect(await locks.query()).toEqual({ held: [], pending: [] });
  });

  test("a function that is none", async () => {
    for (const args of [["a"], ["a", {}], ["a", 5], ["a", {}, "x"]]) {
      const error = await caught(() => Reflect.apply(locks.request, locks, args));
      expect(error).toBeInstanceOf(TypeError);
    }
  });
});

describe("query", () => {
  test("names the modes and the clients, in the order of the requests", async () => {
    using segment = Segment.open(locks.name);
    using third = NamedLocks.at(segment, 0);
    const hold = holdOf(locks, "b");
    await hold.held;
    const pending = [third.request("b", () => 1), others.request("b", { mode: "shared" }, () => 2)];
    expect(await others.query()).toEqual({
      held: [{ name: "b", mode: "exclusive", clientId: locks.clientId }],
      pending: [
        { name: "b", mode: "exclusive", clientId: third.clientId },
        { name: "b", mode: "shared", clientId: others.clientId },
      ],
    });
    expect(new Set([locks, others, third].map(({ clientId }) => clientId)).size).toBe(3);
    hold.end();
    expect(await Promise.all(pending)).toEqual([1, 2]);
  });
});

describe("withLock", () => {
  test("calls a synchronous function, and releases the lock whatever it does", async () => {
    expect(locks.withLock("a", ({ name }) => name)).toBe("a");
    expect(() =>
      locks.withLock("a", () => {
        throw new RangeError("mine");
      }),
    ).toThrow("mine");
    expect(() => locks.withLock("a", async () => 1)).toThrow(TypeError);
    expect(() => locks.withLock("a", () => Promise.resolve(1))).toThrow(TypeError);
    expect(await locks.query()).toEqual({ held: [], pending: [] });
  });

  test("does not wait for what its own thread holds", async () => {
    const hold = holdOf(locks, "a", { mode: "shared" });
    await hold.held;
    expect(others.withLock("a", { ifAvailable: true }, (lock) => lock)).toBeNull();
    expect(others.withLock("a", { mode: "shared" }, ({ mode }) => mode)).toBe("shared");
    expect(() => others.withLock("a", () => 1)).toThrow(
      `Cannot hold "a" of named locks "${locks.name}": this thread holds it, or waits for it, in ` +
        "its event loop. Use request",
    );
    expect((await locks.query()).pending).toEqual([]);
    hold.end();
    await hold.done;
  });

  test("tells of a theft when its function has ended", async () => {
    let stolen: Promise<unknown> | undefined;
    const error = await caught(() =>
      locks.withLock("a", () => {
        stolen = others.request("a", { steal: true }, () => 1);
      }),
    );
    expect([error.name, await stolen]).toEqual(["AbortError", 1]);
  });
});

describe("close", () => {
  test("releases what the handle holds, and ends its calls", async () => {
    using segment = Segment.open(locks.name);
    const mine = NamedLocks.at(segment, 0);
    const hold = holdOf(mine, "a");
    await hold.held;
    const waiting = mine.request("a", () => 1);
    const next = others.request("a", () => "next");
    expect(() => segment.close()).toThrow("a name of the named locks at 0");
    mine.close();
    for (const call of [hold.done, waiting]) {
      expect(await caught(() => call)).toBeInstanceOf(ClosedError);
    }
    expect(await next).toBe("next");
    expect(await caught(() => mine.request("a", () => 1))).toBeInstanceOf(ClosedError);
    hold.end();
    mine.close();
  });

  test("of a handle with a segment of its own does the same", async () => {
    const mine = NamedLocks.open(locks.name);
    const hold = holdOf(mine, "a");
    await hold.held;
    const next = others.request("a", () => "next");
    mine.close();
    expect(await caught(() => hold.done)).toBeInstanceOf(ClosedError);
    expect(await next).toBe("next");
    hold.end();
  });
});
