/** What a ring refuses. */
import { MAKING } from "../../src/layout/making.ts";
import { RingBuffer, Segment, codecs } from "../../src/index.ts";
import { TAIL_OFFSET, TAIL_INTENT_OFFSET } from "../../src/layout/broadcast-layout.ts";
import {
  CELLS_OFFSET,
  RELEASE_INTENT_OFFSET,
  RELEASE_VERSIONS_OFFSET,
} from "../../src/layout/mpsc-layout.ts";
import { CONSUMER_POSITION_OFFSET, RING_DATA_OFFSET } from "../../src/layout/ring-layout.ts";
import {
  HEADER_DATA_LENGTH_OFFSET,
  HEADER_DATA_OFFSET_OFFSET,
} from "../../src/layout/segment-header.ts";
import {
  type ErrorRow,
  any,
  beingMade,
  claimed,
  closed,
  crowd,
  ended,
  poked,
  raw,
  ring,
  twice,
  words,
  written,
} from "./provoke.ts";

const BLOCKING = { capacity: 1024, kind: "broadcast", policy: "block" } as const;

export const RINGS: readonly ErrorRow[] = [
  {
    provoke: (name) => RingBuffer.open(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => RingBuffer.create(ring(name).name),
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot create segment "NAME": EEXIST, file exists. Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink',
  },
  {
    provoke: (name) => RingBuffer.create(name, { capacity: 100 }),
    error: "RangeError",
    text: 'Cannot create ring "NAME" with a capacity of 100: it must be a power of two',
  },
  {
    provoke: (name) => RingBuffer.create(name, { capacity: 32 }),
    error: "RangeError",
    text: 'Cannot create ring "NAME" with a capacity of 32: it must be a power of two from 64 to 1073741824 bytes',
  },
  {
    provoke: (name) => RingBuffer.create(name, { capacity: any("64") }),
    error: "TypeError",
    text: 'Cannot create ring "NAME" with a capacity of "64": it must be a power of two from 64 to 1073741824 bytes',
  },
  {
    provoke: (name) => RingBuffer.create(name, { kind: any("mpmc") }),
    error: "TypeError",
    text: 'Cannot create ring "NAME": its kind must be "spsc" or "mpsc" or "broadcast", not "mpmc"',
  },
  {
    provoke: (name) => RingBuffer.create(name, { kind: "broadcast", capacity: 128 }),
    error: "RangeError",
    text: 'Cannot create ring "NAME" with a capacity of 128: a broadcast ring has at least 256 bytes',
  },
  {
    provoke: (name) => RingBuffer.create(name, { kind: "broadcast", policy: any("drop") }),
    error: "TypeError",
    text: 'Cannot create ring "NAME": its policy must be "overwrite" or "block", not "drop"',
  },
  {
    provoke: (name) => RingBuffer.openOrCreate(name, { policy: "block" }),
    error: "TypeError",
    text: 'Cannot open or create ring "NAME": a ring of kind "spsc" has no policy, only a "broadcast" has',
  },
  {
    provoke: (name) => RingBuffer.create(name, any({ capicity: 64 })),
    error: "TypeError",
    text: 'Cannot create ring "NAME": there is no option "capicity" (did you mean "capacity"?); it takes codec, capacity, kind, policy, mode, prefault, hugePages',
  },
  {
    provoke: (name) => RingBuffer.init(raw(name), 0, { capacity: 1 << 16 }),
    error: "RangeError",
    text: 'Cannot place a ring in segment "NAME": its 66560 bytes from offset 0 end beyond the segment\'s 8192',
  },
  {
    provoke: (name) => RingBuffer.init(ring(name).segment, 0, { capacity: 1024 }),
    error: "StateError",
    code: "EEXIST",
    text: 'Cannot make ring at 0 in segment "NAME": there is one already. Find it with `at`, or pass { overwrite: true } when nobody uses it any more',
  },
  {
    provoke: (name) => RingBuffer.open(words(name, [0x1234]).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open ring "NAME": no structure of this package lies there: expected 0x4d485342 at offset 0, found 0x00001234',
  },
  {
    provoke: (name) => RingBuffer.open(words(name, [0, 5]).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open ring "NAME": something else lies there; choose another name, or remove it with Segment.unlink if it is yours: expected a ring at offset 4, found 0x00000005',
  },
  {
    provoke: (name) => RingBuffer.open(words(name, [0, 0, 0, MAKING]).name),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open ring "NAME": it is unfinished, and nobody is making it: openOrCreate makes it',
  },
  {
    provoke: (name) => RingBuffer.init(words(name, [0, 5]), 0, { capacity: 4096 }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot make ring at 0 in segment "NAME": something else lies there; { overwrite: true } makes one there all the same: expected only zeros at offset 4, found 0x00000005',
  },
  {
    provoke: (name) => RingBuffer.openOrCreate(raw(name).name, { capacity: 4096 }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot make ring "NAME": something else lies there; choose another name, or remove it with Segment.unlink if it is yours: expected a ring at offset 0, found only zeros',
  },
  {
    provoke: (name) => RingBuffer.open(beingMade(name).name, { waitMs: 0 }),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot open ring "NAME": a live process is still making it. Wait longer, with waitMs where the call has it',
  },
  {
    provoke: (name) => RingBuffer.openOrCreate(words(name, [0, 5]).name, { capacity: 4096 }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot make ring "NAME": something else lies there; choose another name, or remove it with Segment.unlink if it is yours: expected a ring at offset 4, found 0x00000005',
  },
  {
    provoke: (name) => RingBuffer.open(poked(ring(name).segment, 20, 1).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open ring "NAME": another build made it, with another layout: expected HASH at offset 20, found 0x00000001',
  },
  {
    provoke: (name) => RingBuffer.open(ring(name).name, { kind: "mpsc" }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open ring "NAME": it has a different kind: expected mpsc at offset 16, found spsc',
  },
  {
    provoke: (name) => RingBuffer.open(ring(name).name, { codec: codecs.json() }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open ring "NAME": it has a different codec: expected json at offset 64, found bytes',
  },
  {
    provoke: (name) => RingBuffer.open(raw(name, {}, 8).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open ring "NAME": the segment is too small for a structure: expected 128 bytes at offset 0, found 8',
  },
  {
    provoke: (name) =>
      RingBuffer.open(poked(ring(name).segment, HEADER_DATA_OFFSET_OFFSET, 256).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open ring "NAME": its data is elsewhere: expected 1024 at offset 24, found 256',
  },
  {
    provoke: (name) =>
      RingBuffer.open(poked(ring(name).segment, HEADER_DATA_LENGTH_OFFSET, 96).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open ring "NAME": its capacity is wrong, since it must be a power of two: expected a power of two at offset 28, found 96',
  },
  {
    provoke: (name) => twice(ring(name), (one) => one.consumer()),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot become the consumer of ring "NAME": a live consumer has it, in this process or another. Close that one; a dead one would be replaced',
  },
  {
    provoke: (name) => twice(ring(name), (one) => one.producer()),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot become the producer of ring "NAME": a live producer has it, in this process or another. Close that one; a dead one would be replaced',
  },
  {
    provoke: (name) => crowd(name),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot become a producer of ring "NAME": it has 63 live ones, and no room for more. Close one; dead ones would be replaced',
  },
  {
    provoke: (name) => {
      using segment = Segment.open(ring(name).name, { access: "read" });
      return RingBuffer.at(segment, 0).producer();
    },
    error: "TypeError",
    text: 'Cannot become the producer of ring at 0 in segment "NAME": its segment was opened for reading only',
  },
  {
    provoke: (name) => closed(ring(name)).consumer(),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use ring "NAME": it is closed',
  },
  {
    provoke: (name) => ring(name).producer({ batch: 0 }),
    error: "RangeError",
    text: 'Cannot become the producer of ring "NAME": its batch must be an integer of at least 1, not 0',
  },
  {
    provoke: (name) => ring(name).producer().tryWrite(new Uint8Array(5000)),
    error: "RangeError",
    text: 'Cannot write with the producer of ring "NAME": a record\'s length must be an integer from 0 to 256, not 5000',
  },
  {
    provoke: (name) => ring(name).producer().tryWrite("x", -1),
    error: "RangeError",
    text: 'Cannot write with the producer of ring "NAME": a record\'s type must be an integer from 0 to 2147483647, not -1',
  },
  {
    provoke: (name) => ring(name).producer().tryWrite(any(5)),
    error: "TypeError",
    text: "Cannot write 5: without a codec it must be a Uint8Array, a DataView or a string",
  },
  {
    provoke: (name) =>
      RingBuffer.create(name, { codec: { id: "x", encode: () => any(5), decode: () => 0 } })
        .producer()
        .tryWrite(1),
    error: "TypeError",
    text: 'Cannot write with the producer of ring "NAME": its codec must encode to a Uint8Array, and not to 5',
  },
  {
    provoke: (name) =>
      ring(name)
        .producer()
        .write("x", any({ timeout: 5 })),
    error: "TypeError",
    text: 'Cannot write with the producer of ring "NAME": there is no option "timeout" (did you mean "timeoutMs"?); it takes type, timeoutMs, signal',
  },
  {
    provoke: (name) =>
      ring(name)
        .producer()
        .write("x", any({ signal: 5 })),
    error: "TypeError",
    text: 'Cannot write with the producer of ring "NAME": signal must be an AbortSignal, not 5',
  },
  {
    provoke: (name) => ring(name).producer().commit(),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot commit with the producer of ring "NAME": nothing is claimed',
  },
  {
    provoke: (name) => claimed(ring(name)).tryClaim(4),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot write with the producer of ring "NAME": the last claim has not ended yet. Commit or abort it',
  },
  {
    provoke: (name) => ended(ring(name).producer().claim(4)!).commit(),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot commit a claim of the producer of ring "NAME": it was committed or aborted already',
  },
  {
    provoke: (name) => {
      const producer = ring(name).producer();
      const claim = producer.claim(4)!;
      producer.close();
      return claim.view;
    },
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => closed(ring(name).producer()).tryWrite("x"),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => closed(ring(name).producer()).flush(),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => closed(ring(name).producer()).commit(),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => closed(ring(name).consumer()).tryTake(),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the consumer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => closed(ring(name).consumer()).values(),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the consumer of ring "NAME": it is closed',
  },
  {
    provoke: (name) =>
      ring(name)
        .consumer()
        .tryRead(() => undefined, 0),
    error: "RangeError",
    text: 'Cannot read with the consumer of ring "NAME": its limit must be an integer of at least 1, not 0',
  },
  {
    provoke: (name) => ring(name).consumer().tryRead(any("x")),
    error: "TypeError",
    text: 'Cannot read with the consumer of ring "NAME": its handler must be a function, not "x"',
  },
  {
    provoke: (name) =>
      written(ring(name))
        .consumer()
        .tryRead(() => Promise.resolve()),
    error: "TypeError",
    text: "Cannot read with a handler that returns a promise: the record's bytes are the ring's, and valid only until the handler returns. Use a synchronous handler, or takeAsync() for a value",
  },
  {
    provoke(name) {
      const consumer = written(ring(name)).consumer();
      consumer.tryRead(() => consumer.tryTake());
    },
    error: "StateError",
    code: "EBUSY",
    text: `Cannot read with the consumer of ring "NAME" inside one of its handlers: the record's bytes are valid until that handler returns, and a nested read would give them back. Return first`,
  },
  {
    provoke(name) {
      const producer = ring(name).producer();
      while (producer.tryWrite("x"));
      void producer.writeAsync("x").catch(() => undefined);
      producer.write("x");
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot write with the producer of ring "NAME": asynchronous calls wait for room before this one, and blocking the thread would keep them waiting. Await them first',
  },
  {
    provoke(name) {
      const codec = { id: "later", encode: (bytes: Uint8Array) => bytes, decode: async () => 1 };
      const made = RingBuffer.create(name, { capacity: 1024, codec: any(codec) });
      made.producer().tryWrite(any(new Uint8Array(1)));
      made.consumer().tryTake();
    },
    error: "TypeError",
    text: 'Cannot decode a value: the codec "later" returned a promise, and must decode at once',
  },
  {
    provoke: (name) =>
      RingBuffer.open(poked(ring(name).segment, CONSUMER_POSITION_OFFSET, 12).name).producer(),
    error: "LayoutError",
    code: "ELAYOUT",
    text: `Cannot use ring "NAME": it is corrupt, its consumer's position is wrong: expected a multiple of 8 at offset 256, found 12`,
  },
  {
    provoke: (name) =>
      RingBuffer.open(poked(ring(name).segment, CONSUMER_POSITION_OFFSET, 12).name).consumer(),
    error: "LayoutError",
    code: "ELAYOUT",
    text: `Cannot use ring "NAME": it is corrupt, its consumer's position is wrong: expected a multiple of 8 at offset 256, found 12`,
  },
  {
    provoke: (name) => {
      const one = written(ring(name));
      poked(one.segment, RING_DATA_OFFSET, 7000);
      return one.consumer().tryTake();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, a record is wrong: expected a length that ends within the ring at offset 1024, found 7000',
  },
  {
    provoke: (name) => {
      const one = ring(name);
      const producer = one.producer();
      one.segment.close();
      return producer.tryClaim(4);
    },
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => {
      const one = ring(name);
      const producer = one.producer();
      one.segment.close();
      return producer.tryWrite(new Uint8Array(4));
    },
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => {
      const producer = ring(name).producer();
      const claim = producer.claim(4)!;
      producer.close();
      return claim.commit();
    },
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => {
      const producer = ring(name).producer();
      while (producer.tryWrite("x"));
      const writing = producer.writeAsync("x");
      producer.close();
      return writing;
    },
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the producer of ring "NAME": it is closed',
  },
  {
    provoke: (name) => {
      const one = ring(name);
      const producer = one.producer();
      poked(one.segment, CONSUMER_POSITION_OFFSET, 960);
      while (producer.tryWrite(new Uint8Array(248)));
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: `Cannot use ring "NAME": it is corrupt, its consumer's position is wrong: expected a position from -256 to 768 at offset 256, found 960`,
  },
  {
    provoke: (name) =>
      RingBuffer.open(poked(ring(name).segment, RING_DATA_OFFSET, 4).name).producer(),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, a record is wrong: expected a length that ends within the ring at offset 1024, found 4',
  },
  {
    provoke: (name) => {
      const one = RingBuffer.create(name, { capacity: 1024, kind: "mpsc" });
      poked(one.segment, RELEASE_VERSIONS_OFFSET + 4, 64);
      return one.consumer();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: `Cannot use ring "NAME": it is corrupt, its consumer's position is wrong: expected a lap, a cell below 64 and a multiple of 16 at offset 648, found 0, 64 and 0`,
  },
  {
    provoke: (name) => {
      const one = RingBuffer.create(name, { capacity: 1024, kind: "mpsc" });
      poked(one.segment, CELLS_OFFSET, 0xc0000000);
      return one.consumer().tryTake();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, a cell is wrong: expected a cell that is free in its lap, or a record within the ring at offset 1536, found 0xc0000000',
  },
  {
    provoke: (name) => {
      const one = RingBuffer.create(name, { capacity: 1024, kind: "broadcast" });
      poked(one.segment, TAIL_OFFSET, 16);
      return one.producer();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, its tail is wrong: expected a tail whose record number is known at offset 128, found 16',
  },
  {
    provoke: (name) => {
      const one = RingBuffer.create(name, { capacity: 1024, kind: "broadcast" });
      poked(one.segment, TAIL_INTENT_OFFSET, -16);
      return one.producer();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, its announced end is wrong: expected at most 1024 bytes after the tail at offset 168, found -16',
  },
  {
    provoke: (name) => {
      const one = RingBuffer.create(name, { capacity: 1024, kind: "broadcast" });
      const consumer = one.consumer();
      poked(written(one).segment, RING_DATA_OFFSET, 8);
      return consumer.tryTake();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, a record is wrong: expected a length that ends within the ring at offset 1024, found 8',
  },
  {
    provoke: (name) => {
      const one = RingBuffer.create(name, BLOCKING);
      const consumer = one.consumer();
      poked(one.segment, TAIL_OFFSET, 5000);
      return consumer.tryTake();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, its tail is wrong: expected at most 1024 bytes after what was read at offset 128, found 5000',
  },
  {
    provoke: (name) => {
      const one = RingBuffer.create(name, BLOCKING);
      const consumer = one.consumer();
      poked(written(one).segment, RingBuffer.byteLength(BLOCKING) - 1024, 8);
      return consumer.tryTake();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, a record is wrong: expected a length that ends within the ring at offset 5120, found 8',
  },
  {
    provoke: (name) => {
      const one = RingBuffer.create(name, { capacity: 1024, kind: "mpsc" });
      poked(one.segment, RELEASE_INTENT_OFFSET, 5);
      return one.consumer();
    },
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot use ring "NAME": it is corrupt, its release is wrong: expected an intent that is the last release or the next at offset 640, found 5',
  },
];
