/*
 * Finds the rows that changed since the last look, without a look at the others.
 *
 * A look compares three levels with private copies: the stripes' counts of writes; in a stripe that
 * wrote, the counters of its blocks; in a block that was written, the newest versions of its rows.
 *
 * No change is lost. A write makes its block's counter odd, raises its stripe's count, publishes,
 * and makes the counter even (W1, W2, W5, W6 of table-rows.ts). A look that read the stripe's count
 * before W2 looks at the stripe again, since it finds another count next time. A look that read it
 * after W2 then finds the counter odd, or as W6 or a later write left it (SYNC table-stripe: the
 * count is read before the counters). If it is even, and new, W5 came before, and the look finds
 * the row. If it is odd, W5 may come later: the look finds what is there, but does not count the
 * block as seen, and remembers that the stripe has something pending. A writer that dies leaves the
 * counter odd, and so the stripe is looked at again and again until a repair makes it even.
 *
 * What is read is hostile: every word is only compared. Counters and versions are numbers mod 2^32:
 * a watcher that rests for exactly that many writes of one block or row misses them.
 */
import { STRIPE_LENGTH, STRIPE_WRITES_OFFSET } from "../../layout/table-layout.ts";
import { load } from "../../memory/atomics.ts";
import type { TableRows } from "./table-rows.ts";

/** What one watcher has seen: the words of each level. */
export interface Seen {
  readonly versions: Int32Array;
  readonly counters: Int32Array;
  readonly writes: Int32Array;
  /** 1 for a stripe with blocks that are looked at again, whatever its count. */
  readonly pending: Uint8Array;
}

function nothingOf({ shape, places }: TableRows): Seen {
  const { rows, stripeCount } = shape;
  return {
    versions: new Int32Array(rows),
    counters: new Int32Array(stripeCount * places.counterStride),
    writes: new Int32Array(stripeCount),
    // The first look is at all blocks, since the count of a stripe may be 0 again.
    pending: new Uint8Array(stripeCount).fill(1),
  };
}

/** One watcher. */
export class TableWatch {
  readonly #rows: TableRows;
  readonly #seen: Seen;
  /** Blocks of each stripe. */
  readonly #blocks: Int32Array;
  /** Where the next look begins: a stripe, and which of its blocks. */
  #stripe = 0;
  #block = 0;

  /** @param seen What it has seen before, which it changes. Default: nothing. */
  constructor(rows: TableRows, seen: Seen = nothingOf(rows)) {
    const { stripeCount, rows: count, blockRows } = rows.shape;
    this.#rows = rows;
    this.#seen = seen;
    const blocks = Math.ceil(count / blockRows);
    this.#blocks = Int32Array.from({ length: stripeCount }, (_, stripe) =>
      Math.ceil((blocks - stripe) / stripeCount),
    );
  }

  /**
   * Adds the numbers of rows that changed since they were last found: each once, and in no order.
   *
   * @param found Where to add them.
   * @param most It ends after the block with this many; the next look goes on there.
   */
  look(found: number[], most: number): void {
    const { words, stripes, stripeMask } = this.#rows;
    const seen = this.#seen;
    // The first stripe comes a second time, for the blocks before those where the look began.
    for (let turn = 0; turn <= stripeMask + 1; turn++) {
      const stripe = this.#stripe;
      // SYNC table-stripe
      const writes = load(words, stripes + (stripe * STRIPE_LENGTH + STRIPE_WRITES_OFFSET) / 4);
      if (writes !== seen.writes[stripe] || seen.pending[stripe] !== 0) {
        if (!this.#lookAt(stripe, found, most)) return;
        seen.writes[stripe] = writes;
      }
      this.#stripe = (stripe + 1) & stripeMask;
      this.#block = 0;
    }
  }

  /** Looks at a stripe from `#block` on. @returns Whether it came to the end. */
  #lookAt(stripe: number, found: number[], most: number): boolean {
    const { words, counters, places } = this.#rows;
    const seen = this.#seen;
    const start = stripe * places.counterStride;
    const end = this.#blocks[stripe]!;
    // Blocks before the first one of this look may have changed since.
    let isPending = this.#block > 0;
    for (let block = this.#block; block < end; block++) {
      const counter = load(words, counters + start + block);
      if (counter === seen.counters[start + block]) continue;
      this.#lookAtRows((block << this.#rows.stripeShift) + stripe, found);
      if ((counter & 1) === 0) seen.counters[start + block] = counter;
      else isPending = true;
      if (found.length < most) continue;
      this.#block = block + 1;
      seen.pending[stripe] = 1;
      return false;
    }
    seen.pending[stripe] = isPending ? 1 : 0;
    return true;
  }

  #lookAtRows(block: number, found: number[]): void {
    const rows = this.#rows;
    const { versions } = this.#seen;
    const { blockRows, rows: count } = rows.shape;
    const end = Math.min((block + 1) * blockRows, count);
    for (let row = block * blockRows; row < end; row++) {
      const version = rows.version(row);
      if (version === versions[row]) continue;
      versions[row] = version;
      found.push(row);
    }
  }
}
