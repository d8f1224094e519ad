/** Restores a snapshot, whose form is in map-snapshot.ts. */
import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import { shown } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { MAX_KEY_LENGTH } from "../layout/map-layout.ts";
import { copyIn } from "../struct/scratch-codec.ts";
import { ANYTHING, STORED } from "./algorithm/map-writer.ts";
import type { MapParts } from "./map-parts.ts";
import {
  SNAPSHOT_END,
  SNAPSHOT_ENTRY_LENGTH,
  SNAPSHOT_MAGIC,
  SNAPSHOT_PIECE_LENGTH,
  SNAPSHOT_START_LENGTH,
  SNAPSHOT_VERSION,
  type SharedMapRestored,
  type SnapshotHead,
} from "./map-snapshot.ts";
import { SnapshotFile } from "./snapshot-file.ts";

/** The longest head: a codec's id, and five numbers. */
const MAX_HEAD_LENGTH = 4096;

/** One entry of a snapshot; its bytes are valid until the next one. */
interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly expiry: number;
  readonly staleMs: number;
}

/**
 * Stores the entries of a snapshot. The file is checked whole before anything is stored.
 *
 * @returns The steps, which return what became of the entries.
 * @throws LayoutError when the file is no whole snapshot, or one of another form.
 */
export function restoreSteps<V>(
  parts: MapParts<V>,
  path: string,
): Generator<void, SharedMapRestored, void> {
  const action = `Cannot restore ${shown(path)} into ${parts.placed.what}`;
  SnapshotFile.checkPath(action, path);
  return readSnapshot(parts, action, path);
}

function* readSnapshot<V>(
  parts: MapParts<V>,
  action: string,
  path: string,
): Generator<void, SharedMapRestored, void> {
  const file = SnapshotFile.open(action, path);
  try {
    const check = new Input(file, action);
    for (const entry of check.entries(parts)) if (entry === undefined) yield;
    parts.placed.checkOpen();
    const input = new Input(file, action);
    const counts = { stored: 0, full: 0, expired: 0 };
    for (const entry of input.entries(parts)) {
      if (entry !== undefined) {
        counts[restoreEntry(parts, input.head, entry)]++;
        continue;
      }
      yield;
      parts.placed.checkOpen();
    }
    return counts;
  } finally {
    file.close();
  }
}

function restoreEntry<V>(
  { memory, key: hashed, draft, writer }: MapParts<V>,
  head: SnapshotHead,
  { key, value, expiry, staleMs }: Entry,
): keyof SharedMapRestored {
  const now = memory.clock.nowMs();
  const isSameRun = head.boot === memory.clock.boot && head.boot !== 0;
  const passedMs = Math.max(0, Date.now() - head.wallMs);
  const end = isSameRun || expiry === 0 ? expiry : now + (expiry - head.bootMs) - passedMs;
  if (end !== 0 && end + staleMs <= now) return "expired";
  hashed.set(key);
  draft.length = copyIn(value, draft.value);
  draft.expiry = end;
  draft.staleMs = staleMs;
  if (!writer.fits(hashed, draft)) return "full";
  return writer.set(hashed, draft, ANYTHING) === STORED ? "stored" : "full";
}

/** A snapshot that is being read. */
class Input {
  head!: SnapshotHead;
  readonly #file: SnapshotFile;
  /** For messages. */
  readonly #action: string;
  readonly #size: number;
  #bytes: Buffer = Buffer.alloc(0);
  /** Where `#bytes` begin in the file, and how many of them were taken. */
  #start = 0;
  #taken = 0;
  /** The checksum of what was read before `#bytes`, and of how many of those. */
  #sum = 0;
  #summed = 0;

  constructor(file: SnapshotFile, action: string) {
    this.#file = file;
    this.#action = action;
    this.#size = file.size;
  }

