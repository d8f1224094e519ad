/**
 * The pause of a consumer that has caught up.
 *
 * A consumer that looks again at once takes each line of the ring out of the producer's cache as
 * soon as it is written, and both do little but wait for each other's lines. So it stays away for a
 * moment, where records come in a stream.
 */

/**
 * In turns of about 1.2 ns: 0.3 to 5 µs. The longest are reached only where records come by the
 * ten million a second; they are the latency that such a stream pays for a throughput that is many
 * times higher on cores far apart.
 */
const SHORTEST = 256;
const LONGEST = 4096;
/** Without pauses, one time of 1024 is delayed, to find out whether records come in a stream. */
const TRIAL_MASK = 1023;

/** How many records a pause must bring for the next one to be longer: two, or one per 64 turns. */
function worthOf(turns: number): number {
  return Math.max(2, (turns >> 6) - 6);
}

/**
 * Learns how long to stay away from what each pause brings: several records make the next one
 * longer; a single one (somebody waits for our answer, say) makes it shorter.
 */
export class Pause {
  /** Of the next pause. */
  #turns = 0;
  #paused = false;
  #count = 0;
  /** What the turns compute; kept, so that the loop is not optimised away. */
  #idle = 0;

  /** Stays away, if that is worth it. @param records Read since the last call. */
  take(records: number): void {
    if (this.#paused) {
      const longer = Math.min(Math.max(this.#turns * 2, SHORTEST), LONGEST);
      if (records >= worthOf(this.#turns)) this.#turns = longer;
      else this.#turns = this.#turns > SHORTEST ? this.#turns >> 1 : 0;
    }
    this.#paused = this.#turns > 0 || (++this.#count & TRIAL_MASK) === 0;
    if (!this.#paused) return;
    let mixed = this.#idle;
    const turns = this.#turns || SHORTEST;
    for (let turn = 0; turn < turns; turn++) mixed = Math.imul(mixed, 0x2c1b3c6d) ^ turn;
    this.#idle = mixed;
  }
}
