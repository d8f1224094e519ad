import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { LayoutError, Mutex, RwLock, Segment } from "../../src/index.ts";
import { MUTEX_MAGIC_OFFSET } from "../../src/layout/mutex-layout.ts";
import { RW_LOCK_PLACES_OFFSET } from "../../src/layout/rw-lock-layout.ts";
import { rejected, thrown } from "../support/errors.ts";
import { firstLine } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, runBun, spawnBun } from "../support/process.ts";

const WORKER = join(import.meta.dir, "../peers/rw-lock-worker.ts");
const PEER = "test/peers/rw-lock-peer.ts";
const READERS = 4;

let name = "";
function create(): Segment {
  name = uniqueName("rw-lock");
  return Segment.create(name, { size: 8192 });
}
async function start(what: string): Promise<Child> {
  const child = spawnBun(PEER, name, what);
  await firstLine(child);
  return child;
}
async function kill(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}
const init = (segment: Segment): RwLock => RwLock.init(segment, 0, { readers: READERS });
const wordsOf = (segment: Segment): Int32Array =>
  new Int32Array(segment.buffer, RwLock.byteLength({ readers: READERS }), 64);

afterEach(() => {
  if (name !== "") Segment.unlink(name);
});

describe("one process", () => {
  test("reads nest; a write is alone", () => {
    using segment = create();
    const lock = init(segment);
    expect(lock.readers).toBe(READERS);
    expect(lock.held).toBeUndefined();
    lock.lockRead();
    lock.lockRead();
    expect(lock.held).toBe("read");
    expect(thrown(() => lock.lockWrite())).toBe("StateError EDEADLK");
    lock.unlockRead();
    expect(() => lock.tryLockWrite()).toThrow("this handle reads, and would wait for itself");
    lock.unlockRead();
    expect(thrown(() => lock.unlockRead())).toBe("StateError EPERM");
    expect(lock.tryLockWrite()).toBe(true);
    expect(lock.held).toBe("write");
    expect(() => lock.lockRead()).toThrow("this handle writes");
    expect(() => segment.close()).toThrow("the readers-writer lock at 0 is held");
    expect(() => lock.close()).toThrow("this handle writes. Call unlockWrite first");
    expect(thrown(() => lock.close())).toBe("StateError EBUSY");
    lock.unlockWrite();
    expect(thrown(() => lock.unlockWrite())).toBe("StateError EPERM");
  });

  test("handles of one thread read side by side, as many as there are places", () => {
    using segment = create();
    init(segment);
    const locks = Array.from({ length: READERS + 1 }, () => RwLock.at(segment, 0));
    const last = locks.pop()!;
    for (const lock of locks) expect(lock.tryLockRead()).toBe(true);
    expect(last.tryLockRead()).toBe(false);
    expect(last.tryLockWrite()).toBe(false);
    locks[0]!.unlockRead();
    expect(last.tryLockRead()).toBe(true);
    last.unlockRead();
    for (const lock of locks.slice(1)) lock.unlockRead();
    expect(last.tryLockWrite()).toBe(true);
    last.unlockWrite();
  });

  test("waits in the event loop end by a release, a timeout, a signal", async () => {
    using segment = create();
    const lock = init(segment);
    const other = RwLock.at(segment, 0);
    lock.lockRead();
    expect(await other.lockWriteAsync({ timeoutMs: 10 })).toBe(false);
    const signal = AbortSignal.timeout(10);
    expect(other.lockWriteAsync({ signal })).rejects.toThrow("timed out");
    await Bun.sleep(30);
    const write = other.acquireWriteAsync();
    await Bun.sleep(5);
    expect(() => other.lockRead()).toThrow("this handle waits to write");
    lock.unlockRead();
    const guard = await write;
    expect(other.held).toBe("write");
    const read = other.acquireReadAsync();
    guard!.unlock();
    (await read)!.unlock();
    expect(other.held).toBeUndefined();
  });

  test("use after close is an exception, in a hot loop too", () => {
    const segment = create();
    const lock = init(segment);
    const loop = (): void => {
      for (let i = 0; ; i++) {
        lock.lockRead();
        lock.unlockRead();
        if (i === 100_000) segment.close();
      }
    };
    expect(loop).toThrow("closed");
    expect(thrown(() => lock.lockWrite())).toBe("ClosedError ECLOSED");
  });

  test("what is no lock is refused", () => {
    using segment = create();
    expect(() => RwLock.init(segment, 0, { readers: 0 })).toThrow(RangeError);
    expect(() => RwLock.init(segment, 0, { readers: 257 })).toThrow(
      "readers must be an integer from 1 to 256, not 257",
    );
    expect(() => RwLock.init(segment, 4096, { readers: 64 })).toThrow("beyond the segment");
    const lock = init(segment);
    expect(thrown(() => init(segment))).toBe("StateError EEXIST");
    segment.view.setInt32(RW_LOCK_PLACES_OFFSET, 1 << 30, true);
    expect(() => RwLock.at(segment, 0)).toThrow(LayoutError);
    segment.view.setInt32(RW_LOCK_PLACES_OFFSET, 200, true);
    expect(() => RwLock.at(segment, 0)).toThrow("the segment ends before it does");
    segment.view.setInt32(RW_LOCK_PLACES_OFFSET, READERS, true);
    expect(() => RwLock.at(segment, 0, { readers: 8 })).toThrow(
      `it has a different number of readers: expected 8 at offset ${RW_LOCK_PLACES_OFFSET}, found 4`,
    );
    // Between its maker's last two steps it is no mutex, and no lock yet: it is made again.
    segment.view.setUint32(MUTEX_MAGIC_OFFSET, 0, true);
    expect(thrown(() => RwLock.at(segment, 0))).toBe("StateError ENODATA");
    using made = init(segment);
    expect([made.created, made.tryLockWrite()]).toEqual([true, true]);
    made.unlockWrite();
    expect(() => Mutex.at(segment, lock.offset)).toThrow("found a readers-writer lock");
    Mutex.init(segment, 4096);
    expect(() => RwLock.at(segment, 4096)).toThrow("expected a readers-writer lock");
  });
});

