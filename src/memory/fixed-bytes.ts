/**
 * Bytes that stay in their place, and copies into and out of them.
 *
 * libc's memcpy copies 64 bytes in 4 ns and in a few wide stores, which leave room for others in
 * the processor's store buffer; a call of `Uint8Array.set` takes 15 ns, whatever it copies.
 */
import { LENGTH_BITS, addressOfBuffer, memcpy } from "../libc/memcpy.ts";

/** A range of a mapping's buffer, or of one that was made as an ArrayBuffer. */
export class FixedBytes {
  /** The same bytes. Its length is 0 once they are unmapped. */
  readonly #bytes: Uint8Array;
  readonly #address: number;

  constructor(buffer: ArrayBufferLike, byteOffset: number, byteLength: number) {
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.#address = addressOfBuffer(buffer) + byteOffset;
  }

  // What is unmapped or detached has a length of 0, so that libc never gets an address of it.

  /** Copies the first `length` bytes of a view to `index`. @throws RangeError for too many. */
  put(index: number, source: ArrayBufferView, length: number): void {
    if (length === 0) return;
    if (index < 0 || length > this.#bytes.length - index || length > source.byteLength) {
      refuse(index, length);
    }
    memcpy(this.#address + index, source, length & LENGTH_BITS);
  }

  /** Copies `length` bytes at `index` to the start of a view. @throws RangeError likewise. */
  take(index: number, target: ArrayBufferView, length: number): void {
    if (length === 0) return;
    if (index < 0 || length > this.#bytes.length - index || length > target.byteLength) {
      refuse(index, length);
    }
    memcpy(target, this.#address + index, length & LENGTH_BITS);
  }

  /** Copies `length` bytes at `index` to `targetIndex` of others. @throws RangeError likewise. */
  copyTo(target: FixedBytes, targetIndex: number, index: number, length: number): void {
    if (length === 0) return;
    if (index < 0 || length > this.#bytes.length - index) refuse(index, length);
    if (targetIndex < 0 || length > target.#bytes.length - targetIndex) refuse(targetIndex, length);
    memcpy(target.#address + targetIndex, this.#address + index, length & LENGTH_BITS);
  }
}

function refuse(index: number, length: number): never {
  throw new RangeError(`Cannot copy ${length} bytes at ${index}: they do not lie in both`);
}
