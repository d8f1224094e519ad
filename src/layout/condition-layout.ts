/**
 * The condition.
 *
 * | offset | field | who writes it |
 * |---|---|---|
 * | 0 | magic, u32 | the creator, last, with release |
 * | 4 | epoch, u32: `notifyAll`s, mod 2^32 | who has the mutex |
 * | 8 | waiters, u32: of this epoch; the dead stay counted | who has the mutex |
 * | 12 | signals, u32: `notifyOne`s not taken yet, at most `waiters` | both sides |
 * | 128 | wait point | see wait-point-layout.ts |
 */
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const CONDITION_MAGIC_OFFSET = 0;
export const CONDITION_EPOCH_OFFSET = 4;
export const CONDITION_WAITERS_OFFSET = 8;
export const CONDITION_SIGNALS_OFFSET = 12;
export const CONDITION_WAIT_POINT_OFFSET = 128;

/** Bytes in a condition. */
export const CONDITION_LENGTH: number = CONDITION_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

/** "COND", little-endian. */
export const CONDITION_MAGIC = 0x444e4f43;
