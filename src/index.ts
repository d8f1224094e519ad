/// <reference lib="esnext.disposable" preserve="true" />
export {
  Barrier,
  type BarrierCreateOptions,
  type BarrierOptions,
  type BarrierOutcome,
} from "./locks/barrier.ts";
export { type Codec, type Codecs, codecs } from "./struct/codec.ts";
export { Condition, type ConditionOptions } from "./locks/condition.ts";
export { doctor } from "./operations/doctor.ts";
export type { Finding } from "./operations/finding.ts";
export {
  ClosedError,
  LayoutError,
  type StateCode,
  StateError,
  SystemError,
  RemoteError,
  UnsupportedError,
} from "./errors.ts";
export {
  type SharedEventCreateOptions,
  type SharedEventOptions,
  SharedEvent,
} from "./locks/shared-event.ts";
export { ftok } from "./segment/ftok.ts";
export type { Activity } from "./inspection/activity.ts";
export type { InspectedField } from "./inspection/fields.ts";
export { type AnyObject, type InspectedObject, openAny, openObject } from "./inspection/inspect.ts";
export type { Holder } from "./inspection/holders.ts";
export type { NamedValue, ObjectKind } from "./inspection/kinds/kind.ts";
export type { FreshRecords, SeenRecord } from "./inspection/peek.ts";
export { activities, type StructureActivity } from "./operations/activities.ts";
export { type Room, room, type RoomLimits } from "./operations/room.ts";
export type { FileSystemInfo } from "./inspection/file-system.ts";
export type { BroadcastPolicy } from "./layout/broadcast-layout.ts";
export type { ObjectUser } from "./memory/user-table.ts";
export {
  Lease,
  type LeaseAcquireOptions,
  type LeaseEnd,
  type LeaseHolder,
  LeaseTerm,
} from "./locks/lease.ts";
export { ByteLock } from "./memory/byte-lock.ts";
export type { Backing } from "./memory/objects/shared-object.ts";
export type {
  MessageQueueCreateOptions,
  MessageQueueEnqueueAsyncOptions,
  MessageQueueEnqueueOptions,
  MessageQueueEvent,
  MessageQueueNames,
  MessageQueueOpenOptions,
  MessageQueueOptions,
  MessageQueueSemaphores,
  MessageQueueStats,
  MessageQueueTryEnqueueOptions,
  QueueMode,
} from "./queue/options.ts";
export { MessageQueue } from "./queue/message-queue.ts";
export { listSegments, type SegmentInfo } from "./operations/list.ts";
export { Meters, type MeterOf, type MetersStats } from "./meters/meters.ts";
export type { MeterAggregate, MeterWhenDead } from "./meters/algorithm/meter-shape.ts";
export type { LabelledMeter } from "./meters/labelled-meter.ts";
export type { MeterCounter } from "./meters/meter-counter.ts";
export type { MeterGauge } from "./meters/meter-gauge.ts";
export type { MeterHistogram } from "./meters/meter-histogram.ts";
export type {
  ExponentialBounds,
  MeterGaugeOptions,
  MeterHistogramOptions,
  MeterOptions,
  MetersCreateOptions,
  MetersInitOptions,
  MetersNewOptions,
  MetersOpenOptions,
  MetersPlan,
} from "./meters/meters-options.ts";
export type { Metric, MetricSample } from "./meters/metric.ts";
export { metrics } from "./operations/metrics.ts";
export {
  PortableSegment,
  type PortableSegmentCreateOptions,
  type PortableSegmentOpenOptions,
} from "./segment/portable-segment.ts";
export { Mutex, MutexGuard, type MutexOptions } from "./locks/mutex.ts";
export type { LockHandle } from "./locks/handle.ts";
export type { MapReads } from "./map/map-reads.ts";
export type { MapWrites } from "./map/map-writes.ts";
export type { StructureHandle } from "./segment/structure-handle.ts";
export { NamedLocks, type NamedLockInfo, type NamedLocksQuery } from "./locks/named-locks.ts";
export type { NamedLock } from "./locks/named-lock-requests.ts";
export type {
  NamedLockMode,
  NamedLockOptions,
  NamedLocksCreateOptions,
  NamedLocksInitOptions,
  NamedLocksNewOptions,
  NamedLocksOpenOptions,
  NamedLocksOptions,
  SureNamedLockOptions,
} from "./locks/named-locks-options.ts";
export type { PageOptions } from "./memory/pages.ts";
export type { OwnerOptions } from "./memory/objects/owner.ts";
export type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
  StructureCreateOptions,
  StructureOpenOptions,
} from "./segment/placed-options.ts";
export {
  type PromClient,
  type PromConstructor,
  type PromMetric,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
  registerMetrics,
} from "./operations/prometheus.ts";
export {
  prune,
  type PruneOptions,
  type PruneReason,
  type PruneResult,
} from "./operations/prune.ts";
export { RateLimiter } from "./limiter/rate-limiter.ts";
export type { RateLimiterResult, RateLimiterStats } from "./limiter/algorithm/limiter-core.ts";
export type { RateLimiterAlgorithm } from "./limiter/algorithm/limiter-shape.ts";
export type {
  RateLimiterCreateOptions,
  RateLimiterInitOptions,
  RateLimiterNewOptions,
  RateLimiterOpenOptions,
  RateLimiterOptions,
} from "./limiter/limiter-options.ts";
export type { RecordHandler } from "./ring/algorithm/core.ts";
export { RingBuffer } from "./ring/ring-buffer.ts";
export { RingClaim } from "./ring/ring-claim.ts";
export { RingConsumer } from "./ring/ring-consumer.ts";
export type {
  RingConsumerOptions,
  RingReadAsyncOptions,
  RingReadOptions,
  RingValuesOptions,
} from "./ring/read-options.ts";
export type { RingKindName } from "./ring/ring-kinds.ts";
export type {
  RingCreateOptions,
  RingInitOptions,
  RingOpenOptions,
  RingOptions,
  RingStats,
} from "./ring/ring-options.ts";
export type { RingInput, RingWritable } from "./ring/ring-input.ts";
export {
  RingProducer,
  type RingProducerOptions,
  type RingWriteAsyncOptions,
  type RingWriteOptions,
} from "./ring/ring-producer.ts";
export { RwLock, type RwLockOptions } from "./locks/rw-lock.ts";
export { Segment } from "./segment/segment.ts";
export type {
  SegmentCreateOptions,
  SegmentOpenOptions,
  SegmentOpenOrCreateOptions,
  SegmentResizeOptions,
} from "./segment/segment-options.ts";
export {
  Semaphore,
  type SemaphoreCreateOptions,
  type SemaphoreInitOptions,
  type SemaphoreOpenOptions,
} from "./semaphore/semaphore.ts";
export type { AtomicsNames } from "./atomics/atomics-names.ts";
export {
  SharedAtomics,
  type SharedAtomicsCreateOptions,
  type SharedAtomicsInitOptions,
  type SharedAtomicsOpenOptions,
} from "./atomics/shared-atomics.ts";
export { SharedCounter } from "./atomics/shared-counter.ts";
export { SharedWord } from "./atomics/shared-word.ts";
export { SharedMap } from "./map/shared-map.ts";
export type { SharedMapChange, SharedMapChangesOptions } from "./map/map-changes.ts";
export type { SharedMapKeysOptions } from "./map/map-entries.ts";
export type {
  SharedMapLoadContext,
  SharedMapLoadOptions,
  SharedMapLoader,
} from "./map/map-load-options.ts";
export type {
  SharedMapCreateOptions,
  SharedMapInitOptions,
  SharedMapKey,
  SharedMapLocalOptions,
  SharedMapNewOptions,
  SharedMapOpenOptions,
  SharedMapOptions,
} from "./map/map-options.ts";
export type { SharedMapOutcome } from "./map/map-parts.ts";
export type { SharedMapRestored } from "./map/map-snapshot.ts";
export type { SharedMapIncrementOptions, SharedMapSetOptions } from "./map/map-times.ts";
export type { SharedMapStats } from "./map/algorithm/map-stats.ts";
export { SharedRecord } from "./record/shared-record.ts";
export type {
  AsyncWaitChangedOptions,
  SharedRecordStats,
  SharedRecordCreateOptions,
  SharedRecordInitOptions,
  SharedRecordNewOptions,
  SharedRecordOpenOptions,
  SharedRecordOptions,
  WaitChangedOptions,
} from "./record/record-options.ts";
export { SharedTable } from "./table/shared-table.ts";
export type {
  Column,
  ColumnArrays,
  ColumnName,
  SharedTableChangesOptions,
  SharedTableCreateOptions,
  SharedTableInitOptions,
  SharedTableNewOptions,
  SharedTableOpenOptions,
  SharedTableOptions,
  SharedTableStats,
} from "./table/table-options.ts";
export type { ArrayView } from "./struct/field-block.ts";
export type { Scalar, StructField } from "./struct/field.ts";
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
  type StructMember,
  type StructOptions,
  type StructValue,
  type StructView,
} from "./struct/struct.ts";
export {
  SystemVSemaphore,
  type SystemVSemaphoreCreateOptions,
  type SystemVSemaphoreOpenOptions,
} from "./semaphore/system-v-semaphore.ts";
export { unlisted, type UnlistedMemory } from "./operations/unlisted.ts";
export { type ObjectUsage, usage, type UsageOptions } from "./operations/usage.ts";
export { HeldGuard } from "./locks/guard.ts";
export type { Stats } from "./segment/stats.ts";
export type { AsyncWaitOptions, WaitOptions } from "./waiting/wait-options.ts";
export type { AbortSignalLike, GivenAbortSignal } from "./waiting/abort-signal.ts";
export type { WaitStrategy } from "./waiting/wait-point.ts";
