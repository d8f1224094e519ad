/** The condition: counts of waiters and signals, and a wait point. */
import { type Layout, u32 } from "./description.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const CONDITION_MAGIC_OFFSET = 0;
export const CONDITION_EPOCH_OFFSET = 4;
export const CONDITION_WAITERS_OFFSET = 8;
export const CONDITION_SIGNALS_OFFSET = 12;
export const CONDITION_WAIT_POINT_OFFSET = 128;

/** Bytes of a condition. */
export const CONDITION_LENGTH: number = CONDITION_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

export const CONDITION: Layout = {
  name: "condition",
  text: "A condition that belongs to a mutex.",
  length: CONDITION_LENGTH,
  fields: [
    u32("magic", CONDITION_MAGIC_OFFSET, "The creator, last, with release."),
    u32("epoch", CONDITION_EPOCH_OFFSET, "Calls of `notifyAll`, mod 2^32. The mutex's owner."),
    u32(
      "waiters",
      CONDITION_WAITERS_OFFSET,
      "Those of this epoch, including dead ones. The mutex's owner.",
    ),
    u32(
      "signals",
      CONDITION_SIGNALS_OFFSET,
      "Calls of `notifyOne` not taken yet, at most `waiters`. Both sides.",
    ),
    u32("wait_point", CONDITION_WAIT_POINT_OFFSET, "See the wait point.", WAIT_POINT_LENGTH / 4),
  ],
};

/** "COND", little-endian. */
export const CONDITION_MAGIC = 0x444e4f43;
