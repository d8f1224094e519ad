/**
 * The event.
 *
 * | offset | field | who writes it |
 * |---|---|---|
 * | 0 | magic, u32 | the creator, last, with release |
 * | 4 | kind, u32: AUTO or MANUAL | the creator |
 * | 8 | set, u32: 0 or 1 | anyone; a wait for an AUTO event takes it back to 0 |
 * | 128 | wait point | see wait-point-layout.ts |
 */
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const EVENT_MAGIC_OFFSET = 0;
export const EVENT_KIND_OFFSET = 4;
export const EVENT_SET_OFFSET = 8;
export const EVENT_WAIT_POINT_OFFSET = 128;

/** Bytes in an event. */
export const EVENT_LENGTH: number = EVENT_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

/** "EVNT", little-endian. */
export const EVENT_MAGIC = 0x544e5645;

/** Lets one waiter through, and is reset by that. */
export const AUTO = 1;
/** Lets everyone through until it is reset. */
export const MANUAL = 2;
