/**
 * One producer, many consumers, each of which sees every record. Two policies:
 *
 * **overwrite**: the producer never waits, and does not know who reads. It announces how far it
 * will write, writes, and publishes the tail. A consumer first copies bytes and then validates
 * them: if the announced end is at most one capacity after the copied bytes, none of them was
 * touched.
 *
 *     producer                             consumer
 *     W1  tail_intent := end               R1  read tail
 *     W2  store fence                      R2  copy the bytes before it
 *     W3  write the bytes                  R3  load fence
 *     W4  tail := end                      R4  read tail_intent: too far? lost
 *
 *   O1  If R2 copied a byte that W3 wrote one lap later, then R4 reads that W1 or a later one: W2
 *       keeps W1 before W3, and R3 keeps R2 before R4 (SYNC overwrite: W1-W3 pairs with R2-R4). So
 *       whatever passes R4 is whole, and was published (R1-W4).
 *   O2  tail_intent never goes back, not even for the successor of a producer that died between W1
 *       and W4: what the dead producer may have overwritten stays excluded.
 *   O3  R4 compares positions in full, not modulo 2^32: a consumer that slept for any number of
 *       4 GiB is not fooled.
 *   O4  Each record carries its number, so what was lost is a difference, and exact.
 *
 * **block**: the slowest live consumer holds the producer back. Consumers read in place.
 *
 *   B1  The tail stays at or below LIMIT, and LIMIT at or below every joined consumer's position +
 *       capacity.
 *   B2  Joining: the consumer publishes tail as its position and its bit in JOINED, and then reads
 *       LIMIT; the producer publishes LIMIT, and then reads the positions again (SYNC join). One of
 *       them sees the other: the consumer tries again with a newer tail, or the producer takes
 *       LIMIT back before it has used it.
 *   B3  A slot's bit is changed only by who holds the slot's lock: its consumer, or the producer
 *       that buries a dead one. So nobody alive is dropped.
 *
 * What a crash leaves: a killed producer leaves its published records; the next one overwrites what
 * was not published. A killed consumer leaves nothing that lasts.
 *
 * Source: overwrite is Agrona's BroadcastTransmitter and -Receiver, with full positions, records
 * that know their number and marks to go on from; the fences are those of seqlocks (Boehm, "Can
 * seqlocks get along with programming language memory models?", 2012).
 */
import * as layout from "../../../layout/broadcast-layout.ts";
import { PADDING_TYPE } from "../../../layout/record-descriptor.ts";
import {
  DATA_WAIT_POINT_OFFSET,
  PRODUCER_BYTES_OFFSET,
  PRODUCER_FULL_OFFSET,
  PRODUCER_RECORDS_OFFSET,
} from "../../../layout/ring-layout.ts";
import { and, load, store, storeFence } from "../../../memory/atomics.ts";
import type { FixedBytes } from "../../../memory/fixed-bytes.ts";
import * as word from "./words.ts";
import { type RingProducerCore, type Wakeable, writeByClaim } from "../core.ts";
import { publish, wakeCalling } from "../publish.ts";
import { type RingMemory, corrupt, viewsOf } from "../views.ts";

const READER_WORD = DATA_WAIT_POINT_OFFSET >> 2;

/** Runs an action under a slot's lock. @returns Whether it did; not when a live consumer has it. */
export type WhileHeld = (slot: number, action: () => void) => boolean;

/** Claims that find no room between two searches for dead consumers, which cost system calls. */
const LOOKS_PER_BURIAL = 8;
/** How often it looks for room again while consumers join at the same time. */
const MAX_SCANS = 64;

/** The writing side of a broadcast ring. At most one exists at a time, in all processes. */
export class BroadcastProducer implements RingProducerCore {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly data: FixedBytes;
  readonly maxRecordLength: number;
  readonly reader: Wakeable;
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #batch: number;
  readonly #isLight: boolean;
  /** Undefined: overwrite. */
  readonly #whileHeld: WhileHeld | undefined;
  readonly #looksPerBurial: number;
  /** How far beyond a record it announces, so that not every record needs an announcement. */
  readonly #ahead: number;
  readonly #quarterShift: number;
  #tail: number;
  #published: number;
  /** Overwrite: the announced end. Block: LIMIT. The tail may go there without another look. */
  #bound: number;
  #halfLaps: number;
  #numberLow: number;
  #numberHigh: number;
  #flushes = 0;
  #quarter = -1;
  #heldRecords = 0;
  #claimedLength = 0;
  #claimedType = 0;
  #looks = 0;

