/**
 * A time and a level that change together. An entry has two of them: a change is written to the one
 * that does not count, and a store of one word makes it the one that does.
 */
import { CURRENT_WORD, STATES_WORD, STATE_WORDS } from "../../layout/limiter-layout.ts";
import { release } from "../../memory/atomics.ts";
import type { LimiterMemory } from "./limiter-memory.ts";

export class PairedState {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  /** What was read last; not checked. */
  time = 0;
  level = 0;

  constructor({ words, floats }: LimiterMemory) {
    this.#words = words;
    this.#floats = floats;
  }

  read(cell: number): void {
    const floats = this.#floats;
    const at = (cell + STATES_WORD + (this.#words[cell + CURRENT_WORD]! & 1) * STATE_WORDS) >> 1;
    this.time = floats[at]!;
    this.level = floats[at + 1]!;
  }

  write(cell: number, time: number, level: number): void {
    const floats = this.#floats;
    const next = ~this.#words[cell + CURRENT_WORD]! & 1;
    const at = (cell + STATES_WORD + next * STATE_WORDS) >> 1;
    floats[at] = time;
    floats[at + 1] = level;
    release(this.#words, cell + CURRENT_WORD, next);
  }
}
