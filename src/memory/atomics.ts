/**
 * The one user of `Atomics` over shared words.
 *
 * Every access to a word that two processes touch goes through these functions, so that a test can
 * replace this module, and stop, switch or kill at each single access. All of them are sequentially
 * consistent, which is stronger than most callers need; a comment at the call says which order it
 * relies on. JavaScriptCore inlines them, which `bench/micro/atomics.bench.ts` checks.
 *
 * Words are 32-bit, indexed in elements (`byteOffset >> 2`), and read as signed. Positions are
 * compared by wrapping subtraction: `(a - b) | 0`.
 */

/**
 * The words from an offset on, a multiple of 4; to the end of the buffer unless told how many
 * bytes. A shift would not do: it takes lengths and offsets from 2 GiB on for negative numbers.
 */
export function wordsOf(
  buffer: ArrayBufferLike,
  byteOffset = 0,
  byteLength: number = buffer.byteLength - byteOffset,
): Int32Array {
  return new Int32Array(buffer, byteOffset, Math.floor(byteLength / 4));
}

/** Reads a word; acquires what its last writer released. */
export function load(words: Int32Array, index: number): number {
  return Atomics.load(words, index);
}

/** Writes a word; releases everything written before it. */
export function store(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
}

/** Adds with wrap-around. @returns The old value. */
export function add(words: Int32Array, index: number, value: number): number {
  return Atomics.add(words, index, value);
}

/** Bitwise and. @returns The old value. */
export function and(words: Int32Array, index: number, value: number): number {
  return Atomics.and(words, index, value);
}

/** Bitwise or. @returns The old value. */
export function or(words: Int32Array, index: number, value: number): number {
  return Atomics.or(words, index, value);
}

/** Writes a word. @returns The old value. */
export function exchange(words: Int32Array, index: number, value: number): number {
  return Atomics.exchange(words, index, value);
}

/**
 * Writes `replacement` if the word is `expected`. @returns The old value: `expected` if it wrote.
 */
export function compareExchange(
  words: Int32Array,
  index: number,
  expected: number,
  replacement: number,
): number {
  return Atomics.compareExchange(words, index, expected, replacement);
}

const IS_X64: boolean = process.arch === "x64";

/**
 * Reads a word right after a compare-and-exchange. On x86-64 that is a full barrier, so a plain
 * read after it is in order, and costs a fifth. In a loop without such a step it must not be used:
 * the engine would move the read out of the loop.
 */
export function loadAfterBarrier(words: Int32Array, index: number): number {
  return IS_X64 ? words[index]! : Atomics.load(words, index);
}

/*
 * Fences, for the few places where plain accesses race with atomic ones on purpose. An atomic load
 * keeps later accesses after it, and an atomic store keeps earlier accesses before it. But plain
 * loads may move below a later atomic load, and plain stores may move above an earlier atomic
 * store. x86 does neither. arm64 does both; there an atomic store followed by an atomic load, to
 * any word, is a full fence (STLR is ordered with a later LDAR).
 */
const fenceWord = new Int32Array(new ArrayBuffer(4));

function fence(): void {
  Atomics.store(fenceWord, 0, 0);
  Atomics.load(fenceWord, 0);
}

/** Keeps the loads before it before the loads after it, plain ones too. */
export function loadFence(): void {
  if (!IS_X64) fence();
}

/** Keeps the stores before it before the stores after it, plain ones too. */
export function storeFence(): void {
  if (!IS_X64) fence();
}
