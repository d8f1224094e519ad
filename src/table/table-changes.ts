/** The iterator over the rows of a table that changed. */
import { checkOneOf } from "../arguments.ts";
import type { Placed } from "../segment/placed.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import { checkWait } from "../waiting/wait-options.ts";
import type { WaitPoint } from "../waiting/wait-point.ts";
import type { TableRows } from "./algorithm/table-rows.ts";
import { TableWatch } from "./algorithm/table-watch.ts";
import type { SharedTableChangesOptions } from "./table-options.ts";

/** Rows of a batch of changes, or less than a block more. */
const BATCH_ROWS = 4096;

/** What a watcher needs of its table. */
interface Watched {
  readonly placed: Placed;
  readonly rows: TableRows;
  readonly waitPoint: WaitPoint;
}

/**
 * @returns Batches of rows that changed, as `SharedTable.changes` yields them.
 * @throws TypeError for bad options; the signal's reason when it is aborted already.
 */
export function changesOf(
  watched: Watched,
  options: SharedTableChangesOptions,
): AsyncGenerator<number[], void, void> {
  const action = `Cannot watch ${watched.placed.what}`;
  checkWait(action, options, ["signal", "ref", "from"]);
  const { from = "beginning", signal, ref } = options;
  checkOneOf(action, "from", from, ["beginning", "now"]);
  const watch = new TableWatch(watched.rows);
  if (from === "now") watch.look([], Number.POSITIVE_INFINITY);
  return batches(watched, watch, { signal, ref });
}

async function* batches(
  { placed, waitPoint }: Watched,
  watch: TableWatch,
  options: Pick<SharedTableChangesOptions, "signal" | "ref">,
): AsyncGenerator<number[], void, void> {
  for (;;) {
    placed.checkOpen();
    const found: number[] = [];
    const look = (): boolean => {
      watch.look(found, BATCH_ROWS);
      return found.length > 0;
    };
    if (!look()) await waitPoint.waitAsync(look, options);
    else if (isTurnDue()) await takeTurn();
    options.signal?.throwIfAborted();
    placed.checkOpen();
    if (found.length > 0) yield found;
  }
}
