/** A small hostile process: it scribbles over a ring, and lets both sides use the bytes. */
import { LayoutError } from "../../src/errors.ts";
import type { RingMemory } from "../../src/ring/algorithm/views.ts";
import type { Kind } from "../ring/kinds.ts";
import type { Random } from "./random.ts";

/** A number that an attacker would try. */
export function hostileNumber(random: Random): number {
  const bit = 2 ** Math.floor(random() * 32);
  const near = Math.floor(random() * 5) - 2;
  const kinds = [0, -1, bit, -bit, bit + near, Math.floor(random() * 2 ** 32), near * 16];
  return kinds[Math.floor(random() * kinds.length)]!;
}

/** Calls a function, which may throw a LayoutError. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof LayoutError)) throw error;
  }
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
  };
}

/** How many words are scribbled over one ring before the next one is made. */
const WORDS_PER_RING = 8;

/**
 * Scribbles until the time has passed. @returns How many words it wrote.
 * @throws When anything but a LayoutError happens, or a record lies outside the ring.
 */
export function scribble(kind: Kind, random: Random, milliseconds: number): number {
  const capacity = kind.minCapacity * 2;
  const dataOffset = kind.dataOffset(capacity);
  const end = performance.now() + milliseconds;
  let count = 0;
  while (performance.now() < end) {
    const buffer = new ArrayBuffer(dataOffset + capacity);
    const words = new Int32Array(buffer);
    const memory: RingMemory = { buffer, byteOffset: 0, dataOffset, capacity, what: "ring" };
    kind.startAt(memory, 0);
    const writing = write(kind, memory);
    const reading = read(kind, memory);
    for (let sent = 0; sent < 3; sent++) writing();
    for (let word = 0; word < WORDS_PER_RING; word++) {
      // A word of 0 is mostly unused, so words in use are hit more often.
      let at = Math.floor(random() * words.length);
      while (words[at] === 0 && random() < 0.9) at = Math.floor(random() * words.length);
      words[at] = hostileNumber(random);
      count++;
      attempt(reading);
      attempt(writing);
      // Handles that are made later see the same bytes.
      attempt(() => write(kind, memory)());
      attempt(() => read(kind, memory)());
    }
    if (count % (WORDS_PER_RING * 8) !== 0) continue;
    // Now and then, every byte becomes noise.
    for (let at = 0; at < words.length; at++) words[at] = hostileNumber(random);
    attempt(() => write(kind, memory)());
    attempt(() => read(kind, memory)());
  }
  return count;
}
