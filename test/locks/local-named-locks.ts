/** Named locks over a plain buffer, for tests of their algorithm. */
import { NAME_FIRST_WORD } from "../../src/layout/named-locks-layout.ts";
import {
  NamedLocksMemory,
  type NamedLocksShape,
  namedLocksLength,
} from "../../src/locks/algorithm/named-locks-memory.ts";
import type { LockKey } from "../../src/locks/algorithm/named-locks-names.ts";
import {
  type NamedLocksSystem,
  NamedLocksTable,
} from "../../src/locks/algorithm/named-locks-table.ts";

/** @returns A key of at most four letters, whose hash is as bad as that of one bucket. */
export function lockKey(text: string): LockKey {
  const words = new Int32Array(1);
  new Uint8Array(words.buffer).set(new TextEncoder().encode(text));
  return { hash: 16 * text.length, length: text.length, words, wordCount: text === "" ? 0 : 1 };
}

/** What a table on its own asks: a lock that nobody else takes, and who lives. */
export function quietSystem(isAlive: (participant: number) => boolean): NamedLocksSystem {
  return {
    lock: () => false,
    unlock: () => undefined,
    isAlive,
    isOwn: () => false,
    wakeWaiters: () => undefined,
    wakeHolders: () => undefined,
  };
}

export function localTable(
  shape: NamedLocksShape,
  participant: number,
  system: NamedLocksSystem,
  buffer: ArrayBuffer = new ArrayBuffer(namedLocksLength(shape)),
): { readonly table: NamedLocksTable; readonly memory: NamedLocksMemory } {
  const memory = new NamedLocksMemory(buffer, 0, shape);
  return { table: new NamedLocksTable(memory, system, () => participant), memory };
}

/** @returns How many names have a queue. */
export function namesInUse(memory: NamedLocksMemory): number {
  let used = 0;
  for (let name = 1; name <= memory.names; name++) {
    if (memory.words[memory.nameAt(name) + NAME_FIRST_WORD] !== 0) used++;
  }
  return used;
}
