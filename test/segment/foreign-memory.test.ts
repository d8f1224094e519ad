/**
 * Memory that belongs to somebody else: no noun is ever made over it, and it is never removed or
 * cut off; what a dead maker of this package left half done is made again.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Barrier,
  Condition,
  LayoutError,
  Lease,
  MessageQueue,
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
  codecs,
  struct,
} from "../../src/index.ts";
import { MAKING } from "../../src/layout/making.ts";
import { HEADER_MAKING } from "../../src/layout/segment-header.ts";
import { uniqueName } from "../support/names.ts";
import { runBun, spawnBun } from "../support/process.ts";
import { outputUntil } from "../support/shm.ts";

interface Made extends Disposable {
  readonly created: boolean;
  readonly segment: Segment | undefined;
  unlink(): boolean;
}

const arena = Segment.create("memfd:arena", { size: 4096 });
const mutex = Mutex.init(arena, 0);
const map = { size: 2 ** 16, codec: codecs.number };
const LIMIT = { algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 } as const;
const names = { words: ["w"], counters: ["n"] } as const;

/** How each noun is made or found by name. */
const NOUNS: Readonly<Record<string, (name: string) => Made>> = {
  "spsc ring": (name) => RingBuffer.openOrCreate(name, { capacity: 4096 }),
  "mpsc ring": (name) => RingBuffer.openOrCreate(name, { kind: "mpsc", capacity: 4096 }),
  "broadcast ring": (name) => RingBuffer.openOrCreate(name, { kind: "broadcast", capacity: 4096 }),
  map: (name) => SharedMap.openOrCreate(name, map),
  "rate limiter": (name) => RateLimiter.openOrCreate(name, LIMIT),
  record: (name) => SharedRecord.openOrCreate(name, { codec: struct({ n: "f64" }) }),
  table: (name) => SharedTable.openOrCreate(name, { codec: struct({ n: "f64" }), rows: 5 }),
  atomics: (name) => SharedAtomics.openOrCreate(name, names),
  meters: (name) => Meters.openOrCreate(name, { size: 2 ** 14 }),
  mutex: (name) => Mutex.openOrCreate(name),
  "readers-writer lock": (name) => RwLock.openOrCreate(name, { readers: 4 }),
  condition: (name) => Condition.openOrCreate(name, { mutex }),
  event: (name) => SharedEvent.openOrCreate(name, { reset: "auto" }),
  barrier: (name) => Barrier.openOrCreate(name, { parties: 3 }),
  lease: (name) => Lease.openOrCreate(name),
  "named locks": (name) => NamedLocks.openOrCreate(name, { names: 5 }),
  "portable segment": (name) => PortableSegment.openOrCreate(name, { size: 4096 }),
  "message queue": (name) => MessageQueue.openOrCreate(name),
};

function errorOf(call: () => unknown): Error & { code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

const opened: string[] = [];
const directories: string[] = [];
function fresh(): string {
  const name = uniqueName("f");
  opened.push(name);
  return name;
}
afterEach(() => {
  for (const name of opened.splice(0)) Segment.unlink(name);
  for (const path of directories.splice(0)) rmSync(path, { recursive: true });
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "bun-shm-foreign-"));
  directories.push(path);
  return path;
}

describe.each(Object.entries(NOUNS))("%s", (_, make) => {
  /** The size that it has when it is made. */
  const sizeOf = (): number => {
    const name = fresh();
    using made = make(name);
    const { size } = made.segment!;
    made.unlink();
    return size;
  };

  test("is not made over what begins with zeros and has exactly its size", () => {
    const name = fresh();
    const size = sizeOf();
    using account = Segment.create(name, { size });
    account.bytes[size - 1] = 7;
    if (size > 900) account.view.setFloat64(800, 1250.5, true);
    const before = account.bytes.slice();
    const error = errorOf(() => make(name));
    expect([error.name, Segment.exists(name)]).toEqual(["LayoutError", true]);
    account.close();
    // Now nobody has it open.
    expect(errorOf(() => make(name))).toBeInstanceOf(LayoutError);
    using again = Segment.open(name);
    expect(again.bytes).toEqual(before);
  });

  test("is not made over a file of somebody else's", () => {
    const path = join(directory(), "state");
    const size = sizeOf();
    const bytes = new Uint8Array(size);
    bytes[size - 4] = 9;
    writeFileSync(path, bytes);
    expect(() => make(`file:${path}`)).toThrow();
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
  });

  test("does not spin at a link to nothing", () => {
    const path = join(directory(), "link");
    symlinkSync("/nowhere/at/all", path);
    expect(() => make(`file:${path}`)).toThrow();
  });
});

