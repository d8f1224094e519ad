/** Handles that nobody keeps: locks last with their segment, and descriptors are taken back. */
import { expect, test } from "bun:test";
import { Lease, MessageQueue, Mutex, RingBuffer, RwLock, Segment } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { BUN, finished } from "../support/process.ts";

/** Collects garbage, in turns of its own, until what was forgotten is gone. */
async function collect(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) {
    Bun.gc(true);
    await Bun.sleep(1);
  }
}

test("a lock that nobody keeps lasts until its segment is closed", async () => {
  const name = uniqueName("forgotten");
  const segment = Segment.create(name, { size: 64 });
  using other = Segment.open(name);
  for (let index = 0; index < 100; index++) void segment.tryLock(index);
  await collect();
  const held = Array.from({ length: 100 }, (_, index) => other.isLocked(index));
  expect(held.every(Boolean)).toBe(true);
  segment.close();
  expect([other.isLocked(0), other.isLocked(99)]).toEqual([false, false]);
  other.unlink();
});

test("a lock that is kept lasts when its segment is not", async () => {
  const name = uniqueName("forgotten");
  const lock = ((): Disposable => {
    const segment = Segment.create(name, { size: 64 });
    return segment.tryLock(7)!;
  })();
  await collect();
  using other = Segment.open(name);
  expect(other.isLocked(7)).toBe(true);
  lock[Symbol.dispose]();
  expect(other.isLocked(7)).toBe(false);
  other.unlink();
});

test("a lock of a System V segment, a role and a lease last like it", async () => {
  using segment = Segment.create("sysv:private", { size: 8192 });
  void segment.tryLock(3);
  using ring = RingBuffer.create("memfd:forgotten", { capacity: 1024, kind: "broadcast" });
  void ring.producer();
  using lease = Lease.create(uniqueName("forgotten"));
  void lease.tryAcquire();
  using again = Lease.open(lease.segment.name);
  await collect();
  expect(segment.isLocked(3)).toBe(true);
  expect(() => ring.producer()).toThrow("a live producer");
  expect(again.tryAcquire()).toBeUndefined();
  lease.unlink();
  segment.unlink();
});

const INDEX = new URL("../../src/index.ts", import.meta.url).pathname;

/** Locks with handles that it forgets, collects them, and stays. */
const HOLDER = `
  const { Mutex, RwLock, Segment } = await import(${JSON.stringify(INDEX)});
  const segment = Segment.open(process.argv.at(-1));
  (() => {
    Mutex.init(segment, 0).lock();
    RwLock.init(segment, 1024).lockWrite();
  })();
  for (let turn = 0; turn < 30; turn++) {
    Bun.gc(true);
    await Bun.sleep(1);
  }
  console.log("held");
  setInterval(() => {}, 1000);
`;

test("a mutex and a readers-writer lock that nobody keeps stay held", async () => {
  using segment = Segment.create(uniqueName("forgotten"), { size: 16_384 });
  const holder = Bun.spawn([BUN, "-e", HOLDER, segment.name], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await holder.stdout.getReader().read();
  using mutex = Mutex.at(segment, 0);
  using lock = RwLock.at(segment, 1024);
  expect([mutex.tryLock(), lock.tryLockRead()]).toEqual([false, false]);
  holder.kill("SIGKILL");
  await holder.exited;
  segment.unlink();
});

/** Runs a program that forgets many handles, with 64 descriptors. */
async function withFewDescriptors(setup: string, call: string): Promise<string> {
  const program = `
    import * as api from ${JSON.stringify(INDEX)};
    ${setup};
    try {
      for (let at = 0; at < 500; at++) {
        ${call};
        await new Promise((resolve) => setImmediate(resolve));
      }
      console.log("ok");
    } catch (error) {
      console.log(error.code, error.message);
    }`;
  const child = Bun.spawn(["bash", "-c", 'ulimit -n 64; exec "$0" -e "$1"', BUN, program], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  return (await finished(child)).stdout.trim();
}

test("descriptors of forgotten handles are taken back when there are no others", async () => {
  const name = uniqueName("forgotten");
  using segment = Segment.create(name, { size: 4096 });
  using ring = RingBuffer.create(`${name}r`, { capacity: 1024 });
  const quoted = JSON.stringify(name);
  expect(await withFewDescriptors("", `api.Segment.open(${quoted})`)).toBe("ok");
  expect(await withFewDescriptors("", `api.RingBuffer.open(${quoted} + "r")`)).toBe("ok");
  expect(await withFewDescriptors("", `api.Segment.create("memfd:x", { size: 64 })`)).toBe("ok");
  segment.unlink();
  ring.unlink();
});

test("without any to take back, the error says what is used up", async () => {
  const setup = `const kept = []; const segment = api.Segment.create("memfd:x", { size: 64 })`;
  // What EMFILE means, each libc says in other words.
  expect(await withFewDescriptors(setup, "kept.push(segment.tryLock(at))")).toMatch(
    /^EMFILE Cannot lock segment "memfd:x": EMFILE, [^.]+\. All descriptors that this process may have are in use: close handles that it needs no more, or raise `ulimit -n`$/,
  );
});

test("forgotten queues do not use up a queue's places", async () => {
  const name = uniqueName("forgotten");
  using queue = MessageQueue.create(name, { synchronization: "segment" });
  const call = `api.MessageQueue.open(${JSON.stringify(name)})`;
  const outcome = await withFewDescriptors("", call);
  expect(outcome === "ok" || /close|handles have it/.test(outcome)).toBe(true);
  queue.unlink();
});
