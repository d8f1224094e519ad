/**
 * Each call of libc fails in each way while somebody waits, locks, or rings a bell: the wait ends
 * with an answer or an error of the package, and the next one works. Others hold what is waited for.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import {
  Barrier,
  Condition,
  Lease,
  MessageQueue,
  Mutex,
  NamedLocks,
  RingBuffer,
  RwLock,
  Segment,
  Semaphore,
  SharedEvent,
  SharedRecord,
  StateError,
  SystemError,
  SystemVSemaphore,
  UnsupportedError,
  struct,
} from "../../src/index.ts";
import { E } from "../../src/libc/errno.ts";
import { ownBell, ring } from "../../src/waiting/doorbell.ts";
import { FailingCalls, type Failures, allFailing } from "../support/failing-calls.ts";
import { firstLine } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, spawnBun } from "../support/process.ts";

// A watchdog, and no limit on speed: a loop without an end is what these tests look for.
setDefaultTimeout(300_000);

const WAIT = { timeoutMs: 12 };
/** What a signal, a limit or a filter of system calls makes of a call. */
const CODES = ["EINTR", "EAGAIN", "EMFILE", "ENOMEM", "EPERM", "ENOSYS"] as const;
/** What a limit or a filter does to every call. */
const LASTING: ReadonlySet<string> = new Set(["EMFILE", "ENOMEM", "EPERM", "ENOSYS"]);

interface Subject {
  /** Waits or tries in vain; what it returns without a failure. */
  readonly call: () => unknown;
  readonly answer: unknown;
}

const prefix = uniqueName("held");
let holder: Child;
const handles: { close(): void }[] = [];
const keep = <H extends { close(): void }>(handle: H): H => {
  handles.push(handle);
  return handle;
};
/** Removes what has no name in /dev/shm. */
const ends: (() => void)[] = [];
const subjects: Record<string, Subject> = {};

/** Something that answers false or undefined while another process holds it, or nobody tells. */
function makeSubjects(): void {
  const own = (kind: string): string => `${prefix}-own-${kind}`;
  const mutex = keep(Mutex.open(`${prefix}-mutex`));
  const reading = keep(RwLock.open(`${prefix}-reading`));
  const writing = keep(RwLock.open(`${prefix}-writing`));
  const lease = keep(Lease.open(`${prefix}-lease`));
  const locks = keep(NamedLocks.open(`${prefix}-locks`));
  const segment = keep(Segment.open(`${prefix}-raw`));
  const inside = keep(Mutex.at(segment, 1024));
  const event = keep(SharedEvent.create(own("event"), { reset: "auto" }));
  const barrier = keep(Barrier.create(own("barrier"), { parties: 2 }));
  const free = keep(Mutex.create(own("mutex")));
  const condition = keep(Condition.create(own("condition"), { mutex: free }));
  const record = keep(SharedRecord.create(own("record"), { codec: struct({ n: "u32" }) }));
  const ring = keep(RingBuffer.create(own("ring"), { capacity: 1024 }));
  const consumer = keep(ring.consumer());
  const semaphore = keep(Semaphore.create(own("semaphore")));
  const placed = keep(Semaphore.init(segment, 2048));
  const locked = (call: () => boolean): boolean => {
    free.lock();
    try {
      return call();
    } finally {
      free.unlock();
    }
  };
  const add = (name: string, answer: unknown, call: () => unknown): void => {
    subjects[name] = { call, answer };
  };
  add("Mutex.lock", false, () => mutex.lock(WAIT));
  add("Mutex.tryLock", false, () => mutex.tryLock());
  add("Mutex.lockAsync", false, () => mutex.lockAsync(WAIT));
  add("Mutex.lock in a segment", false, () => inside.lock(WAIT));
  add("Mutex.open", undefined, () => Mutex.open(`${prefix}-mutex`).close());
  add("taking part", false, () => {
    using again = Mutex.open(`${prefix}-mutex`);
    return again.tryLock();
  });
  add("RwLock.lockRead", false, () => writing.lockRead(WAIT));
  add("RwLock.lockReadAsync", false, () => writing.lockReadAsync(WAIT));
  add("RwLock.lockWrite", false, () => reading.lockWrite(WAIT));
  add("RwLock.lockWriteAsync", false, () => reading.lockWriteAsync(WAIT));
  add("Lease.acquire", undefined, () => lease.acquire(WAIT));
  add("Lease.acquireAsync", undefined, () => lease.acquireAsync(WAIT));
  add("NamedLocks.withLock", null, () => locks.withLock("a", WAIT, (lock) => lock));
  add("NamedLocks.request", null, () => locks.request("a", WAIT, (lock) => lock));
  add("Lease.isHeld", true, () => lease.isHeld);
  add("SharedEvent.wait", false, () => event.wait(WAIT));
  add("SharedEvent.waitAsync", false, () => event.waitAsync(WAIT));
  add("Barrier.wait", "timedOut", () => (barrier.reset(), barrier.wait(WAIT)));
  add("Barrier.waitAsync", "timedOut", () => (barrier.reset(), barrier.waitAsync(WAIT)));
  add("Condition.wait", false, () => locked(() => condition.wait(WAIT)));
  add("SharedRecord.waitChanged", false, () => record.waitChanged(WAIT));
  add("SharedRecord.waitChangedAsync", false, () => record.waitChangedAsync(WAIT));
  add("RingConsumer.take", undefined, () => consumer.take(WAIT));
  add("RingConsumer.takeAsync", undefined, () => consumer.takeAsync(WAIT));
  add("RingBuffer.hasProducer", false, () => ring.hasProducer);
  add("Semaphore.wait", false, () => semaphore.wait(WAIT));
  add("Semaphore.waitAsync", false, () => semaphore.waitAsync(WAIT));
  add("Semaphore.wait in a segment", false, () => placed.wait(WAIT));
  add("Semaphore.waitAsync in a segment", false, () => placed.waitAsync(WAIT));
  const counted = keep(SystemVSemaphore.create("sysv:private", { value: 0 }));
  ends.push(() => counted.unlink());
  add("SystemVSemaphore.wait", false, () => counted.wait(WAIT));
  add("Segment.isLocked", true, () => segment.isLocked(77));
  add("Segment.tryLock", undefined, () => segment.tryLock(77));
  for (const synchronization of ["named", "segment", "polling"] as const) {
    const queue = keep(MessageQueue.create(own(synchronization), { synchronization }));
    add(`MessageQueue.dequeue, ${synchronization}`, undefined, () => queue.dequeue(WAIT));
    add(`MessageQueue.dequeueAsync, ${synchronization}`, undefined, () => queue.dequeueAsync(WAIT));
  }
  const other = keep(SharedEvent.open(own("event")));
  add("a bell", true, async () => {
    event.reset();
    const wait = event.waitAsync({ timeoutMs: 60_000 });
    const ringing = Bun.sleep(2).then(() => other.set());
    const [woken, rung] = await Promise.allSettled([wait, ringing]);
    if (woken.status === "rejected") throw woken.reason;
    if (rung.status === "rejected") throw rung.reason;
    return woken.value;
  });
}

