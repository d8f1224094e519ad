/** The key that a handle of keyed memory looks for, in private memory. */
import { isUtf8 } from "node:buffer";
import { checkBytes, checkWellFormed, shown } from "../arguments.ts";
import { MAX_KEY_LENGTH } from "../layout/map-layout.ts";
import { sipHash } from "./sip-hash.ts";

const encoder = new TextEncoder();

/** Up to this many characters, a loop is faster than a call of the encoder. */
const SHORT_LENGTH = 16;

/** A key as words, with its hash. */
export class HashedKey {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** Bytes of the key. */
  length = 0;
  /** Words of the key; the last one is filled up with zeros. */
  wordCount = 0;
  hash = 0;
  readonly #k0: number;
  readonly #k1: number;
  readonly #isText: boolean;

  /** @param isText Whether keys are text, of which bytes are the UTF-8. */
  constructor(k0: number, k1: number, isText = false) {
    // Behind the longest key there is room for the zeros that fill up its last word.
    const buffer = new ArrayBuffer(MAX_KEY_LENGTH + 8);
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.#k0 = k0;
    this.#k1 = k1;
    this.#isText = isText;
  }

  /** Takes over a key that may be stored. @throws The errors of `set`; RangeError for no UTF-8. */
  setNew(key: string | Uint8Array): void {
    this.set(key);
    if (!this.#isText || typeof key === "string" || isUtf8(key)) return;
    throw new RangeError(
      `Cannot store ${key.length} bytes as a key: they are no UTF-8, and this map's keys are ` +
        "text. A map that is made with { key: codecs.bytes } takes any bytes",
    );
  }

  /**
   * Takes a key over, and hashes it.
   * @throws RangeError when it has more than 1024 bytes, or is no well-formed text; TypeError when
   *   it is no key.
   */
  set(key: string | Uint8Array): void {
    let length: number;
    if (typeof key === "string") {
      length = this.#encode(key);
    } else {
      if (!(key instanceof Uint8Array)) {
        throw new TypeError(`Cannot use ${shown(key)} as a key: it must be text or a Uint8Array`);
      }
      length = key.length;
      if (length === 0) checkBytes("Cannot look a key up", "the key", key);
      if (length <= MAX_KEY_LENGTH) this.bytes.set(key);
    }
    if (length > MAX_KEY_LENGTH) {
      const which = typeof key === "string" ? shown(key) : `${length} bytes`;
      throw new RangeError(
        `Cannot use ${which} as a key: it must have at most ${MAX_KEY_LENGTH} bytes`,
      );
    }
    const { bytes } = this;
    bytes[length] = 0;
    bytes[length + 1] = 0;
    bytes[length + 2] = 0;
    this.length = length;
    this.wordCount = (length + 3) >> 2;
    this.hash = sipHash(this.words, length, this.#k0, this.#k1);
  }

  /** Writes text as UTF-8. @returns Its bytes; more than MAX_KEY_LENGTH when it is too long. */
  #encode(key: string): number {
    const { bytes } = this;
    const { length } = key;
    if (length <= SHORT_LENGTH) {
      let at = 0;
      for (; at < length; at++) {
        const code = key.charCodeAt(at);
        if (code > 0x7f) break;
        bytes[at] = code;
      }
      if (at === length) return length;
    }
    const { read, written } = encoder.encodeInto(key, bytes);
    if (read !== length) return MAX_KEY_LENGTH + 1;
    // ASCII, of which this is the length, needs no further look.
    if (written !== length) checkWellFormed("Cannot use a key", "it", key);
    return written;
  }
}
