/** Rings and their handles, ready to be called. */
import { RingBuffer, Segment } from "../../src/index.ts";
import { OFFSET, WAIT, WAITS, ASYNC, end, type Target } from "./garbage-target.ts";

/** Those of one kind and codec. */
export function ringTargets(
  kind: object,
  codec: object,
  value: unknown,
): Record<string, () => Target> {
  const options = { capacity: 1024, ...kind, codec } as never;
  const label = Object.values(kind).join();
  const made = (size = 1 << 14): { segment: Segment; ring: RingBuffer<never> } => {
    const segment = Segment.create("memfd:garbage", { size });
    return { segment, ring: RingBuffer.init(segment, OFFSET, options) };
  };
  const write = [value, WAIT];
  const options2 = ["type", ...ASYNC];
  return {
    [`ring ${label}`]: () => {
      const { segment, ring } = made();
      return {
        on: ring,
        segment,
        sound: { producer: [{ batch: 1 }], consumer: [{}] },
        options: { producer: ["strategy"], consumer: ["strategy"] },
        end: end(ring, segment),
      };
    },
    [`producer ${label}`]: () => {
      const { segment, ring } = made();
      const producer = ring.producer();
      return {
        on: producer,
        segment,
        sound: {
          tryClaim: [4, 1],
          claim: [4, WAIT],
          claimAsync: [4, WAIT],
          tryWrite: [value, 1],
          write,
          writeAsync: write,
        },
        options: { claim: options2, claimAsync: options2, write: options2, writeAsync: options2 },
        end: end(ring, segment),
      };
    },
    [`full producer ${label}`]: () => {
      const { segment, ring } = made();
      const producer = ring.producer();
      if (label !== "broadcast") while (producer.tryWrite(value as never));
      return {
        on: producer,
        segment,
        fresh: false,
        skip: ["flush", "close", "tryClaim", "tryWrite"],
        sound: { claim: [4, WAIT], claimAsync: [4, WAIT], write, writeAsync: write },
        options: { claim: options2, claimAsync: options2, write: options2, writeAsync: options2 },
        end: end(ring, segment),
      };
    },
    ...Object.fromEntries(
      [0, 3].map((records) => [
        `consumer of ${records} ${label}`,
        (): Target => {
          const { segment, ring } = made();
          const producer = ring.producer();
          const consumer = ring.consumer();
          for (let count = 0; count < records; count++) producer.tryWrite(value as never);
          const handler = (): void => undefined;
          return {
            on: consumer,
            segment,
            sound: {
              tryRead: [handler, 1],
              read: [handler, WAIT],
              readAsync: [handler, WAIT],
              take: [WAIT],
              takeAsync: [WAIT],
              wait: [WAIT],
              waitAsync: [WAIT],
              values: [{}],
            },
            options: {
              read: ["limit", ...ASYNC],
              readAsync: ["limit", ...ASYNC],
              take: ASYNC,
              takeAsync: ASYNC,
              wait: ASYNC,
              waitAsync: ASYNC,
              values: WAITS,
            },
            end: end(ring, segment),
          };
        },
      ]),
    ),
    [`claim ${label}`]: () => {
      const { segment, ring } = made();
      return { on: ring.producer().claim(4, WAIT)!, end: end(ring, segment) };
    },
  };
}
