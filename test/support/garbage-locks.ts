/** Locks, semaphores and guards, ready to be called. */
import {
  Barrier,
  Condition,
  Lease,
  Mutex,
  NamedLocks,
  RwLock,
  Segment,
  Semaphore,
  SharedEvent,
  SystemVSemaphore,
} from "../../src/index.ts";
import { OFFSET, WAIT, ASYNC, end, placed, type Target } from "./garbage-target.ts";

const lockCalls = (names: readonly string[]): Pick<Target, "sound" | "options"> => ({
  sound: Object.fromEntries(names.map((name) => [name, [WAIT]])),
  options: Object.fromEntries(names.map((name) => [name, ASYNC])),
});

/** Those, by name. */
export function lockTargets(): Record<string, () => Target> {
  return {
    mutex: placed((segment) => Mutex.init(segment, OFFSET), {
      sound: {
        ...lockCalls(["lock", "lockAsync", "acquire", "acquireAsync"]).sound,
        withLock: [() => undefined, WAIT],
      },
      options: {
        ...lockCalls(["lock", "lockAsync", "acquire", "acquireAsync"]).options,
        withLock: ASYNC,
      },
    }),
    "mutex that is held": () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const on = Mutex.init(segment, OFFSET);
      on.lock();
      return {
        on,
        segment,
        ...lockCalls(["lock", "lockAsync", "acquire", "acquireAsync"]),
        end: () => {
          if (on.held) on.unlock();
          end(on, segment)();
        },
      };
    },
    "mutex guard": () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const mutex = Mutex.init(segment, OFFSET);
      const guard = mutex.acquire();
      return {
        on: guard,
        segment,
        end: () => {
          guard[Symbol.dispose]();
          end(mutex, segment)();
        },
      };
    },
    "readers-writer lock": placed(
      (segment) => RwLock.init(segment, OFFSET, { readers: 4 }),
      lockCalls([
        "lockRead",
        "lockReadAsync",
        "lockWrite",
        "lockWriteAsync",
        "acquireRead",
        "acquireReadAsync",
        "acquireWrite",
        "acquireWriteAsync",
      ]),
    ),
    "read guard": () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const lock = RwLock.init(segment, OFFSET, { readers: 4 });
      const guard = lock.acquireRead();
      return {
        on: guard,
        segment,
        end: () => {
          guard[Symbol.dispose]();
          end(lock, segment)();
        },
      };
    },
    condition: () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const mutex = Mutex.init(segment, 4096);
      const on = Condition.init(segment, OFFSET, { mutex });
      mutex.lock();
      return {
        on,
        segment,
        fresh: true,
        sound: {
          wait: [WAIT],
          waitAsync: [WAIT],
          waitFor: [() => false, WAIT],
          waitForAsync: [() => false, WAIT],
        },
        options: { wait: ASYNC, waitAsync: ASYNC, waitFor: ASYNC, waitForAsync: ASYNC },
        end: () => {
          if (mutex.held) mutex.unlock();
          on.close();
          mutex.close();
          segment.close();
        },
      };
    },
    event: placed(
      (segment) => SharedEvent.init(segment, OFFSET, { reset: "auto" }),
      lockCalls(["wait", "waitAsync"]),
    ),
    barrier: placed(
      (segment) => Barrier.init(segment, OFFSET, { parties: 2 }),
      lockCalls(["wait", "waitAsync"]),
    ),
    "named locks": placed((segment) => NamedLocks.init(segment, OFFSET, { names: 5 }), {
      sound: {
        request: ["a", WAIT, () => undefined],
        withLock: ["a", WAIT, () => undefined],
      },
      options: {
        request: ["mode", "ifAvailable", "steal", "signal"],
        withLock: ["mode", "ifAvailable", "steal", "signal"],
      },
    }),
    lease: placed((segment) => Lease.init(segment, OFFSET), {
      sound: { tryAcquire: [{ text: "x" }], acquire: [WAIT], acquireAsync: [WAIT] },
      options: { acquire: [...ASYNC, "text"], acquireAsync: [...ASYNC, "text"] },
    }),
    term: () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const lease = Lease.init(segment, OFFSET);
      const on = lease.tryAcquire()!;
      return { on, segment, skip: ["end"], end: end(lease, segment) };
    },
    semaphore: placed((segment) => Semaphore.init(segment, OFFSET, { value: 1 }), {
      skip: ["takeAbove", "hold"],
      sound: { ...lockCalls(["wait", "waitAsync", "acquire", "acquireAsync"]).sound, post: [1] },
      options: lockCalls(["wait", "waitAsync", "acquire", "acquireAsync"]).options!,
    }),
    "semaphore at 0": placed((segment) => Semaphore.init(segment, OFFSET, { value: 0 }), {
      skip: ["takeAbove", "hold"],
      ...lockCalls(["wait", "waitAsync", "acquire", "acquireAsync"]),
    }),
    "System V semaphore": () => {
      const on = SystemVSemaphore.create("sysv:private", { value: 1 });
      return {
        on,
        sound: { wait: [WAIT], acquire: [WAIT], post: [1] },
        options: { wait: ASYNC, acquire: ASYNC },
        end: () => {
          SystemVSemaphore.unlink(on.name);
          on.close();
        },
      };
    },
  };
}