// A structure, a lock, and the two that are neither; each waits a second for a maker.
test.each(["map", "mutex", "portable segment", "message queue"])(
  "zeros of exactly the size of a %s may be a value, and stay",
  (noun) => {
    const make = NOUNS[noun]!;
    const name = fresh();
    const made = make(name);
    const { size } = made.segment!;
    made.unlink();
    made[Symbol.dispose]();
    Segment.create(name, { size }).close();
    const error = errorOf(() => make(name));
    using still = Segment.open(name);
    expect([error.name, still.bytes.every((byte) => byte === 0)]).toEqual(["LayoutError", true]);
  },
);

test("init refuses memory that is not all zeros, unless it is told to overwrite", () => {
  using segment = Segment.create("memfd:used", { size: 8192 });
  segment.bytes[1024 + 40] = 5;
  const error = errorOf(() => RwLock.init(segment, 1024));
  expect(error).toBeInstanceOf(LayoutError);
  expect(error.message).toContain("{ overwrite: true } makes one there all the same");
  using lock = RwLock.init(segment, 1024, { overwrite: true });
  expect(lock.created).toBe(true);
});

test("a program that takes no locks keeps its memory from being cut off", async () => {
  const name = fresh();
  Segment.create(name, { size: 64 }).close();
  // As Python's SharedMemory and C programs have it.
  const child = Bun.spawn(["bash", "-c", 'exec 7<>"$0"; echo open; read', `/dev/shm${name}`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await child.stdout.getReader().read();
  const truncate = (): Segment => Segment.openOrCreate(name, { size: 8, truncate: true });
  expect(errorOf(truncate).code).toBe("EBUSY");
  child.kill("SIGKILL");
  await child.exited;
  using segment = truncate();
  expect(segment.size).toBe(8);
});

test("a make that fails over an unfinished object leaves it unfinished", () => {
  const name = fresh();
  const codec = struct({ n: "f64" });
  const make = (initial: { n: number }): SharedRecord<{ n: "f64" }> =>
    SharedRecord.openOrCreate(name, { codec, initial });
  {
    using made = make({ n: 1 });
    // As a maker leaves it that dies half way.
    const words = new Int32Array(made.segment.buffer);
    words.fill(0)[HEADER_MAKING.offset >> 2] = MAKING;
  }
  const failing = {
    get n(): number {
      throw new Error("no value today");
    },
  };
  expect(() => make(failing)).toThrow("no value today");
  using again = make({ n: 2 });
  expect([again.created, again.read()?.n]).toEqual([true, 2]);
});

test("a make that fails leaves zeros in the user's segment", () => {
  using segment = Segment.create("memfd:clean", { size: 8192 });
  const initial = {
    get n(): number {
      throw new Error("no value today");
    },
  };
  const codec = struct({ n: "f64" });
  const init = (): SharedRecord<{ n: "f64" }> => SharedRecord.init(segment, 0, { codec, initial });
  expect(init).toThrow("no value today");
  expect(segment.bytes.every((byte) => byte === 0)).toBe(true);
});

test("a queue's leftovers are removed, and nothing else of that name", () => {
  const name = fresh();
  using made = MessageQueue.create(name, { synchronization: "segment" });
  const { size } = made.segment;
  made.unlink();
  const other = Segment.create(name, { size });
  other.view.setFloat64(800, 1250.5, true);
  other.close();
  expect(() => MessageQueue.removeLeftovers(name)).toThrow("it is no message queue, and stays");
  expect(Segment.exists(name)).toBe(true);
});

describe("truncate", () => {
  test("does not follow a link, and the target keeps its bytes", () => {
    const [target, link] = [join(directory(), "target"), join(directory(), "link")];
    writeFileSync(target, "precious");
    symlinkSync(target, link);
    const truncate = (): unknown =>
      Segment.openOrCreate(`file:${link}`, { size: 16, truncate: true });
    expect(errorOf(truncate).code).toBe("ELOOP");
    expect(errorOf(() => Segment.open(`file:${link}`)).code).toBe("ELOOP");
    expect(readFileSync(target, "utf8")).toBe("precious");
  });

  test("is refused for a link to nothing, and for a link planted in /dev/shm", () => {
    const name = fresh();
    const link = join(directory(), "link");
    const target = join(directory(), "target");
    symlinkSync(join(directory(), "nothing"), link);
    writeFileSync(target, "precious");
    symlinkSync(target, `/dev/shm${name}`);
    for (const each of [`file:${link}`, name]) {
      expect(() => Segment.openOrCreate(each, { size: 16, truncate: true })).toThrow();
      expect(() => Segment.openOrCreate(each, { size: 16 })).toThrow();
    }
    expect(readFileSync(target, "utf8")).toBe("precious");
    rmSync(`/dev/shm${name}`);
  });
});

const MAKER = "test/peers/record-maker.ts";

test("what a maker that was killed left unfinished is made again, by one of many", async () => {
  const name = fresh();
  const maker = spawnBun(MAKER, "slow", name, "600000");
  expect(await outputUntil(maker, "making")).toContain("making");
  maker.kill("SIGKILL");
  await maker.exited;
  const outcomes = await Promise.all([1, 2, 3].map(() => runBun(MAKER, "make", name)));
  const answers = outcomes.map(({ stdout }) => stdout.trim());
  expect(answers.toSorted()).toEqual(["found 5", "found 5", "made 5"]);
});

describe("a maker that lives and needs longer than a second", () => {
  test("is waited for by openOrCreate, and by open as long as it says", async () => {
    const name = fresh();
    const maker = spawnBun(MAKER, "slow", name, "2500");
    await outputUntil(maker, "making");
    const calls = [
      ["make", name],
      ["open", name],
      ["open", name, "20000"],
    ].map((args) => runBun(MAKER, ...args));
    const answers = (await Promise.all(calls)).map(({ stdout }) => stdout.trim().split(" "));
    // Whoever comes first after the maker finishes it.
    expect(answers.map(([, value]) => value)).toEqual(["5", "5", "5"]);
    expect(await maker.exited).toBe(0);
  });

  test("is called alive when the time that was given is over", async () => {
    const name = fresh();
    const maker = spawnBun(MAKER, "slow", name, "600000");
    await outputUntil(maker, "making");
    const { stdout } = await runBun(MAKER, "open", name, "1");
    expect(stdout).toBe(
      `EBUSY: Cannot open record "${name}": a live process is still making it. Wait longer, ` +
        "with waitMs where the call has it\n",
    );
    maker.kill("SIGKILL");
    await maker.exited;
    const after = await runBun(MAKER, "open", name, "1");
    expect(after.stdout).toBe(
      `ENODATA: Cannot open record "${name}": it is unfinished, and nobody is making it: ` +
        "openOrCreate makes it\n",
    );
  });

  test("is found in /proc if it takes no locks, as a C program between two steps", async () => {
    const name = fresh();
    const script = 'set -C; exec 7<>"$0"; echo made; sleep 2.5; truncate -s 4096 "$0"; read';
    const child = Bun.spawn(["bash", "-c", script, `/dev/shm${name}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await child.stdout.getReader().read();
    using segment = Segment.open(name);
    expect(segment.size).toBe(4096);
    child.kill("SIGKILL");
    await child.exited;
  });
});
