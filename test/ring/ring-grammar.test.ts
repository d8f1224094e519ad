/** What a ring says to callers who ask for what cannot be, and where it can lie. */
import { afterEach, describe, expect, test } from "bun:test";
import { ClosedError, LayoutError, RingBuffer, Segment, codecs } from "../../src/index.ts";
import { CONSUMER_POSITION_OFFSET, RING_DATA_OFFSET } from "../../src/layout/ring-layout.ts";
import { uniqueName } from "../support/names.ts";

const names: string[] = [];

function fresh(): string {
  const name = uniqueName("ring");
  names.push(name);
  return name;
}

afterEach(() => {
  for (const name of names.splice(0)) Segment.unlink(name);
});

/** What an action throws. */
function thrown(action: () => unknown): Error & { code?: string; offset?: number } {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

async function rejected(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    () => {
      throw new Error("Nothing was thrown");
    },
    (error: unknown) => error as Error,
  );
}

const SHAPES = [
  { kind: "spsc" },
  { kind: "mpsc" },
  { kind: "broadcast", policy: "overwrite" },
  { kind: "broadcast", policy: "block" },
] as const;

describe("RingBuffer inside a segment of the user's", () => {
  for (const shape of SHAPES) {
    test(`${JSON.stringify(shape)}: two beside each other, with roles of their own`, () => {
      const length = RingBuffer.byteLength({ ...shape, capacity: 1024 });
      expect(length % 128).toBe(0);
      using segment = Segment.create(fresh(), { size: 128 + 2 * length });
      const options = { ...shape, capacity: 1024, codec: codecs.utf8 };
      using first = RingBuffer.init(segment, 128, options);
      using second = RingBuffer.init(segment, 128 + length, options);
      using found = RingBuffer.at(segment, 128 + length, options);
      expect([first.offset, second.offset, found.offset]).toEqual([
        128,
        128 + length,
        128 + length,
      ]);
      expect([first.created, found.created, found.kind]).toEqual([true, false, shape.kind]);
      expect([found.name, found.segment]).toEqual([segment.name, segment]);

      using one = first.producer();
      using two = second.producer();
      using oneOut = first.consumer();
      using twoOut = found.consumer();
      for (let round = 0; round < 200; round++) {
        expect(one.tryWrite(`first ${round}`)).toBe(true);
        expect(two.tryWrite(`second ${round}`)).toBe(true);
        expect(oneOut.tryTake()).toBe(`first ${round}`);
        expect(twoOut.tryTake()).toBe(`second ${round}`);
      }
      expect([oneOut.tryTake(), twoOut.tryTake()]).toEqual([undefined, undefined]);
      expect([first.stats().in, second.stats().in]).toEqual([200, 200]);
      expect(segment.bytes.subarray(0, 128).every((byte) => byte === 0)).toBe(true);
      if (shape.kind === "mpsc") return;
      expect(thrown(() => found.producer())).toMatchObject({ name: "StateError", code: "EBUSY" });
    });
  }

  test("is not made over one that is there, unless that is asked for", () => {
    using segment = Segment.create(fresh(), { size: 16384 });
    using ring = RingBuffer.init(segment, 1024, { capacity: 1024 });
    ring.producer().tryWrite("old");
    const again = thrown(() => RingBuffer.init(segment, 1024, { capacity: 1024 }));
    expect(again).toMatchObject({ name: "StateError", code: "EEXIST" });
    expect(again.message).toBe(
      `Cannot make ring at 1024 in segment "${segment.name}": there is one already. ` +
        "Find it with `at`, or pass { overwrite: true } when nobody uses it any more",
    );
    ring.close();
    using fromZero = RingBuffer.init(segment, 1024, { capacity: 512, overwrite: true });
    expect([fromZero.capacity, fromZero.stats().in]).toEqual([512, 0]);
    expect(fromZero.consumer().tryTake()).toBeUndefined();
  });

  test("places that cannot be are refused", () => {
    using segment = Segment.create(fresh(), { size: 4096 });
    const init = (offset: unknown) => () =>
      RingBuffer.init(segment, offset as number, { capacity: 1024 });
    expect(init(64)).toThrow("its offset must be a multiple of 128, not 64");
    expect(init(4096)).toThrow("end beyond the segment's 4096");
    expect(init(-128)).toThrow(RangeError);
    expect(init("128")).toThrow(TypeError);
    expect(() => RingBuffer.init("/x" as never, 0)).toThrow("it is not a Segment");
    expect(thrown(() => RingBuffer.at(segment, 128)).message).toContain("it holds only zeros");
  });

  test("nobody takes a role where nothing that it writes reaches others", () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 1024 });
    ring.producer().tryWrite("x");
    using segment = Segment.open(name, { access: "read" });
    using view = RingBuffer.at(segment, 0);
    expect(view.stats().in).toBe(1);
    expect(() => view.consumer()).toThrow("its segment was opened for reading only");
    expect(() => view.producer()).toThrow(TypeError);
  });
});

