/** Whatever bytes are in the ring: a LayoutError or a record inside it, and soon. */
import { describe, expect, test } from "bun:test";
import { LayoutError } from "../../src/errors.ts";
import type { RingMemory } from "../../src/ring/ring.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { KINDS, type Kind } from "./kinds.ts";

const ROUNDS = 400;
const random = seededRandom("hostile rings");

/** A number that an attacker would try. */
function hostileNumber(random: Random): number {
  const bit = 2 ** Math.floor(random() * 32);
  const near = Math.floor(random() * 5) - 2;
  const kinds = [0, -1, bit, -bit, bit + near, Math.floor(random() * 2 ** 32), near * 16];
  return kinds[Math.floor(random() * kinds.length)]!;
}

/** Does something; a LayoutError is an answer too. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof LayoutError)) throw error;
  }
}

function usesRing(kind: Kind, memory: RingMemory, use: (made: Kind) => void): void {
  attempt(() => use(kind));
  expect(memory.buffer.byteLength).toBe(memory.dataOffset + memory.capacity);
}

function write(kind: Kind, memory: RingMemory): () => void {
  const producer = kind.producer(memory);
  return () => {
    const index = producer.tryClaim(16, 1);
    if (index < 0) return;
    if (index + 16 > memory.capacity) throw new Error("A claim beyond the ring");
    producer.bytes.fill(1, index, index + 16);
    producer.commit();
  };
}

function read(kind: Kind, memory: RingMemory): () => void {
  const consumer = kind.consumer(memory);
  return () => {
    const handled = consumer.read((view, index, length) => {
      const isInside = index >= 0 && length >= 0 && index + length <= view.byteLength;
      if (!isInside || length > memory.capacity) throw new Error("A record beyond the ring");
    }, 1000);
    if (handled > 1000) throw new Error("More than the limit");
    consumer.hasRecord();
    consumer.take();
  };
}

describe("hostile bytes", () => {
  for (const kind of KINDS) {
    test(`${kind.name}: scribbled over words and records`, () => {
      const capacity = kind.minCapacity * 2;
      const dataOffset = kind.dataOffset(capacity);
      let survived = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const buffer = new ArrayBuffer(dataOffset + capacity);
        const words = new Int32Array(buffer);
        const memory: RingMemory = { buffer, byteOffset: 0, dataOffset, capacity };
        kind.startAt(memory, 0);
        const writing = write(kind, memory);
        const reading = read(kind, memory);
        for (let count = 0; count < 3; count++) writing();
        for (let scribble = 0; scribble < 8; scribble++) {
          // Words that are 0 are mostly unused: those in use are hit more often.
          let at = Math.floor(random() * words.length);
          while (words[at] === 0 && random() < 0.9) at = Math.floor(random() * words.length);
          words[at] = hostileNumber(random);
          attempt(reading);
          attempt(writing);
          // Handles that come later see the same bytes.
          usesRing(kind, memory, (made) => write(made, memory)());
          usesRing(kind, memory, (made) => read(made, memory)());
          survived++;
        }
      }
      expect(survived).toBe(ROUNDS * 8);
    });

    test(`${kind.name}: nothing but noise`, () => {
      const capacity = kind.minCapacity * 2;
      const dataOffset = kind.dataOffset(capacity);
      for (let round = 0; round < ROUNDS; round++) {
        const buffer = new ArrayBuffer(dataOffset + capacity);
        const memory: RingMemory = { buffer, byteOffset: 0, dataOffset, capacity };
        new Int32Array(buffer).forEach((_, at, words) => {
          words[at] = hostileNumber(random);
        });
        usesRing(kind, memory, (made) => write(made, memory)());
        usesRing(kind, memory, (made) => read(made, memory)());
      }
    });
  }
});
