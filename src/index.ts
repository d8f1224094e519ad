export { ClosedError, LayoutError, SystemError, UnsupportedError } from "./errors.ts";
export { ftok } from "./ftok.ts";
export { ByteLock } from "./memory/byte-lock.ts";
export {
  Segment,
  type SegmentCreateOptions,
  type SegmentInfo,
  type SegmentOpenOptions,
  type SegmentOpenOrCreateOptions,
} from "./segment.ts";
export type { Backing } from "./memory/shared-object.ts";
export {
  SystemVSemaphore,
  type SystemVSemaphoreCreateOptions,
  type SystemVSemaphoreOpenOptions,
} from "./system-v-semaphore.ts";
