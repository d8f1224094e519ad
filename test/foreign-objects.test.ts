/**
 * Opens every noun over what it is not: every other noun, bytes of somebody else, what is cut off,
 * and itself with other parameters. It is refused in words that name both, and nothing changes.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import {
  Barrier,
  Condition,
  LayoutError,
  Lease,
  Meters,
  MessageQueue,
  Mutex,
  NamedLocks,
  PortableSegment,
  RateLimiter,
  RingBuffer,
  RwLock,
  Segment,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  StateError,
  codecs,
  struct,
} from "../src/index.ts";
import { uniqueName } from "./support/names.ts";

type Options = Readonly<Record<string, unknown>>;

interface Noun {
  create(name: string, options: Options): Disposable;
  open(name: string, options: Options): Disposable;
  openOrCreate(name: string, options: Options): Disposable;
}

interface Entry {
  readonly noun: Noun;
  readonly make: Options;
  readonly find: Options;
  /** How messages name what is asked for, and what is there. */
  readonly wanted: string;
  readonly found: string;
  /** Whether anything that begins like it is one: its header does not say how long it is. */
  readonly endless?: true;
}

const Point = struct({ x: "f64" });
const mutexSegment = Segment.create("memfd:foreign", { size: 4096 });
const mutex = Mutex.init(mutexSegment, 0);
afterAll(() => {
  mutex.close();
  mutexSegment.close();
});

function entry(noun: unknown, wanted: string, found: string, make: Options, find: Options): Entry {
  return { noun: noun as Noun, wanted, found, make, find };
}

const codec = Point;
const mpsc = { kind: "mpsc" };
const broadcast = { kind: "broadcast" };
const size = 1 << 14;
const LIMIT = { algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 };
const ENTRIES: readonly Entry[] = [
  {
    ...entry(PortableSegment, "a portable segment", "a portable segment", { size }, {}),
    endless: true,
  },
  entry(RingBuffer, "ring", "an spsc ring", { capacity: 1024 }, {}),
  entry(RingBuffer, "ring", "an mpsc ring", { capacity: 1024, ...mpsc }, mpsc),
  entry(RingBuffer, "ring", "a broadcast ring", { capacity: 1024, ...broadcast }, broadcast),
  entry(SharedRecord, "a record", "a record", { codec }, { codec }),
  entry(SharedTable, "a table", "a table", { codec, rows: 5 }, { codec }),
  entry(SharedMap, "a map", "a map", { codec: codecs.utf8, size }, { codec: codecs.utf8 }),
  entry(RateLimiter, "a rate limiter", "a rate limiter", LIMIT, {}),
  entry(SharedAtomics, "atomics", "atomics", { words: ["a"] }, {}),
  entry(Meters, "meters", "meters", { size }, {}),
  entry(Mutex, "a mutex", "a mutex", {}, {}),
  entry(RwLock, "a readers-writer lock", "a readers-writer lock", { readers: 4 }, {}),
  entry(Condition, "a condition", "a condition", { mutex }, { mutex }),
  entry(SharedEvent, "an event", "an event", { reset: "auto" }, {}),
  entry(Barrier, "a barrier", "a barrier", { parties: 2 }, {}),
  entry(Lease, "a lease", "a lease", {}, {}),
  entry(NamedLocks, "named locks", "named locks", { names: 5 }, {}),
  entry(
    MessageQueue,
    "a message queue",
    "a message queue",
    { slots: 4, synchronization: "segment" },
    {},
  ),
];

let name = "";
const fileOf = (): string => `/dev/shm${name}`;
afterEach(() => {
  Segment.unlink(name);
});

/** Makes one, ends its use, and gives its bytes. */
function bytesOf({ noun, make }: Entry): Buffer {
  noun.create(name, make)[Symbol.dispose]();
  return readFileSync(fileOf());
}

/** What both ways to attach throw; the object is to be as it was. */
function refusals({ noun, find, make }: Entry, before: Buffer): Error[] {
  return (["open", "openOrCreate"] as const).flatMap((verb) => {
    let met: unknown;
    try {
      noun[verb](name, verb === "open" ? find : make)[Symbol.dispose]();
    } catch (error) {
      met = error;
    }
    expect({ verb, isThere: existsSync(fileOf()) }).toEqual({ verb, isThere: true });
    expect({ verb, isSame: readFileSync(fileOf()).equals(before) }).toEqual({ verb, isSame: true });
    return met === undefined ? [] : [met as Error];
  });
}

