/** Every call of libc by which queues and semaphores are made, found and waited for fails once. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import {
  MessageQueue,
  Segment,
  Semaphore,
  SystemError,
  SystemVSemaphore,
} from "../../src/index.ts";
import { failing } from "../support/failing-calls.ts";
import { uniqueName } from "../support/names.ts";

// A watchdog, and no limit on speed; the preload's holds for the first file alone.
setDefaultTimeout(300_000);

interface Handle {
  close(): void;
}

/** All that is there of a name: files, descriptors and mappings of this process. */
function traces(name: string): string[] {
  const isIts = (text: string): boolean => text.includes(name.slice(1)) || text.includes("/shm/#");
  const descriptors = readdirSync("/proc/self/fd").flatMap((file) => {
    try {
      return [readlinkSync(`/proc/self/fd/${file}`)];
    } catch {
      return [];
    }
  });
  const mappings = readFileSync("/proc/self/maps", "utf8").split("\n");
  return [...readdirSync("/dev/shm"), ...descriptors, ...mappings].filter(isIts).sort();
}

/** Lets an action fail at each of its calls, and checks that nothing is left of it. */
async function failAtEach(name: string, action: () => Handle): Promise<string[]> {
  const failures: string[] = [];
  for (let nth = 1; ; nth++) {
    const before = traces(name);
    let made: Handle | undefined;
    const { failed, error } = await failing(nth, () => void (made = action()));
    made?.close();
    if (failed === undefined) return failures;
    failures.push(failed);
    // Some failures have another way out, and the call succeeds.
    if (made === undefined) expect(error).toBeInstanceOf(SystemError);
    expect([failed, traces(name)]).toEqual([failed, before]);
    action().close();
    expect(traces(name)).toEqual(before);
  }
}

/** Closes a handle and removes its name. */
const removing = <H extends Handle & { unlink(): boolean }>(handle: H): Handle => ({
  close: () => {
    expect(handle.unlink()).toBe(true);
    handle.close();
  },
});

describe.each(["named", "segment", "polling"] as const)("a queue with %s tokens", (mode) => {
  test("that is made", async () => {
    const name = uniqueName("fails");
    const options = { synchronization: mode };
    const failures = await failAtEach(name, () => removing(MessageQueue.create(name, options)));
    expect(failures).toContain("mmap");
    await failAtEach(name, () => removing(MessageQueue.openOrCreate(name, options)));
  });

  test("that is found", async () => {
    const name = uniqueName("fails");
    using queue = MessageQueue.create(name, { synchronization: mode });
    queue.enqueue("kept");
    expect(await failAtEach(name, () => MessageQueue.open(name))).toContain("mmap");
    await failAtEach(name, () => MessageQueue.openOrCreate(name));
    expect(queue.dequeue()).toBe("kept");
    queue.unlink();
  });

  test("that waits", async () => {
    const name = uniqueName("fails");
    using queue = MessageQueue.create(name, { synchronization: mode });
    for (let nth = 1; ; nth++) {
      const wait = (): Promise<unknown> => queue.dequeueAsync({ timeoutMs: 5 });
      const { failed } = await failing(nth, wait);
      queue.enqueue("next");
      expect(await queue.dequeueAsync()).toBe("next");
      if (failed === undefined) break;
    }
    queue.unlink();
  });
});

test("a named semaphore", async () => {
  const name = uniqueName("fails");
  const failures = await failAtEach(name, () => removing(Semaphore.create(name, { value: 1 })));
  const making = ["open", "posix_fallocate", "mmap", "sem_init", "fchmod", "linkat"];
  expect(failures).toEqual([...making, "open", "mmap"]);
  await failAtEach(name, () => removing(Semaphore.openOrCreate(name)));
  using semaphore = Semaphore.create(name, { value: 1 });
  expect(await failAtEach(name, () => Semaphore.open(name))).toEqual(["open", "mmap"]);
  expect([semaphore.wait(), semaphore.unlink()]).toEqual([true, true]);
});

test("a semaphore in a segment that is waited for", async () => {
  const name = uniqueName("fails");
  const failures: string[] = [];
  for (let nth = 1; ; nth++) {
    const segment = Segment.create(name, { size: 4096 });
    const semaphore = Semaphore.init(segment, 0);
    const { failed, error } = await failing(nth, () => semaphore.waitAsync({ timeoutMs: 5 }));
    if (failed !== undefined) {
      failures.push(failed);
      // Without a descriptor of its own that is kept, the segment's does.
      if (failed === "mremap") expect(error).toBeInstanceOf(SystemError);
      else expect(error).toBeUndefined();
    }
    expect(await semaphore.waitAsync({ timeoutMs: 5 })).toBe(false);
    semaphore.post();
    expect(await semaphore.waitAsync()).toBe(true);
    segment.unlink();
    segment.close();
    if (failed === undefined) break;
  }
  // And `fcntl`, which ends what was kept, if the thread has left meanwhile.
  expect(failures.slice(0, 3)).toEqual(["open", "fcntl", "mremap"]);
  // The memory of the last waits ends when their threads have left.
  while (traces(name).length > 0) await Bun.sleep(1);
});

test("a System V semaphore", async () => {
  const key = `sysv:0x${((process.pid << 12) | 0xfa1).toString(16)}`;
  const create = (): Handle => removing(SystemVSemaphore.create(key, { value: 1 }));
  // One that stayed would be in the way of the next.
  expect(await failAtEach("/none", create)).toEqual(["semget", "semctl"]);
  await failAtEach("/none", () => removing(SystemVSemaphore.openOrCreate(key)));
  expect(() => SystemVSemaphore.open(key)).toThrow("ENOENT");
});