describe("processes", () => {
  test("a reader keeps writers out, and not readers; its death lets them in", async () => {
    using segment = create();
    const lock = init(segment);
    const reader = await start("read");
    expect(lock.tryLockRead()).toBe(true);
    lock.unlockRead();
    expect(lock.lockWrite({ timeoutMs: 60 })).toBe(false);
    expect(lock.tryLockRead()).toBe(true);
    lock.unlockRead();
    await kill(reader);
    expect(lock.lockWrite()).toBe(true);
    expect(lock.ownerDied).toBe(false);
    lock.unlockWrite();
  });

  test("a waiting writer keeps new readers out, and leaves nothing when it is killed", async () => {
    using segment = create();
    const lock = init(segment);
    lock.lockRead();
    const writer = await start("want");
    const other = RwLock.at(segment, 0);
    while (other.tryLockRead()) {
      other.unlockRead();
      await Bun.sleep(1);
    }
    expect(other.lockRead({ timeoutMs: 20 })).toBe(false);
    await kill(writer);
    expect(other.lockRead()).toBe(true);
    expect(other.ownerDied).toBe(false);
    other.unlockRead();
    lock.unlockRead();
  });

  test("a writer that died is told to all until somebody has written", async () => {
    using segment = create();
    const lock = init(segment);
    const writer = await start("bare-write");
    expect(lock.tryLockRead()).toBe(false);
    expect(lock.lockWrite({ timeoutMs: 10 })).toBe(false);
    await kill(writer);
    using first = lock.acquireRead();
    expect(first.ownerDied).toBe(true);
    first.unlock();
    using second = lock.acquireWrite();
    expect(second.ownerDied).toBe(true);
    second.unlock();
    using third = lock.acquireRead();
    expect(third.ownerDied).toBe(false);
  });

  test("a reader repairs what a dead writer left, before it reads", async () => {
    using segment = create();
    init(segment);
    await kill(await start("bare-write"));
    const words = wordsOf(segment);
    const onOwnerDied = (): void => void (words[32] = words[0]!);
    const lock = RwLock.at(segment, 0, { onOwnerDied });
    using guard = lock.acquireRead();
    expect(words[32]).toBe(1);
    expect(guard.ownerDied).toBe(false);
  });

  test("also when another process that cannot repair read first", async () => {
    using segment = create();
    const bare = init(segment);
    await kill(await start("bare-write"));
    bare.lockRead();
    bare.unlockRead();
    const words = wordsOf(segment);
    const lock = RwLock.at(segment, 0, { onOwnerDied: () => void (words[32] = words[0]!) });
    using _ = lock.acquireRead();
    expect([words[0], words[32]]).toEqual([1, 1]);
  });

  test("a repair that releases the lock leaves no state of a write that nobody holds", async () => {
    using segment = create();
    const bare = init(segment);
    await kill(await start("bare-write"));
    const lock: RwLock = RwLock.at(segment, 0, { onOwnerDied: () => lock.unlockWrite() });
    expect(lock.lockWrite()).toBe(true);
    expect(lock.held).toBe("write");
    lock.unlockWrite();
    expect(bare.tryLockRead()).toBe(true);
    bare.unlockRead();
    await kill(await start("bare-write"));
    expect(lock.lockRead()).toBe(true);
    expect([lock.held, bare.tryLockRead()]).toEqual(["read", true]);
    lock.unlockRead();
    bare.unlockRead();
  });

  test("a failed repair is told to everyone", async () => {
    using segment = create();
    const bare = init(segment);
    await kill(await start("bare-write"));
    const onOwnerDied = (): void => {
      throw new Error("no way");
    };
    const lock = RwLock.at(segment, 0, { onOwnerDied });
    expect(() => lock.lockRead()).toThrow("onOwnerDied failed");
    for (const each of [lock, bare]) {
      expect(thrown(() => each.lockRead())).toBe("StateError ENOTRECOVERABLE");
      expect(thrown(() => each.tryLockWrite())).toBe("StateError ENOTRECOVERABLE");
      expect(await rejected(each.lockReadAsync())).toBe("StateError ENOTRECOVERABLE");
    }
    expect((await runBun(PEER, name, "read")).stderr).toContain("ENOTRECOVERABLE");
  });

  test("writers exclude each other", async () => {
    using segment = create();
    init(segment);
    const outcomes = await Promise.all([
      runBun(PEER, name, "count", "20000"),
      runBun(PEER, name, "count", "20000"),
    ]);
    for (const outcome of outcomes) expect([outcome.exitCode, outcome.stdout]).toEqual([0, ""]);
    const words = wordsOf(segment);
    expect([words[0], words[32]]).toEqual([40_000, 40_000]);
  });

  test("a writer gets in among readers without pause, and a reader among writers", async () => {
    using segment = create();
    const lock = init(segment);
    const readers = await Promise.all([start("many-reads"), start("many-reads")]);
    for (let i = 0; i < 20; i++) {
      lock.lockWrite();
      lock.unlockWrite();
    }
    await Promise.all(readers.map(kill));
    const writers = await Promise.all([start("many-writes"), start("many-writes")]);
    for (let i = 0; i < 20; i++) {
      lock.lockRead();
      lock.unlockRead();
    }
    await Promise.all(writers.map(kill));
  });
});

describe("workers", () => {
  test.each(["read", "write"])("one terminated in a %s passes the lock on", async (what) => {
    using segment = create();
    const lock = init(segment);
    const worker = new Worker(WORKER, { workerData: { name, what } });
    await new Promise((resolve) => worker.once("message", resolve));
    expect(lock.tryLockWrite()).toBe(false);
    await worker.terminate();
    using guard = lock.acquireWrite({ timeoutMs: 10_000 });
    expect(guard?.ownerDied).toBe(what === "write");
  });
});
