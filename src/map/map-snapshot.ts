/*
 * A map's entries in a file, to be kept or carried elsewhere.
 *
 *     file     [ "bshm-map" | version | bytes of the head | head | entry … | end ]
 *     head     JSON: codec, keys, and what the times are counted from: boot, bootMs, wallMs
 *     entry    [ bytes of the key | bytes of the value | expiry (f64) | stale | key | value ]
 *     end      [ 0xffffffff | count of entries | CRC-32 of all before ]
 *
 * Words are little-endian. Times are in ms since the machine's start; in another run of the machine
 * the wall clock of the snapshot says how much of them has passed.
 */
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { Scratch } from "../struct/scratch.ts";
import { takeTurn } from "../waiting/turns.ts";
import { ABSENT, MapReader } from "./algorithm/map-reader.ts";
import { slotsOf } from "./algorithm/map-stats.ts";
import type { MapParts } from "./map-parts.ts";
import { SnapshotFile } from "./snapshot-file.ts";

/** What became of the entries of a snapshot. */
export interface SharedMapRestored {
  readonly stored: number;
  /** Those that had no room, or are longer than this map's entries can be. */
  readonly full: number;
  /** Those whose time was over. */
  readonly expired: number;
}

export const SNAPSHOT_MAGIC = "bshm-map";
export const SNAPSHOT_VERSION = 1;
export const SNAPSHOT_START_LENGTH = 16;
export const SNAPSHOT_ENTRY_LENGTH = 20;
export const SNAPSHOT_END = 0xffffffff;
/** Bytes that are read or written at once. */
export const SNAPSHOT_PIECE_LENGTH: number = 2 ** 16;

/** Slots that are looked at in one step. */
const SLOTS_PER_STEP = 4096;

/** What a snapshot says of itself. */
export interface SnapshotHead {
  readonly codec: string;
  readonly keys: "utf8" | "bytes";
  readonly boot: number;
  readonly bootMs: number;
  readonly wallMs: number;
}

/** Runs the steps of a snapshot or of its restoring. @returns What they return. */
export function atOnce<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Runs the steps, and lets the event loop turn after each. @returns What they return. */
export async function inTurns<T>(steps: Generator<void, T, void>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await takeTurn();
  }
}

/**
 * Writes all valid entries to a file. It is written beside its name and then renamed, so that the
 * name stands for a whole snapshot, the old one or the new one, at every instant.
 *
 * @returns The steps, which return how many entries it holds.
 */
export function snapshotSteps<V>(parts: MapParts<V>, path: string): Generator<void, number, void> {
  const action = `Cannot write a snapshot of ${parts.placed.what}`;
  SnapshotFile.checkPath(action, path);
  return writeSnapshot(parts, action, path);
}

function* writeSnapshot<V>(
  parts: MapParts<V>,
  action: string,
  path: string,
): Generator<void, number, void> {
  const name = `.bun-shm-${process.pid}-${crypto.randomUUID().slice(0, 8)}.tmp`;
  const unfinished = join(dirname(path), name);
  const file = SnapshotFile.create(action, unfinished);
  let isWhole = false;
  try {
    const count = yield* writeEntries(parts, file);
    file.publish(path);
    isWhole = true;
    return count;
  } finally {
    file.close();
    if (!isWhole) file.remove();
  }
}

function* writeEntries<V>(parts: MapParts<V>, file: SnapshotFile): Generator<void, number, void> {
  const { memory, placed } = parts;
  const scratch = new Scratch(SNAPSHOT_PIECE_LENGTH);
  const reader = new MapReader(memory, scratch, false);
  const output = new Output(file);
  output.start(headOf(parts));
  let count = 0;
  let looks = 0;
  for (const [stripe, slot] of slotsOf(memory)) {
    if (output.isDue || ++looks % SLOTS_PER_STEP === 0) {
      output.flush();
      yield;
      placed.checkOpen();
    }
    const length = reader.readSlot(stripe, slot);
    if (length === ABSENT) continue;
    const { keyLength, expiry, staleMs } = reader;
    output.entry(scratch, keyLength, length, expiry, staleMs);
    count++;
  }
  output.end(count);
  return count;
}

function headOf<V>({ memory, codecId, hasBytesKeys }: MapParts<V>): SnapshotHead {
  const { boot, nowMs } = memory.clock;
  const keys = hasBytesKeys ? "bytes" : "utf8";
  return { codec: codecId, keys, boot, bootMs: nowMs(), wallMs: Date.now() };
}

/** A snapshot that is being written. */
class Output {
  readonly #file: SnapshotFile;
  #bytes: Buffer = Buffer.alloc(2 * SNAPSHOT_PIECE_LENGTH);
  #length = 0;
  #sum = 0;

  constructor(file: SnapshotFile) {
    this.#file = file;
  }

  get isDue(): boolean {
    return this.#length >= SNAPSHOT_PIECE_LENGTH;
  }

  /** @returns Where the next `length` bytes go. */
  #take(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(2 ** Math.ceil(Math.log2(this.#length)));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }

  start(head: SnapshotHead): void {
    const text = Buffer.from(JSON.stringify(head));
    const at = this.#take(SNAPSHOT_START_LENGTH + text.length);
    this.#bytes.write(SNAPSHOT_MAGIC, at, "latin1");
    this.#bytes.writeUInt32LE(SNAPSHOT_VERSION, at + 8);
    this.#bytes.writeUInt32LE(text.length, at + 12);
    text.copy(this.#bytes, at + SNAPSHOT_START_LENGTH);
  }

  /** Adds what `MapReader.readSlot` left in the scratch. */
  entry(
    { bytes }: Scratch,
    keyLength: number,
    length: number,
    expiry: number,
    staleMs: number,
  ): void {
    const at = this.#take(SNAPSHOT_ENTRY_LENGTH + keyLength + length);
    this.#bytes.writeUInt32LE(keyLength, at);
    this.#bytes.writeUInt32LE(length, at + 4);
    this.#bytes.writeDoubleLE(expiry, at + 8);
    this.#bytes.writeUInt32LE(staleMs, at + 16);
    const valueAt = (keyLength + 3) & ~3;
    this.#bytes.set(bytes.subarray(0, keyLength), at + SNAPSHOT_ENTRY_LENGTH);
    const value = bytes.subarray(valueAt, valueAt + length);
    this.#bytes.set(value, at + SNAPSHOT_ENTRY_LENGTH + keyLength);
  }

  end(count: number): void {
    const at = this.#take(8);
    this.#bytes.writeUInt32LE(SNAPSHOT_END, at);
    this.#bytes.writeUInt32LE(count, at + 4);
    this.flush();
    this.#bytes.writeUInt32LE(this.#sum, this.#take(4));
    this.flush();
  }

  flush(): void {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#sum = crc32(bytes, this.#sum);
    this.#file.write(bytes);
    this.#length = 0;
  }
}
