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
export type { Backing } from "./memory/shared-object.ts";
export {
  SystemVSemaphore,
  type SystemVSemaphoreCreateOptions,
  type SystemVSemaphoreOpenOptions,
} from "./system-v-semaphore.ts";
export { MUTEX_LENGTH } from "./layout/mutex-layout.ts";
export { Mutex, MutexGuard, type LockOptions, type MutexOptions } from "./mutex.ts";
export { type AtomicsNames, SharedAtomics, SharedCounter, SharedWord } from "./shared-atomics.ts";
export { type SetOptions, SharedMap, type SharedMapCreateOptions } from "./shared-map.ts";
export { SharedRecord, type SharedRecordCreateOptions } from "./shared-record.ts";
export {
  type ArrayField,
  type FieldType,
  type FieldValue,
  type Infer,
  type Schema,
  type Struct,
  type StructValue,
  type StructView,
  arrayOf,
  byteArray,
  charArray,
  struct,
} from "./struct.ts";
export type { StructureCreateOptions, StructureOpenOptions } from "./structure.ts";
export type { ValueOf, ValueType } from "./value-type.ts";
export type { MapStats } from "./state/map-stats.ts";
export { HeldGuard } from "./waiting/held-guard.ts";
export { RwLock, type RwLockInitOptions, type RwLockOptions } from "./rw-lock.ts";
export { Condition } from "./condition.ts";
export { SharedEvent, type EventInitOptions } from "./event.ts";
export { CONDITION_LENGTH } from "./layout/condition-layout.ts";
export { EVENT_LENGTH } from "./layout/event-layout.ts";
export { Barrier, type BarrierOutcome } from "./barrier.ts";
export { LEASE_LENGTH } from "./layout/lease-layout.ts";
export {
  Lease,
  LeaseTerm,
  type LeaseAcquireOptions,
  type LeaseEnd,
  type LeaseHolder,
} from "./lease.ts";
export {
  Semaphore,
  type SemaphoreAsyncWaitOptions,
  type SemaphoreCreateOptions,
  type SemaphoreInitOptions,
  type SemaphoreWaitOptions,
} from "./semaphore.ts";
export { type Finding, doctor } from "./doctor.ts";
export type { Activity } from "./inspection/activity.ts";
export type { ObjectUser } from "./inspection/processes.ts";
export { type Metric, type MetricSample, metrics } from "./metrics.ts";
export {
  PROMETHEUS_CONTENT_TYPE,
  type PromClient,
  prometheusText,
  registerMetrics,
} from "./prometheus.ts";
export { type PruneOptions, type PruneResult, prune } from "./prune.ts";
export { type ObjectUsage, type UsageOptions, usage } from "./usage.ts";
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
export {
  RingBuffer,
  type RingCreateOptions,
  type RingOpenOptions,
  type RingStats,
} from "./ring-buffer.ts";
export { PortableSegment } from "./portable-segment.ts";