describe("RingBuffer with other parameters than what is there", () => {
  test("each difference is named, what is there and what was asked", () => {
    const name = fresh();
    using ring = RingBuffer.create(name, {
      capacity: 4096,
      kind: "broadcast",
      policy: "block",
      codec: codecs.utf8,
    });
    const differences = [
      [{ kind: "spsc" }, "kind: expected spsc at offset 16, found broadcast"],
      [{ policy: "overwrite" }, "policy: expected overwrite at offset 16, found block"],
      [{ capacity: 8192 }, "capacity: expected 8192 at offset 28, found 4096"],
      [{ codec: codecs.json() }, "codec: expected json at offset 64, found utf8"],
      [{ codec: undefined }, "codec: expected bytes at offset 64, found utf8"],
    ] as const;
    for (const [other, message] of differences) {
      const options = { codec: codecs.utf8 as never, ...other } as object;
      const error = thrown(() => RingBuffer.open(name, options));
      expect(error).toBeInstanceOf(LayoutError);
      expect(error.message).toBe(`Cannot open ring "${name}": it has a different ${message}`);
      if ("policy" in other) continue;
      expect(thrown(() => RingBuffer.openOrCreate(name, options)).message).toBe(error.message);
    }
    // What is the same, and what is not given.
    for (const options of [
      {},
      { kind: "broadcast" },
      { policy: "block", capacity: 4096 },
    ] as const) {
      RingBuffer.open(name, { ...options, codec: codecs.utf8 }).close();
    }
    expect(ring.kind).toBe("broadcast");
  });

  test("raw reads what any codec wrote, and what is made with it takes any codec", () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { codec: codecs.json<number[]>() });
    ring.producer().tryWrite([1, 2]);
    using tool = RingBuffer.open(name, { codec: codecs.raw });
    expect(Buffer.from(tool.consumer().tryTake()!).toString()).toBe("[1,2]");

    const any = fresh();
    using made = RingBuffer.create(any, { codec: codecs.raw });
    using words = RingBuffer.open(any, { codec: codecs.utf8 });
    made.producer().tryWrite("text");
    expect(words.consumer().tryTake()).toBe("text");
  });

  test("an offset in an error counts from the start of the segment", () => {
    using segment = Segment.create(fresh(), { size: 16384 });
    using ring = RingBuffer.init(segment, 2048, { capacity: 1024 });
    using producer = ring.producer();
    producer.tryWrite("x");
    segment.view.setInt32(2048 + RING_DATA_OFFSET, 7000, true);
    using consumer = ring.consumer();
    const what = `ring at 2048 in segment "${segment.name}"`;
    const error = thrown(() => consumer.tryTake());
    expect(error).toMatchObject({ name: "LayoutError", offset: 2048 + RING_DATA_OFFSET });
    expect(error.message).toStartWith(`Cannot use ${what}: it is corrupt, a record is wrong`);
    consumer.close();
    segment.view.setInt32(2048 + CONSUMER_POSITION_OFFSET, 4, true);
    expect(thrown(() => ring.consumer())).toMatchObject({
      offset: 2048 + CONSUMER_POSITION_OFFSET,
    });
  });
});

