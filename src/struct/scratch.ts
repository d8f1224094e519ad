/** The private memory of one handle, for values on their way into and out of shared memory. */
import { FixedBytes } from "../memory/fixed-bytes.ts";

const NOTHING = new Uint8Array(0);

/** Bytes, of which there are more when more are reserved. */
export class Scratch {
  buffer!: ArrayBuffer;
  words!: Int32Array;
  bytes!: Uint8Array;
  view!: DataView;
  /** The same bytes, to be copied to and from. */
  fixed!: FixedBytes;
  /** The same bytes, with Node's methods that make strings of them. @internal */
  node!: Buffer;

  constructor(length: number) {
    this.#grow(length);
  }

  /** @returns Whether there is no room for `length` bytes and a word. */
  lacks(length: number): boolean {
    return length + 4 > this.bytes.length;
  }

  /** Makes room for `length` bytes and a word, and keeps what was there. */
  reserve(length: number): void {
    if (this.lacks(length)) this.#grow(length);
  }

  /**
   * Lets a function of the user's read some of the bytes. Meanwhile this scratch has none, so that
   * a call of the same handle inside that function gets other memory.
   *
   * @returns What the function returned.
   */
  lend<T>(offset: number, length: number, read: (bytes: Uint8Array) => T): T {
    const { buffer, words, bytes, view, fixed, node } = this;
    this.bytes = NOTHING;
    try {
      return read(bytes.subarray(offset, offset + length));
    } finally {
      this.buffer = buffer;
      this.words = words;
      this.bytes = bytes;
      this.view = view;
      this.fixed = fixed;
      this.node = node;
    }
  }

  #grow(length: number): void {
    const old = this.bytes as Uint8Array | undefined;
    this.buffer = new ArrayBuffer(2 ** Math.ceil(Math.log2(length + 8)));
    this.words = new Int32Array(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.fixed = new FixedBytes(this.buffer, 0, this.buffer.byteLength);
    this.node = Buffer.from(this.buffer);
    if (old !== undefined) this.bytes.set(old);
  }
}
