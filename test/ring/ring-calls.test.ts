/** Calls at the same time, calls inside calls, and the event loop's share, on every kind of ring. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  ClosedError,
  type Codec,
  RingBuffer,
  type RingConsumer,
  type RingOptions,
  Segment,
  codecs,
} from "../../src/index.ts";
import { caught } from "../support/caught.ts";
import { uniqueName } from "../support/names.ts";
import { finished, spawnBun } from "../support/process.ts";

const names: string[] = [];

function fresh(): string {
  const name = uniqueName("calls");
  names.push(name);
  return name;
}

afterEach(() => {
  for (const name of names.splice(0)) Segment.unlink(name);
});

type Kind = Pick<RingOptions<string>, "kind" | "policy">;
const KINDS: readonly [string, Kind][] = [
  ["spsc", { kind: "spsc" }],
  ["mpsc", { kind: "mpsc" }],
  ["broadcast, overwrite", { kind: "broadcast", policy: "overwrite" }],
  ["broadcast, block", { kind: "broadcast", policy: "block" }],
];

const textOf = (view: DataView, index: number, length: number): string =>
  Buffer.from(view.buffer, view.byteOffset + index, length).toString();

function drain<T>(consumer: RingConsumer<T>): T[] {
  const values: T[] = [];
  for (let value = consumer.tryTake(); value !== undefined; value = consumer.tryTake()) {
    values.push(value);
  }
  return values;
}

describe.each(KINDS)("%s", (_name, kind) => {
  const create = <T = string>(capacity = 4096, codec?: Codec<T>): RingBuffer<T> =>
    RingBuffer.create(fresh(), {
      ...kind,
      capacity,
      codec: codec ?? (codecs.utf8 as unknown as Codec<T>),
    });

  test("takes at the same time get each record once, in their order", async () => {
    using ring = create();
    using producer = ring.producer();
    using consumer = ring.consumer();
    for (const text of ["a", "b", "c"]) producer.tryWrite(text);
    const three = [1, 2, 3].map(() => consumer.takeAsync({ timeoutMs: 1000 }));
    expect(await Promise.all(three)).toEqual(["a", "b", "c"]);

    const waiting = [1, 2, 3].map(() => consumer.takeAsync());
    await Bun.sleep(5);
    for (const text of ["d", "e", "f"]) producer.tryWrite(text);
    expect(await Promise.all(waiting)).toEqual(["d", "e", "f"]);
    expect(drain(consumer)).toEqual([]);
  });

  test("takes, reads and an iteration at the same time share the records", async () => {
    using ring = create();
    using producer = ring.producer();
    const consumer = ring.consumer();
    const seen: string[] = [];
    const loops = [
      (async () => {
        for await (const text of consumer) seen.push(text);
      })(),
      (async () => {
        while (!consumer.closed) seen.push((await consumer.takeAsync()) ?? "end");
      })(),
      (async () => {
        const handler = (view: DataView, index: number, length: number): void => {
          seen.push(textOf(view, index, length));
        };
        while (!consumer.closed) await consumer.readAsync(handler, { limit: 2 });
      })(),
    ];
    const wanted = Array.from({ length: 300 }, (_, at) => String(at));
    for (const [at, text] of wanted.entries()) {
      producer.tryWrite(text);
      if (at % 7 === 0) await Bun.sleep(0);
    }
    while (seen.length < wanted.length) await Bun.sleep(1);
    consumer.close();
    await Promise.all(loops);
    const numbers = seen.filter((text) => text !== "end").map(Number);
    expect(numbers.sort((a, b) => a - b)).toEqual(wanted.map(Number));
  });

  test("a wait in the line ends by its timeout, its signal, or the consumer's end", async () => {
    using ring = create();
    const consumer = ring.consumer();
    const first = consumer.takeAsync();
    const timed = consumer.takeAsync({ timeoutMs: 5 });
    const abort = new AbortController();
    const aborted = consumer.takeAsync({ signal: abort.signal });
    const read = consumer.readAsync(() => undefined);
    expect(await timed).toBeUndefined();
    abort.abort(new Error("enough"));
    expect(aborted).rejects.toThrow("enough");
    consumer.close();
    expect(await Promise.all([first, read])).toEqual([undefined, 0]);
    expect(consumer.takeAsync()).rejects.toThrow(ClosedError);
  });

  test("the time in the line counts", async () => {
    using ring = create();
    using producer = ring.producer();
    using consumer = ring.consumer();
    const order: string[] = [];
    const first = consumer.takeAsync();
    const second = consumer.takeAsync({ timeoutMs: 300 }).then(() => order.push("second"));
    // It would be over after 500 ms if its time began with its turn.
    const reference = Bun.sleep(400).then(() => order.push("reference"));
    await Bun.sleep(200);
    producer.tryWrite("a");
    expect(await first).toBe("a");
    await Promise.all([second, reference]);
    expect(order).toEqual(["second", "reference"]);
  });

  test("a read inside a handler is refused, and the record in hand stays whole", async () => {
    using ring = create(1024);
    using producer = ring.producer();
    using consumer = ring.consumer();
    const nested: Record<string, () => unknown> = {
      tryTake: () => consumer.tryTake(),
      take: () => consumer.take({ timeoutMs: 5 }),
      tryRead: () => consumer.tryRead(() => undefined),
      read: () => consumer.read(() => undefined, { timeoutMs: 5 }),
    };
    const later: Record<string, () => Promise<unknown>> = {
      takeAsync: () => consumer.takeAsync({ timeoutMs: 5 }),
      readAsync: () => consumer.readAsync(() => undefined, { timeoutMs: 5 }),
      next: () => consumer.values().next(),
    };
    const all = [...Object.keys(nested), ...Object.keys(later)];
    const texts = all.map((call) => call.padEnd(60, "."));
    for (const text of texts) producer.tryWrite(text);
    const seen: string[] = [];
    const refused: Promise<unknown>[] = [];
    const count = consumer.tryRead((view, index, length) => {
      const call = all[seen.length]!;
      if (call in nested) {
        expect(caught(nested[call]!)).toMatchObject({ name: "StateError", code: "EBUSY" });
      } else {
        refused.push(later[call]!().catch((error: unknown) => (error as { code?: string }).code));
      }
      seen.push(textOf(view, index, length));
    });
    expect(count).toBe(all.length);
    expect(seen).toEqual(texts);
    expect(await Promise.all(refused)).toEqual(["EBUSY", "EBUSY", "EBUSY"]);
    producer.tryWrite("after");
    expect(consumer.tryTake()).toBe("after");
  });

  test("a handler may write, and what it writes comes after", () => {
    using ring = create();
    using producer = ring.producer();
    using consumer = ring.consumer();
    producer.tryWrite("one");
    producer.tryWrite("two");
    const seen: string[] = [];
    consumer.tryRead((view, index, length) => {
      const text = textOf(view, index, length);
      seen.push(text);
      if (!text.startsWith("re:")) producer.tryWrite(`re:${text}`);
    });
    expect([...seen, ...drain(consumer)]).toEqual(["one", "two", "re:one", "re:two"]);
  });

  test.each(["consumer", "ring", "segment"] as const)(
    "after %s.close() inside a handler nothing more is handed over",
    (what) => {
      using owner = create();
      using segment = Segment.open(owner.name);
      const ring = RingBuffer.at(segment, 0, { codec: codecs.utf8 });
      using producer = owner.producer();
      const consumer = ring.consumer();
      for (const text of ["a", "stop", "b"]) producer.tryWrite(text);
      const seen: string[] = [];
      const count = consumer.tryRead((view, index, length) => {
        seen.push(textOf(view, index, length));
        if (seen.at(-1) !== "stop") return;
        if (what === "consumer") consumer.close();
        else if (what === "ring") ring.close();
        else segment.close();
      });
      expect([count, ...seen]).toEqual([2, "a", "stop"]);
      expect(consumer.closed).toBe(true);
      expect(() => consumer.tryTake()).toThrow(ClosedError);
      consumer.close();
      if (kind.kind === "broadcast" || what === "segment") return;
      using next = owner.consumer();
      expect(drain(next)).toEqual(["b"]);
      expect(owner.stats()).toMatchObject({ in: 3, out: 3, depth: 0 });
    },
  );

  test("the error of a handler that closed the consumer is its own", () => {
    using ring = create();
    using producer = ring.producer();
    const consumer = ring.consumer();
    producer.tryWrite("a");
    const handler = (): void => {
      consumer.close();
      throw new TypeError("mine");
    };
    expect(() => consumer.tryRead(handler)).toThrow("mine");
    expect(() => consumer.tryRead(handler)).toThrow(ClosedError);
  });

  test("a codec may use the ring that it decodes for", () => {
    let inDecode: (() => void) | undefined;
    const curious: Codec<string> = {
      id: "curious",
      encode: (text) => Buffer.from(text),
      decode(bytes) {
        const call = inDecode;
        inDecode = undefined;
        call?.();
        return Buffer.from(bytes).toString();
      },
    };
    using ring = create(4096, curious);
    using producer = ring.producer();
    using consumer = ring.consumer();
    for (const text of ["a", "b", "c"]) producer.tryWrite(text);
    let inner: string | undefined;
    inDecode = () => {
      inner = consumer.tryTake();
      producer.tryWrite("d");
    };
    expect([consumer.tryTake(), inner]).toEqual(["a", "b"]);
    inDecode = () => consumer.close();
    expect(consumer.tryTake()).toBe("c");
    expect(() => consumer.tryTake()).toThrow(ClosedError);
  });

  test("a codec that decodes to a promise is refused, and its record counts as read", () => {
    const later = {
      id: "later",
      encode: (text: string) => Buffer.from(text),
      decode: (bytes: Uint8Array) => Promise.resolve(String(bytes.length)),
    };
    using ring = create(4096, later as unknown as Codec<string>);
    using producer = ring.producer();
    using consumer = ring.consumer();
    producer.tryWrite("a");
    expect(() => consumer.tryTake()).toThrow('the codec "later" returned a promise');
    expect(consumer.tryTake()).toBeUndefined();
  });

  test("a codec that writes while it encodes comes first", () => {
    let inEncode: (() => void) | undefined;
    const busy: Codec<string> = {
      id: "busy",
      encode(text) {
        const call = inEncode;
        inEncode = undefined;
        call?.();
        return Buffer.from(text);
      },
      decode: (bytes) => Buffer.from(bytes).toString(),
    };
    using ring = create(4096, busy);
    using producer = ring.producer();
    using consumer = ring.consumer();
    inEncode = () => producer.tryWrite("inner");
    expect(producer.tryWrite("outer")).toBe(true);
    inEncode = () => producer.close();
    expect(() => producer.tryWrite("late")).toThrow(ClosedError);
    expect(drain(consumer)).toEqual(["inner", "outer"]);
  });

  test("loops of asynchronous reads let timers fire", async () => {
    using ring = create<number>(1 << 22, codecs.number);
    using producer = ring.producer();
    using consumer = ring.consumer();
    const loops: (() => Promise<void>)[] = [
      async () => void (await consumer.takeAsync()),
      async () => void (await consumer.readAsync(() => undefined, { limit: 1 })),
      async () => void (await iterator.next()),
      async () => void (await producer.writeAsync(2)),
    ];
    const iterator = consumer.values();
    for (const step of loops) {
      let fired = 0;
      const timer = setInterval(() => fired++, 5);
      // It ends only when the timer has fired, and nothing else in it lets the loop turn.
      while (fired < 3) {
        for (let at = 0; at < 50; at++) producer.tryWrite(1);
        for (let at = 0; at < 40; at++) await step();
        if (step === loops[3]) drain(consumer);
      }
      clearInterval(timer);
      drain(consumer);
    }
    await iterator.return();
  });

  test("an exchange that is answered at once lets timers fire", async () => {
    using ring = RingBuffer.create(fresh(), { capacity: 1 << 16, ...kind });
    names.push(`${ring.name}-back`);
    using back = RingBuffer.create(`${ring.name}-back`, { capacity: 1 << 16, ...kind });
    using consumer = back.consumer();
    const child = spawnBun("test/peers/ring-peer.ts", "echo", ring.name);
    for await (const _ of child.stdout) break;
    using producer = ring.producer();
    const loops = [
      async () => void (await consumer.takeAsync()),
      async () => void (await consumer.readAsync(() => undefined)),
      async () => void (await iterator.next()),
    ];
    const iterator = consumer.values();
    for (const answered of loops) {
      let fired = 0;
      const timer = setInterval(() => fired++, 5);
      while (fired < 3) {
        producer.tryWrite("question");
        await answered();
      }
      clearInterval(timer);
    }
    child.kill("SIGKILL");
    await child.exited;
  });

  test("an iteration can end with its producers", async () => {
    using ring = create(1 << 16);
    using consumer = ring.consumer();
    const seen: string[] = [];
    const done = (async () => {
      for await (const text of consumer.values({ untilProducersEnd: true })) seen.push(text);
    })();
    expect(ring.hasProducer).toBe(false);
    const child = spawnBun("test/peers/ring-writer.ts", ring.name, "500");
    await done;
    await finished(child);
    expect(seen).toEqual(Array.from({ length: 500 }, (_, at) => String(at)));
    expect(ring.hasProducer).toBe(false);
  });

  test("an iteration ends with producers that are killed", async () => {
    using ring = create();
    using consumer = ring.consumer();
    const child = spawnBun("test/peers/ring-writer.ts", ring.name, "Infinity");
    let count = 0;
    for await (const text of consumer.values({ untilProducersEnd: true })) {
      if (kind.policy !== "overwrite") expect(text).toBe(String(count));
      if (++count === 200) child.kill("SIGKILL");
    }
    expect(count).toBeGreaterThanOrEqual(200);
    await child.exited;
  });

  test("an iteration that may end with its producers takes a signal", async () => {
    using ring = create();
    using producer = ring.producer();
    using consumer = ring.consumer();
    producer.tryWrite("a");
    const abort = new AbortController();
    const values = consumer.values({ untilProducersEnd: true, signal: abort.signal });
    expect(await values.next()).toEqual({ done: false, value: "a" });
    setTimeout(() => abort.abort(new Error("enough")), 5);
    expect(values.next()).rejects.toThrow("enough");
  });
});

describe.each(KINDS.filter(([, { policy }]) => policy !== "overwrite"))(
  "%s, full",
  (_name, kind) => {
    const create = <T>(codec: Codec<T>): RingBuffer<T> =>
      RingBuffer.create(fresh(), { ...kind, capacity: 512, codec });

    test("records keep the order of the calls that write them", async () => {
      using ring = create(codecs.utf8);
      using producer = ring.producer();
      using consumer = ring.consumer();
      let filled = 0;
      while (producer.tryWrite(String(filled))) filled++;
      // The long one does not fit where the short one would.
      const long = producer.writeAsync("long".padEnd(40, "."));
      const short = producer.writeAsync("short");
      const timed = producer.writeAsync("too late", { timeoutMs: 5 });
      expect(await timed).toBe(false);
      expect(consumer.tryTake()).toBe("0");
      expect(producer.tryWrite("overtakes")).toBe(false);
      expect(producer.tryClaim(1)).toBe(-1);
      expect(producer.write("overtakes", { timeoutMs: 0 })).toBe(false);
      expect(caught(() => producer.write("blocks"))).toMatchObject({
        name: "StateError",
        code: "EBUSY",
      });
      const seen: string[] = [];
      while (!seen.includes("short")) seen.push((await consumer.takeAsync())!);
      expect(await Promise.all([long, short])).toEqual([true, true]);
      const wanted = Array.from({ length: filled - 1 }, (_, at) => String(at + 1));
      expect(seen).toEqual([...wanted, "long".padEnd(40, "."), "short"]);
      expect(producer.tryWrite("free again")).toBe(true);
      expect(producer.write("and again")).toBe(true);
    });

    test("claims that wait at the same time are granted one after the other", async () => {
      using ring = create(codecs.bytes);
      using producer = ring.producer();
      using consumer = ring.consumer();
      while (producer.tryWrite(new Uint8Array(40).fill(9)));
      const order: number[] = [];
      const claims = [1, 2, 3].map(async (number) => {
        using claim = (await producer.claimAsync(40))!;
        await Bun.sleep(1);
        claim.bytes.fill(number);
        claim.commit();
        order.push(number);
      });
      const seen: number[] = [];
      while (!seen.includes(3)) seen.push((await consumer.takeAsync())![0]!);
      await Promise.all(claims);
      expect(order).toEqual([1, 2, 3]);
      expect(seen.filter((number) => number < 9)).toEqual([1, 2, 3]);
    });

    test("closing the producer ends every write that waits", async () => {
      using ring = create(codecs.utf8);
      const producer = ring.producer();
      using consumer = ring.consumer();
      while (producer.tryWrite("x"));
      const waiting = [1, 2, 3].map((at) => producer.writeAsync(String(at)));
      const ends = Promise.allSettled(waiting);
      producer.close();
      for (const end of await ends) {
        expect(end).toMatchObject({ status: "rejected", reason: { name: "ClosedError" } });
      }
      expect(new Set(drain(consumer))).toEqual(new Set(["x"]));
    });

    test("a value is kept while it waits, although its codec encodes into the same bytes", async () => {
      const shared = new Uint8Array(4);
      const frugal: Codec<number> = {
        id: "frugal",
        encode(value) {
          new DataView(shared.buffer).setUint32(0, value);
          return shared;
        },
        decode: (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0),
      };
      using ring = create(frugal);
      using producer = ring.producer();
      using consumer = ring.consumer();
      let filled = 0;
      while (producer.tryWrite(filled)) filled++;
      const waiting = [1, 2, 3].map((more) => producer.writeAsync(filled + more - 1));
      for (let value = 0; value < filled + 3; value++) {
        expect(await consumer.takeAsync()).toBe(value);
      }
      expect(await Promise.all(waiting)).toEqual([true, true, true]);
    });
  },
);