describe("RingBuffer, arguments", () => {
  test("of making and finding", () => {
    const create = (options: unknown) => () => RingBuffer.create(fresh(), options as object);
    expect(create({ capicity: 64 })).toThrow('"capicity" (did you mean "capacity"?)');
    expect(create({ wait: 5 })).toThrow('there is no option "wait"');
    expect(create(null)).toThrow("its options must be an object, not null");
    expect(create({ capacity: 100 })).toThrow(
      new RegExp('^Cannot create ring "/.*" with a capacity of 100: it must be a power of two$'),
    );
    expect(create({ capacity: 32 })).toThrow(RangeError);
    expect(create({ capacity: "64" })).toThrow(TypeError);
    expect(create({ kind: "mpmc" })).toThrow(
      'its kind must be "spsc" or "mpsc" or "broadcast", not "mpmc"',
    );
    expect(create({ codec: "json" })).toThrow("its codec must be one of codecs");
    expect(create({ codec: { encode: () => undefined, decode: () => undefined } })).toThrow("id");
    expect(create({ mode: 0o1777 })).toThrow(RangeError);
    expect(() => RingBuffer.open(fresh(), { waitMs: -1 })).toThrow("waitMs must be");
    expect(() => RingBuffer.open(fresh(), { mode: 0o600 } as object)).toThrow('no option "mode"');
    expect(() => RingBuffer.byteLength({ capacity: 65 })).toThrow(RangeError);
    expect(names.filter((name) => Segment.exists(name))).toEqual([]);
  });

  test("of handles and their calls", async () => {
    using ring = RingBuffer.create(fresh(), { capacity: 1024 });
    expect(() => ring.producer({ batch: 0 })).toThrow("its batch must be an integer of at least 1");
    expect(() => ring.producer({ strategy: "sleep" as never })).toThrow("its strategy must be");
    expect(() => ring.consumer({ batch: 1 } as object)).toThrow('there is no option "batch"');
    using producer = ring.producer();
    using consumer = ring.consumer();
    const bad = [{ timeoutMs: -1 }, { timeoutMs: "1" }, { timeout: 1 }, { signal: 1 }] as object[];
    for (const options of bad) {
      for (const call of [
        () => producer.write("x", options),
        () => producer.claim(1, options),
        () => consumer.read(() => undefined, options),
        () => consumer.take(options),
        () => consumer.wait(options),
      ]) {
        const error = thrown(call);
        expect(error instanceof TypeError || error instanceof RangeError).toBe(true);
      }
      for (const call of [
        () => producer.writeAsync("x", options),
        () => producer.claimAsync(1, options),
        () => consumer.readAsync(() => undefined, options),
        () => consumer.takeAsync(options),
        () => consumer.waitAsync(options),
      ]) {
        const error = await rejected(call());
        expect(error instanceof TypeError || error instanceof RangeError).toBe(true);
      }
    }
    for (const type of [-1, 1.5, Number.NaN, 2 ** 31, "1", {}] as number[]) {
      expect(() => producer.tryWrite("x", type)).toThrow("a record's type must be an integer");
      expect(() => producer.write("x", { type })).toThrow("a record's type must be an integer");
      expect(() => producer.tryClaim(1, type)).toThrow("a record's type must be an integer");
    }
    for (const length of [-1, 1.5, Number.NaN, 257, "1"] as number[]) {
      expect(() => producer.tryClaim(length)).toThrow("a record's length must be an integer");
    }
    for (const value of [5, undefined, null, {}, [1]]) {
      expect(() => producer.tryWrite(value as never)).toThrow(
        "a Uint8Array, a DataView or a string",
      );
    }
    for (const limit of [0, -1, 1.5, Number.NaN, "1"] as number[]) {
      expect(() => consumer.tryRead(() => undefined, limit)).toThrow(
        "its limit must be an integer",
      );
      expect(() => consumer.read(() => undefined, { limit })).toThrow(
        "its limit must be an integer",
      );
    }
    expect(() => consumer.tryRead("x" as never)).toThrow("its handler must be a function");
    expect(() => consumer.values({ signal: 1 } as object)).toThrow("signal must be");
    expect(ring.stats()).toMatchObject({ in: 0, waits: 0, full: 0 });
  });

  test("a codec that encodes to something else is refused, and nothing is written", () => {
    const codec = { id: "bad/1", encode: () => "text" as never, decode: () => 1 };
    using ring = RingBuffer.create(fresh(), { codec });
    using producer = ring.producer();
    expect(() => producer.tryWrite(1)).toThrow(
      `Cannot write with the producer of ring "${ring.name}": its codec must encode to a ` +
        'Uint8Array, and not to "text"',
    );
    expect(ring.stats().in).toBe(0);
  });

  for (const shape of SHAPES) {
    test(`${JSON.stringify(shape)}: a handler that returns a promise is refused`, () => {
      using ring = RingBuffer.create(fresh(), { ...shape, codec: codecs.utf8 });
      using producer = ring.producer();
      using consumer = ring.consumer();
      for (const text of ["a", "b", "c"]) producer.tryWrite(text);
      const declared = async (): Promise<void> => {};
      expect(() => consumer.tryRead(declared)).toThrow("a handler that returns a promise");
      const thenable = (): Promise<void> => Promise.resolve();
      expect(() => consumer.tryRead(thenable)).toThrow("a handler that returns a promise");
      // The first was not begun; the second has read its record.
      expect([consumer.tryTake(), consumer.tryTake(), consumer.tryTake()]).toEqual([
        "b",
        "c",
        undefined,
      ]);
      expect(consumer.tryRead(() => 7)).toBe(0);
    });
  }

  test("a signal ends waits before they begin, and iterations", async () => {
    using ring = RingBuffer.create(fresh(), { capacity: 1024, codec: codecs.utf8 });
    using producer = ring.producer();
    using consumer = ring.consumer();
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    expect(thrown(() => producer.write("x", { signal }))).toBe(reason);
    expect(thrown(() => consumer.take({ signal }))).toBe(reason);
    expect(await rejected(producer.writeAsync("x", { signal }))).toBe(reason);
    expect(ring.stats().in).toBe(0);

    const controller = new AbortController();
    const seen: string[] = [];
    const iterating = (async () => {
      for await (const text of consumer.values({ signal: controller.signal })) {
        seen.push(text);
        if (text === "last") controller.abort(reason);
      }
    })();
    producer.tryWrite("first");
    producer.tryWrite("last");
    expect(await rejected(iterating)).toBe(reason);
    expect(seen).toEqual(["first", "last"]);
  });
});

