/**
 * Structures in files that were copied while others wrote, as a backup or a power cut leaves them:
 * whatever bytes a copy has, it is usable or refused, and nobody in it holds anything.
 */
import { afterAll, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Barrier,
  LayoutError,
  Lease,
  Mutex,
  RingBuffer,
  RwLock,
  SharedMap,
  SharedRecord,
  codecs,
  struct,
} from "../../src/index.ts";
import { thrown } from "../support/errors.ts";
import { SOAK } from "../support/kill.ts";
import { spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";
import { outputUntil } from "../support/shm.ts";

const COPIES = SOAK ? 500 : 10;
const directory = mkdtempSync(join(tmpdir(), "bun-shm-copies-"));
afterAll(() => rmSync(directory, { recursive: true }));

const Pair = struct({ a: "f64", b: "f64" });

/** Calls what may find bytes that are no structure. @returns Whether it did not. */
function isUsable(use: () => void): boolean {
  try {
    use();
    return true;
  } catch (error) {
    if (error instanceof LayoutError) return false;
    throw error;
  }
}

test("copies of what is being written are usable, or refused", async () => {
  const prefix = join(directory, "live-");
  using map = SharedMap.create(`file:${prefix}map`, { size: 1 << 17, codec: codecs.utf8 });
  using record = SharedRecord.create(`file:${prefix}record`, { codec: Pair });
  using ring = RingBuffer.create(`file:${prefix}ring`, { capacity: 4096, codec: codecs.utf8 });
  const random = seededRandom("copies");
  let usable = 0;
  for (let copy = 0; copy < COPIES; copy++) {
    const writer = spawnBun("test/peers/file-writer.ts", prefix);
    await outputUntil(writer, "ready");
    await Bun.sleep(random() * 20);
    const kinds = ["map", "record", "ring"] as const;
    for (const kind of kinds) copyFileSync(`${prefix}${kind}`, `${prefix}${kind}-copy`);
    writer.kill("SIGKILL");
    await writer.exited;

    usable += Number(
      isUsable(() => {
        using copied = SharedMap.open(`file:${prefix}map-copy`, { codec: codecs.utf8 });
        for (const key of copied.keys()) copied.delete(key);
        for (let at = 0; at < 200; at++) expect(copied.set(`new ${at}`, `${at}`)).toBe(true);
        for (let at = 0; at < 200; at++) expect(copied.get(`new ${at}`)).toBe(`${at}`);
      }),
    );
    usable += Number(
      isUsable(() => {
        using copied = SharedRecord.open(`file:${prefix}record-copy`, { codec: Pair });
        copied.write({ a: 1, b: 2 });
        expect(copied.read()).toEqual({ a: 1, b: 2 });
      }),
    );
    usable += Number(
      isUsable(() => {
        using copied = RingBuffer.open(`file:${prefix}ring-copy`, { codec: codecs.utf8 });
        using consumer = copied.consumer();
        while (consumer.tryTake() !== undefined);
        using producer = copied.producer();
        expect(producer.tryWrite("mine")).toBe(true);
        expect(consumer.tryTake()).toBe("mine");
      }),
    );
  }
  console.log(`copies: ${usable} of ${3 * COPIES} are usable`);
  // The original goes on, whoever was killed.
  map.set("last", "one");
  record.write({ a: 3, b: 3 });
  expect([map.get("last"), record.read(), ring.capacity]).toEqual(["one", { a: 3, b: 3 }, 4096]);
  expect(usable).toBeGreaterThan(COPIES);
});

test("what a thread holds, it does not hold in a copy", async () => {
  const at = (name: string): string => `file:${join(directory, name)}`;
  const copy = (name: string): string => {
    copyFileSync(join(directory, name), join(directory, `${name}-copy`));
    return at(`${name}-copy`);
  };
  const wait = { timeoutMs: 30_000 };

  using mutex = Mutex.create(at("mutex"));
  mutex.lock();
  for (const take of [(one: Mutex) => one.tryLock(), (one: Mutex) => one.lockAsync(wait)]) {
    using copied = Mutex.open(copy("mutex"));
    expect([await take(copied), copied.ownerDied]).toEqual([true, true]);
    copied.unlock();
  }
  expect(thrown(() => mutex.tryLock())).toBe("StateError EDEADLK");
  mutex.unlock();

  using written = RwLock.create(at("written"), { readers: 4 });
  using read = RwLock.create(at("read"), { readers: 4 });
  written.lockWrite();
  read.lockRead();
  for (const name of ["written", "read"]) {
    using copied = RwLock.open(copy(name));
    expect(copied.lockWrite(wait)).toBe(true);
    expect(copied.ownerDied).toBe(name === "written");
    copied.unlockWrite();
    expect(await copied.lockReadAsync(wait)).toBe(true);
    copied.unlockRead();
  }
  written.unlockWrite();
  read.unlockRead();

  using lease = Lease.create(at("lease"));
  using term = lease.tryAcquire({ text: "mine" })!;
  using copiedLease = Lease.open(copy("lease"));
  expect([copiedLease.isHeld, copiedLease.holder]).toEqual([false, undefined]);
  using copiedTerm = copiedLease.tryAcquire()!;
  expect([copiedTerm.token > term.token, term.held]).toEqual([true, true]);

  using barrier = Barrier.create(at("barrier"), { parties: 2 });
  const waiting = barrier.waitAsync(wait);
  while (barrier.waiting === 0) await Bun.sleep(1);
  using copiedBarrier = Barrier.open(copy("barrier"));
  expect(copiedBarrier.waiting).toBe(0);
  expect(copiedBarrier.wait({ timeoutMs: 1 })).toBe("timedOut");
  using other = Barrier.open(at("barrier"));
  expect([other.wait(wait), await waiting]).toEqual(["last", "passed"]);

  using map = SharedMap.create(at("map"), { size: 1 << 16, codec: codecs.number });
  let name = "";
  map.update("n", () => ((name = copy("map")), 1));
  using copiedMap = SharedMap.open(name, { codec: codecs.number });
  expect([copiedMap.set("n", 5), copiedMap.get("n")]).toEqual([true, 5]);

  using record = SharedRecord.create(at("record"), { codec: Pair, initial: { a: 1, b: 1 } });
  record.update((value) => ((name = copy("record")), value!));
  using copiedRecord = SharedRecord.open(name, { codec: Pair });
  copiedRecord.write({ a: 2, b: 2 });
  expect(copiedRecord.read()).toEqual({ a: 2, b: 2 });
});
