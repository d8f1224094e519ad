/** Queues whose tokens somebody changed: calls end in time, and the queue works again. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { MessageQueue, type MessageQueueEvent } from "../../src/index.ts";
import {
  BOOK_SEMAPHORES_OFFSET,
  BOOK_SEMAPHORE_LENGTH,
  DEFAULT_SLOTS,
  DEFAULT_SLOT_SIZE,
  bookOffset,
} from "../../src/layout/message-queue-layout.ts";
import { NEEDS_NO_LIBC } from "../../src/libc/semaphore.ts";
import { uniqueName } from "../support/names.ts";
import { titleNeeding } from "../support/needs.ts";

// A watchdog, and no limit on speed: with token by token, it takes 15 s and more.
setDefaultTimeout(300_000);

const MOST = 2 ** 31 - 1;
const [MUTEX, ITEMS, SPACES] = [0, 1, 2];
const BOOK = bookOffset({ slots: DEFAULT_SLOTS, slotSize: DEFAULT_SLOT_SIZE });

/** The word that counts tokens, in a mapping of somebody else's. */
function tokensOf(queue: MessageQueue, which: number): Int32Array {
  if (queue.synchronization === "named") {
    const name = `${queue.name}_${["mutex", "items", "spaces"][which]!}`;
    return new Int32Array(Bun.mmap(`/dev/shm/sem.${name.slice(1)}`).buffer, 0, 1);
  }
  const offset = BOOK + BOOK_SEMAPHORES_OFFSET + which * BOOK_SEMAPHORE_LENGTH;
  return new Int32Array(Bun.mmap(`/dev/shm${queue.name}`).buffer, offset, 1);
}

/** Everything that can be done with a queue works, and finds tokens and messages to agree. */
async function checkWorks(queue: MessageQueue): Promise<void> {
  for (let number = 0; number < queue.capacity; number++) {
    expect(queue.enqueue(`n${number}`, { timeoutMs: 60_000 })).toBe(true);
  }
  expect(queue.tryEnqueue("too many")).toBe(false);
  expect(await queue.enqueueAsync("too many", { timeoutMs: 20 })).toBe(false);
  for (let number = 0; number < queue.capacity; number++) {
    expect(await queue.dequeueAsync({ timeoutMs: 60_000 })).toBe(`n${number}`);
  }
  expect(queue.dequeue({ timeoutMs: 20 })).toBeUndefined();
  const values = [MUTEX, ITEMS, SPACES].map((which) => tokensOf(queue, which!)[0]);
  expect(values).toEqual([1, 0, queue.capacity]);
}

describe("tokens below 0, which are polled", () => {
  for (const value of [-1, -(2 ** 31), -11]) {
    test(`${value}: whoever waits mends them`, async () => {
      const name = uniqueName("tokens");
      using queue = MessageQueue.create(name, { synchronization: "polling" });
      queue.enqueue("first");
      for (const which of [MUTEX, ITEMS, SPACES]) tokensOf(queue, which!)[0] = value;
      expect(await queue.dequeueAsync({ timeoutMs: 60_000 })).toBe("first");
      await checkWorks(queue);
      queue.unlink();
    });
  }
});

// musl's semaphores can only be taken one by one: there, too many tokens are a LayoutError.
const title = titleNeeding("tokens that somebody changed", "glibc", NEEDS_NO_LIBC);
describe.skipIf(!NEEDS_NO_LIBC)(title, () => {
  for (const synchronization of ["named", "segment", "polling"] as const) {
    for (const [which, word] of [
      [ITEMS, "items"],
      [SPACES, "spaces"],
      [MUTEX, "mutex"],
    ] as const) {
      for (const value of [MOST, MOST - 1, 2 ** 24, 11]) {
        test(`${synchronization}: ${value} ${word}`, async () => {
          const events: MessageQueueEvent[] = [];
          const name = uniqueName("tokens");
          using queue = MessageQueue.create(name, {
            synchronization,
            logger: (event) => events.push(event),
          });
          const tokens = tokensOf(queue, which!);
          queue.enqueue("first");
          tokens[0] = value;
          expect(queue.dequeue({ timeoutMs: 20 })).toBe("first");
          expect(queue.dequeue({ timeoutMs: 20 })).toBeUndefined();
          tokens[0] = value;
          expect(queue.enqueue("second", { timeoutMs: 20 })).toBe(true);
          expect(queue.tryDequeue()).toBe("second");

          tokens[0] = value;
          let beats = 0;
          const timer = setInterval(() => beats++, 1);
          expect(await queue.dequeueAsync({ timeoutMs: 100 })).toBeUndefined();
          clearInterval(timer);
          expect(beats).toBeGreaterThan(0);

          tokens[0] = value;
          while (queue.tryEnqueue("more"));
          expect(queue.size).toBe(queue.capacity);
          expect(await queue.enqueueAsync("more", { timeoutMs: 20 })).toBe(false);
          while (queue.dequeue({ timeoutMs: 20 }) !== undefined);
          // Whoever waits in vain finds out what does not add up.
          while (tokens[0] === value) queue.dequeue({ timeoutMs: 50 });
          await checkWorks(queue);
          expect(events.length).toBeGreaterThan(0);
          queue.unlink();
        });
      }
    }
  }
});
