/** One suite over every kind of memory that a segment can stand on. */
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClosedError, Segment, SystemVSemaphore, ftok } from "../../src/index.ts";
import { SPARED, forgetMany } from "../support/forget.ts";
import { TEST_PREFIX, uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import {
  C_COMPILER,
  type Child,
  compileC,
  finished,
  runBun,
  spawnBun,
} from "../support/process.ts";

const PEER = "test/peers/backing-peer.ts";
const SIZE = 8192;
const directory = mkdtempSync(join(tmpdir(), "bun-shm-backings-"));
afterAll(() => rmSync(directory, { recursive: true }));

// Keys of this run alone: the process id in the upper half, a count in the lower.
let keys = 0;
const uniqueKey = (): string => `sysv:0x${((process.pid << 12) | ++keys).toString(16)}`;

const hugePages = Number(readFileSync("/proc/sys/vm/nr_hugepages", "utf8")) > 1;

async function firstLine(child: Child): Promise<string> {
  for await (const chunk of child.stdout) return new TextDecoder().decode(chunk).trim();
  return "";
}

async function kill(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}

function codeOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

const NAMES = {
  posix: () => uniqueName("backing"),
  sysv: uniqueKey,
  memfd: () => `memfd:${uniqueName().slice(1)}`,
  file: () => `file:${join(directory, uniqueName().slice(1))}`,
};

/** What the lines of their mappings in /proc/self/maps have, once their names are removed. */
const MAPPED = {
  posix: new RegExp(`/${TEST_PREFIX}\\d+-backing \\(deleted\\)$`, "m"),
  sysv: /\/SYSV[0-9a-f]{8} \(deleted\)$/m,
  memfd: new RegExp(`/memfd:${TEST_PREFIX}\\S+ \\(deleted\\)$`, "m"),
  file: new RegExp(`${directory}/\\S+ \\(deleted\\)$`, "m"),
};

describe.each(Object.entries(NAMES))("a segment on %s", (backing, makeName) => {
  /** By what name other processes reach it. */
  const reach = (segment: Segment): string => (backing === "memfd" ? segment.path! : segment.name);

  test("is made, shared with another process, and removed", async () => {
    using segment = Segment.create(makeName(), { size: SIZE });
    expect(segment).toMatchObject({ backing: backing as "posix", size: SIZE, created: true });
    expect(segment.mode).toBe(0o600);
    segment.view.setUint32(0, 41, true);
    const { stdout, stderr } = await runBun(PEER, "answer", reach(segment));
    expect(stderr).toBe("");
    expect(stdout.trim()).toBe(`${backing} ${SIZE} ${backing === "memfd" || backing === "sysv"}`);
    expect(segment.view.getUint32(4, true)).toBe(42);
    expect(Segment.exists(reach(segment))).toBe(true);
    expect(segment.unlink()).toBe(backing !== "memfd");
    expect(segment.unlink()).toBe(false);
    if (backing !== "memfd") expect(Segment.exists(segment.name)).toBe(false);
    // Removed or not, it stays usable here.
    expect(segment.view.getUint32(4, true)).toBe(42);
  });

  test("is there once: create refuses, openOrCreate attaches", () => {
    using first = Segment.create(makeName(), { size: SIZE });
    if (backing === "memfd") {
      using second = Segment.create(first.name, { size: SIZE });
      second.bytes[0] = 1;
      expect(first.bytes[0]).toBe(0);
      return;
    }
    expect(() => Segment.create(first.name, { size: 1 })).toThrow("EEXIST");
    using second = Segment.openOrCreate(first.name, { size: SIZE });
    expect(second).toMatchObject({ created: false, size: SIZE });
    expect(() => Segment.openOrCreate(first.name, { size: 1 })).toThrow("found 8192");
    expect(codeOf(() => Segment.openOrCreate(first.name, { size: 64, truncate: true }))).toBe(
      "EBUSY",
    );
    first.unlink();
  });

  test("use after close is an exception", () => {
    const segment = Segment.create(makeName(), { size: SIZE });
    const { bytes, view } = segment;
    segment.unlink();
    segment.close();
    segment.close();
    expect(bytes.length).toBe(0);
    expect(() => view.getUint8(0)).toThrow(TypeError);
    expect(() => segment.bytes).toThrow("it is closed");
    expect(() => segment.unlink()).toThrow("it is closed");
    expect(() => segment.tryLock(0)).toThrow("it is closed");
  });

  test("many are forgotten, and unmapped", async () => {
    const left = await forgetMany(
      () => {
        Segment.create(makeName(), { size: SIZE }).unlink();
      },
      MAPPED[backing as keyof typeof MAPPED],
    );
    expect(left).toBeLessThanOrEqual(SPARED);
  });

  test("a lock excludes, also in this process, and dies with its holder", async () => {
    using segment = Segment.create(makeName(), { size: SIZE });
    try {
      expect(segment.isLocked(3)).toBe(false);
      {
        using lock = segment.tryLock(3);
        expect(lock?.held).toBe(true);
        expect(segment.tryLock(3)).toBeUndefined();
        const other = spawnBun(PEER, "lock", reach(segment), "3");
        expect(await firstLine(other)).toBe("taken");
        await kill(other);
      }
      const holder = spawnBun(PEER, "lock", reach(segment), "3");
      expect(await firstLine(holder)).toBe("locked");
      expect(segment.isLocked(3)).toBe(true);
      expect(segment.isLocked(4)).toBe(false);
      expect(segment.tryLock(3)).toBeUndefined();
      await kill(holder);
      using again = segment.tryLock(3);
      expect(again?.held).toBe(true);
    } finally {
      segment.unlink();
    }
  });

  test("its users are known to the kernel", async () => {
    const segment = Segment.create(makeName(), { size: SIZE });
    const name = reach(segment);
    expect(Segment.inUse(name)).toBe(true);
    if (backing === "memfd") return segment.close();
    const peer = spawnBun(PEER, "lock", name, "0");
    await firstLine(peer);
    segment.close();
    expect(Segment.inUse(name)).toBe(true);
    await kill(peer);
    expect(Segment.inUse(name)).toBe(false);
    expect(Segment.unlink(name)).toBe(true);
    expect(Segment.unlink(name)).toBe(false);
  });
});

describe("System V", () => {
  test("a private segment is reached by its id", async () => {
    using segment = Segment.create("sysv:private", { size: SIZE });
    expect(segment.name).toMatch(/^sysv:#\d+$/);
    const { stdout } = await runBun(PEER, "answer", segment.name);
    expect(stdout).toStartWith("sysv");
    expect(segment.unlink()).toBe(true);
    expect(() => Segment.open(segment.name)).not.toThrow();
    // Removed, and still attached here: it has lost its key and nobody new finds it by that.
    expect(segment.unlink()).toBe(false);
  });

  test("says what it cannot do", () => {
    using segment = Segment.create("sysv:private", { size: SIZE });
    segment.unlink();
    expect(() => segment.resize(2 * SIZE)).toThrow("can never be resized");
    expect(() => Segment.open(segment.name, { access: "read" })).toThrow("private copy");
    expect(() => Segment.open(segment.name, { offset: 4096 })).toThrow("in parts");
    expect(() => Segment.create("sysv:#5", { size: 1 })).toThrow("the kernel chooses");
    expect(() => Segment.open("sysv:zero")).toThrow('after "sysv:" comes a key');
    expect(() => Segment.open("sysv:0")).toThrow(RangeError);
    expect(() => Segment.open(uniqueKey())).toThrow("ENOENT");
    expect([segment.descriptor, segment.path]).toEqual([undefined, undefined]);
  });

  testNeeding("a C compiler", C_COMPILER !== undefined)("ftok makes the key that C makes", () => {
    const path = join(directory, "key");
    writeFileSync(path, "");
    const program = compileC("test/peers/c/ftok.c");
    for (const each of [path, directory, "/", "/dev/null", program]) {
      for (const id of [1, 0x42, 127, 128, 255]) {
        const { stdout } = Bun.spawnSync([program, each, String(id)]);
        expect([each, id, ftok(each, id)]).toEqual([each, id, Number(stdout.toString())]);
      }
    }
    expect(ftok(path, 0x42) >>> 24).toBe(0x42);
    expect(() => ftok(join(directory, "none"), 1)).toThrow("ENOENT");
    for (const id of [0, 256, 1.5]) expect(() => ftok(path, id)).toThrow(RangeError);
    expect(() => ftok(path, "A" as unknown as number)).toThrow(TypeError);
    expect(() => ftok(undefined as unknown as string, 1)).toThrow("must be that of a file");
    expect(() => ftok("a\0b", 1)).toThrow(RangeError);
  });

  test("a semaphore counts, times out, and gives back what a killed process took", async () => {
    using semaphore = SystemVSemaphore.create(uniqueKey(), { value: 1 });
    try {
      expect(semaphore.tryWait()).toBe(true);
      expect(semaphore.tryWait()).toBe(false);
      expect(semaphore.wait({ timeoutMs: 60 })).toBe(false);
      semaphore.post();
      const undoing = spawnBun(PEER, "take-semaphore", semaphore.name, "undo");
      expect(await firstLine(undoing)).toBe("took");
      expect(semaphore.value).toBe(0);
      expect(semaphore.lastPid).toBe(undoing.pid);
      await kill(undoing);
      expect(semaphore.wait({ timeoutMs: 5000 })).toBe(true);
      semaphore.post();
      const keeping = spawnBun(PEER, "take-semaphore", semaphore.name, "keep");
      expect(await firstLine(keeping)).toBe("took");
      await kill(keeping);
      expect(semaphore.value).toBe(0);
      expect(() => SystemVSemaphore.create(semaphore.name)).toThrow("EEXIST");
      expect(() => semaphore.post(0)).toThrow(RangeError);
    } finally {
      expect(semaphore.unlink()).toBe(true);
    }
    expect(semaphore.unlink()).toBe(false);
    expect(() => semaphore.value).toThrow("Somebody removed it");
    expect(() => SystemVSemaphore.open(semaphore.name)).toThrow("ENOENT");
    expect(() => SystemVSemaphore.open("/posix")).toThrow(TypeError);
  });

  test("a semaphore is found or made, and guards give it back", async () => {
    const name = uniqueKey();
    expect(codeOf(() => SystemVSemaphore.open(name, { waitMs: 5 }))).toBe("ENOENT");
    using made = SystemVSemaphore.openOrCreate(name, { value: 2 });
    using found = SystemVSemaphore.openOrCreate(name, { value: 9 });
    expect([made.created, found.created, found.value, found.id === made.id]).toEqual([
      true,
      false,
      2,
      true,
    ]);
    expect([made.name, made.segment, made.closed]).toEqual([name, undefined, false]);
    {
      using one = made.acquire({ timeoutMs: 0 });
      using two = made.tryAcquire();
      expect([one === undefined, two === undefined, made.tryAcquire()]).toEqual([
        false,
        false,
        undefined,
      ]);
      expect(made.acquire({ timeoutMs: 1 })).toBeUndefined();
      two![Symbol.dispose]();
      two![Symbol.dispose]();
      expect(made.value).toBe(1);
    }
    expect(made.value).toBe(2);
    const signal = AbortSignal.abort(new Error("no longer"));
    expect(() => made.wait({ signal })).toThrow("no longer");
    expect(made.value).toBe(2);
    expect(made.unlink()).toBe(true);
    expect(found.unlink()).toBe(false);
    const waited = SystemVSemaphore.openOrCreate(name);
    expect([waited.created, waited.value]).toEqual([true, 0]);
    expect(made.unlink()).toBe(false);
    expect(waited.unlink()).toBe(true);
    waited.close();
    waited.close();
    for (const use of [
      () => waited.value,
      () => waited.waiters,
      () => waited.lastPid,
      () => waited.post(),
      () => waited.tryWait(),
      () => waited.wait(),
      () => waited.tryAcquire(),
      () => waited.acquire(),
      () => waited.unlink(),
    ]) {
      expect(use).toThrow(new ClosedError(`semaphore "${name}"`));
    }
    expect([waited.closed, waited.name]).toEqual([true, name]);
  });

  test("a semaphore's arguments are checked", () => {
    const create = (options: object) => () => SystemVSemaphore.create("sysv:private", options);
    expect(create({ value: 32_768 })).toThrow("its value must be an integer from 0 to 32767");
    expect(create({ value: "1" })).toThrow(TypeError);
    expect(create({ mode: 0o7777 })).toThrow("its mode must be from 0 to 0o777, not 0o7777");
    expect(create({ undo: 1 })).toThrow("undo must be true or false, not 1");
    expect(create({ vlaue: 1 })).toThrow('did you mean "value"?');
    expect(() => SystemVSemaphore.open("sysv:1", { value: 1 } as object)).toThrow("no option");
    expect(() => SystemVSemaphore.create("sysv:#5")).toThrow("the kernel chooses the ids");
    expect(() => SystemVSemaphore.create("sysv:zero")).toThrow(RangeError);
    using semaphore = SystemVSemaphore.create("sysv:private");
    for (const count of [0, -1, 1.5, 32_768]) {
      expect(() => semaphore.post(count)).toThrow(RangeError);
    }
    expect(() => semaphore.wait({ timeoutMs: -1 })).toThrow(RangeError);
    expect(() => semaphore.wait({ timeout: 1 } as object)).toThrow('did you mean "timeoutMs"?');
    expect(() => semaphore.wait({ ref: true } as object)).toThrow('no option "ref"');
    expect(semaphore.value).toBe(0);
    expect(semaphore.unlink()).toBe(true);
  });
});

describe("memfd", () => {
  test("a sealed one cannot be cut off by anybody", async () => {
    using segment = Segment.create("memfd:sealed", { size: SIZE });
    expect(segment.sealed).toBe(true);
    expect(() => segment.resize(4096, { force: true })).toThrow("sealed: false");
    expect(() => segment.resize(2 * SIZE)).toThrow("EPERM");
    const { exitCode } = Bun.spawnSync(["truncate", "-s", "0", segment.path!]);
    expect(exitCode).not.toBe(0);
    segment.view.setUint32(0, 41, true);
    await runBun(PEER, "answer", segment.path!);
    expect(segment.view.getUint32(4, true)).toBe(42);
    using unsealed = Segment.create("memfd:unsealed", { size: SIZE, sealed: false });
    expect(unsealed.sealed).toBe(false);
    unsealed.resize(2 * SIZE);
    expect(unsealed.size).toBe(2 * SIZE);
  });

  test("a child of Bun.spawn inherits it", async () => {
    using segment = Segment.create("memfd:inherited", { size: SIZE });
    segment.view.setUint32(0, 6, true);
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, "../..", PEER), "answer", "fd:3"],
      {
        stdio: ["pipe", "pipe", "pipe", segment.descriptor!],
      },
    );
    const { stdout, stderr } = await finished(child as unknown as Child);
    expect([stdout.trim(), stderr]).toEqual([`memfd ${SIZE} true`, ""]);
    expect(segment.view.getUint32(4, true)).toBe(7);
  });

  test("has no name to open", () => {
    expect(() => Segment.open("memfd:nobody")).toThrow("hand its descriptor to a child");
    expect(() => Segment.open("fd:999")).toThrow("ENOENT");
    expect(() => Segment.open("fd:x")).toThrow("a descriptor number must follow");
    expect(() => Segment.create("fd:3", { size: 1 })).toThrow("can only be opened");
    expect(() => Segment.create(`memfd:${"x".repeat(250)}`, { size: 1 })).toThrow("250 bytes");
    const nothing = openSync("/dev/null", "r+");
    expect(() => Segment.open(`fd:${nothing}`)).toThrow("not a shared memory object");
    closeSync(nothing);
  });

  testNeeding("huge pages", hugePages)("lies on huge pages", () => {
    const size = 2 << 20;
    using segment = Segment.create("memfd:huge", { size, hugePages: true });
    segment.bytes.fill(7);
    using same = Segment.open(segment.path!);
    expect(same.bytes.at(-1)).toBe(7);
    expect(readFileSync("/proc/self/smaps", "utf8")).toMatch(/KernelPageSize: +2048 kB/);
    using sysv = Segment.create("sysv:private", { size, hugePages: true });
    sysv.unlink();
    sysv.bytes.fill(1);
  });

  testNeeding("a machine without huge pages", !hugePages)(
    "says what huge pages want where there are none",
    () => {
      const size = 2 << 20;
      expect(() => Segment.create("memfd:huge", { size, hugePages: true })).toThrow(
        "vm.nr_hugepages",
      );
    },
  );
});

describe("a file", () => {
  test("keeps what was synced, and says what is missing", () => {
    const path = join(directory, "kept");
    {
      using segment = Segment.create(`file:${path}`, { size: SIZE, mode: 0o640 });
      segment.view.setUint32(0, 0xcafe, true);
      segment.sync();
      expect(segment.mode).toBe(0o640);
    }
    expect(readFileSync(path).readUInt32LE(0)).toBe(0xcafe);
    {
      using segment = Segment.open(`file:${path}`);
      segment.resize(2 * SIZE);
      expect(segment.view.getUint32(0, true)).toBe(0xcafe);
    }
    expect(() => Segment.open("file:")).toThrow("a path must follow");
    expect(() => Segment.open(`file:${directory}/no/such`)).toThrow("ENOENT");
    expect(() => Segment.create(`file:${directory}/no/such`, { size: 1 })).toThrow("ENOENT");
    expect(() => Segment.create("file:a\0b", { size: 1 })).toThrow("NUL");
    expect(() => Segment.create(`file:${path}`, { size: 1, portable: true })).toThrow("portable");
  });
});
