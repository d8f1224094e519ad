/** Who takes part in the locks of an object, and when a participant counts as dead. */
import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { Mutex, Segment, SharedMap, SharedRecord, codecs, struct } from "../../src/index.ts";
import { AWAITED, NUMBER_SHIFT } from "../../src/layout/lock-layout.ts";
import { MAP_HEAD_LENGTH } from "../../src/layout/map-layout.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { SHARED_RECORD_LOCK_OFFSET } from "../../src/layout/shared-record-layout.ts";
import { type LockRange, findLockRange } from "../../src/libc/fcntl.ts";
import { participantByte } from "../../src/memory/participant-identity.ts";
import { firstLine } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { BUN, C_COMPILER, type Child, compileC, spawnBun } from "../support/process.ts";

const PEER = "test/peers/mutex-peer.ts";
const canNest =
  process.getuid?.() === 0 &&
  Bun.which("unshare") !== null &&
  Bun.spawnSync(["unshare", "-pf", "--kill-child", "true"]).exitCode === 0;

let name = "";
const started: Child[] = [];

function create(): Segment {
  name = uniqueName("participant");
  return Segment.create(name, { size: 4096 });
}

function spawn(command: string[]): Child {
  const child: Child = Bun.spawn(command, { stdio: ["pipe", "pipe", "pipe"] });
  started.push(child);
  return child;
}

afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  if (name !== "") Segment.unlink(name);
  name = "";
});

/** The kernel's lock of the participant that holds the mutex at the segment's start. */
function rangeOfHolder(segment: Segment): LockRange {
  const number = new Int32Array(segment.buffer, 0, 1)[0]! >>> NUMBER_SHIFT;
  const descriptor = openSync(`/dev/shm${name}`, "r+");
  try {
    const { start, length } = findLockRange(descriptor, participantByte(number)) as LockRange;
    return { start: start - participantByte(number), length };
  } finally {
    closeSync(descriptor);
  }
}

describe("numbers that no participant has", () => {
  const values = [-(2 ** 31), -(2 ** 31) | 4, -4, -8 | AWAITED, 2 ** 31 - 8, 4, 0 | AWAITED];

  test("a mutex is taken from them", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const word = new Int32Array(segment.buffer, 0, 1);
    for (const value of values) {
      word[0] = value;
      expect(mutex.tryLock()).toBe(true);
      mutex.unlock();
      word[0] = value;
      expect(mutex.lock({ timeoutMs: 60_000 })).toBe(true);
      expect(mutex.ownerDied).toBe(true);
      mutex.unlock();
      word[0] = value;
      expect(await mutex.lockAsync()).toBe(true);
      mutex.unlock();
    }
  });

  test("a map and a record are repaired", () => {
    using map = SharedMap.create("memfd:numbers", { size: 2 ** 16, codec: codecs.number });
    using record = SharedRecord.create("memfd:numbers", {
      codec: struct({ count: "u32" }),
      initial: { count: 0 },
    });
    const words = new Int32Array(map.segment.buffer);
    const stripe = (SEGMENT_HEADER_LENGTH + MAP_HEAD_LENGTH) >> 2;
    const writers = (SEGMENT_HEADER_LENGTH + SHARED_RECORD_LOCK_OFFSET) >> 2;
    const recordWords = new Int32Array(record.segment.buffer);
    for (const [at, value] of values.entries()) {
      words[stripe] = value;
      for (let key = 0; key < 64; key++) map.set(String(key), at);
      recordWords[writers] = value;
      record.write({ count: at });
      expect([map.get("7"), record.read()?.count]).toEqual([at, at]);
      expect([words[stripe], recordWords[writers]]).toEqual([0, 0]);
    }
  });
});

test("signals that come all the time hide no death", async () => {
  using segment = create();
  Mutex.init(segment, 0);
  const holder = spawnBun(PEER, name, "hold");
  started.push(holder);
  await firstLine(holder);
  const heir = spawnBun(PEER, name, "hold-interrupted");
  started.push(heir);
  await firstLine(heir);
  holder.kill("SIGKILL");
  expect(await firstLine(heir)).toBe("held");
});

describe("where /proc is of another PID namespace", () => {
  const testNested = testNeeding("root, and unshare with PID namespaces", canNest);
  const inside = ["unshare", "-pf", "--kill-child"];

  async function whoHolds(...command: string[]): Promise<LockRange> {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const holder = spawn(command.map((word) => (word === "NAME" ? name : word)));
    await firstLine(holder);
    const range = rangeOfHolder(segment);
    expect(mutex.tryLock()).toBe(false);
    holder.kill("SIGKILL");
    expect(mutex.lock()).toBe(true);
    expect(mutex.ownerDied).toBe(true);
    mutex.unlock();
    segment.unlink();
    return range;
  }

  testNested("a participant does not say who it is by numbers that mean others there", async () => {
    expect(await whoHolds(...inside, BUN, PEER, "NAME", "hold")).toEqual({ start: 0n, length: 1n });
    const own = await whoHolds(BUN, PEER, "NAME", "hold");
    expect(own.start).toBeLessThan(0n);
    expect(own.length).toBeGreaterThan(1n - own.start);
  });

  testNeeding("root, unshare and a C compiler", canNest && C_COMPILER !== undefined)(
    "nor does a C program",
    async () => {
      const program = compileC("test/peers/c/lock.c", ["-std=gnu11"]);
      const found = await whoHolds(...inside, program, "NAME", "hold");
      expect(found).toEqual({ start: 0n, length: 1n });
      const [bun, c] = [
        await whoHolds(BUN, PEER, "NAME", "hold"),
        await whoHolds(program, "NAME", "hold"),
      ];
      expect(c.start).toBe(bun.start);
      expect(c.length).toBeGreaterThan(1n - c.start);
    },
  );
});
