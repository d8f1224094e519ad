/** The names in a table of named locks, by their hashes. Callers hold the table's lock. */
import {
  LOCKS_FREE_NAME_WORD,
  LOCKS_NAME_COUNT_WORD,
  MAX_LOCK_NAME_LENGTH,
  NAME_FIRST_WORD,
  NAME_HASH_WORD,
  NAME_LAST_WORD,
  NAME_MARK_WORD,
  NAME_NEXT_WORD,
  NAME_TEXT_WORD,
} from "../../layout/named-locks-layout.ts";
import { BROKEN, type NamedLocksMemory } from "./named-locks-memory.ts";

/** A name that is asked for. */
export interface LockKey {
  readonly hash: number;
  /** Bytes. */
  readonly length: number;
  /** The bytes, filled up to a word with zeros. */
  readonly words: Int32Array;
  readonly wordCount: number;
}

const decoder = new TextDecoder();

export class LockNames {
  readonly #memory: NamedLocksMemory;
  readonly #words: Int32Array;

  constructor(memory: NamedLocksMemory) {
    this.#memory = memory;
    this.#words = memory.words;
  }

  /** @returns A key's name; 0 when nobody holds it or waits for it. */
  find(key: LockKey): number {
    const memory = this.#memory;
    const words = this.#words;
    let name = words[memory.bucketOf(key.hash)]!;
    for (let left = memory.names; name !== 0; left--) {
      if (!memory.isName(name) || left === 0) throw BROKEN;
      const at = memory.nameAt(name);
      if (words[at + NAME_HASH_WORD] === key.hash && this.#isKey(at, key)) return name;
      name = words[at + NAME_NEXT_WORD]!;
    }
    return 0;
  }

  #isKey(at: number, { length, words: text, wordCount }: LockKey): boolean {
    const words = this.#words;
    if (words[at + NAME_MARK_WORD] !== length + 1) return false;
    for (let word = 0; word < wordCount; word++) {
      if (words[at + NAME_TEXT_WORD + word] !== text[word]) return false;
    }
    return true;
  }

  /** @returns The new name; 0 when there is no room. */
  add({ hash, length, words: text, wordCount }: LockKey): number {
    const memory = this.#memory;
    const words = this.#words;
    const { start } = memory;
    const name = words[start + LOCKS_FREE_NAME_WORD]!;
    if (name === 0) return 0;
    if (!memory.isName(name)) throw BROKEN;
    const at = memory.nameAt(name);
    if (words[at + NAME_FIRST_WORD] !== 0) throw BROKEN;
    const bucket = memory.bucketOf(hash);
    words[start + LOCKS_FREE_NAME_WORD] = words[at + NAME_NEXT_WORD]!;
    for (let word = 0; word < wordCount; word++) words[at + NAME_TEXT_WORD + word] = text[word]!;
    words[at + NAME_HASH_WORD] = hash;
    words[at + NAME_MARK_WORD] = length + 1;
    words[at + NAME_LAST_WORD] = 0;
    words[at + NAME_NEXT_WORD] = words[bucket]!;
    words[bucket] = name;
    words[start + LOCKS_NAME_COUNT_WORD]!++;
    return name;
  }

  remove(name: number): void {
    const memory = this.#memory;
    const words = this.#words;
    const { start } = memory;
    const at = memory.nameAt(name);
    let before = memory.bucketOf(words[at + NAME_HASH_WORD]!);
    for (let left = memory.names; words[before] !== name; left--) {
      const other = words[before]!;
      if (!memory.isName(other) || left === 0) throw BROKEN;
      before = memory.nameAt(other) + NAME_NEXT_WORD;
    }
    words[before] = words[at + NAME_NEXT_WORD]!;
    words[at + NAME_NEXT_WORD] = words[start + LOCKS_FREE_NAME_WORD]!;
    words[start + LOCKS_FREE_NAME_WORD] = name;
    words[start + LOCKS_NAME_COUNT_WORD]!--;
  }

  textOf(name: number): string {
    const at = this.#memory.nameAt(name);
    const length = this.#words[at + NAME_MARK_WORD]! - 1;
    if (length < 0 || length > MAX_LOCK_NAME_LENGTH) throw BROKEN;
    const start = (at + NAME_TEXT_WORD) * 4;
    return decoder.decode(this.#memory.bytes.subarray(start, start + length));
  }
}