describe("over another noun", () => {
  test.each(ENTRIES.map((one) => [one.found, one] as const))("over %s", (_, there) => {
    name = uniqueName("foreign");
    const before = bytesOf(there);
    for (const asked of ENTRIES) {
      // A ring of any kind, where none is asked for.
      if (asked === there || (asked.noun === there.noun && asked.find["kind"] === undefined))
        continue;
      const met = refusals(asked, before);
      expect(met).toHaveLength(2);
      for (const error of met) {
        expect(error).toBeInstanceOf(LayoutError);
        const [wanted, found] =
          asked.noun === there.noun
            ? [String(asked.find["kind"]), there.found.split(" ")[1]!]
            : [asked.wanted, there.found];
        expect(error.message).toContain(wanted);
        expect(error.message).toContain(found);
      }
    }
  });
});

describe("over bytes of somebody else", () => {
  const random = Buffer.alloc(70_000);
  for (let at = 0, x = 12345; at < random.length; at++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    random[at] = x >>> 16;
  }
  const words = (...values: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(70_000);
    values.forEach((value, at) => bytes.writeInt32LE(value, at * 4));
    return bytes;
  };
  const BYTES: Readonly<Record<string, Buffer>> = {
    "random bytes": random,
    text: Buffer.from("This is a file of somebody else.\n".repeat(500)),
    "one byte": Buffer.from("x"),
    "a C program's counter": words(7),
    "a C program's far word": words(...Array.from({ length: 1250 }, () => 0), 7),
  };
  test.each(Object.entries(BYTES))(
    "over %s",
    (_, bytes) => {
      name = uniqueName("foreign");
      for (const asked of ENTRIES) {
        writeFileSync(fileOf(), bytes);
        const looksEmpty =
          bytes.readInt8(0) === 0 || (bytes.length > 1 && bytes.readInt32LE(0) === 7);
        // Those that wait, for a second, for whoever may be making it are tried once each way.
        if (looksEmpty && ![Mutex, MessageQueue, RingBuffer].includes(asked.noun as never))
          continue;
        const met = refusals(asked, bytes);
        expect(met).toHaveLength(2);
        // To `open` it may be one that its creator left half done.
        for (const error of met) {
          const isHalf = looksEmpty && error instanceof StateError && error.code === "ENODATA";
          if (!isHalf) expect(error).toBeInstanceOf(LayoutError);
        }
        expect(met[1]).toBeInstanceOf(LayoutError);
      }
    },
    30_000,
  );

  test("over an empty file: nobody is making it", () => {
    name = uniqueName("foreign");
    for (const asked of ENTRIES.slice(0, 2)) {
      writeFileSync(fileOf(), "");
      expect(() => asked.noun.open(name, asked.find)).toThrow(StateError);
      expect(readFileSync(fileOf())).toHaveLength(0);
    }
  });
});

describe("over what is cut off", () => {
  test.each(ENTRIES.filter((one) => one.endless !== true).map((one) => [one.found, one] as const))(
    "%s, at several lengths",
    (_, one) => {
      name = uniqueName("foreign");
      const whole = bytesOf(one);
      const lengths = [1, 4, 63, 64, 127, 128, 129].map((length) => whole.length - length);
      for (const length of [...lengths, whole.length >> 1, 68, 60, 12, 4, 1]) {
        if (length <= 0 || length >= whole.length) continue;
        // What a C program's queue could be is looked at for as long as its semaphores may come.
        if (one.noun === (MessageQueue as unknown) && length >= 1024) continue;
        const cut = whole.subarray(0, length);
        writeFileSync(fileOf(), cut);
        const met = refusals(one, cut);
        expect({ length, met: met.map((error) => error.name) }).toEqual({
          length,
          met: ["LayoutError", "LayoutError"],
        });
      }
    },
  );
});

