/** The event: a flag and a wait point. */
import { type Layout, u32 } from "./description.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const EVENT_MAGIC_OFFSET = 0;
export const EVENT_KIND_OFFSET = 4;
export const EVENT_SET_OFFSET = 8;
export const EVENT_WAIT_POINT_OFFSET = 128;

/** Bytes of an event. */
export const EVENT_LENGTH: number = EVENT_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

export const EVENT: Layout = {
  name: "event",
  text: "An event, of automatic or manual reset.",
  length: EVENT_LENGTH,
  fields: [
    u32("magic", EVENT_MAGIC_OFFSET, "The creator, last, with release."),
    u32("kind", EVENT_KIND_OFFSET, "1 auto, 2 manual reset. The creator."),
    u32("set", EVENT_SET_OFFSET, "0 or 1. Any process; a wait for an auto event stores 0."),
    u32("wait_point", EVENT_WAIT_POINT_OFFSET, "See the wait point.", WAIT_POINT_LENGTH / 4),
  ],
};

/** "EVNT", little-endian. */
export const EVENT_MAGIC = 0x544e5645;

/** Lets one waiter through, which resets it. */
export const AUTO = 1;
/** Lets every waiter through until it is reset. */
export const MANUAL = 2;
