/** The key that a handle of a limiter looks for, in the form in which it is stored. */
import { MAX_STORED_KEY_LENGTH } from "../layout/limiter-layout.ts";
import { HashedKey } from "../struct/hashed-key.ts";
import type { StoredKey } from "./algorithm/limiter-table.ts";

const DIGEST_LENGTH = 32;

/** A key and its hash; of a long one its SHA-256, by which no two keys are taken for each other. */
export class LimiterKey implements StoredKey {
  hash = 0;
  mark = 0;
  words: Int32Array;
  wordCount = 0;
  readonly #key: HashedKey;
  readonly #digest: Uint8Array;
  readonly #digestWords: Int32Array;

  constructor(k0: number, k1: number) {
    this.#key = new HashedKey(k0, k1);
    this.words = this.#key.words;
    const buffer = new ArrayBuffer(DIGEST_LENGTH);
    this.#digest = new Uint8Array(buffer);
    this.#digestWords = new Int32Array(buffer);
  }

  /** Takes a key over. @throws RangeError, TypeError when it is none. */
  set(key: string | Uint8Array): void {
    const hashed = this.#key;
    hashed.set(key);
    const { length } = hashed;
    this.hash = hashed.hash;
    this.mark = length + 1;
    if (length > MAX_STORED_KEY_LENGTH) {
      Bun.SHA256.hash(hashed.bytes.subarray(0, length), this.#digest);
      this.words = this.#digestWords;
      this.wordCount = DIGEST_LENGTH / 4;
    } else {
      this.words = hashed.words;
      this.wordCount = hashed.wordCount;
    }
  }
}
