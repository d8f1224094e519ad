/** The bytes of one entry of the directory. What is read is somebody else's until it is checked. */
import type { MetersMemory } from "./meters-memory.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads an entry, field by field, and never beyond its end. */
export class EntryReader {
  /** Bytes from the start of the data to the entry. */
  readonly at: number;
  readonly #memory: MetersMemory;
  #next = 0;
  #end = 0;

  constructor(memory: MetersMemory, at: number) {
    this.#memory = memory;
    this.at = at;
  }

  /** A field of the head. */
  u32(offset: number): number {
    return this.#memory.view.getUint32(this.at + offset, true);
  }

  /** What follows is read one after the other, from `offset` to the entry's `length`. */
  begin(offset: number, length: number): void {
    this.#next = this.at + offset;
    this.#end = this.at + length;
  }

  f64(): number {
    return this.#memory.view.getFloat64(this.#take(8), true);
  }

  text(length: number): string {
    const from = this.#take(length);
    try {
      // Some decoders refuse memory that is shared, and this is short.
      return decoder.decode(this.#memory.bytes.slice(from, from + length));
    } catch {
      return this.wrong("a text", "UTF-8", "other bytes", from - this.at);
    }
  }

  /** A text behind its length. */
  counted(most: number): string {
    const length = this.#memory.view.getUint16(this.#take(2), true);
    return length <= most ? this.text(length) : this.wrong("a text", `${most} bytes`, length);
  }

  #take(length: number): number {
    const from = this.#next;
    if (from + length > this.#end) this.wrong("the length of an entry", "more bytes", length);
    this.#next = from + length;
    return from;
  }

  wrong(which: string, expected: string, found: string | number, offset = 0): never {
    return this.#memory.wrong(which, expected, found, this.at + offset);
  }
}

/** Writes entries into private memory. */
export class EntryWriter {
  #bytes: number[] = [];
  /** Where the entry that is written begins. */
  #start = 0;

  begin(): void {
    this.#start = this.#bytes.length;
  }

  u32(...values: readonly number[]): void {
    for (const value of values) {
      this.#bytes.push(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
    }
  }

  f64(value: number): void {
    this.#bytes.push(...new Uint8Array(new Float64Array([value]).buffer));
  }

  text(text: string): void {
    this.#bytes.push(...Buffer.from(text));
  }

  counted(text: string): void {
    const length = Buffer.byteLength(text);
    this.#bytes.push(length & 255, length >>> 8);
    this.text(text);
  }

  /** Pads the entry, and writes its length to its start. */
  end(): void {
    while (this.#bytes.length % 8 !== 0) this.#bytes.push(0);
    const length = this.#bytes.length - this.#start;
    for (let at = 0; at < 4; at++) this.#bytes[this.#start + at] = (length >>> (at * 8)) & 255;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