  /**
   * Yields the entries, and undefined now and then.
   * @throws LayoutError.
   */
  *entries<V>(parts: MapParts<V>): Generator<Entry | undefined, void, void> {
    this.#readHead(parts);
    let count = 0;
    for (let due = SNAPSHOT_PIECE_LENGTH; ;) {
      const keyLength = this.#take(4).readUInt32LE();
      if (keyLength === SNAPSHOT_END) break;
      this.#check(keyLength <= MAX_KEY_LENGTH, `a key of at most ${MAX_KEY_LENGTH}`, keyLength);
      const numbers = this.#take(SNAPSHOT_ENTRY_LENGTH - 4);
      const length = numbers.readUInt32LE();
      const [expiry, staleMs] = [numbers.readDoubleLE(4), numbers.readUInt32LE(12)];
      const payload = this.#take(keyLength + length);
      const key = payload.subarray(0, keyLength);
      this.#check(parts.hasBytesKeys || isUtf8(key), "a key of UTF-8", "other bytes");
      this.#check(expiry >= 0, "a time of 0 or more", expiry);
      yield { key, value: payload.subarray(keyLength), expiry, staleMs };
      count++;
      if (this.#start + this.#taken < due) continue;
      due = this.#start + this.#taken + SNAPSHOT_PIECE_LENGTH;
      yield undefined;
    }
    const told = this.#take(4).readUInt32LE();
    this.#check(told === count, `${told} entries`, count);
    const sum = this.#sumSoFar();
    const found = this.#take(4).readUInt32LE();
    this.#check(found === sum, `the checksum ${sum}`, found);
  }

  #readHead<V>({ codecId, hasBytesKeys }: MapParts<V>): void {
    const start = this.#take(SNAPSHOT_START_LENGTH);
    const magic = start.toString("latin1", 0, 8);
    this.#check(magic === SNAPSHOT_MAGIC, `the magic "${SNAPSHOT_MAGIC}"`, shown(magic));
    const version = start.readUInt32LE(8);
    this.#check(version === SNAPSHOT_VERSION, `version ${SNAPSHOT_VERSION}`, version);
    const length = start.readUInt32LE(12);
    this.#check(length <= MAX_HEAD_LENGTH, `a head of at most ${MAX_HEAD_LENGTH}`, length);
    const text = this.#take(length).toString();
    this.head = parsed(text);
    const { codec, keys, boot, bootMs, wallMs } = this.head;
    const isHead = [boot, bootMs, wallMs].every(Number.isFinite);
    this.#check(isHead, "a head with boot, bootMs and wallMs", shown(text));
    const isCodec = codec === codecId || codec === "" || codecId === "";
    this.#check(isCodec, `the codec "${codecId}"`, shown(codec));
    this.#check(keys === "utf8" || hasBytesKeys, 'keys of "utf8"', shown(keys));
  }

  /** @returns The next bytes. @throws LayoutError when the file ends before. */
  #take(length: number): Buffer {
    const left = this.#bytes.length - this.#taken;
    if (left < length) this.#fill(length);
    const at = this.#taken;
    this.#taken += length;
    return this.#bytes.subarray(at, at + length);
  }

  /** Reads on, so that at least `length` bytes are there. */
  #fill(length: number): void {
    this.#sumSoFar();
    const from = this.#start + this.#taken;
    this.#check(length <= this.#size - from, `${length} more bytes`, this.#size - from);
    const wanted = Math.min(Math.max(length, SNAPSHOT_PIECE_LENGTH), this.#size - from);
    const bytes = Buffer.alloc(wanted);
    const count = this.#file.read(bytes, from);
    this.#check(count === wanted, `${wanted} more bytes`, count);
    this.#bytes = bytes;
    this.#start = from;
    this.#taken = 0;
    this.#summed = 0;
  }

  /** @returns The checksum of all that was taken. */
  #sumSoFar(): number {
    this.#sum = crc32(this.#bytes.subarray(this.#summed, this.#taken), this.#sum);
    this.#summed = this.#taken;
    return this.#sum;
  }

  #check(isRight: boolean, expected: string, found: string | number): void {
    if (isRight) return;
    throw new LayoutError(this.#action, {
      expected,
      found: String(found),
      offset: this.#start + this.#taken,
    });
  }
}

/** @returns What a head says; nothing if it is no JSON. */
function parsed(text: string): SnapshotHead {
  try {
    return Object(JSON.parse(text)) as SnapshotHead;
  } catch {
    return {} as SnapshotHead;
  }
}
