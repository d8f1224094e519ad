/** The one vocabulary in which every noun reports what it counted. */

/** What a structure counted. What it does not count is absent, and not 0. */
export interface Stats {
  /** Records, messages or writes that went in. */
  readonly in?: number;
  /** Records, messages or values that came out. */
  readonly out?: number;
  /** Bytes that went in. */
  readonly bytesIn?: number;
  /** Bytes that came out. */
  readonly bytesOut?: number;
  /** How much is in it now. */
  readonly depth?: number;
  /** The most that was ever in it. */
  readonly highWater?: number;
  /** Calls that had to wait. */
  readonly waits?: number;
  /** Writes that found no room. */
  readonly full?: number;
  /** Reads that found nothing. */
  readonly empty?: number;
  /** What was dropped before anybody read or removed it. */
  readonly lost?: number;
  /** Repairs after the death of a process. */
  readonly repaired?: number;
}
