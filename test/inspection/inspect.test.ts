/** Objects of every kind: recognised, read without mapping, and opened as what they are. */
import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Barrier,
  ClosedError,
  Condition,
  MessageQueue,
  Lease,
  Mutex,
  NamedLocks,
  PortableSegment,
  RateLimiter,
  RingBuffer,
  RwLock,
  Segment,
  Meters,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  UnsupportedError,
  codecs,
  openAny,
  openObject,
  struct,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { spawnBun } from "../support/process.ts";
import { outputUntil } from "../support/shm.ts";

const Quote = struct({ price: "f64" });

/** Anything that is there under a name until it is closed and removed. */
interface Made extends Disposable {
  unlink?(): boolean;
}

function inSegment(name: string, size: number, make: (segment: Segment) => unknown): Made {
  const segment = Segment.create(name, { size });
  make(segment);
  return segment;
}

const MAKERS: Readonly<Record<string, (name: string) => Made>> = {
  raw: (name) => inSegment(name, 64, ({ bytes }) => bytes.fill(1)),
  ring: (name) => RingBuffer.create(name, { capacity: 4096 }),
  "mpsc-ring": (name) => RingBuffer.create(name, { capacity: 4096, kind: "mpsc" }),
  broadcast: (name) => RingBuffer.create(name, { capacity: 4096, kind: "broadcast" }),
  "broadcast-block": (name) =>
    RingBuffer.create(name, { capacity: 4096, kind: "broadcast", policy: "block" }),
  queue: (name) => MessageQueue.create(name),
  record: (name) => SharedRecord.create(name, { codec: Quote }),
  table: (name) => SharedTable.create(name, { codec: Quote, rows: 10 }),
  map: (name) => SharedMap.create(name, { size: 1 << 16, codec: codecs.json() }),
  limiter: (name) =>
    RateLimiter.create(name, { algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 }),
  atomics: (name) => SharedAtomics.create(name, { words: ["state"], counters: ["requests"] }),
  meters: (name) => Meters.create(name, { size: 2 ** 14 }),
  portable: (name) => {
    const { segment } = PortableSegment.create(name, { size: 64 });
    return segment;
  },
  mutex: (name) => Mutex.create(name),
  "rw-lock": (name) => RwLock.create(name),
  condition: (name) => {
    const mutex = Mutex.create(`${name}-mutex`);
    mutex.unlink();
    return Condition.create(name, { mutex });
  },
  event: (name) => SharedEvent.create(name, { reset: "auto" }),
  barrier: (name) => Barrier.create(name, { parties: 2 }),
  lease: (name) => Lease.create(name),
  "named-locks": (name) => NamedLocks.create(name, { names: 5 }),
};

