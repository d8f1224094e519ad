export { ClosedError, LayoutError, SystemError, UnsupportedError } from "./errors.ts";
export { ByteLock } from "./memory/byte-lock.ts";
export {
  Segment,
  type SegmentCreateOptions,
  type SegmentInfo,
  type SegmentOpenOptions,
  type SegmentOpenOrCreateOptions,
} from "./segment.ts";
export { MUTEX_ALIGNMENT, MUTEX_LENGTH } from "./layout/mutex-layout.ts";
export { Mutex, MutexGuard, type LockOptions, type MutexOptions } from "./mutex.ts";
