export { ClosedError, LayoutError, SystemError, UnsupportedError } from "./errors.ts";
export { ByteLock } from "./memory/byte-lock.ts";
export {
  Segment,
  type SegmentCreateOptions,
  type SegmentInfo,
  type SegmentOpenOptions,
  type SegmentOpenOrCreateOptions,
} from "./segment.ts";
export {
  Semaphore,
  type SemaphoreAsyncWaitOptions,
  type SemaphoreCreateOptions,
  type SemaphoreInitOptions,
  type SemaphoreWaitOptions,
} from "./semaphore.ts";