beforeAll(async () => {
  holder = spawnBun("test/peers/holder.ts", prefix);
  await firstLine(holder);
  makeSubjects();
  // All threads that wait for semaphores start, and stay.
  const semaphores = Array.from({ length: 6 }, () =>
    keep(Semaphore.open(`${prefix}-own-semaphore`)),
  );
  await Promise.all(semaphores.map((semaphore) => semaphore.waitAsync(WAIT)));
});
afterAll(async () => {
  for (const end of ends) end();
  for (const handle of handles.toReversed()) handle.close();
  holder.kill("SIGKILL");
  await holder.exited;
  for (const file of readdirSync("/dev/shm")) {
    if (file.startsWith(prefix.slice(1))) Segment.unlink(`/${file}`);
    if (file.startsWith(`sem.${prefix.slice(1)}`))
      Semaphore.unlink(`/${file.slice("sem.".length)}`);
  }
});

const descriptors = (): number => readdirSync("/proc/self/fd").length;

async function check(
  { call, answer }: Subject,
  which: number | "each",
  failures: Failures,
): Promise<void> {
  using calls = new FailingCalls(which, failures);
  let found: unknown;
  try {
    found = await call();
  } catch (error) {
    const isOurs = [SystemError, StateError, UnsupportedError].some(
      (each) => error instanceof each,
    );
    if (isOurs) return;
    throw error;
  }
  // A failure must not pass for a lock, a token or a message.
  expect([calls.failed, found]).toEqual([calls.failed, answer]);
}

test("a bell that cannot be rung is not taken for that of a dead process", () => {
  const own = ownBell();
  for (const call of ["socket", "connect"]) {
    for (const code of CODES) {
      using calls = new FailingCalls("each", { [call]: E[code] });
      expect([code, ring(own), calls.failed]).toEqual([code, true, call]);
    }
  }
  // Its owner closes a connection to make room for others: then it connects again.
  for (const code of [...CODES, "EPIPE"] as const) {
    expect(ring(own)).toBe(true);
    using calls = new FailingCalls("each", { send: E[code] });
    expect([code, ring(own), calls.failed]).toEqual([code, true, "send"]);
  }
  {
    using calls = new FailingCalls("each", { connect: E.ECONNREFUSED, send: E.EPIPE });
    expect([ring(own), calls.called.has("connect")]).toEqual([false, true]);
  }
  expect(ring(own)).toBe(true);
});

describe("a wait of which a call fails", () => {
  test("ends with its answer, or an error that says so, and the next one works", async () => {
    for (const [name, subject] of Object.entries(subjects)) {
      const called = new Set<string>();
      {
        // The first use makes threads and bells, which stay.
        expect([name, await subject.call()]).toEqual([name, subject.answer]);
        using calls = new FailingCalls("none", allFailing(0));
        expect([name, await subject.call()]).toEqual([name, subject.answer]);
        for (const each of calls.called) called.add(each);
      }
      const before = descriptors();
      for (const call of called) {
        for (const code of CODES) {
          const failures = { [call]: E[code] };
          const where = `${name}: ${call} answers ${code}`;
          try {
            await check(subject, 1, failures);
            await check(subject, 2, failures);
            if (LASTING.has(code)) await check(subject, "each", failures);
            expect(await subject.call()).toEqual(subject.answer);
          } catch (error) {
            throw new Error(where, { cause: error });
          }
        }
      }
      // What was open before may have ended: connections of bells do, in their own time.
      const after = descriptors();
      expect([name, after > before ? `${after} of ${before}` : "none more"]).toEqual([
        name,
        "none more",
      ]);
    }
  });
});
