/** The locks of a table's stripes. */
import { STRIPE_LENGTH } from "../layout/table-layout.ts";
import { OwnedLock } from "../locks/owned-lock.ts";
import type { Structure } from "../segment/structure.ts";
import type { TableRows } from "./algorithm/table-rows.ts";

export class TableLocks {
  readonly #rows: TableRows;
  readonly #locks: readonly OwnedLock[];

  constructor({ segment, dataOffset, what }: Structure, rows: TableRows) {
    this.#rows = rows;
    this.#locks = Array.from({ length: rows.stripeMask + 1 }, (_, stripe) => {
      const offset = dataOffset + rows.places.stripes + stripe * STRIPE_LENGTH;
      return new OwnedLock(segment, offset, `stripe ${stripe} of ${what}`);
    });
  }

  /** Takes a stripe's lock, and ends what a dead holder had begun. @throws StateError EDEADLK. */
  lock(stripe: number): void {
    if (this.#locks[stripe]!.lock()) this.#rows.repair(stripe);
  }

  unlock(stripe: number): void {
    this.#locks[stripe]!.unlock();
  }
}
