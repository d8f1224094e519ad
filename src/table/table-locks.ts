/** The locks of a table's stripes. */
import { STRIPE_LENGTH } from "../layout/table-layout.ts";
import { OwnedStripeLocks } from "../locks/stripe-locks.ts";
import type { Structure } from "../segment/structure.ts";
import type { TableRows } from "./algorithm/table-rows.ts";

export class TableLocks {
  readonly #rows: TableRows;
  readonly #locks: OwnedStripeLocks;

  constructor(structure: Structure, rows: TableRows) {
    this.#rows = rows;
    this.#locks = new OwnedStripeLocks(structure, {
      offset: structure.dataOffset + rows.places.stripes,
      stride: STRIPE_LENGTH,
      count: rows.stripeMask + 1,
    });
  }

  /** Takes a stripe's lock, and ends what a dead holder had begun. @throws StateError EDEADLK. */
  lock(stripe: number): void {
    if (this.#locks.lock(stripe)) this.#rows.repair(stripe);
  }

  unlock(stripe: number): void {
    this.#locks.unlock(stripe);
  }
}