describe("openObject", () => {
  test.each(Object.entries(MAKERS))("recognises %s, and finds it sound", (kind, make) => {
    const name = uniqueName("kind");
    using made = make(name);
    using object = openObject(name);
    expect([object.kind, object.damage(), object.closed]).toEqual([
      kind as never,
      undefined,
      false,
    ]);
    const structures = object.fields().map(({ structure }) => structure);
    expect(structures.length > 0).toBe(kind !== "raw");
    for (const { value } of object.fields()) expect(value).toBeDefined();
    made.unlink?.();
    Segment.unlink(name);
  });

  test("reads the words of atomics by their names", () => {
    const name = uniqueName("atomics");
    using atomics = SharedAtomics.create(name, { words: ["state"], counters: ["requests"] });
    atomics.words["state"]!.store(7);
    atomics.counters["requests"]!.add(3);
    using object = openObject(name);
    const fields = new Map(object.fields().map((field) => [field.name, field.value]));
    expect([fields.get("state"), fields.get("requests")]).toEqual([7, [3, 0]]);
    expect(object.roles()).toBeUndefined();
    const { view } = atomics.segment;
    view.setUint32(32, 99, true);
    expect(object.damage()).toContain("number of names");
    atomics.unlink();
  });

  test.each([
    "ring",
    "mpsc-ring",
    "broadcast",
    "record",
    "table",
    "map",
    "atomics",
    "meters",
  ] as const)("calls %s damaged whose data ends beyond the object", (kind) => {
    const name = uniqueName("damage");
    using made = MAKERS[kind]!(name);
    using segment = Segment.open(name);
    segment.view.setUint32(28, 2 ** 20, true);
    using object = openObject(name);
    const offset = segment.view.getUint32(24, true);
    const ends = `its data ends at ${offset + 2 ** 20}, and the object at ${segment.size}`;
    expect(object.damage()).toBe(ends);
    expect(object.fields().length).toBeGreaterThan(0);
    object.activity();
    made.unlink?.();
  });

  test("knows a header of a version to come, and too short a one as raw memory", () => {
    const name = uniqueName("later");
    using atomics = SharedAtomics.create(name, { words: ["w"] });
    atomics.segment.view.setUint32(16, 99, true);
    using object = openObject(name);
    expect([object.kind, object.damage()]).toEqual(["unknown", undefined]);
    const { handle, kind } = openAny(name);
    expect([kind, handle instanceof Segment]).toEqual(["unknown", true]);
    handle.close();
    atomics.unlink();
    using short = Segment.create(uniqueName("short"), { size: 64 });
    short.view.setUint32(0, 0x4d485342, true);
    using seen = openObject(short.name);
    expect(seen.kind).toBe("raw");
    short.unlink();
  });

  test("names the roles that live handles hold, also of System V", () => {
    const name = uniqueName("roles");
    using ring = RingBuffer.create(name, { kind: "mpsc", capacity: 4096 });
    using object = openObject(name);
    expect(object.roles()).toEqual([]);
    const producers = [ring.producer(), ring.producer()];
    using consumer = ring.consumer();
    expect(consumer.closed).toBe(false);
    expect(object.roles()).toEqual(["consumer", "producer 0", "producer 1"]);
    producers[0]!.close();
    expect(object.roles()).toEqual(["consumer", "producer 1"]);
    ring.unlink();

    using segment = Segment.create("sysv:private", { size: 1 << 16 });
    using other = RingBuffer.init(segment, 0, { capacity: 4096 });
    using producer = other.producer();
    using seen = openObject(segment.name);
    expect([seen.kind, seen.roles(), producer.closed]).toEqual(["ring", ["producer"], false]);
    segment.unlink();
  });

  test("names the holder of a lease", () => {
    const name = uniqueName("lease");
    using lease = Lease.create(name);
    using object = openObject(name);
    expect(object.roles()).toEqual([]);
    const term = lease.tryAcquire();
    expect([term === undefined, object.roles()]).toEqual([false, ["holder"]]);
    term?.release();
    expect(object.roles()).toEqual([]);
    lease.unlink();
  });

  test("names the roles in a mapped file, and none after their holder was killed", async () => {
    const path = join(tmpdir(), uniqueName("lease").slice(1));
    const name = `file:${path}`;
    using ring = RingBuffer.create(name, { capacity: 4096 });
    const peer = spawnBun("test/peers/backing-peer.ts", "produce", name);
    await outputUntil(peer, "\n");
    using object = openObject(name);
    expect([object.kind, object.roles()]).toEqual(["ring", ["producer"]]);
    peer.kill("SIGKILL");
    await peer.exited;
    expect(object.roles()).toEqual([]);
    ring.unlink();
  });

  test("shows what is in a ring and a queue, and what came since", () => {
    const [ringName, queueName] = [uniqueName("ring"), uniqueName("queue")];
    using ring = RingBuffer.create(ringName, { capacity: 4096 });
    using producer = ring.producer();
    using consumer = ring.consumer();
    using queue = MessageQueue.create(queueName);
    using rings = openObject(ringName);
    using queues = openObject(queueName);
    const texts = (records: readonly { bytes: Uint8Array }[]): string[] =>
      records.map(({ bytes }) => new TextDecoder().decode(bytes));
    producer.tryWrite("old", 5);
    queue.enqueue("old");
    expect(rings.fresh()).toEqual({ records: [], missed: 0 });
    expect(queues.fresh()).toEqual({ records: [], missed: 0 });
    producer.tryWrite("new");
    queue.enqueue("new");
    expect([texts(rings.peek()), texts(queues.peek())]).toEqual([
      ["old", "new"],
      ["old", "new"],
    ]);
    expect(rings.peek()[0]).toMatchObject({ number: 0, type: 5 });
    expect([texts(rings.fresh().records), texts(queues.fresh().records)]).toEqual([
      ["new"],
      ["new"],
    ]);
    for (const text of ["gone", "gone too", "here"]) producer.tryWrite(text);
    // What was read is given back before the next read, and not before.
    for (let taken = 0; taken < 4; taken++) consumer.tryTake();
    const { records, missed } = rings.fresh();
    expect([texts(records).at(-1), missed + records.length]).toEqual(["here", 3]);
    ring.unlink();
    queue.unlink();
  });

  test("tells the semaphores of a queue", () => {
    const name = uniqueName("sems");
    using queue = MessageQueue.create(name);
    using object = openObject(name);
    expect(object.semaphores()).toEqual([`${name}_mutex`, `${name}_items`, `${name}_spaces`]);
    expect(object.activity()).toMatchObject({ depth: 0, capacity: 10, repaired: 0 });
    queue.unlink();
  });

  test("reads bytes, checks its arguments, and knows its end", () => {
    const name = uniqueName("bytes");
    using segment = Segment.create(name, { size: 4 });
    segment.bytes.set([1, 2, 3, 4]);
    const object = openObject(name);
    expect([...object.read(1, 99)]).toEqual([2, 3, 4]);
    expect(object.read(4, 1).length).toBe(0);
    expect(() => object.read(-1, 1)).toThrow(RangeError);
    expect(() => object.read(0, 1.5)).toThrow(RangeError);
    expect(() => object.read("0" as never, 1)).toThrow(TypeError);
    expect(() => object.peek()).toThrow(
      new UnsupportedError(
        `Cannot look for records in "${name}": it is raw memory, and neither a queue nor a ring ` +
          "with one consumer",
      ),
    );
    object.close();
    object.close();
    expect([object.closed, object.name, object.kind]).toEqual([true, name, "raw"]);
    const calls = [
      () => object.size,
      () => object.read(0, 1),
      () => object.fields(),
      () => object.activity(),
      () => object.roles(),
      () => object.damage(),
      () => object.creator(),
      () => object.peek(),
      () => object.fresh(),
    ];
    for (const call of calls) {
      expect(call).toThrow(new ClosedError(`the look into "${name}"`));
    }
    segment.unlink();
    expect(() => openObject(name)).toThrow(/ENOENT/);
    expect(() => openObject(7 as never)).toThrow(TypeError);
  });
});

