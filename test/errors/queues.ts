/** Rows of the table of errors: queues. */
import { mkdirSync, rmdirSync } from "node:fs";
import { MessageQueue, Semaphore } from "../../src/index.ts";
import {
  BOOK_MODE_WORD,
  COUNT_WORD,
  HEAD_WORD,
  bookOffset,
} from "../../src/layout/message-queue-layout.ts";
import { QUEUE_BOOKKEEPER_BYTE, QUEUE_CREATOR_BYTE } from "../../src/layout/lock-bytes.ts";
import {
  type ErrorRow,
  any,
  closed,
  many,
  queue,
  raw,
  scribbled,
  semaphore,
  words,
} from "./provoke.ts";

export const QUEUES: readonly ErrorRow[] = [
  {
    provoke: (name) => MessageQueue.open(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open message queue "NAME": ENOENT, no such file or directory. Its producer is not running: MessageQueue.create makes a queue',
  },
  {
    provoke: (name) => MessageQueue.create(queue(name).name),
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot create message queue "NAME": EEXIST, file exists. Another process made it and lives, or died and left it: MessageQueue.removeLeftovers finds out, and removes it in the second case; MessageQueue.openOrCreate takes it as it is',
  },
  {
    provoke: (name) => MessageQueue.create(name, { slots: 0 }),
    error: "RangeError",
    text: 'Cannot create message queue "NAME": slots must be an integer from 1 to 16777216, not 0',
  },
  {
    provoke: (name) => MessageQueue.create(name, { slotSize: 1 }),
    error: "RangeError",
    text: 'Cannot create message queue "NAME": slotSize must be an integer from 2 to 1073741824, not 1',
  },
  {
    provoke: (name) => MessageQueue.open(queue(name).name, { slots: 4 }),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it was made with a different number of slots: expected 4 at offset 2696, found 10',
  },
  {
    provoke: (name) => MessageQueue.open(raw(name, {}, 8).name),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it is too small: expected at least 20 bytes at offset 0, found 8',
  },
  {
    provoke: (name) => MessageQueue.open(words(name, [0xdeadbeef]).name),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it is not a message queue: expected 0x4d51534d at offset 0, found 0xdeadbeef',
  },
  {
    provoke: (name) => MessageQueue.open(words(name, [0x4d51534d, 2]).name),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": another version made it: expected version 1 at offset 4, found 2',
  },
  {
    provoke: (name) => MessageQueue.open(words(name, [0x4d51534d, 1, 99, 0, 0]).name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open semaphore "NAME_mutex": ENOENT, no such file or directory. Create it first, or use Semaphore.openOrCreate',
  },
  {
    provoke: (name) => MessageQueue.open(words(name, [0x4d51534d, 1, 0, 0, 11]).name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open semaphore "NAME_mutex": ENOENT, no such file or directory. Create it first, or use Semaphore.openOrCreate',
  },
  {
    provoke: (name) => MessageQueue.open(words(name, [0x4d51534d, 1], 64).name),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it is too small: expected 2580 bytes for 10 slots of 256 at offset 0, found 64',
  },
  {
    provoke: (name) => queue(name).enqueue(any(5)),
    error: "TypeError",
    text: "Cannot enqueue 5: it is not a string",
  },
  {
    provoke: (name) => queue(name).enqueue("a\0b"),
    error: "RangeError",
    text: "Cannot enqueue a text with a NUL character (at 1): it would end there",
  },
  {
    provoke: (name) => queue(name).enqueue("x".repeat(300)),
    error: "RangeError",
    text: "Cannot enqueue a text of 300 bytes: a slot holds at most 255. Pass { truncate: true } to cut it",
  },
  {
    provoke: (name) => queue(name).dequeue({ timeoutMs: -1 }),
    error: "RangeError",
    text: "Cannot wait: timeoutMs must be a number of 0 or more, not -1",
  },
  {
    provoke: (name) => closed(queue(name)).enqueue("x"),
    error: "ClosedError",
    text: 'Cannot use message queue "NAME": it is closed',
  },
  {
    provoke: (name) => many(name),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot open message queue "NAME": 64 handles have it open, the most possible',
  },
  {
    provoke: () => MessageQueue.create(any(7)),
    error: "TypeError",
    text: "Cannot create message queue 7: its name must be a string",
  },
  {
    provoke: (name) => MessageQueue.create(name, any({ slot: 3 })),
    error: "TypeError",
    text: 'Cannot create message queue "NAME": there is no option "slot" (did you mean "slots"?); it takes semaphores, slots, slotSize, logger, mode, synchronization',
  },
  {
    provoke: (name) => MessageQueue.open(raw(name, {}, 2580).name),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open message queue "NAME": it holds only zeros. If a C program died before it had finished, MessageQueue.unlink removes it',
  },
  {
    provoke: (name) => MessageQueue.openOrCreate(queue(name).name, { slotSize: 8 }),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it was made with a different slotSize: expected 8 at offset 2700, found 256',
  },
  {
    provoke: (name) => {
      using made = MessageQueue.create(name, { synchronization: "segment" });
      MessageQueue.openOrCreate(made.name, { synchronization: "polling" });
    },
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it was made with a different synchronization: expected polling at offset 2704, found segment',
  },
  {
    provoke: (name) =>
      MessageQueue.create(name, { semaphores: { mutex: "/a", items: "/a", spaces: "/b" } }),
    error: "RangeError",
    text: 'Cannot create message queue "NAME": its semaphores must have three names, not "/a" twice',
  },
  {
    provoke: (name) => queue(name).tryEnqueue("x", any({ timeoutMs: 5 })),
    error: "TypeError",
    text: 'Cannot enqueue into message queue "NAME": there is no option "timeoutMs"; it takes truncate',
  },
  {
    provoke: (name) => queue(name).dequeue(any({ signal: 5 })),
    error: "TypeError",
    text: 'Cannot dequeue from message queue "NAME": signal must be an AbortSignal, not 5',
  },
  {
    provoke: (name) => scribbled(queue(name), HEAD_WORD).enqueue("x"),
    error: "LayoutError",
    text: 'Cannot use message queue "NAME": its head is out of range: expected below 10 at offset 8, found 99',
  },
  {
    provoke: (name) => scribbled(queue(name), COUNT_WORD).enqueue("x"),
    error: "LayoutError",
    text: 'Cannot use message queue "NAME": its count is out of range: expected at most 10 at offset 16, found 99',
  },
  {
    provoke: (name) => words(name, [0, 0, 5]) && MessageQueue.openOrCreate(name),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": something else lies there: expected 0x4d51534d at offset 0, found 0x00000000',
  },
  {
    provoke: (name) => MessageQueue.open(name, { semaphores: any({ mutex: "/m" }) }),
    error: "TypeError",
    text: 'Cannot open message queue "NAME": the name of its semaphore "items" must be a string, not undefined',
  },
  {
    provoke: (name) => {
      const full = queue(name);
      while (full.tryEnqueue("x"));
      full.enqueueAsync("waits").catch(() => undefined);
      full.enqueue("later");
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot enqueue into message queue "NAME": asynchronous calls of this handle wait before this one, and blocking the thread would keep them waiting. Await them first',
  },
  {
    provoke: (name) => {
      const empty = queue(name);
      empty.dequeueAsync().catch(() => undefined);
      empty.dequeue();
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot dequeue from message queue "NAME": asynchronous calls of this handle wait before this one, and blocking the thread would keep them waiting. Await them first',
  },
  {
    provoke: (name) => {
      const waited = semaphore(name);
      waited.waitAsync().catch(() => undefined);
      waited.wait();
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot wait for semaphore "NAME": waitAsync calls of this handle come before this one, and blocking the thread would keep them waiting. Await them first',
  },
  {
    provoke: (name) => {
      const unfinished = raw(name, {}, 2580);
      unfinished.tryLock(QUEUE_CREATOR_BYTE);
      MessageQueue.open(unfinished.name, { waitMs: 1 });
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot open message queue "NAME": a live process is still making it, or has it open. Pass a longer waitMs to open',
  },
  {
    provoke: (name) => {
      const semaphores = { mutex: "/m", items: "/i", spaces: "/s" };
      return MessageQueue.open(queue(name).name, { semaphores });
    },
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it was made with semaphores of other names: expected "/m", "/i", "/s" at offset 2716, found names of the hash HASH',
  },
  {
    provoke: (name) => MessageQueue.removeLeftovers(words(name, [7]).name),
    error: "LayoutError",
    text: 'Cannot remove "NAME": it is no message queue, and stays. MessageQueue.unlink removes whatever it is: expected 0x4d51534d at offset 0, found 0x00000007',
  },
  {
    provoke: (name) => {
      const made = queue(name);
      const book = bookOffset({ slots: 10, slotSize: 256 }) / 4;
      new Int32Array(made.segment.buffer)[book + BOOK_MODE_WORD] = 9;
      MessageQueue.open(name);
    },
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": its mode is unknown: expected "named" or "segment" or "polling" at offset 2704, found mode 9',
  },
  {
    provoke: (name) => MessageQueue.open(`fd:${queue(name).segment.descriptor}`),
    error: "UnsupportedError",
    text: 'Cannot name the semaphores of message queue "fd:N": it is not a POSIX object. Pass { semaphores }',
  },
  {
    provoke: (name) => {
      const waited = semaphore(name);
      waited.close();
      waited.enterMemory();
    },
    error: "ClosedError",
    text: 'Cannot use semaphore "NAME": it is closed',
  },
  {
    provoke: (name) => {
      for (const role of ["mutex", "items", "spaces"]) semaphore(`${name}_${role}`, 1);
      words(name, [0x4d51534d, 1], 2580).tryLock(QUEUE_BOOKKEEPER_BYTE);
      MessageQueue.open(name, { waitMs: 1 });
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot open message queue "NAME": another process is adding its bookkeeping',
  },
  {
    provoke: (name) => withDirectory(name, () => Semaphore.openOrCreate(name)),
    error: "LayoutError",
    code: "ELAYOUT",
    text:
      'Cannot open semaphore "NAME": it is not a shared memory object: expected bytes that can be ' +
      "mapped at offset 0, found a FIFO, a socket, a device or a directory",
  },
  {
    provoke: (name) => withDirectory(name, () => Semaphore.unlink(name)),
    error: "SystemError",
    code: "EISDIR",
    text: 'Cannot unlink semaphore "NAME": EISDIR, is a directory',
  },
];

/** Makes a call while a directory lies where libc would keep the semaphore. */
function withDirectory(name: string, call: () => unknown): unknown {
  const directory = `/dev/shm/sem.${name.slice(1)}`;
  mkdirSync(directory);
  try {
    return call();
  } finally {
    rmdirSync(directory);
  }
}