describe("RingBuffer, claims that wait", () => {
  test("claim blocks for its time, claimAsync until there is room", async () => {
    using ring = RingBuffer.create(fresh(), { capacity: 256 });
    using producer = ring.producer();
    using consumer = ring.consumer();
    while (producer.tryWrite(new Uint8Array(24)));
    expect(producer.claim(24, { timeoutMs: 5 })).toBeUndefined();
    expect(await producer.claimAsync(24, { timeoutMs: 5 })).toBeUndefined();
    const claiming = producer.claimAsync(24, { type: 9 });
    await Bun.sleep(10);
    expect(consumer.tryRead(() => undefined)).toBeGreaterThan(5);
    using claim = (await claiming)!;
    claim.bytes.fill(3);
    expect(thrown(() => producer.tryWrite("x"))).toMatchObject({
      name: "StateError",
      code: "EBUSY",
    });
    claim.commit();
    expect(thrown(() => claim.commit())).toMatchObject({ name: "StateError", code: "EPERM" });
    expect(thrown(() => producer.commit())).toMatchObject({ name: "StateError", code: "EPERM" });
    let got: readonly number[] = [];
    consumer.tryRead((view, index, length, type) => (got = [view.getUint8(index), length, type]));
    expect(got).toEqual([3, 24, 9]);
  });
});

