/**
 * The event.
 */
import { type Layout, u32 } from "./description.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const EVENT_MAGIC_OFFSET = 0;
export const EVENT_KIND_OFFSET = 4;
export const EVENT_SET_OFFSET = 8;
export const EVENT_WAIT_POINT_OFFSET = 128;

/** Bytes in an event. */
export const EVENT_LENGTH: number = EVENT_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

export const EVENT: Layout = {
  name: "event",
  text: "An event, auto or manual reset.",
  length: EVENT_LENGTH,
  fields: [
    u32("magic", EVENT_MAGIC_OFFSET, "The creator, last, with release."),
    u32("kind", EVENT_KIND_OFFSET, "1 auto, 2 manual reset. The creator."),
    u32("set", EVENT_SET_OFFSET, "0 or 1. Anyone; a wait for an auto event takes it back to 0."),
    u32("wait_point", EVENT_WAIT_POINT_OFFSET, "See the wait point.", WAIT_POINT_LENGTH / 4),
  ],
};

/** "EVNT", little-endian. */
export const EVENT_MAGIC = 0x544e5645;

/** Lets one waiter through, and is reset by that. */
export const AUTO = 1;
/** Lets everyone through until it is reset. */
export const MANUAL = 2;
