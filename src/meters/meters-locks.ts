/** The locks of meters: one for whoever adds something, and one for each seat. */
import { NUMBER_SHIFT } from "../layout/lock-layout.ts";
import { METERS_LOCK_OFFSET, PAGE_LOCK_OFFSET } from "../layout/meters-layout.ts";
import { isMine } from "../locks/algorithm/lock-core.ts";
import { OwnedLock } from "../locks/owned-lock.ts";
import { load } from "../memory/atomics.ts";
import type { Structure } from "../segment/structure.ts";
import type { MetersMemory } from "./algorithm/meters-memory.ts";
import type { MetersLock, SeatLocks } from "./algorithm/meters-seats.ts";

/** The lock of whoever adds entries or pages. What a dead one left half done is never read. */
export function metersLock({ segment, dataOffset, what }: Structure): MetersLock {
  const lock = new OwnedLock(segment, dataOffset + METERS_LOCK_OFFSET, `the directory of ${what}`);
  return { lock: () => void lock.lock(), unlock: () => lock.unlock() };
}

/** The locks of seats. */
export class OwnedSeatLocks implements SeatLocks {
  readonly #structure: Structure;
  readonly #memory: MetersMemory;

  constructor(structure: Structure, memory: MetersMemory) {
    this.#structure = structure;
    this.#memory = memory;
  }

  #lockOf(page: number): OwnedLock {
    const { segment, dataOffset, what } = this.#structure;
    const offset = dataOffset + this.#memory.pageOffset(page) + PAGE_LOCK_OFFSET;
    return new OwnedLock(segment, offset, `seat ${page} of ${what}`);
  }

  /** Asks without taking part, so that who only reads can ask too. */
  isHeld(page: number): boolean {
    const at = (this.#memory.pageOffset(page) + PAGE_LOCK_OFFSET) / 4;
    const number = load(this.#memory.words, at) >>> NUMBER_SHIFT;
    return number !== 0 && this.#structure.segment.hasParticipant(number);
  }

  tryTake(page: number): boolean {
    return isMine(this.#lockOf(page).tryLock());
  }

  release(page: number): void {
    this.#lockOf(page).letGo();
  }
}
