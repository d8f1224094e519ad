/** Values that can be checked for tearing, for the programs that write them and those that look. */
import { type ArrayField, type SharedMap, type Struct, arrayOf, struct } from "../../src/index.ts";

/** Makes 1 KiB that is determined by its first number. */
export const Block: Struct<{ readonly seed: "u32"; readonly words: ArrayField<number> }> = struct({
  seed: "u32",
  words: arrayOf("u32", 255),
});

export function blockOf(seed: number): { seed: number; words: number[] } {
  return { seed, words: Array.from({ length: 255 }, (_, at) => Math.imul(seed, at + 2) >>> 0) };
}

/** @throws Error when the value is torn. */
export function checkBlock({ seed, words }: { seed: number; words: number[] }): void {
  for (const [at, word] of words.entries()) {
    if (word !== Math.imul(seed, at + 2) >>> 0) throw new Error(`Torn: word ${at} of seed ${seed}`);
  }
}

/** A row of 64 bytes that is determined by its number and its seed. */
export const Row: Struct<{
  readonly row: "u32";
  readonly seed: "u32";
  readonly words: ArrayField<number>;
}> = struct({ row: "u32", seed: "u32", words: arrayOf("u32", 14) });

/** The least row, for tables of which only the names matter. */
export const Mark: Struct<{ readonly n: "u8" }> = struct({ n: "u8" });

export function rowOf(row: number, seed: number): { row: number; seed: number; words: number[] } {
  return {
    row,
    seed: seed >>> 0,
    words: Array.from({ length: 14 }, (_, at) => Math.imul(seed ^ row, at + 3) >>> 0),
  };
}

/** @throws Error when a row is torn, or another one's. */
export function checkRow(at: number, { row, seed, words }: ReturnType<typeof rowOf>): void {
  const expected = rowOf(at, seed);
  if (row === at && words.every((word, index) => word === expected.words[index])) return;
  throw new Error(`Torn: row ${at} has ${JSON.stringify({ row, seed, words })}`);
}

/** Makes a text of some length that is determined by its key and a number. */
export function textOf(key: string, seed: number): string {
  return `${key}|${seed}|${String.fromCharCode(97 + (seed % 26)).repeat((seed * 7919) % 900)}`;
}

/** @throws Error when the text is torn, or another key's. */
export function checkText(key: string, text: string): void {
  const seed = Number(text.split("|")[1]);
  if (text !== textOf(key, seed)) throw new Error(`Torn: ${key} has ${text.slice(0, 60)}`);
}

/** Checks every entry. @returns How many there are. */
export function checkMap(map: SharedMap<string>): number {
  let count = 0;
  for (const [key, text] of map) {
    checkText(key, text);
    count++;
  }
  return count;
}
