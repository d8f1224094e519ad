/** All interleavings of small SPSC programs, and a kill at each of their steps. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CONSUMER_POSITION_OFFSET, RING_DATA_OFFSET } from "../../src/layout/ring-layout.ts";
import { NOBODY } from "../../src/ring/algorithm/core.ts";
import { SpscConsumer } from "../../src/ring/algorithm/spsc/consumer.ts";
import { SpscProducer } from "../../src/ring/algorithm/spsc/producer.ts";
import type { RingMemory } from "../../src/ring/algorithm/views.ts";
import { type Model, type Participant, describeReport, explore } from "./walker.ts";

/** The long form walks more states. */
const LONG = process.env["BUN_SHM_SOAK"] !== undefined;
const FEW = LONG ? 4 : 3;
setDefaultTimeout(600_000);
const CAPACITY = 64;
const buffer = new ArrayBuffer(RING_DATA_OFFSET + CAPACITY);
const memory: RingMemory = {
  buffer,
  byteOffset: 0,
  dataOffset: RING_DATA_OFFSET,
  capacity: CAPACITY,
  what: "ring",
};

function startAt(position: number): void {
  new Uint8Array(buffer).fill(0);
  new Int32Array(buffer)[CONSUMER_POSITION_OFFSET >> 2] = position;
}

/** Records of 8, 16 and 1 byte in turn: they meet the end of the ring in every way. */
const lengthOf = (number: number): number => [8, 16, 1][number % 3]!;

/** Sends up to record `to`, from the first that is not in the ring or read yet. */
function producing(to: number, batch: number, from = 0): Participant["run"] {
  return (turn) => {
    const producer = new SpscProducer(memory, NOBODY, batch);
    for (let number = from; number < to; number++) {
      const length = lengthOf(number);
      let index = producer.tryClaim(length, number);
      while (index < 0) {
        turn.pause();
        index = producer.tryClaim(length, number);
      }
      producer.bytes.fill(number, index, index + length);
      producer.commit();
      turn.note(number);
    }
    producer.flush();
    turn.note("flushed");
    turn.unlock(0);
  };
}

/** Reads up to record `to`, or until the producer is done and nothing is left. */
function consuming(to: number): Participant["run"] {
  return (turn) => {
    const consumer = new SpscConsumer(memory, NOBODY);
    let next = 0;
    let gone = false;
    for (;;) {
      if (next >= to) return;
      turn.forget([next, gone]);
      const count = consumer.read((view, index, length, type) => {
        if (length !== lengthOf(type)) throw new Error("A wrong length");
        for (let at = 0; at < length; at++) {
          if (view.getUint8(index + at) !== type) throw new Error("A torn record");
        }
        turn.note(type);
        next = type + 1;
      }, 2);
      if (count > 0) continue;
      if (gone) return;
      gone = !turn.isLocked(0);
      if (gone) continue;
      turn.forget(next);
      turn.pause();
    }
  };
}

function run(what: string, model: Omit<Model, "buffer">): void {
  console.log(describeReport(what, explore({ buffer, ...model })));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

describe("SPSC, all interleavings", () => {
  for (const position of LONG ? [0, 40, -24] : [-24]) {
    for (const batch of [1, 3]) {
      test(`records, nearly full, from ${position}, batches of ${batch}`, () => {
        startAt(position);
        run(`spsc from ${position}, batch ${batch}`, {
          participants: {
            producer: { run: producing(LONG ? 6 : 5, batch), locks: [0] },
            consumer: { run: consuming(LONG ? 6 : 5) },
          },
          check: ({ notes }) => expect(notes["consumer"]).toEqual(upTo(LONG ? 6 : 5)),
        });
      });
    }

    test(`the consumer is killed at each step, from ${position}`, () => {
      startAt(position);
      run(`spsc consumer killed, from ${position}`, {
        kill: ["consumer"],
        participants: {
          producer: { run: producing(FEW, 1), locks: [0] },
          consumer: { run: consuming(FEW) },
          successor: { run: consuming(FEW), after: "consumer" },
        },
        check: ({ notes, killed }) => {
          const before = notes["consumer"] as number[];
          expect(before).toEqual(upTo(before.length));
          if (killed.length === 0) return expect(before.length).toBe(FEW);
          // Again at most what was read and not released; without a gap.
          const after = notes["successor"] as number[];
          expect(after[0] ?? FEW).toBeLessThanOrEqual(before.length);
          expect(after).toEqual(upTo(FEW).slice(after[0] ?? FEW));
        },
      });
    });

    test(`the producer is killed at each step, from ${position}`, () => {
      startAt(position);
      run(`spsc producer killed, from ${position}`, {
        kill: ["producer"],
        participants: {
          producer: { run: producing(FEW, 2), locks: [0] },
          successor: { run: producing(10, 1, 9), after: "producer" },
          consumer: { run: consuming(10) },
        },
        check: ({ notes, killed }) => {
          const seen = (notes["consumer"] as number[]).filter((number) => number !== 9);
          expect(seen).toEqual(upTo(seen.length));
          // A batch is lost as a whole or not at all, and what was flushed is not.
          const flushed = notes["producer"]!.includes("flushed");
          if (killed.length === 0 || flushed) expect(seen.length).toBe(FEW);
        },
      });
    });
  }
});