describe("openAny", () => {
  const NOUNS = new Map<string, new (...args: never[]) => object>([
    ["ring", RingBuffer as never],
    ["mpsc-ring", RingBuffer as never],
    ["broadcast", RingBuffer as never],
    ["broadcast-block", RingBuffer as never],
    ["queue", MessageQueue as never],
    ["map", SharedMap as never],
    ["limiter", RateLimiter as never],
    ["atomics", SharedAtomics as never],
    ["meters", Meters as never],
    ["portable", PortableSegment as never],
    ["mutex", Mutex as never],
    ["rw-lock", RwLock as never],
    ["event", SharedEvent as never],
    ["barrier", Barrier as never],
    ["lease", Lease as never],
    ["named-locks", NamedLocks as never],
  ]);

  test.each(Object.entries(MAKERS))("opens %s as what it is", (kind, make) => {
    const name = uniqueName("any");
    using made = make(name);
    const opened = openAny(name);
    expect(opened.kind).toBe(kind as never);
    expect(opened.handle).toBeInstanceOf(NOUNS.get(kind) ?? Segment);
    opened.handle.close();
    made.unlink?.();
    Segment.unlink(name);
  });

  test("reads and writes a map as its codec says", () => {
    const name = uniqueName("map");
    using map = SharedMap.create(name, { size: 1 << 16, codec: codecs.utf8 });
    map.set("k", "v");
    const opened = openAny(name);
    if (opened.kind !== "map") throw new Error(opened.kind);
    using handle = opened.handle;
    expect([opened.codec, handle.get("k")]).toEqual(["utf8", "v"]);
    map.unlink();
  });

  test("says what is not there", () => {
    expect(() => openAny(uniqueName("none"))).toThrow(/ENOENT/);
  });
});
