/** Rows of the table of errors: queues. */
import { MessageQueue, RingBuffer } from "../../src/index.ts";
import { HEADER_DATA_OFFSET } from "../../src/layout/segment-header.ts";
import { CONSUMER_POSITION } from "../../src/layout/ring-layout.ts";
import { HEAD_WORD, COUNT_WORD } from "../../src/layout/message-queue-layout.ts";
import {
  type ErrorRow,
  crowd,
  scribbled,
  any,
  claimed,
  closed,
  ended,
  many,
  poked,
  queue,
  raw,
  ring,
  twice,
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
    text: 'Cannot open message queue "NAME": it was made with another number of slots: expected 4 at offset 2696, found 10',
  },
  {
    provoke: (name) => MessageQueue.open(raw(name, {}, 8).name),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it is too small: expected at least 20 bytes at offset 0, found 8',
  },
  {
    provoke: (name) => MessageQueue.open(words(name, [0xdeadbeef]).name),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it is no message queue: expected 0x4d51534d at offset 0, found 0xdeadbeef',
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
    text: 'Cannot create message queue "NAME": there is no option "slot", and "slots" may be meant; it takes semaphores, slots, slotSize, logger, mode, synchronization',
  },
  {
    provoke: (name) => MessageQueue.open(words(name, [0, 0, 0, 0, 0]).name),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open message queue "NAME": only zeros are there. Its creator died before it had finished: MessageQueue.removeLeftovers removes it, MessageQueue.openOrCreate makes it again',
  },
  {
    provoke: (name) => MessageQueue.openOrCreate(queue(name).name, { slotSize: 8 }),
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it was made with another slotSize: expected 8 at offset 2700, found 256',
  },
  {
    provoke: (name) => {
      using made = MessageQueue.create(name, { synchronization: "segment" });
      MessageQueue.openOrCreate(made.name, { synchronization: "polling" });
    },
    error: "LayoutError",
    text: 'Cannot open message queue "NAME": it was made with another synchronization: expected polling at offset 2704, found segment',
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
    provoke: (name) => RingBuffer.open(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => RingBuffer.create(ring(name).segment.name),
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot create segment "NAME": EEXIST, file exists. Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink',
  },
  {
    provoke: (name) => RingBuffer.create(name, { capacity: 100 }),
    error: "RangeError",
    text: "Cannot make a ring of 100 bytes: it must be a power of two",
  },
  {
    provoke: (name) => RingBuffer.create(name, { capacity: 32 }),
    error: "RangeError",
    text: "Cannot make a ring of 32 bytes: it must be a power of two from 64 to 1073741824 bytes",
  },
  {
    provoke: (name) => RingBuffer.create(name, { kind: any("mpmc") }),
    error: "TypeError",
    text: 'Cannot make a ring of kind mpmc: it is "spsc", "mpsc", or "broadcast" with policy "overwrite" or "block"',
  },
  {
    provoke: (name) => RingBuffer.create(name, { kind: "broadcast", capacity: 128 }),
    error: "RangeError",
    text: "Cannot make a ring of 128 bytes: a broadcast ring has at least 256",
  },
  {
    provoke: (name) => RingBuffer.create(name, { kind: "broadcast", policy: any("drop") }),
    error: "TypeError",
    text: 'Cannot make a ring of kind broadcast and policy drop: it is "spsc", "mpsc", or "broadcast" with policy "overwrite" or "block"',
  },
  {
    provoke: (name) => RingBuffer.create(name, any({ kind: "spsc", policy: "block" })),
    error: "TypeError",
    text: 'Cannot make a ring of kind spsc and policy block: it is "spsc", "mpsc", or "broadcast" with policy "overwrite" or "block"',
  },
  {
    provoke: (name) => RingBuffer.create(raw(name), { capacity: 1 << 16 }),
    error: "RangeError",
    text: 'Cannot make ring "NAME": it needs 66560 bytes, and the segment has 8192',
  },
  {
    provoke: (name) => RingBuffer.open(words(name, [0x1234]).name),
    error: "LayoutError",
    text: "The segment is no structure of this package: expected 0x4d485342 at offset 0, found 0x1234",
  },
  {
    provoke: (name) => RingBuffer.open(words(name, [0, 5]).name),
    error: "SystemError",
    code: "ENODATA",
    text: 'Cannot open ring "NAME": ENODATA, no data available. Its creator died before it had finished; Segment.unlink removes it',
  },
  {
    provoke: (name) => RingBuffer.open(poked(ring(name).segment, 20, 1).name),
    error: "LayoutError",
    text: 'Cannot open ring "NAME": another build made it, with another layout: expected HASH at offset 20, found 0x1',
  },
  {
    provoke: (name) => twice(ring(name), (one) => one.consumer()),
    error: "SystemError",
    code: "EBUSY",
    text: 'Cannot become the consumer of ring "NAME": EBUSY, device or resource busy. A live consumer has it, in this process or another; a dead one would be replaced',
  },
  {
    provoke: (name) => twice(ring(name), (one) => one.producer()),
    error: "SystemError",
    code: "EBUSY",
    text: 'Cannot become the producer of ring "NAME": EBUSY, device or resource busy. A live producer has it, in this process or another; a dead one would be replaced',
  },
  {
    provoke: (name) => closed(ring(name)).consumer(),
    error: "ClosedError",
    text: 'Cannot use segment "NAME": it is closed',
  },
  {
    provoke: (name) => ring(name).producer({ batch: 0 }),
    error: "RangeError",
    text: "Cannot publish in batches of 0: it must be an integer above 0",
  },
  {
    provoke: (name) => ring(name).producer().write(new Uint8Array(5000)),
    error: "RangeError",
    text: "Cannot write a record of 5000 bytes: in a ring of 1024 it must be an integer from 0 to 256",
  },
  {
    provoke: (name) => ring(name).producer().write("x", -1),
    error: "RangeError",
    text: "Cannot write a record of type -1: it must be an integer from 0 to 2147483647",
  },
  {
    provoke: (name) => ring(name).producer().write(any(5)),
    error: "TypeError",
    text: "Cannot write 5: without a codec a record is a Uint8Array, a DataView or a string",
  },
  {
    provoke: (name) => ring(name).producer().commit(),
    error: "Error",
    text: 'Cannot commit with the producer of ring "NAME": nothing is claimed',
  },
  {
    provoke: (name) => claimed(ring(name)).tryClaim(4),
    error: "Error",
    text: 'Cannot claim from the producer of ring "NAME": the last claim has not ended yet',
  },
  {
    provoke: (name) => ended(ring(name).producer().claim(4)!).commit(),
    error: "Error",
    text: "Cannot commit a claim twice, or after it was aborted",
  },
  {
    provoke: (name) => closed(ring(name).producer()).write("x"),
    error: "ClosedError",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => closed(ring(name).producer()).flush(),
    error: "ClosedError",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => closed(ring(name).consumer()).take(),
    error: "ClosedError",
    text: 'Cannot use the consumer of ring "NAME": it is closed',
  },
  {
    provoke: (name) =>
      ring(name)
        .consumer()
        .read(() => undefined, 0),
    error: "RangeError",
    text: "Cannot read 0 records: a limit is an integer above 0",
  },
  {
    provoke: (name) => RingBuffer.open(raw(name, {}, 8).name),
    error: "LayoutError",
    text: "The segment is too small for a structure: expected 128 bytes at offset 0, found 8",
  },
  {
    provoke: (name) => RingBuffer.open(poked(ring(name).segment, HEADER_DATA_OFFSET, 256).name),
    error: "LayoutError",
    text: 'Cannot open ring "NAME": its data lie elsewhere: expected 1024 at offset 24, found 256',
  },
  {
    provoke: (name) => RingBuffer.open(poked(ring(name).segment, CONSUMER_POSITION, 12)).producer(),
    error: "LayoutError",
    text: "The ring is corrupt: there is no record: expected a length that ends within the ring at offset 12, found 12",
  },
  {
    provoke: (name) => RingBuffer.open(poked(ring(name).segment, CONSUMER_POSITION, 12)).consumer(),
    error: "LayoutError",
    text: "The ring is corrupt: there is no record: expected a length that ends within the ring at offset 0, found 12",
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
    provoke: (name) => crowd(name),
    error: "SystemError",
    code: "EBUSY",
    text: 'Cannot become a producer of ring "NAME": EBUSY, device or resource busy. It has 63 live ones, and no room for more',
  },
];
