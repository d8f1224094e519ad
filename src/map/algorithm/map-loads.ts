/*
 * How one of many processes loads the value of a key, while the others wait for it.
 *
 * Beside its value, a key can have an entry that says who loads it: the number of a participant,
 * whose life the kernel knows, and a number that this participant gave the load. It is stored and
 * removed under the stripe's lock, so there is one at most:
 *
 *     claim    a valid value: take it · an error: throw it · a living participant loads: wait
 *              otherwise store a load of one's own, and load
 *     finish   is the load still one's own? store the value (or the error) · remove the load
 *
 * A loader that is killed is found by whoever claims next; those who wait ask the kernel now and
 * then. If it dies between storing the value and removing the load, the value counts.
 *
 * Whoever stores, removes or clears the key meanwhile ends the load: what the loader brings then is
 * older than that, and is not stored. Waiters set a word in the load, so that only a load that
 * somebody waits for wakes anybody.
 */
import {
  ERROR_ENTRY,
  LOADER_WORD,
  LOAD_AWAITED_WORD,
  LOAD_ENTRY,
  LOAD_NUMBER_WORD,
  LOAD_WORDS,
  VALUE_ENTRY,
} from "../../layout/map-layout.ts";
import type { HashedKey } from "../../struct/hashed-key.ts";
import { Scratch } from "../../struct/scratch.ts";
import type { MapMemory } from "./map-memory.ts";
import { ABSENT, type MapReader } from "./map-reader.ts";
import { MapDraft } from "./map-units.ts";
import {
  EVERYTHING,
  LOAD_ALONE,
  type MapWriter,
  REFUSED,
  STORED,
  UNEXPECTED,
} from "./map-writer.ts";

/** How a claim ended. */
export type Claim = number;
/** There is a valid value. */
export const LOADED = 0;
/** The last load failed, and the error is in the reader's scratch: `MapLoads.length` bytes. */
export const FAILED = 1;
/** The caller loads, and calls `finish` in any case. */
export const MINE = 2;
/** Somebody else loads: `isOver` says when that has ended. */
export const OTHERS = 3;
/** The caller may load, but has no room to say so. */
export const NO_ROOM = 4;

/** Claims and ends loads for one handle. */
export class MapLoads {
  /** Whose load `claim` found: the participant, and the number that it gave the load. */
  loader = 0;
  loadNumber = 0;
  /** Bytes of the error that `claim` found. */
  errorLength = 0;
  readonly #memory: MapMemory;
  readonly #writer: MapWriter;
  readonly #reader: MapReader;
  readonly #found: Scratch;
  readonly #isAlive: (participant: number) => boolean;
  readonly #draft: MapDraft = new MapDraft(new Scratch(LOAD_WORDS * 4));

  /** @param found The scratch that `reader` copies to. */
  constructor(
    memory: MapMemory,
    writer: MapWriter,
    { reader, found }: { readonly reader: MapReader; readonly found: Scratch },
    isAlive: (participant: number) => boolean,
  ) {
    this.#memory = memory;
    this.#writer = writer;
    this.#reader = reader;
    this.#found = found;
    this.#isAlive = isAlive;
    this.#draft.sort = LOAD_ENTRY;
    this.#draft.length = LOAD_WORDS * 4;
  }

  /**
   * Takes a load, or finds out why not.
   *
   * @param participant The caller's number.
   * @param number The caller's for this load.
   */
  claim(key: HashedKey, participant: number, number: number): Claim {
    const writer = this.#writer;
    const draft = this.#draft;
    const { words } = draft.value;
    words[LOADER_WORD] = participant;
    words[LOAD_NUMBER_WORD] = number;
    words[LOAD_AWAITED_WORD] = 0;
    writer.measure(key, draft);
    const stripe = writer.lock(key.hash);
    try {
      const slot = writer.find(stripe, key);
      if (slot !== 0 && !writer.isExpired(stripe, slot)) return LOADED;
      const failed = writer.find(stripe, key, ERROR_ENTRY);
      if (failed !== 0) {
        this.errorLength = this.#reader.readAt(key, stripe, failed, ERROR_ENTRY);
        if (this.errorLength !== ABSENT) return FAILED;
      }
      const load = writer.find(stripe, key, LOAD_ENTRY);
      if (load !== 0 && this.#joins(stripe, load)) return OTHERS;
      // As if it had expired: so those who sweep the stripe look whether the loader lives.
      draft.expiry = this.#memory.clock.nowMs();
      return writer.put(stripe, load, key, draft) === STORED ? MINE : NO_ROOM;
    } finally {
      writer.unlock(key.hash);
    }
  }

  /** Says that one more waits for a load. @returns Whether its loader lives. */
  #joins(stripe: number, load: number): boolean {
    const { words } = this.#memory;
    const first = this.#writer.firstAt(stripe, load);
    const at = (word: number): number => this.#memory.wordOfValue(stripe, first, word);
    this.loader = words[at(LOADER_WORD)]!;
    this.loadNumber = words[at(LOAD_NUMBER_WORD)]!;
    const awaited = at(LOAD_AWAITED_WORD);
    if (awaited === 0 || !this.#isAlive(this.loader)) return false;
    words[awaited] = 1;
    return true;
  }

  /**
   * Whether a load that `claim` found has ended. Takes no lock.
   * @param asks Whether to ask the kernel whether the loader lives.
   */
  isOver(key: HashedKey, loader: number, number: number, asks: boolean): boolean {
    if (this.#reader.read(key, false) !== ABSENT) return true;
    if (this.#reader.readExpired(key, LOAD_ENTRY) !== LOAD_WORDS * 4) return true;
    const { words } = this.#found;
    if (words[LOADER_WORD] !== loader || words[LOAD_NUMBER_WORD] !== number) return true;
    return asks && !this.#isAlive(loader);
  }

  /**
   * Ends a load of the caller's.
   *
   * @param draft What it brought: a value or an error, measured; undefined for nothing.
   * @returns STORED; REFUSED when there was no room; UNEXPECTED when the load had been ended.
   */
  finish(key: HashedKey, participant: number, number: number, draft: MapDraft | undefined): number {
    const writer = this.#writer;
    const stripe = writer.lock(key.hash);
    try {
      const load = writer.find(stripe, key, LOAD_ENTRY);
      if (load === 0 || !this.#isOwn(stripe, load, participant, number)) return UNEXPECTED;
      let outcome = REFUSED;
      if (draft !== undefined) {
        const slot = writer.find(stripe, key, draft.sort);
        outcome = writer.put(stripe, slot, key, draft);
      }
      writer.endLoad(stripe, key, draft?.sort === VALUE_ENTRY ? EVERYTHING : LOAD_ALONE);
      return outcome;
    } finally {
      writer.unlock(key.hash);
    }
  }

  #isOwn(stripe: number, load: number, participant: number, number: number): boolean {
    const { words } = this.#memory;
    const first = this.#writer.firstAt(stripe, load);
    const loader = words[this.#memory.wordOfValue(stripe, first, LOADER_WORD)];
    const found = words[this.#memory.wordOfValue(stripe, first, LOAD_NUMBER_WORD)];
    return loader === participant && found === number;
  }
}