  /**
   * Goes on where the last producer published.
   *
   * @param whileHeld The locks of the consumers' slots, for policy "block"; undefined: "overwrite".
   * @param isLight Whether it is a light waker (waiting/event-count.ts).
   * @throws LayoutError.
   */
  constructor(
    memory: RingMemory,
    reader: Wakeable,
    whileHeld: WhileHeld | undefined,
    batch = 1,
    isLight = false,
    looksPerBurial: number = LOOKS_PER_BURIAL,
  ) {
    this.#isLight = isLight;
    const views = viewsOf(memory);
    this.view = views.view;
    this.bytes = views.bytes;
    this.data = views.data;
    this.reader = reader;
    this.maxRecordLength = layout.broadcastMaxRecordLength(memory.capacity);
    this.#control = views.control;
    this.#counters = views.counters;
    this.#words = views.words;
    this.#capacity = memory.capacity;
    this.#batch = batch;
    this.#whileHeld = whileHeld;
    this.#looksPerBurial = looksPerBurial;
    this.#ahead = (memory.capacity >> 4) & -layout.BROADCAST_ALIGNMENT;
    this.#quarterShift = 31 - Math.clz32(memory.capacity) - 2;
    const found = word.readTailNumber(views.control);
    if (found === undefined || found.tail % layout.BROADCAST_ALIGNMENT !== 0) {
      throw corrupt(memory, "its tail is wrong", {
        expected: "a tail whose record number is known",
        found: load(views.control, word.TAIL),
        offset: layout.TAIL_OFFSET,
      });
    }
    this.#tail = found.tail;
    this.#published = found.tail;
    this.#numberLow = found.number | 0;
    this.#numberHigh = Math.floor(found.number / 2 ** 32);
    // The version that is valid now must not be the one that is written next.
    if (load(views.control, word.TAIL_NUMBERS) === found.tail) this.#flushes = 1;
    const measured = whileHeld === undefined ? word.TAIL_INTENT : word.TAIL;
    this.#halfLaps = Math.floor(word.readWide(views.control, measured) / 2 ** 31) | 0;
    // O2; and B1: there is no room before the first look at the consumers.
    this.#bound = load(views.control, measured);
    const ahead = (this.#bound - this.#tail) | 0;
    if (ahead < 0 || ahead > memory.capacity) {
      throw corrupt(memory, "its announced end is wrong", {
        expected: `at most ${memory.capacity} bytes after the tail`,
        found: ahead,
        offset: layout.TAIL_INTENT_OFFSET,
      });
    }
  }

  tryWrite(source: ArrayBufferView, length: number, type: number): boolean {
    return writeByClaim(this, source, length, type);
  }

  tryClaim(length: number, type: number): number {
    const needed = layout.broadcastAlignedLength(length);
    const toEnd = this.#capacity - (this.#tail & (this.#capacity - 1));
    const padding = needed > toEnd ? toEnd : 0;
    const wanted = padding + needed;
    if (((this.#bound - this.#tail) | 0) < wanted && !this.#makeRoom(wanted)) return -1;
    if (padding > 0) this.#append(padding, PADDING_TYPE);
    this.#claimedLength = length + layout.BROADCAST_HEADER_LENGTH;
    this.#claimedType = type;
    return (this.#tail & (this.#capacity - 1)) + layout.BROADCAST_HEADER_LENGTH;
  }

  #makeRoom(wanted: number): boolean {
    if (this.#whileHeld === undefined) {
      // This producer must not overwrite its own records before it has published them.
      const unpublished = (this.#tail - this.#published) | 0;
      if (unpublished + wanted > this.#capacity >> 1) this.flush();
      this.#announce((this.#tail + wanted + this.#ahead) | 0);
      return true;
    }
    if (this.#findRoom(wanted)) return true;
    if (++this.#looks % this.#looksPerBurial === 0 && this.#bury() && this.#findRoom(wanted)) {
      return true;
    }
    this.#counters[PRODUCER_FULL_OFFSET >> 3]!++;
    return false;
  }

  /** W1 and W2. */
  #announce(end: number): void {
    this.#countHalfLap(this.#bound, end);
    store(this.#control, word.TAIL_INTENT, end);
    storeFence();
    this.#bound = end;
  }

  /** O3: counts a half lap, before the position is stored whose top bit changes. */
  #countHalfLap(from: number, to: number): void {
    if ((from ^ to) >= 0) return;
    this.#halfLaps = (this.#halfLaps + 1) | 0;
    store(this.#control, word.HALF_LAPS, this.#halfLaps);
  }

  /** B1 and B2. */
  #findRoom(wanted: number): boolean {
    // Consumers cannot give back records that they have not been shown.
    this.flush();
    let limit = this.#slowest();
    for (let scan = 0; scan < MAX_SCANS; scan++) {
      // SYNC join: pairs with the consumer's load of LIMIT after its position was stored.
      store(this.#control, word.LIMIT, limit);
      const again = this.#slowest();
      if (((again - limit) | 0) >= 0) {
        this.#bound = limit;
        return ((limit - this.#tail) | 0) >= wanted;
      }
      limit = again;
    }
    // Positions ran back and forth, as no consumer's does. There is no room, and none was used.
    return false;
  }

  /** @returns The slowest joined consumer's position, or else the tail, plus the capacity. */
  #slowest(): number {
    let most = 0;
    const joined = load(this.#control, word.JOINED);
    for (let slot = 0; slot < layout.CONSUMER_SLOT_COUNT; slot++) {
      if ((joined & (1 << slot)) === 0) continue;
      // SYNC given back: pairs with the consumer's store, after which it reads none of those bytes.
      const position = load(this.#control, word.slotIndex(slot));
      const behind = (this.#tail - position) | 0;
      // Further behind is only a consumer that begins to join with an old tail; it will try again.
      if (behind > most && behind <= this.#capacity) most = behind;
    }
    return (this.#tail - most + this.#capacity) | 0;
  }

  /** B3: drops dead consumers. @returns Whether there was one. */
  #bury(): boolean {
    let dropped = false;
    const joined = load(this.#control, word.JOINED);
    for (let slot = 0; slot < layout.CONSUMER_SLOT_COUNT; slot++) {
      const bit = 1 << slot;
      if ((joined & bit) === 0) continue;
      const drop = (): void => void and(this.#control, word.JOINED, ~bit);
      if (this.#whileHeld!(slot, drop)) dropped = true;
    }
    return dropped;
  }

  commit(): void {
    const length = this.#claimedLength;
    if (length === 0) return;
    this.#claimedLength = 0;
    this.#append(length, this.#claimedType);
    this.#numberLow = (this.#numberLow + 1) | 0;
    if (this.#numberLow === 0) this.#numberHigh++;
    if (++this.#heldRecords >= this.#batch) this.flush();
  }

  abort(): void {
    this.#claimedLength = 0;
  }

  /** W3. */
  #append(length: number, type: number): void {
    const index = this.#tail & (this.#capacity - 1);
    const at = index >> 2;
    this.#words[at] = length;
    this.#words[at + 1] = type;
    this.#words[at + 2] = this.#numberLow;
    this.#words[at + 3] = this.#numberHigh;
    const quarter = index >>> this.#quarterShift;
    if (quarter !== this.#quarter) {
      this.#quarter = quarter;
      store(this.#control, word.QUARTER_MARKS + quarter, this.#tail);
    }
    const aligned = (length + layout.BROADCAST_ALIGNMENT - 1) & -layout.BROADCAST_ALIGNMENT;
    this.#tail = (this.#tail + aligned) | 0;
  }

  flush(): void {
    if (this.#tail === this.#published) return;
    const control = this.#control;
    const at = word.TAIL_NUMBERS + (this.#flushes++ & 1) * word.TAIL_NUMBER_WORDS;
    // A consumer that reads this version meanwhile finds another tail, which was stored before.
    storeFence();
    control[at] = this.#tail;
    control[at + 1] = this.#numberLow;
    control[at + 2] = this.#numberHigh;
    const records = this.#numberHigh * 2 ** 32 + (this.#numberLow >>> 0);
    this.#counters[PRODUCER_RECORDS_OFFSET >> 3] = records;
    this.#counters[PRODUCER_BYTES_OFFSET >> 3]! += (this.#tail - this.#published) | 0;
    if (this.#whileHeld !== undefined) this.#countHalfLap(this.#published, this.#tail);
    // SYNC published: pairs with the consumers' load. Releases records and numbers. W4.
    publish(control, word.TAIL, this.#tail, this.#isLight);
    this.#published = this.#tail;
    this.#heldRecords = 0;
    wakeCalling(control, READER_WORD, this.#isLight, this.reader);
  }
}
