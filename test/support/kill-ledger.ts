/**
 * What victims of a kill campaign have done for certain, in words of shared memory that only their
 * owner writes, so that it outlives them.
 */
import { Segment } from "../../src/index.ts";

/** Every count of every noun. */
export const COUNTS = [
  "turns",
  "mutex",
  "rw-lock",
  "lease",
  "named lock",
  "byte lock",
  "map",
  "record",
  "table",
  "counter",
  "limiter",
  "word",
  "meter",
  "produced",
  "consumed",
  "sets",
  "passes of the event",
  "posts",
  "takes",
  "named posts",
  "named takes",
  "last",
  "passed",
  "broken",
  "timedOut",
  "received",
  "received again",
] as const;
export type Count = (typeof COUNTS)[number];

const DEAD = COUNTS.length;
/** The counts, whether it was killed, and one word for each channel of messages. */
const WORDS = 64;
const FIRST_CHANNEL = DEAD + 1;
export const CHANNELS = [
  "segment queue",
  "polling queue",
  "named queue",
  "spsc",
  "mpsc",
  "block",
  "overwrite",
] as const;
export type Channel = (typeof CHANNELS)[number];
if (FIRST_CHANNEL + CHANNELS.length > WORDS) throw new Error("A report is too short");

/** How many messages each participant may send into each channel. */
export const MESSAGES = 1024;
const BITMAP_WORDS = MESSAGES / 32;

export class KillLedger {
  /** The number of this participant, from 0. */
  readonly me: number;
  readonly participants: number;
  readonly #segment: Segment;
  readonly #words: Int32Array;
  readonly #received: Int32Array;

  constructor(name: string, participants: number, me: number) {
    const reports = participants * WORDS * 4;
    const size = reports + participants * CHANNELS.length * BITMAP_WORDS * 4;
    this.#segment = Segment.openOrCreate(name, { size });
    this.#words = new Int32Array(this.#segment.buffer, 0, reports / 4);
    this.#received = new Int32Array(this.#segment.buffer, reports);
    this.me = me;
    this.participants = participants;
  }

  add(count: Count): void {
    Atomics.add(this.#words, this.me * WORDS + COUNTS.indexOf(count), 1);
  }

  of(participant: number, count: Count): number {
    return Atomics.load(this.#words, participant * WORDS + COUNTS.indexOf(count));
  }

  total(count: Count): number {
    let sum = 0;
    for (let one = 0; one < this.participants; one++) sum += this.of(one, count);
    return sum;
  }

  /** Said before it is killed. */
  markDead(participant: number): void {
    Atomics.store(this.#words, participant * WORDS + DEAD, 1);
  }

  isDead(participant: number): boolean {
    return Atomics.load(this.#words, participant * WORDS + DEAD) === 1;
  }

  get deaths(): number {
    let deaths = 0;
    for (let one = 0; one < this.participants; one++) if (this.isDead(one)) deaths++;
    return deaths;
  }

  /** How many messages it has sent for certain. */
  sent(participant: number, channel: Channel): number {
    const word = FIRST_CHANNEL + CHANNELS.indexOf(channel);
    return Atomics.load(this.#words, participant * WORDS + word);
  }

  addSent(channel: Channel): void {
    Atomics.add(this.#words, this.me * WORDS + FIRST_CHANNEL + CHANNELS.indexOf(channel), 1);
  }

  #bitmap(participant: number, channel: Channel): number {
    return (participant * CHANNELS.length + CHANNELS.indexOf(channel)) * BITMAP_WORDS;
  }

  /** @returns Whether it had not been received before. */
  receive(participant: number, channel: Channel, message: number): boolean {
    const at = this.#bitmap(participant, channel) + (message >> 5);
    const bit = 1 << (message & 31);
    return (Atomics.or(this.#received, at, bit) & bit) === 0;
  }

  wasReceived(participant: number, channel: Channel, message: number): boolean {
    const word = Atomics.load(this.#received, this.#bitmap(participant, channel) + (message >> 5));
    return (word & (1 << (message & 31))) !== 0;
  }

  close(): void {
    this.#segment.close();
  }
}
