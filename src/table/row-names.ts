/** The names of a table's rows, for one of its handles. */
import { shown } from "../arguments.ts";
import { TABLE_NAMES_LOCK_OFFSET } from "../layout/table-layout.ts";
import { OwnedLock } from "../locks/owned-lock.ts";
import type { Structure } from "../segment/structure.ts";
import { HashedKey } from "../struct/hashed-key.ts";
import { NO_ROW, TableNames } from "./algorithm/table-names.ts";
import type { TableRows } from "./algorithm/table-rows.ts";

export class RowNames {
  readonly #what: string;
  readonly #names: TableNames;
  readonly #key: HashedKey;
  readonly #lock: OwnedLock;
  /** 0 when the table has no names. */
  readonly #nameLength: number;

  /** @param seeds Both halves of the hash's seed. */
  constructor(
    { what, segment, dataOffset }: Structure,
    rows: TableRows,
    seeds: readonly [number, number],
  ) {
    this.#what = what;
    this.#names = new TableNames(rows, dataOffset);
    this.#key = new HashedKey(seeds[0] | 0, seeds[1] | 0, true);
    this.#lock = new OwnedLock(segment, dataOffset + TABLE_NAMES_LOCK_OFFSET, `names of ${what}`);
    this.#nameLength = rows.shape.nameLength;
  }

  /** @throws TypeError when the table has none. */
  #mustExist(): void {
    if (this.#nameLength > 0) return;
    const way = "it was made without { names: true }";
    throw new TypeError(`Cannot find rows of ${this.#what} by name: ${way}`);
  }

  /** @returns The name's row; undefined when it has none. @throws RangeError, TypeError. */
  find(name: unknown): number | undefined {
    this.#mustExist();
    if (typeof name !== "string") {
      throw new TypeError(`Cannot find a row of ${this.#what} by ${shown(name)}: a name is text`);
    }
    this.#key.set(name);
    const { length } = this.#key;
    if (length === 0 || length > this.#nameLength) {
      const rule = `a name has 1 to ${this.#nameLength} bytes of UTF-8, and this has ${length}`;
      throw new RangeError(`Cannot find a row of ${this.#what} by ${shown(name)}: ${rule}`);
    }
    const row = this.#names.find(this.#key);
    return row === NO_ROW ? undefined : row;
  }

  /** Names a row by what was not found last. @returns The row; undefined when there is none. */
  assign(): number | undefined {
    // What a dead holder left is what the assignment begins with in any case.
    this.#lock.lock();
    let row: number;
    try {
      row = this.#names.assign(this.#key);
    } finally {
      this.#lock.unlock();
    }
    return row === NO_ROW ? undefined : row;
  }

  /** @returns The name of a row; undefined when it has none. */
  nameOf(row: number): string | undefined {
    this.#mustExist();
    return this.#names.nameOf(row);
  }

  /** @returns All names, in the order of their rows. */
  all(): string[] {
    this.#mustExist();
    return Array.from({ length: this.#names.count }, (_, row) => this.#names.nameOf(row)!);
  }
}
