/**
 * The loops of a window. Each variant imports a copy of its own (`?variant`), since the engine
 * compiles a loop for all that it has met.
 */
import type { RingConsumer, RingProducer } from "../../src/index.ts";

let sum = 0;
const handler = (view: DataView, index: number): void => {
  sum += view.getUint32(index, true);
};

export function produce(producer: RingProducer, payload: Uint8Array, count: number): void {
  const words = new DataView(payload.buffer);
  for (let round = 0; round < count; round++) {
    words.setUint32(0, round, true);
    while (!producer.tryWrite(payload));
  }
  producer.flush();
}

export function consume(consumer: RingConsumer, warm: number, count: number): number {
  let read = 0;
  while (read < warm) read += consumer.tryRead(handler, warm - read);
  const start = Bun.nanoseconds();
  while (read < warm + count) read += consumer.tryRead(handler);
  return (Bun.nanoseconds() - start) / count;
}

export function ping(
  producer: RingProducer,
  consumer: RingConsumer,
  payload: Uint8Array,
  count: number,
): number {
  const start = Bun.nanoseconds();
  for (let round = 0; round < count; round++) {
    while (!producer.tryWrite(payload));
    while (consumer.tryRead(handler, 1) === 0);
  }
  return (Bun.nanoseconds() - start) / count;
}

export function pong(
  producer: RingProducer,
  consumer: RingConsumer,
  payload: Uint8Array,
  count: number,
): void {
  for (let round = 0; round < count; round++) {
    while (consumer.tryRead(handler, 1) === 0);
    while (!producer.tryWrite(payload));
  }
}
