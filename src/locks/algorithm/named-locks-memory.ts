/*
 * Named locks in fixed memory.
 *
 *     [ head: two wait points, a lock, counts | buckets | requests | names ]
 *     bucket   the first name of a chain, from 1 on; 0: empty
 *     name     [ mark | hash | links | text ]                    288 B
 *     request  [ mark | participant | name | links | number ]    32 B
 */
import { LayoutError } from "../../errors.ts";
import {
  LOCKS_HEAD_WORDS,
  NAME_WORDS,
  REQUEST_NUMBER_WORD,
  REQUEST_WORDS,
} from "../../layout/named-locks-layout.ts";
import { wordsOf } from "../../memory/atomics.ts";

/** How the memory of named locks is divided. */
export interface NamedLocksShape {
  /** Names that are held or waited for at the same time. */
  readonly names: number;
  /** Requests that hold or wait at the same time. */
  readonly requests: number;
}

/** Ends an operation that met a number that cannot be right; nobody else sees it. */
export const BROKEN: LayoutError = new LayoutError(
  "Cannot use the named locks: a number cannot be right",
  {
    expected: "a number in range",
    found: "another",
    offset: 0,
  },
);

export const MAX_LOCK_NAMES: number = 2 ** 20;
export const MAX_LOCK_REQUESTS: number = 2 ** 22;

/** @returns The buckets: a power of two, and at least one for each name. */
function bucketCountOf(names: number): number {
  let count = 16;
  while (count < names) count *= 2;
  return count;
}

/** @returns Bytes from the start of the data to a request; they are numbered from 1 on. */
export function requestOffset({ names }: NamedLocksShape, request: number): number {
  return (LOCKS_HEAD_WORDS + bucketCountOf(names) + (request - 1) * REQUEST_WORDS) * 4;
}

/** @returns Bytes from the start of the data to a name; they are numbered from 1 on. */
export function nameOffset(shape: NamedLocksShape, name: number): number {
  return requestOffset(shape, shape.requests + 1) + (name - 1) * NAME_WORDS * 4;
}

/** @returns The bytes of all parts. */
export function namedLocksLength(shape: NamedLocksShape): number {
  return Math.ceil(nameOffset(shape, shape.names + 1) / 128) * 128;
}

/** The words of named locks in a buffer, and where their parts lie: private copies of numbers. */
export class NamedLocksMemory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** The index of the first word. */
  readonly start: number;
  readonly names: number;
  readonly requests: number;
  readonly bucketMask: number;
  readonly #floats: Float64Array;
  /** The index of the first bucket, and those of a request and a name 0, which are not there. */
  readonly #buckets: number;
  readonly #request0: number;
  readonly #name0: number;

  constructor(buffer: ArrayBuffer, byteOffset: number, shape: NamedLocksShape) {
    const { names, requests } = shape;
    this.words = wordsOf(buffer);
    this.bytes = new Uint8Array(buffer);
    this.#floats = new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
    this.start = byteOffset / 4;
    this.names = names;
    this.requests = requests;
    this.bucketMask = bucketCountOf(names) - 1;
    this.#buckets = this.start + LOCKS_HEAD_WORDS;
    this.#request0 = this.start + requestOffset(shape, 0) / 4;
    this.#name0 = this.start + nameOffset(shape, 0) / 4;
  }

  isRequest(request: number): boolean {
    return request > 0 && request <= this.requests;
  }

  isName(name: number): boolean {
    return name > 0 && name <= this.names;
  }

  /** @returns The index of the word of a hash's bucket. */
  bucketOf(hash: number): number {
    return this.#buckets + (hash & this.bucketMask);
  }

  /** @returns The index of the first word of a request, whose number was checked. */
  requestAt(request: number): number {
    return this.#request0 + request * REQUEST_WORDS;
  }

  /** @returns The index of the first word of a name, whose number was checked. */
  nameAt(name: number): number {
    return this.#name0 + name * NAME_WORDS;
  }

  /** @returns The f64 that begins with a word. */
  float(word: number): number {
    return this.#floats[word / 2]!;
  }

  setFloat(word: number, value: number): void {
    this.#floats[word / 2] = value;
  }

  /** @returns The number of a request. */
  numberOf(request: number): number {
    return this.float(this.requestAt(request) + REQUEST_NUMBER_WORD);
  }

  /** @throws LayoutError, always: what was made right is wrong again at once. */
  corrupt(word: number): never {
    throw new LayoutError("Cannot use the named locks: their table is corrupt", {
      expected: "a number in range",
      found: String(this.words[word]),
      offset: word * 4,
    });
  }
}
