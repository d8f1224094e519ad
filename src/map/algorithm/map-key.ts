/** The key that a handle looks for, in memory of its own. */
import { checkBytes, shown } from "../../arguments.ts";
import { KEY_MAX } from "../../layout/map-layout.ts";
import { sipHash } from "./sip-hash.ts";

const encoder = new TextEncoder();

/** Up to this length a loop over the characters is faster than a call of the encoder. */
const SHORT_KEY = 16;

/** A key as words, with its hash. */
export class MapKey {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** Bytes. */
  length = 0;
  /** Words; the last is filled up with zero. */
  wordCount = 0;
  hash = 0;
  readonly #k0: number;
  readonly #k1: number;

  constructor(k0: number, k1: number) {
    // UTF-8 takes up to three bytes for each unit of a string, which encodeInto wants room for.
    const buffer = new ArrayBuffer(KEY_MAX + 8);
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.#k0 = k0;
    this.#k1 = k1;
  }

  /** @throws RangeError for a key of more than 1024 bytes; TypeError for what is no key. */
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
      if (length <= KEY_MAX) this.bytes.set(key);
    }
    if (length > KEY_MAX) {
      const which = typeof key === "string" ? shown(key) : `${length} bytes`;
      throw new RangeError(`Cannot use ${which} as a key: it must have at most ${KEY_MAX} bytes`);
    }
    const { bytes } = this;
    bytes[length] = 0;
    bytes[length + 1] = 0;
    bytes[length + 2] = 0;
    this.length = length;
    this.wordCount = (length + 3) >> 2;
    this.hash = sipHash(this.words, length, this.#k0, this.#k1);
  }

  /** Writes a string as UTF-8. @returns Its bytes; more than KEY_MAX when it is too long. */
  #encode(key: string): number {
    const { bytes } = this;
    const { length } = key;
    if (length <= SHORT_KEY) {
      let at = 0;
      for (; at < length; at++) {
        const code = key.charCodeAt(at);
        if (code > 0x7f) break;
        bytes[at] = code;
      }
      if (at === length) return length;
    }
    const { read, written } = encoder.encodeInto(key, bytes);
    return read === length ? written : KEY_MAX + 1;
  }
}
