/** The words in which every noun counts. */

/** What a structure did. What it does not count is absent, and not 0. */
export interface Stats {
  /** Records, messages or writes that went in, and that came out. */
  readonly in?: number;
  readonly out?: number;
  readonly bytesIn?: number;
  readonly bytesOut?: number;
  /** What is in it now, and the most that was. */
  readonly depth?: number;
  readonly highWater?: number;
  /** Calls that had to wait. */
  readonly waits?: number;
  /** Writes that found no room, and reads that found nothing. */
  readonly full?: number;
  readonly empty?: number;
  /** What went before anybody read or removed it. */
  readonly lost?: number;
  /** Repairs after a process died. */
  readonly repaired?: number;
}
