/**
 * The lease. Who holds it is known by the kernel's lock on the byte at its own offset; the bytes
 * here only tell about the holder.
 *
 * | offset | field | who writes it |
 * |---|---|---|
 * | 0 | magic, u32 | whoever finds zeros, with the lock, last, with release |
 * | 4 | current, u32: which of the two tokens counts, 0 or 1 | the holder |
 * | 8 | token 0: two u32, low word first | the holder, while `current` is 1 |
 * | 16 | token 1: the same | the holder, while `current` is 0 |
 * | 24 | version, u32: odd while what follows is written | the holder |
 * | 28 | pid, u32 | the holder |
 * | 32 | since, f64: milliseconds since 1970 | the holder |
 * | 40 | text length, u32: bytes | the holder |
 * | 64 | text, UTF-8 | the holder |
 * | 384 | wait point | see wait-point-layout.ts |
 */
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const LEASE_MAGIC_OFFSET = 0;
export const LEASE_CURRENT_OFFSET = 4;
export const LEASE_TOKENS_OFFSET = 8;
export const LEASE_VERSION_OFFSET = 24;
export const LEASE_PID_OFFSET = 28;
export const LEASE_SINCE_OFFSET = 32;
export const LEASE_TEXT_LENGTH_OFFSET = 40;
export const LEASE_TEXT_OFFSET = 64;
/** Longest text of a holder, in bytes. */
export const LEASE_TEXT_MAX = 320;
export const LEASE_WAIT_POINT_OFFSET: number = LEASE_TEXT_OFFSET + LEASE_TEXT_MAX;

/** Bytes in a lease. */
export const LEASE_LENGTH: number = LEASE_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

/** "LEAS", little-endian. */
export const LEASE_MAGIC = 0x5341454c;
