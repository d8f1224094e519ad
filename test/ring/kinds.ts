/**
 * Every kind of ring as the conformance suite sees it: cores over bytes, without names or waits.
 */
import {
  BROADCAST_MIN_CAPACITY,
  HALF_LAPS_OFFSET,
  LIMIT_OFFSET,
  TAIL_OFFSET,
  TAIL_INTENT_OFFSET,
  TAIL_NUMBERS_OFFSET,
  broadcastDataOffset,
} from "../../src/layout/broadcast-layout.ts";
import {
  CELLS_OFFSET,
  LAP_MASK,
  RELEASE_VERSIONS_OFFSET,
  mpscDataOffset,
} from "../../src/layout/mpsc-layout.ts";
import {
  CONSUMER_POSITION_OFFSET,
  MIN_CAPACITY,
  RING_DATA_OFFSET,
} from "../../src/layout/ring-layout.ts";
import { BlockConsumer } from "../../src/ring/algorithm/broadcast/block-consumer.ts";
import { BroadcastProducer } from "../../src/ring/algorithm/broadcast/producer.ts";
import { MpscConsumer } from "../../src/ring/algorithm/mpsc/consumer.ts";
import { MpscProducer } from "../../src/ring/algorithm/mpsc/producer.ts";
import { OverwriteConsumer } from "../../src/ring/algorithm/broadcast/overwrite-consumer.ts";
import {
  NOBODY,
  type RingConsumerCore,
  type RingProducerCore,
} from "../../src/ring/algorithm/core.ts";
import { SpscConsumer } from "../../src/ring/algorithm/spsc/consumer.ts";
import { SpscProducer } from "../../src/ring/algorithm/spsc/producer.ts";
import type { RingMemory } from "../../src/ring/algorithm/views.ts";

export interface Kind {
  readonly name: string;
  readonly minCapacity: number;
  /** Whether a full ring refuses records; otherwise it overwrites the oldest. */
  readonly refuses: boolean;
  /** Whether a consumer sees what was published before it came. */
  readonly keeps: boolean;
  /** Whether records of a batch wait for its end. */
  readonly batches: boolean;
  dataOffset(capacity: number): number;
  /** Prepares zeroed memory as if so many bytes had gone through it; a multiple of 16. */
  startAt(memory: RingMemory, position: number): void;
  producer(memory: RingMemory, batch?: number): RingProducerCore;
  consumer(memory: RingMemory): RingConsumerCore;
}

const wordsOf = ({ buffer, byteOffset, dataOffset }: RingMemory): Int32Array =>
  new Int32Array(buffer, byteOffset, dataOffset >> 2);

function startBroadcast(memory: RingMemory, position: number, top: number): void {
  const words = wordsOf(memory);
  words[TAIL_OFFSET >> 2] = position;
  words[top >> 2] = position;
  words[HALF_LAPS_OFFSET >> 2] = Math.floor(position / 2 ** 31);
  words.set([position, 0, 0], TAIL_NUMBERS_OFFSET >> 2);
}

export const KINDS: readonly Kind[] = [
  {
    name: "spsc",
    minCapacity: MIN_CAPACITY,
    refuses: true,
    keeps: true,
    batches: true,
    dataOffset: () => RING_DATA_OFFSET,
    startAt: (memory, position) => {
      wordsOf(memory)[CONSUMER_POSITION_OFFSET >> 2] = position;
    },
    producer: (memory, batch = 1) => new SpscProducer(memory, NOBODY, batch),
    consumer: (memory) => new SpscConsumer(memory, NOBODY),
  },
  {
    name: "mpsc",
    minCapacity: MIN_CAPACITY,
    refuses: true,
    keeps: true,
    batches: false,
    dataOffset: mpscDataOffset,
    startAt: (memory, position) => {
      // The last lap, so that laps wrap as well.
      wordsOf(memory).set([LAP_MASK, 0, position], RELEASE_VERSIONS_OFFSET >> 2);
      new Int32Array(memory.buffer, memory.byteOffset + CELLS_OFFSET, memory.capacity / 16).fill(
        LAP_MASK,
      );
    },
    producer: (memory) => new MpscProducer(memory, NOBODY, 0),
    consumer: (memory) => new MpscConsumer(memory, NOBODY, () => true, 1),
  },
  {
    name: "broadcast, overwrite",
    minCapacity: BROADCAST_MIN_CAPACITY,
    refuses: false,
    keeps: false,
    batches: true,
    dataOffset: () => broadcastDataOffset("overwrite"),
    startAt: (memory, position) => startBroadcast(memory, position, TAIL_INTENT_OFFSET),
    producer: (memory, batch = 1) => new BroadcastProducer(memory, NOBODY, undefined, batch),
    consumer: (memory) => new OverwriteConsumer(memory, NOBODY),
  },
  {
    name: "broadcast, block",
    minCapacity: BROADCAST_MIN_CAPACITY,
    refuses: true,
    keeps: false,
    batches: true,
    dataOffset: () => broadcastDataOffset("block"),
    startAt: (memory, position) => startBroadcast(memory, position, LIMIT_OFFSET),
    producer: (memory, batch = 1) => new BroadcastProducer(memory, NOBODY, () => false, batch),
    consumer: (memory) => new BlockConsumer(memory, NOBODY, 0),
  },
];
