/** getOrSet: in one process, and in several that are killed. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ClosedError, Segment, SharedMap, codecs } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { finished, spawnBun } from "../support/process.ts";

interface Page {
  readonly text: string;
}

const SIZE = 2 ** 18;
const never = (): Promise<never> => new Promise(() => undefined);
const failing = (): never => {
  throw Object.assign(new TypeError("no backend"), { code: "EBACKEND" });
};

let name: string;
let map: SharedMap<Page>;
/** Another handle, as another process has it. */
let other: SharedMap<Page>;
beforeEach(() => {
  name = uniqueName("loads");
  map = SharedMap.create(name, { size: SIZE, codec: codecs.json<Page>() });
  other = SharedMap.open(name, { codec: codecs.json<Page>() });
});
afterEach(() => {
  map.close();
  other.close();
  Segment.unlink(name);
});

describe("one loader", () => {
  test("for all calls of one handle, which get one object", async () => {
    let loads = 0;
    const load = async (): Promise<Page> => {
      await Bun.sleep(5);
      return { text: `load ${++loads}` };
    };
    const pages = await Promise.all(Array.from({ length: 20 }, () => map.getOrSet("k", load)));
    expect(pages[0]).toEqual({ text: "load 1" });
    expect(new Set(pages).size).toBe(1);
    expect(await map.getOrSet("k", load)).toEqual({ text: "load 1" });
    expect(loads).toBe(1);
  });

  test("for all handles; the others wait for its value", async () => {
    let loads = 0;
    const load = async (): Promise<Page> => {
      await Bun.sleep(20);
      return { text: `load ${++loads}` };
    };
    const calls = Array.from({ length: 10 }, (_, at) => (at % 2 ? map : other).getOrSet("k", load));
    expect(new Set((await Promise.all(calls)).map(({ text }) => text))).toEqual(
      new Set(["load 1"]),
    );
  });

  test("a slow one holds up no other key", async () => {
    const slow = map.getOrSet("slow", never, { timeoutMs: 200 }).catch(() => "late");
    const start = performance.now();
    for (let at = 0; at < 500; at++) {
      const page = { text: `${at}` };
      expect(await other.getOrSet(`k${at}`, () => page)).toEqual(page);
      expect(await map.getOrSet(`m${at}`, async () => page)).toEqual(page);
    }
    expect(performance.now() - start).toBeLessThan(200);
    expect(await slow).toBe("late");
  });

  test("a value that is loaded by a promise or at once comes as the codec decodes it", async () => {
    const dated = map as unknown as SharedMap<unknown>;
    const first = await dated.getOrSet("k", () => ({ at: new Date(0) }));
    expect(first).toEqual({ at: "1970-01-01T00:00:00.000Z" });
    expect(await dated.getOrSet("k", never)).toEqual(first);
  });

  test("the loader gets the key, and what has expired", async () => {
    map.set("k", { text: "old" }, { ttlMs: 1e-6, staleMs: 60_000 });
    let seen: unknown[] = [];
    const call = map.getOrSet(
      "k",
      (key, { signal, stale }) => {
        seen = [key, signal.aborted, stale];
        return { text: "new" };
      },
      { staleMs: 60_000 },
    );
    expect(await call).toEqual({ text: "old" });
    await Bun.sleep(1);
    expect(seen).toEqual(["k", false, { text: "old" }]);
    expect(map.get("k")).toEqual({ text: "new" });
  });

  test("bytes are keys, and a text and its bytes are one", async () => {
    const bytes = Buffer.from("é") as unknown as string;
    const [one, two] = await Promise.all([
      map.getOrSet("é", async () => (await Bun.sleep(5), { text: "text" })),
      map.getOrSet(bytes, () => ({ text: "bytes" })),
    ]);
    expect([one, two]).toEqual([{ text: "text" }, { text: "text" }]);
  });
});

describe("stale values", () => {
  test("serve all while one loads", async () => {
    let loads = 0;
    const load = async (): Promise<Page> => (await Bun.sleep(20), { text: `load ${++loads}` });
    const options = { ttlMs: 10, staleMs: 60_000 };
    await map.getOrSet("k", load, options);
    await Bun.sleep(15);
    for (let at = 0; at < 10; at++) {
      expect(await (at % 2 ? map : other).getOrSet("k", load, options)).toEqual({ text: "load 1" });
    }
    await Bun.sleep(25);
    expect(loads).toBe(2);
    expect(map.getStale("k")!.value).toEqual({ text: "load 2" });
  });

  test("do not serve longer than the call wants", async () => {
    map.set("k", { text: "old" }, { ttlMs: 1, staleMs: 60_000 });
    await Bun.sleep(20);
    expect(await map.getOrSet("k", () => ({ text: "new" }), { staleMs: 5 })).toEqual({
      text: "new",
    });
  });

  test("serve where the load fails", async () => {
    map.set("k", { text: "old" }, { ttlMs: 1e-6, staleMs: 60_000 });
    const options = { staleMs: 60_000, errorTtlMs: 60_000 };
    for (let at = 0; at < 3; at++) {
      expect(await map.getOrSet("k", failing, options)).toEqual({ text: "old" });
      expect(await other.getOrSet("k", never, options)).toEqual({ text: "old" });
    }
    // Who wants no old value learns of the failure.
    expect(other.getOrSet("k", never)).rejects.toThrow("no backend");
  });
});

