export { ClosedError, LayoutError, SystemError, UnsupportedError } from "./errors.ts";
export { ftok } from "./ftok.ts";
export { ByteLock } from "./memory/byte-lock.ts";
export {
  type MessageQueueAsyncOptions,
  type MessageQueueCreateOptions,
  type MessageQueueEnqueueOptions,
  type MessageQueueEvent,
  type MessageQueueName,
  type MessageQueueOpenOptions,
  type MessageQueueOptions,
  type MessageQueueStats,
  type MessageQueueWaitOptions,
  type QueueMode,
} from "./message-queue-options.ts";
export { MessageQueue } from "./message-queue.ts";
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
export type { Backing } from "./memory/shared-object.ts";
export {
  SystemVSemaphore,
  type SystemVSemaphoreCreateOptions,
  type SystemVSemaphoreOpenOptions,
} from "./system-v-semaphore.ts";
export {
  RingBuffer,
  type RingCreateOptions,
  type RingOpenOptions,
  type RingStats,
} from "./ring-buffer.ts";
export {
  RingConsumer,
  type RingConsumerOptions,
  type RingReadAsyncOptions,
  type RingReadOptions,
} from "./ring-consumer.ts";
export {
  RingClaim,
  type RingInput,
  RingProducer,
  type RingProducerOptions,
  type RingWriteAsyncOptions,
  type RingWriteOptions,
} from "./ring-producer.ts";
export { type Codec, bytes, json, structuredClone, utf8 } from "./codec.ts";
export type { RecordHandler } from "./ring/ring.ts";
export { Barrier, type BarrierOutcome } from "./barrier.ts";
export { Condition } from "./condition.ts";
export { SharedEvent, type EventInitOptions } from "./event.ts";
export { CONDITION_LENGTH } from "./layout/condition-layout.ts";
export { EVENT_LENGTH } from "./layout/event-layout.ts";
export { LEASE_LENGTH } from "./layout/lease-layout.ts";
export { MUTEX_LENGTH } from "./layout/mutex-layout.ts";
export {
  Lease,
  LeaseTerm,
  type LeaseAcquireOptions,
  type LeaseEnd,
  type LeaseHolder,
} from "./lease.ts";
export { Mutex, MutexGuard, type LockOptions, type MutexOptions } from "./mutex.ts";
export { RwLock, type RwLockInitOptions, type RwLockOptions } from "./rw-lock.ts";
export { HeldGuard } from "./waiting/held-guard.ts";
