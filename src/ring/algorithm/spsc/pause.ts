/**
 * How long a consumer stays away that has caught up.
 *
 * A consumer that looks again at once takes each line of the ring out of the producer's cache as
 * soon as it is written, and then both mostly wait for each other's lines. So where records come in
 * a stream, the consumer stays away for a moment.
 *
 * Source: the temporal slipping of FastForward (Giacomoni, Moseley and Vachharajani, "FastForward
 * for Efficient Pipeline Parallelism", 2008), with a distance that is learned and not given.
 */

/**
 * In turns of about 1.2 ns: 0.3 to 5 µs. The longest pauses occur only where ten million records
 * come in a second; that latency buys a throughput that is many times higher on cores far apart.
 */
const SHORTEST_TURNS = 256;
const LONGEST_TURNS = 4096;
/**
 * While it does not pause, it tries one pause in 1024 to find out whether records stream. So a
 * stream is known after about as many records, and an exchange of requests and answers pays 0.3 ns
 * a round trip.
 */
const TRIAL_MASK = 1023;

/** @returns How many records a pause must bring for the next one to be longer. */
function worthOf(turns: number): number {
  return Math.max(2, (turns >> 6) - 6);
}

/**
 * Learns how long to stay away from what each pause brings: several records make the next one
 * longer; a single one (somebody waits for our answer, say) makes it shorter.
 */
export class Pause {
  /** The length of the next pause. */
  #turns = 0;
  #paused = false;
  #count = 0;

  /**
   * Says how long to stay away now.
   * @param records The number of records read since the last call.
   * @returns Turns for `stayAway`; 0 for not at all.
   */
  next(records: number): number {
    if (this.#paused) {
      const longer = Math.min(Math.max(this.#turns * 2, SHORTEST_TURNS), LONGEST_TURNS);
      if (records >= worthOf(this.#turns)) this.#turns = longer;
      else this.#turns = this.#turns > SHORTEST_TURNS ? this.#turns >> 1 : 0;
    }
    this.#paused = this.#turns > 0 || (++this.#count & TRIAL_MASK) === 0;
    return this.#paused ? this.#turns || SHORTEST_TURNS : 0;
  }
}

/** What the turns compute; kept, so that the loop is not optimised away. */
let idle = 0;

/** Does nothing for so many turns. */
export function stayAway(turns: number): void {
  let mixed = idle;
  for (let turn = 0; turn < turns; turn++) mixed = Math.imul(mixed, 0x2c1b3c6d) ^ turn;
  idle = mixed;
}