describe("RingBuffer after close", () => {
  type Ring = RingBuffer<string>;
  const ends: readonly [string, (ring: Ring, segment: Segment) => void][] = [
    ["the ring", (ring) => ring.close()],
    ["its segment", (_ring, segment) => segment.close()],
  ];
  for (const shape of SHAPES) {
    for (const [whose, end] of ends) {
      test(`${JSON.stringify(shape)}: ${whose} was closed`, async () => {
        const options = { ...shape, capacity: 1024, codec: codecs.utf8 };
        const segment = Segment.create(fresh(), { size: 128 + RingBuffer.byteLength(options) });
        const ring = RingBuffer.init(segment, 128, options);
        const producer = ring.producer({ batch: 4 });
        const consumer = ring.consumer();
        // Held back with its batch; an mpsc ring holds nothing back.
        if (shape.kind !== "mpsc") producer.tryWrite("x");
        const claim = producer.claim(4)!;
        const pending = [consumer.takeAsync(), consumer.waitAsync()] as const;
        const iterating = (async () => {
          for await (const text of consumer) throw new Error(`Read ${text}`);
          return "ended";
        })();
        end(ring, segment);
        const what = `ring at 128 in segment "${segment.name}"`;
        for (const call of [() => ring.producer(), () => ring.consumer(), () => ring.stats()]) {
          expect(thrown(call)).toEqual(new ClosedError(what));
        }
        expect(thrown(() => ring.unlink())).toBeInstanceOf(ClosedError);
        for (const call of [
          () => producer.tryWrite("x"),
          () => producer.write("x"),
          () => producer.tryClaim(1),
          () => producer.tryClaim(0),
          () => producer.claim(1),
          () => producer.commit(),
          () => producer.abort(),
          () => producer.flush(),
          () => claim.commit(),
          () => claim.view,
        ]) {
          expect(thrown(call)).toEqual(new ClosedError(`the producer of ${what}`));
        }
        for (const call of [
          () => consumer.tryRead(() => undefined),
          () => consumer.read(() => undefined),
          () => consumer.tryTake(),
          () => consumer.take(),
          () => consumer.wait(),
          () => consumer.values(),
        ]) {
          expect(thrown(call)).toEqual(new ClosedError(`the consumer of ${what}`));
        }
        for (const promise of [producer.writeAsync("x"), producer.claimAsync(1)]) {
          expect(await rejected(promise)).toBeInstanceOf(ClosedError);
        }
        for (const promise of [
          consumer.takeAsync(),
          consumer.readAsync(() => undefined),
          consumer.waitAsync(),
        ]) {
          expect(await rejected(promise)).toBeInstanceOf(ClosedError);
        }
        // What waited when it was closed ends without a value.
        expect(await Promise.all(pending)).toEqual([undefined, false]);
        expect(await iterating).toBe("ended");
        // Facts go on answering, and ends are idempotent.
        expect([ring.closed, producer.closed, consumer.closed]).toEqual([true, true, true]);
        expect([ring.name, ring.capacity, ring.kind]).toEqual([segment.name, 1024, shape.kind]);
        expect([ring.created, ring.offset, consumer.lost]).toEqual([true, 128, 0]);
        claim.abort();
        for (const each of [producer, consumer, ring, producer, consumer, ring]) each.close();
        segment.close();
      });
    }
  }

  test("bytes that would only be held back with their batch are refused too", () => {
    using segment = Segment.create(fresh(), { size: 4096 });
    using ring = RingBuffer.init(segment, 0, { capacity: 1024 });
    using producer = ring.producer({ batch: 100 });
    expect(producer.tryWrite(new Uint8Array(1))).toBe(true);
    segment.close();
    for (const length of [0, 1, 24, 25, 200]) {
      expect(thrown(() => producer.tryWrite(new Uint8Array(length)))).toBeInstanceOf(ClosedError);
      expect(thrown(() => producer.tryClaim(length))).toBeInstanceOf(ClosedError);
    }
  });

  test("a write that waits for room ends with a ClosedError", async () => {
    const ring = RingBuffer.create(fresh(), { capacity: 256 });
    const producer = ring.producer();
    while (producer.tryWrite(new Uint8Array(24)));
    const writing = rejected(producer.writeAsync(new Uint8Array(24)));
    const claiming = rejected(producer.claimAsync(24));
    ring.close();
    expect([await writing, await claiming]).toEqual([
      new ClosedError(`the producer of ring "${ring.name}"`),
      new ClosedError(`the producer of ring "${ring.name}"`),
    ]);
  });
});
