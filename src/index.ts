/// <reference lib="esnext.disposable" preserve="true" />
export { Barrier, type BarrierOutcome } from "./barrier.ts";
export { bytes, type Codec, json, structuredClone, utf8 } from "./codec.ts";
export { Condition } from "./condition.ts";
export { doctor, type Finding } from "./doctor.ts";
export { ClosedError, LayoutError, SystemError, UnsupportedError } from "./errors.ts";
export { type EventInitOptions, SharedEvent } from "./event.ts";
export { ftok } from "./ftok.ts";
export type { Activity } from "./inspection/activity.ts";
export type { ObjectUser } from "./inspection/processes.ts";
export type { BroadcastPolicy } from "./layout/broadcast-layout.ts";
export { CONDITION_LENGTH } from "./layout/condition-layout.ts";
export { EVENT_LENGTH } from "./layout/event-layout.ts";
export type { ArrayView } from "./layout/field-block.ts";
export type { Field, Scalar } from "./layout/field.ts";
export { LEASE_LENGTH } from "./layout/lease-layout.ts";
export { MUTEX_LENGTH } from "./layout/mutex-layout.ts";
export type { StructField } from "./layout/struct-access.ts";
export {
  Lease,
  type LeaseAcquireOptions,
  type LeaseEnd,
  type LeaseHolder,
  LeaseTerm,
} from "./lease.ts";
export { ByteLock } from "./memory/byte-lock.ts";
export type { Backing } from "./memory/shared-object.ts";
export type {
  MessageQueueAsyncOptions,
  MessageQueueCreateOptions,
  MessageQueueEnqueueOptions,
  MessageQueueEvent,
  MessageQueueName,
  MessageQueueOpenOptions,
  MessageQueueOptions,
  MessageQueueStats,
  MessageQueueWaitOptions,
  QueueMode,
} from "./message-queue-options.ts";
export { MessageQueue } from "./message-queue.ts";
export { type Metric, metrics, type MetricSample } from "./metrics.ts";
export { type LockOptions, Mutex, MutexGuard, type MutexOptions } from "./mutex.ts";
export { PortableSegment } from "./portable-segment.ts";
export {
  type PromClient,
  type PromConstructor,
  type PromMetric,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
  registerMetrics,
} from "./prometheus.ts";
export { prune, type PruneOptions, type PruneResult } from "./prune.ts";
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
export type { RingKindName } from "./ring-kinds.ts";
export {
  RingClaim,
  type RingInput,
  RingProducer,
  type RingProducerOptions,
  type RingWritable,
  type RingWriteAsyncOptions,
  type RingWriteOptions,
} from "./ring-producer.ts";
export type { RecordHandler } from "./ring/ring.ts";
export { RwLock, type RwLockInitOptions, type RwLockOptions } from "./rw-lock.ts";
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
export { type AtomicsNames, SharedAtomics, SharedCounter, SharedWord } from "./shared-atomics.ts";
export { type SetOptions, SharedMap, type SharedMapCreateOptions } from "./shared-map.ts";
export { SharedRecord, type SharedRecordCreateOptions } from "./shared-record.ts";
export type { MapOptions } from "./state/map-options.ts";
export type { MapStats } from "./state/map-stats.ts";
export {
  type ArrayField,
  arrayOf,
  byteArray,
  charArray,
  type FieldType,
  type FieldValue,
  type Infer,
  type Schema,
  type Struct,
  struct,
  type StructValue,
  type StructView,
} from "./struct.ts";
export type { StructureCreateOptions, StructureOpenOptions } from "./structure.ts";
export {
  SystemVSemaphore,
  type SystemVSemaphoreCreateOptions,
  type SystemVSemaphoreOpenOptions,
} from "./system-v-semaphore.ts";
export { type ObjectUsage, usage, type UsageOptions } from "./usage.ts";
export type { ValueOf, ValueType } from "./value-type.ts";
export type { AbortSignalLike } from "./waiting/abort-signal.ts";
export { HeldGuard } from "./waiting/held-guard.ts";
export type { AsyncWaitOptions, WaitOptions, WaitStrategy } from "./waiting/wait-point.ts";
