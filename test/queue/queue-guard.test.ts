/** When a queue's tokens are made to fit, and when they are not. */
import { expect } from "bun:test";
import { QueueGuard } from "../../src/queue/guard.ts";
import { closeQueue, createQueue } from "../../src/queue/lifecycle.ts";
import { checkSpec } from "../../src/queue/options.ts";
import { QueueLog } from "../../src/queue/queue-log.ts";
import { MessageQueue } from "../../src/index.ts";
import { NEEDS_NO_LIBC } from "../../src/libc/semaphore.ts";
import { QUEUE_QUIET_MS, QUEUE_QUIET_WITH_C_MS } from "../../src/waiting/limits.ts";
import { uniqueName } from "../support/names.ts";
import { testWithC } from "../support/needs.ts";
import { type Child, compileC } from "../support/process.ts";

testWithC("a C program that comes while they are counted keeps the token in its hand", async () => {
  const name = uniqueName("guard");
  // musl's semaphores have the names of their files.
  const start = NEEDS_NO_LIBC ? name : `/sem.${name.slice(1)}`;
  const semaphores = ["mutex", "items", "spaces"].map((which) => `${start}_${which}`);
  const program = compileC("test/peers/c/producer.c");
  const log = new QueueLog(name, undefined);
  const queue = createQueue(checkSpec("create", name, {}, []), { log });
  const { items, spaces, mutex } = queue;
  const repairs: string[] = [];
  let producer: Child | undefined;
  /** As the guard takes the mutex, a producer comes, takes a token, and waits for the mutex. */
  const tryWait = (): boolean => {
    const taken = mutex.tryWait();
    if (!taken || producer !== undefined) return taken;
    const before = spaces.value;
    producer = Bun.spawn([program, name, ...semaphores, "1", "0", "p"], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (let look = 0; spaces.value === before; look++) {
      if (look > 10_000) throw new Error("The C producer takes no token");
      Bun.sleepSync(1);
    }
    return true;
  };
  const watched = {
    get value(): number {
      return mutex.value;
    },
    post: (count?: number) => mutex.post(count),
    tryWait,
    wait: (options: { readonly timeoutMs: number }) => mutex.wait(options),
    waitAsync: mutex.waitAsync.bind(mutex),
    takeAbove: mutex.takeAbove.bind(mutex),
    close: () => undefined,
  };
  const guard = new QueueGuard({ ...queue, mutex: watched }, (message) => repairs.push(message));
  try {
    // A producer that was killed has taken one with it.
    expect(spaces.tryWait()).toBe(true);
    guard.audit();
    await Bun.sleep(2 * QUEUE_QUIET_MS);
    guard.audit();
    while (items.value === 0 && producer?.exitCode === null) await Bun.sleep(1);
    expect([items.value, spaces.value, queue.slots.depth]).toEqual([1, 8, 1]);
    // The one that is lost is found missing once nothing moves any more.
    guard.audit();
    await Bun.sleep(QUEUE_QUIET_WITH_C_MS + QUEUE_QUIET_MS);
    guard.audit();
    expect([items.value, spaces.value, mutex.value]).toEqual([1, 9, 1]);
    expect(repairs).toEqual(["Tokens were lost or too many: items 0, spaces 1, mutex 0"]);
  } finally {
    // It would stay until somebody has taken its message.
    producer?.kill("SIGKILL");
    await producer?.exited;
    closeQueue(queue);
    MessageQueue.unlink(name);
  }
});