describe("over itself with another parameter", () => {
  const Other = struct({ y: "u32" });
  type Row = readonly [what: string, noun: unknown, make: Options, other: Options, message: string];
  const map = { codec: codecs.utf8, size };
  const ROWS: readonly Row[] = [
    [
      "size",
      PortableSegment,
      { size },
      { size: 64 },
      "expected 64 bytes of data at offset 64, found 16384",
    ],
    [
      "capacity",
      RingBuffer,
      { capacity: 1024 },
      { capacity: 2048 },
      "a different capacity: expected 2048 at offset 28, found 1024",
    ],
    [
      "kind",
      RingBuffer,
      { capacity: 1024 },
      { capacity: 1024, kind: "mpsc" },
      "a different kind: expected mpsc at offset 16, found spsc",
    ],
    [
      "policy",
      RingBuffer,
      { ...broadcast, capacity: 1024 },
      { ...broadcast, capacity: 1024, policy: "block" },
      "a different policy: expected block at offset 16, found overwrite",
    ],
    [
      "codec",
      RingBuffer,
      { capacity: 1024 },
      { capacity: 1024, codec: codecs.utf8 },
      "a different codec: expected utf8 at offset 64, found bytes",
    ],
    ["codec", SharedRecord, { codec }, { codec: Other }, "it has a field"],
    ["codec", SharedTable, { codec, rows: 5 }, { codec: Other, rows: 5 }, "it has a field"],
    [
      "rows",
      SharedTable,
      { codec, rows: 5 },
      { codec, rows: 6 },
      "a different count of rows: expected 6 at offset 32, found 5",
    ],
    [
      "names",
      SharedTable,
      { codec, rows: 5, names: 8 },
      { codec, rows: 5, names: 9 },
      "a different bound on names: expected 9 at offset 48, found 8",
    ],
    [
      "slots",
      SharedRecord,
      { codec },
      { codec, slots: 16 },
      "a different count of slots: expected 16 at offset 32, found 8",
    ],
    [
      "codec",
      SharedMap,
      map,
      { ...map, codec: codecs.json() },
      "a different codec: expected json at offset 64, found utf8",
    ],
    ["size", SharedMap, map, { ...map, size: size * 2 }, "expected 32768"],
    ["whenFull", SharedMap, map, { ...map, whenFull: "evict" }, "expected evict"],
    ["key", SharedMap, map, { ...map, key: codecs.bytes }, "expected bytes"],
    [
      "algorithm",
      RateLimiter,
      LIMIT,
      { ...LIMIT, algorithm: "fixed-window" },
      "a different algorithm: expected fixed-window at offset 32, found gcra",
    ],
    [
      "limit",
      RateLimiter,
      LIMIT,
      { ...LIMIT, limit: 11 },
      "a different limit: expected 11 at offset 36, found 10",
    ],
    [
      "windowMs",
      RateLimiter,
      LIMIT,
      { ...LIMIT, windowMs: 11 },
      "a different windowMs: expected 11 at offset 40, found 1000",
    ],
    [
      "burst",
      RateLimiter,
      LIMIT,
      { ...LIMIT, burst: 11 },
      "a different burst: expected 11 at offset 44, found 10",
    ],
    [
      "keys",
      RateLimiter,
      LIMIT,
      { ...LIMIT, keys: 11 },
      "a different keys: expected 11 at offset 48, found 20",
    ],
    [
      "names",
      NamedLocks,
      { names: 5 },
      { names: 6 },
      "a different count of names: expected 6 at offset 32, found 5",
    ],
    [
      "requests",
      NamedLocks,
      { names: 5 },
      { names: 5, requests: 9 },
      "a different count of requests: expected 9 at offset 36, found 64",
    ],
    ["size", Meters, { size }, { size: size * 2 }, "a different size: expected 32768"],
    ["words", SharedAtomics, { words: ["a"] }, { words: ["b"] }, '"b"'],
    ["counters", SharedAtomics, { words: ["a"] }, { counters: ["a"] }, '"a"'],
    [
      "readers",
      RwLock,
      { readers: 4 },
      { readers: 8 },
      "a different number of readers: expected 8 at offset",
    ],
    [
      "reset",
      SharedEvent,
      { reset: "auto" },
      { reset: "manual" },
      "a different reset: expected manual at offset",
    ],
    [
      "parties",
      Barrier,
      { parties: 2 },
      { parties: 3 },
      "a different number of parties: expected 3 at offset",
    ],
    [
      "slots",
      MessageQueue,
      { slots: 4 },
      { slots: 5 },
      "a different number of slots: expected 5 at offset",
    ],
    [
      "slotSize",
      MessageQueue,
      { slotSize: 64 },
      { slotSize: 32 },
      "a different slotSize: expected 32 at offset",
    ],
    [
      "synchronization",
      MessageQueue,
      { synchronization: "polling" },
      { synchronization: "polling", slots: 11 },
      "expected 11",
    ],
  ];
  test.each(ROWS)("%s", (_, noun, make, other, message) => {
    name = uniqueName("other");
    const before = bytesOf(entry(noun, "", "", make, make));
    // `open` takes no size and the like.
    const met = refusals(entry(noun, "", "", other, other), before).at(-1);
    expect(met).toBeInstanceOf(LayoutError);
    expect(met!.message).toContain(message);
    if (noun === MessageQueue) MessageQueue.unlink(name);
  });
});
