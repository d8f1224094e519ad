/** What the algorithms have in common. Callers hold the lock of the entry's stripe. */

/**
 * One algorithm over the states of entries. An entry that is not there counts as full: nothing was
 * taken from it lately. Times are in ticks, and `now` is read under the lock, so that it only grows
 * from one holder to the next.
 *
 * Each change becomes valid by one store of a word. So whoever is killed during it leaves the old
 * state or the new one, and was not answered yet: neither can allow more than the limit.
 */
export interface Rule {
  /** The most points that are there at once. */
  readonly capacity: number;
  /** What `report` found: whole points that are left; below 0 after a penalty. */
  remaining: number;
  /** Ticks until the cost that was asked about is there. */
  retryTicks: number;
  /** Ticks until everything is there, if nobody takes any more. */
  resetTicks: number;

  /** Makes a new entry full. Nobody sees it yet. */
  fill(cell: number, now: number): void;
  /** Takes points. @returns Whether they were there; otherwise nothing was taken. */
  take(cell: number, now: number, cost: number): boolean;
  /** Takes points also when they are not there, down to `-limit`. */
  penalize(cell: number, now: number, points: number): void;
  /** Gives points back, up to full. */
  give(cell: number, now: number, points: number): void;
  /** Finds out how an entry stands, and changes nothing. */
  report(cell: number, now: number, cost: number): void;
  /** @returns Whether an entry is as good as none. */
  isFull(cell: number, now: number): boolean;
}
