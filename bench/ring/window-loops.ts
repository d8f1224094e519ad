/** The loops of a ring's windows, which window-side.ts imports once for each variant. */
import type { RingConsumer, RingProducer } from "../../src/index.ts";

let sum = 0;
const handler = (view: DataView, index: number): void => {
  sum += view.getUint32(index, true);
};

const payloads: Record<number, Uint8Array> = {};

function payloadOf(size: number): Uint8Array {
  return (payloads[size] ??= new Uint8Array(size));
}

export function produce(producer: RingProducer, size: number, count: number): void {
  const payload = payloadOf(size);
  const words = new DataView(payload.buffer);
  for (let round = 0; round < count; round++) {
    words.setUint32(0, round, true);
    while (!producer.tryWrite(payload));
  }
  producer.flush();
}

/** @returns ns a record, of those after the warm ones. */
export function consume(consumer: RingConsumer, warm: number, count: number): number {
  let read = 0;
  while (read < warm) read += consumer.tryRead(handler, warm - read);
  const start = Bun.nanoseconds();
  while (read < warm + count) read += consumer.tryRead(handler);
  return (Bun.nanoseconds() - start) / count;
}

/** @returns ns a round trip. */
export function ping(
  producer: RingProducer,
  consumer: RingConsumer,
  size: number,
  count: number,
): number {
  const payload = payloadOf(size);
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
  size: number,
  count: number,
): void {
  const payload = payloadOf(size);
  for (let round = 0; round < count; round++) {
    while (consumer.tryRead(handler, 1) === 0);
    while (!producer.tryWrite(payload));
  }
}
