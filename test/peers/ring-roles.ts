/** Rings in a real segment, with roles held by kernel locks, for tests that kill processes. */
import { Segment } from "../../src/segment/segment.ts";
import type { ByteLock } from "../../src/memory/byte-lock.ts";
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
import { type Kind, KINDS } from "../ring/kinds.ts";

/** How many words each report has; the reports of up to 2048 participants come first. */
export const REPORTS_LENGTH = 65536;
export const REPORT_WORDS = 8;
export const COUNT = 0;
export const FIRST = 1;
export const LAST = 2;
export const FAULTS = 3;
/** Records that were reported to a reader as lost, between its first record and its last. */
export const LOST = 4;
const CONSUMER_LOCKS = 100;
const SLOTS = 16;

export interface Roles {
  readonly segment: Segment;
  readonly memory: RingMemory;
  readonly reports: Int32Array;
  readonly kind: Kind;
}

export function openRoles(name: string, kindName: string, capacity: number): Roles {
  const kind = KINDS.find((candidate) => candidate.name === kindName)!;
  const dataOffset = kind.dataOffset(capacity);
  const size = REPORTS_LENGTH + dataOffset + capacity;
  const segment = Segment.openOrCreate(name, { size });
  const memory = {
    buffer: segment.buffer,
    byteOffset: REPORTS_LENGTH,
    dataOffset,
    capacity,
    what: "ring",
  };
  return { segment, memory, reports: new Int32Array(segment.buffer, 0, REPORTS_LENGTH / 4), kind };
}

/** They are kept for ever, because a lock is released when it is collected. */
const held: ByteLock[] = [];

/** Takes the first of these locks that is free, however long that takes. */
function takeSlot(segment: Segment, first: number, count: number): number {
  for (;;) {
    for (let slot = 0; slot < count; slot++) {
      const lock = segment.tryLock(first + slot);
      if (lock === undefined) continue;
      held.push(lock);
      return slot;
    }
    Bun.sleepSync(1);
  }
}

export function becomeProducer({ segment, memory, kind }: Roles): RingProducerCore {
  const slot = takeSlot(segment, 0, kind.name === "mpsc" ? SLOTS : 1);
  if (kind.name === "spsc") return new SpscProducer(memory, NOBODY, 1);
  if (kind.name === "mpsc") return new MpscProducer(memory, NOBODY, slot);
  if (kind.name === "broadcast, overwrite") return new BroadcastProducer(memory, NOBODY, undefined);
  return new BroadcastProducer(memory, NOBODY, (consumer, action) => {
    const lock = segment.tryLock(CONSUMER_LOCKS + consumer);
    if (lock === undefined) return false;
    action();
    lock.close();
    return true;
  });
}

export function becomeConsumer({ segment, memory, kind }: Roles): RingConsumerCore {
  if (kind.name === "broadcast, overwrite") return new OverwriteConsumer(memory, NOBODY);
  const slot = takeSlot(segment, CONSUMER_LOCKS, kind.keeps ? 1 : SLOTS);
  if (kind.name === "spsc") return new SpscConsumer(memory, NOBODY);
  if (kind.name === "broadcast, block") return new BlockConsumer(memory, NOBODY, slot);
  return new MpscConsumer(memory, NOBODY, (producer) => segment.isLocked(producer));
}

/** Releases every role of this process. */
export function releaseRoles(): void {
  for (const lock of held.splice(0)) lock.close();
}

/** A record contains its writer, its number, and a checksum. */
export const RECORD_MIN = 12;

function sum(bytes: Uint8Array, index: number, length: number): number {
  let total = length;
  for (let at = index; at < index + length; at++) total = (Math.imul(total, 31) + bytes[at]!) | 0;
  return total;
}

export function writeRecord(
  producer: RingProducerCore,
  writer: number,
  number: number,
  length: number,
): boolean {
  const index = producer.tryClaim(length, writer);
  if (index < 0) return false;
  const { view, bytes } = producer;
  view.setUint32(index, writer, true);
  view.setUint32(index + 4, number, true);
  bytes.fill(number & 0xff, index + RECORD_MIN, index + length);
  view.setUint32(index + 8, 0, true);
  view.setInt32(index + 8, sum(bytes, index, length), true);
  producer.commit();
  return true;
}

/** @returns The record's number; -1 when it is not what its writer wrote. */
export function checkRecord(view: DataView, index: number, length: number, type: number): number {
  if (length < RECORD_MIN) return -1;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + index, length).slice();
  const copy = new DataView(bytes.buffer);
  const expected = copy.getInt32(8, true);
  copy.setUint32(8, 0, true);
  if (sum(bytes, 0, length) !== expected || copy.getUint32(0, true) !== type) return -1;
  return copy.getUint32(4, true);
}
