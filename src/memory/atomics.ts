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

const IS_X64: boolean = process.arch === "x64";

/**
 * Whether words are read by plain loads. On x86-64 those are in order with all other accesses, as
 * long as every store that must not be late is an atomic one; so C++ compiles them too. The engine
 * makes a locked addition of `Atomics.load`, which costs six times as much, takes the line from
 * other readers, and copies the page of a private mapping, which then shows nothing new.
 *
 * The engine does not know that other processes write. It never moves a load of a typed array over
 * a store to one, whichever that is: so stores to words of nobody's keep each load in its place,
 * and in its loop. test/memory/plain-loads.test.ts would see an engine that does otherwise; the
 * environment variable BUN_SHM_ATOMIC_LOADS=1 is the way back.
 */
let isPlain: boolean = IS_X64 && process.env["BUN_SHM_ATOMIC_LOADS"] === undefined;
const nobodys = new Int32Array(new ArrayBuffer(128));
const BEFORE = 0;
/** On another line, so that no load waits for a store. */
const AFTER = 16;

/**
 * Whether accesses are plain. Then a load writes nothing, so that memory which is mapped privately
 * shows what others write; and a plain store publishes what was written before it, but unlike
 * `store`, it may become visible after later loads of this thread.
 */
export function accessesPlainly(): boolean {
  return isPlain;
}

/** Reads words by `Atomics` from now on, so that a test can stop at each access. */
export function loadByAtomics(): void {
  isPlain = false;
}

/** Reads a word; acquires what its last writer released. */
export function load(words: Int32Array, index: number): number {
  if (!isPlain) return Atomics.load(words, index);
  nobodys[BEFORE] = index;
  const value = words[index];
  // Memory that is unmapped has no words: this throws then.
  if (value === undefined) return Atomics.load(words, index);
  nobodys[AFTER] = value;
  return value;
}

/** Writes a word; releases everything written before it. */
export function store(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
}

/**
 * Writes a word; releases everything written before it, and may become visible after later loads of
 * this thread. For words that only one thread writes at a time, and that wake nobody.
 */
export function release(words: Int32Array, index: number, value: number): void {
  if (isPlain) words[index] = value;
  else Atomics.store(words, index, value);
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

/*
 * Fences, for the few places where plain accesses race with atomic ones on purpose. An atomic load
 * keeps later accesses after it, and an atomic store keeps earlier accesses before it. But plain
 * loads may move below a later atomic load, and plain stores may move above an earlier atomic
 * store. x86 does neither. arm64 does both; there an atomic store followed by an atomic load, to
 * any word, is a full fence (STLR is ordered with a later LDAR).
 */

/** Keeps all accesses before it before those after it. */
export function fence(): void {
  Atomics.store(nobodys, BEFORE, 0);
  Atomics.load(nobodys, BEFORE);
}

/** Keeps the loads before it before the loads after it, plain ones too. */
export function loadFence(): void {
  if (!IS_X64) fence();
}

/** Keeps the stores before it before the stores after it, plain ones too. */
export function storeFence(): void {
  if (!IS_X64) fence();
}