describe("failures", () => {
  test("reject all calls of the handle, and the next one loads again", async () => {
    const calls = [1, 2].map(() => map.getOrSet("k", failing).catch((error: Error) => error));
    const [one, two] = await Promise.all(calls);
    expect(one).toBe(two!);
    expect(one).toBeInstanceOf(TypeError);
    expect(await map.getOrSet("k", () => ({ text: "x" }))).toEqual({ text: "x" });
  });

  test("let the next handle that waits load", async () => {
    const late = async (): Promise<never> => (await Bun.sleep(10), failing());
    const first = map.getOrSet("k", late).catch((error: Error) => error.message);
    const second = other.getOrSet("k", () => ({ text: "x" }));
    expect(await first).toBe("no backend");
    expect(await second).toEqual({ text: "x" });
  });

  test("are shared for errorTtlMs, with name, message and code", async () => {
    const options = { errorTtlMs: 50 };
    const end = performance.now() + 50;
    expect(map.getOrSet("k", failing, options)).rejects.toThrow("no backend");
    await Bun.sleep(1);
    const error = (await other.getOrSet("k", never, options).catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ name: "TypeError", message: "no backend", code: "EBACKEND" });
    expect([map.has("k"), map.size, [...map.keys()]]).toEqual([false, 0, []]);
    await Bun.sleep(end - performance.now() + 5);
    expect(await other.getOrSet("k", () => ({ text: "x" }))).toEqual({ text: "x" });
  });

  test.each(["set", "delete", "clear"] as const)("are forgotten after %s", async (how) => {
    await map.getOrSet("k", failing, { errorTtlMs: 60_000 }).catch(() => undefined);
    if (how === "set") other.set("k", { text: "x" }, { ttlMs: 1e-6 });
    else if (how === "delete") other.delete("k");
    else other.clear();
    expect(await map.getOrSet("k", () => ({ text: "y" }))).toEqual({ text: "y" });
  });

  test("whatever is thrown is told of", async () => {
    const thrown = [
      undefined,
      "text",
      Symbol("s"),
      Object.create(null) as object,
      {
        get message(): string {
          throw new Error("x");
        },
      },
      Object.assign(new Error("x".repeat(100_000)), { code: {} }),
      Object.assign(new Error("\ud800 lone"), { name: "\u0000\u001b[31m" }),
    ];
    for (const [at, each] of thrown.entries()) {
      const key = `k${at}`;
      const options = { errorTtlMs: 60_000 };
      const load = (): never => {
        throw each;
      };
      expect(await map.getOrSet(key, load, options).catch((e: unknown) => e === each)).toBe(true);
      const told = await other.getOrSet(key, never, options).catch((e: unknown) => e);
      expect(told).toBeInstanceOf(Error);
    }
  });

  test("a value that the codec refuses, or that is too long, fails the load", async () => {
    const wrong = map as unknown as SharedMap<unknown>;
    expect(wrong.getOrSet("k", () => 1n)).rejects.toThrow(TypeError);
    expect(wrong.getOrSet("long", () => "x".repeat(SIZE))).rejects.toThrow(RangeError);
    expect(await other.getOrSet("k", () => ({ text: "x" }))).toEqual({ text: "x" });
  });
});

describe("a call that gives up", () => {
  test("after its timeout; the load is aborted, and the next call loads", async () => {
    let reason: unknown;
    const slow = (_: string, { signal }: { signal: AbortSignal }): Promise<Page> =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject((reason = signal.reason)));
      });
    const call = map.getOrSet("k", slow, { timeoutMs: 10 });
    expect(call).rejects.toMatchObject({ name: "StateError", code: "ETIMEDOUT" });
    await call.catch(() => undefined);
    expect(reason).toMatchObject({ name: "AbortError" });
    expect(await other.getOrSet("k", () => ({ text: "x" }))).toEqual({ text: "x" });
  });

  test("leaves the load to those that wait", async () => {
    let finish: (page: Page) => void = () => undefined;
    const load = (): Promise<Page> => new Promise((resolve) => (finish = resolve));
    const abort = new AbortController();
    const leaving = map.getOrSet("k", load, { signal: abort.signal });
    const staying = map.getOrSet("k", never);
    const short = other.getOrSet("k", never, { timeoutMs: 10 });
    abort.abort(new Error("left"));
    expect(leaving).rejects.toThrow("left");
    expect(short).rejects.toThrow("took over 10 ms");
    await Bun.sleep(15);
    finish({ text: "x" });
    expect(await staying).toEqual({ text: "x" });
    expect(other.get("k")).toEqual({ text: "x" });
  });

  test("with an aborted signal it does not even begin", async () => {
    const signal = AbortSignal.abort(new Error("before"));
    expect(map.getOrSet("k", never, { signal })).rejects.toThrow("before");
    expect(await map.getOrSet("k", () => ({ text: "x" }))).toEqual({ text: "x" });
    // A value that is there needs no wait.
    expect(await map.getOrSet("k", never, { signal })).toEqual({ text: "x" });
  });

  test("close rejects the calls, and another handle loads at once", async () => {
    const call = map.getOrSet("k", never);
    const waiting = other.getOrSet("k", () => ({ text: "x" }));
    await Bun.sleep(5);
    map.close();
    expect(call).rejects.toBeInstanceOf(ClosedError);
    expect(await waiting).toEqual({ text: "x" });
    const third = other.getOrSet("y", never);
    other.close();
    expect(third).rejects.toBeInstanceOf(ClosedError);
  });
});

