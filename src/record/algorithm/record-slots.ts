/*
 * The latest value of something, over bytes: slots, each with the number of the version that it
 * holds, and a word that says which version is the newest.
 *
 *     latest ──────────────┐
 *     slot   0    1    2   3    4    5    6    7
 *     holds  v8   v9   …  v11  v4   v5   v6   v7        version v lies in slot v mod 8
 *
 * The writer takes the slot after the newest one, which holds the oldest version. It empties the
 * slot's version word, copies the bytes in, writes the version word, and then publishes the version
 * as the latest. A reader copies the slot of the latest version, and keeps the copy if the slot
 * still holds that version.
 *
 * Why no reader starves: the bytes of a version are overwritten only by the write that is `count`
 * versions later. A reader fails only when the writer completes `count - 1` further writes and
 * begins another one within one copy, which takes about as long as one of those writes. A plain
 * seqlock fails whenever a single write overlaps.
 *
 * Why a dead writer harms nobody: no reader looks at a slot before `latest` is stored, and the next
 * writer begins with the same slot again.
 */
import { LayoutError } from "../../errors.ts";
import {
  SHARED_RECORD_LATEST_OFFSET,
  SHARED_RECORD_SLOTS_OFFSET,
  SLOT_VALUE_OFFSET,
  SLOT_VERSION_OFFSET,
} from "../../layout/shared-record-layout.ts";
import { load, loadFence, release, store, storeFence, wordsOf } from "../../memory/atomics.ts";
import { FixedBytes } from "../../memory/fixed-bytes.ts";

/** From a slot's version to its value, in bytes. */
const VALUE_DISTANCE: number = SLOT_VALUE_OFFSET - SLOT_VERSION_OFFSET;

/** A read that fails this often meets bytes that are no record. */
const MAX_ATTEMPTS = 100_000;

/** @returns The bytes from one slot to the next, which share no cache line. */
function recordStride(valueLength: number): number {
  return (SLOT_VALUE_OFFSET + valueLength + 127) & ~127;
}

/** @returns The bytes of a record. */
export function recordLength(valueLength: number, slotCount: number): number {
  return SHARED_RECORD_SLOTS_OFFSET + slotCount * recordStride(valueLength);
}

/** A record at an offset of a buffer. The caller makes sure that writers take turns. */
export class RecordSlots {
  /** Where `read` puts the value: private memory. */
  readonly copy: Uint8Array;

  readonly #words: Int32Array;
  readonly #latest: number;
  readonly #versions: Int32Array;
  readonly #bytes: FixedBytes;
  readonly #valueLength: number;
  readonly #mask: number;

  /**
   * @param byteOffset A multiple of 128.
   * @param valueLength Bytes of a value, a multiple of 4.
   * @param slotCount A power of two, at least 2.
   */
  constructor(buffer: ArrayBuffer, byteOffset: number, valueLength: number, slotCount: number) {
    this.#words = wordsOf(buffer);
    this.#latest = ((byteOffset + SHARED_RECORD_LATEST_OFFSET) / 4) | 0;
    this.#bytes = new FixedBytes(buffer, 0, buffer.byteLength);
    this.#valueLength = valueLength;
    this.#mask = slotCount - 1;
    this.#versions = new Int32Array(slotCount);
    const stride = recordStride(valueLength);
    for (let slot = 0; slot < slotCount; slot++) {
      const at = byteOffset + SHARED_RECORD_SLOTS_OFFSET + slot * stride;
      this.#versions[slot] = (at + SLOT_VERSION_OFFSET) / 4;
    }
    this.copy = new Uint8Array(new ArrayBuffer(valueLength));
  }

  /** The newest version, as a signed word; 0 before the first write. */
  get version(): number {
    return load(this.#words, this.#latest);
  }

  /**
   * Copies the newest value to `target`. Takes no lock, and stores nothing in shared memory.
   *
   * @returns The version of the value; 0 when nothing was written yet, and `target` is unchanged.
   * @throws LayoutError when the bytes are no record.
   */
  read(target: Uint8Array = this.copy): number {
    const words = this.#words;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // SYNC record-published: pairs with the last store in `write`.
      const version = load(words, this.#latest);
      if (version === 0) return 0;
      const slot = version & this.#mask;
      const versionIndex = this.#versions[slot]!;
      if (load(words, versionIndex) !== version) continue;
      this.#bytes.take(versionIndex * 4 + VALUE_DISTANCE, target, this.#valueLength);
      loadFence();
      // SYNC record-slot: a writer empties the word before it touches the bytes.
      if (load(words, versionIndex) === version) return version;
    }
    throw new LayoutError("Cannot read the record: its newest slot never holds its version", {
      expected: `version ${load(words, this.#latest)}`,
      found: "another",
      offset: this.#latest * 4,
    });
  }

  /**
   * Publishes a value. The caller holds the writers' lock.
   * @returns The version of the value, as a signed word; never 0.
   */
  write(value: Uint8Array): number {
    const words = this.#words;
    // The version after -1 is 2: 0 means that nothing was written, and 1 may lie in the slot of -1,
    // which readers need until the new one is published.
    const version = (load(words, this.#latest) + 1) | 0 || 2;
    const slot = version & this.#mask;
    const versionIndex = this.#versions[slot]!;
    release(words, versionIndex, 0);
    storeFence();
    this.#bytes.put(versionIndex * 4 + VALUE_DISTANCE, value, value.length);
    release(words, versionIndex, version);
    store(words, this.#latest, version);
    return version;
  }
}
