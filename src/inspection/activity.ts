/** What moved through a structure since it was made, and what is in it now. Counts wrap at 2^32. */
export interface Activity {
  /** Records, messages or writes that went in, and that came out. */
  readonly in?: number;
  readonly out?: number;
  readonly bytesIn?: number;
  readonly bytesOut?: number;
  /** What is in it now, and what it can hold, in `unit`. */
  readonly depth?: number;
  readonly capacity?: number;
  readonly unit?: "bytes" | "messages" | "entries";
  readonly highWater?: number;
  readonly waits?: number;
  readonly full?: number;
  readonly empty?: number;
  readonly lost?: number;
  readonly recovered?: number;
}