describe("whoever writes the key meanwhile is right", () => {
  test.each(["set", "delete", "clear", "getAndDelete"] as const)("%s", async (how) => {
    let finish: (page: Page) => void = () => undefined;
    const call = map.getOrSet("k", () => new Promise<Page>((resolve) => (finish = resolve)));
    const waiting = other.getOrSet("k", () => ({ text: "fresh" }));
    await Bun.sleep(5);
    if (how === "set") other.set("k", { text: "set" });
    else if (how === "delete") other.delete("k");
    else if (how === "clear") other.clear();
    else other.getAndDelete("k");
    // Those who wait do not wait for what is out of date.
    const text = how === "set" ? "set" : "fresh";
    expect(await waiting).toEqual({ text });
    finish({ text: "late" });
    expect(await call).toEqual({ text: "late" });
    expect(map.get("k")).toEqual({ text });
  });
});

describe("a full map", () => {
  test("that refuses: the value is returned, and not stored", async () => {
    using full = SharedMap.create("memfd:full", { size: 2 ** 14, codec: codecs.utf8 });
    let count = 0;
    while (full.set(`fill${count}`, "x".repeat(60))) count++;
    expect(await full.getOrSet("k", () => "x".repeat(60))).toBe("x".repeat(60));
    expect([full.has("k"), full.size]).toEqual([false, count]);
    for (let at = 0; at < 20; at++) expect(full.delete(`fill${at}`)).toBe(true);
    await full.getOrSet("k", () => "x");
    expect(full.get("k")).toBe("x");
  });

  test("that evicts: a load under way is not evicted", async () => {
    const options = { size: 2 ** 14, codec: codecs.utf8, whenFull: "evict" } as const;
    using full = SharedMap.create("memfd:full", options);
    let loads = 0;
    const load = async (): Promise<string> => (loads++, await Bun.sleep(10), "loaded");
    const call = full.getOrSet("k", load);
    for (let at = 0; at < 2000; at++) full.set(`fill${at}`, "x".repeat(60));
    expect(full.stats().lost).toBeGreaterThan(1500);
    expect(await call).toBe("loaded");
    expect([full.get("k"), loads]).toEqual(["loaded", 1]);
  });
});

test("bad arguments are refused, also where the value is there", async () => {
  expect(map.getOrSet("k", 5 as never)).rejects.toThrow(TypeError);
  for (const options of [{ ttlMs: 0 }, { errorTtlMs: -1 }, { timeoutMs: -1 }, { staleMs: -1 }]) {
    expect(map.getOrSet("k", never, options)).rejects.toThrow(RangeError);
  }
  expect(map.getOrSet("k", never, { ttl: 5 } as object)).rejects.toThrow("ttlMs");
  expect(map.getOrSet("x".repeat(2000), never)).rejects.toThrow(RangeError);
  map.update("u", (old) => {
    expect(map.getOrSet("k", never)).rejects.toMatchObject({ code: "EDEADLK" });
    return old;
  });
  using reader = SharedMap.open(name, { codec: codecs.json<Page>(), access: "read" });
  expect(reader.getOrSet("k", never)).rejects.toThrow("reading only");
  map.set("k", { text: "x" });
  expect(await reader.getOrSet("k", never)).toEqual({ text: "x" });
});

test("of eight processes, one loads each key", async () => {
  const keys = 60;
  const counts = uniqueName("counts");
  using begun = SharedMap.create(counts, { size: SIZE, codec: codecs.number });
  const children = Array.from({ length: 8 }, () =>
    spawnBun("test/peers/map-loader.ts", name, counts, String(keys), "5"),
  );
  for (const child of children) {
    expect(await finished(child)).toMatchObject({ exitCode: 0, stderr: "" });
  }
  expect([...begun.values()]).toEqual(Array.from({ length: keys }, () => 1));
  begun.unlink();
});
