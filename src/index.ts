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
