/**
 * One side of a ring benchmark: NAME ROLE MODE SIZE COUNT BATCH CAPACITY. The sides of a round trip are
 * "ping" and "pong", those of a stream "producer" and "consumer". A "waker" is a ping that pauses,
 * so that its pong sleeps each time, and it too unless it spins. A "lap" is the first one of a new
 * ring, in the mode "fault" or "prefault", alone. Ping, waker, consumer and lap print figures.
 */
import { RingBuffer, type RingConsumer, type RingProducer } from "../../src/index.ts";
import { percentile } from "../support/report.ts";

const [name = "", role = "", mode = "", ...numbers] = process.argv.slice(2);
const [size = 0, count = 0, batch = 1, wantedCapacity = 0] = numbers.map(Number);
const payload = new Uint8Array(size);
const words = new DataView(payload.buffer);

let sum = 0;
const handler = (view: DataView, index: number): void => {
  sum += view.getUint32(index, true);
};

/** Reads until one record came. */
async function next(consumer: RingConsumer): Promise<void> {
  if (mode === "async") await consumer.readAsync(handler, { limit: 1 });
  else if (mode === "adaptive") while (consumer.read(handler, ONE_BLOCKING) === 0);
  else while (consumer.tryRead(handler, 1) === 0);
}
const ONE_BLOCKING = { limit: 1, timeoutMs: 1000 };

/** Reads like `next`, but without a promise, which a spinning reader should not pay for. */
function nextSync(consumer: RingConsumer): void {
  if (mode === "adaptive") while (consumer.read(handler, ONE_BLOCKING) === 0);
  else while (consumer.tryRead(handler, 1) === 0);
}

function pingSync(producer: RingProducer, consumer: RingConsumer, rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    while (!producer.tryWrite(payload));
    nextSync(consumer);
  }
}

function pongSync(producer: RingProducer, consumer: RingConsumer, rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    nextSync(consumer);
    while (!producer.tryWrite(payload));
  }
}

function timedSync(producer: RingProducer, consumer: RingConsumer, each: Float64Array): void {
  for (let round = 0; round < each.length; round++) {
    const sent = Bun.nanoseconds();
    while (!producer.tryWrite(payload));
    nextSync(consumer);
    each[round] = Bun.nanoseconds() - sent;
  }
}

function printTimes(each: Float64Array): void {
  const mean = each.reduce((sum, value) => sum + value) / each.length;
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentile(each, share));
  console.log(JSON.stringify({ mean, p50, p99, p999 }));
}

/** Writes a new ring once through, `count` records long. */
function timeFirstLap(): void {
  const options = { capacity: 1 << 24, prefault: mode === "prefault" };
  const lap = (each: Float64Array): void => {
    using ring = RingBuffer.create(`${name}-lap`, options);
    ring.unlink();
    using producer = ring.producer();
    for (let round = 0; round < each.length; round++) {
      const start = Bun.nanoseconds();
      if (!producer.tryWrite(payload)) throw new Error("The ring is full within its first lap");
      each[round] = Bun.nanoseconds() - start;
    }
  };
  const each = new Float64Array(count);
  // The engine compiles in the first ones, each with a ring of its own.
  for (let turn = 0; turn < 4; turn++) lap(each);
  printTimes(each);
}

const warm = count;

/** Long enough, in ms, for a waiter in its event loop to have registered its bell. */
const PAUSE_MS = 5;

if (role === "lap") {
  timeFirstLap();
} else if (role === "waker") {
  const there = RingBuffer.openOrCreate(`${name}-there`, { capacity: 1 << 18 });
  const back = RingBuffer.openOrCreate(`${name}-back`, { capacity: 1 << 18 });
  const producer = there.producer();
  const consumer = back.consumer();
  producer.tryWrite(payload);
  await consumer.readAsync(handler, { limit: 1 });
  const each = new Float64Array(count);
  // The engine compiles what runs often, and this runs rarely: a service has run it for a while.
  for (let round = -2 * count; round < count; round++) {
    await Bun.sleep(PAUSE_MS);
    const sent = Bun.nanoseconds();
    producer.tryWrite(payload);
    if (mode === "spin") nextSync(consumer);
    else await next(consumer);
    if (round >= 0) each[round] = Bun.nanoseconds() - sent;
  }
  printTimes(each);
  there.unlink();
  back.unlink();
} else if (role === "ping" || role === "pong") {
  const there = RingBuffer.openOrCreate(`${name}-there`, { capacity: 1 << 18 });
  const back = RingBuffer.openOrCreate(`${name}-back`, { capacity: 1 << 18 });
  const producer = (role === "ping" ? there : back).producer();
  const consumer = (role === "ping" ? back : there).consumer();
  if (role === "pong") {
    if (mode === "async") {
      for (let round = 0; round < 1 + warm + 2 * count; round++) {
        await next(consumer);
        producer.tryWrite(payload);
      }
    } else {
      pongSync(producer, consumer, 1 + warm + 2 * count);
    }
  } else {
    const each = new Float64Array(count);
    let total: number;
    // The first round waits for the other process to start.
    producer.tryWrite(payload);
    await consumer.readAsync(handler, { limit: 1 });
    if (mode === "async") {
      const rounds = async (timed: number, keep: boolean): Promise<void> => {
        for (let round = 0; round < timed; round++) {
          const sent = Bun.nanoseconds();
          producer.tryWrite(payload);
          await next(consumer);
          if (keep) each[round] = Bun.nanoseconds() - sent;
        }
      };
      await rounds(warm, false);
      const start = Bun.nanoseconds();
      await rounds(count, false);
      total = Bun.nanoseconds() - start;
      await rounds(count, true);
    } else {
      pingSync(producer, consumer, warm);
      const start = Bun.nanoseconds();
      pingSync(producer, consumer, count);
      total = Bun.nanoseconds() - start;
      timedSync(producer, consumer, each);
    }
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentile(each, share));
    console.log(JSON.stringify({ mean: total / count, p50, p99, p999 }));
    there.unlink();
    back.unlink();
  }
} else if (role === "producer") {
  const ring = RingBuffer.open(name, { waitMs: 10_000 });
  const producer = ring.producer({ batch });
  const stream = (rounds: number): void => {
    for (let round = 0; round < rounds; round++) {
      words.setUint32(0, round, true);
      if (mode === "spin") while (!producer.tryWrite(payload));
      else producer.write(payload, { timeoutMs: 10_000 });
    }
  };
  if (mode === "async") {
    for (let round = 0; round < warm + count; round++) {
      words.setUint32(0, round, true);
      if (!producer.tryWrite(payload)) await producer.writeAsync(payload);
    }
  } else {
    for (let part = 0; part < 6; part++) stream(part < 5 ? warm / 5 : count);
  }
  producer.flush();
  producer.close();
} else {
  const capacity = wantedCapacity || (size > 4096 ? 1 << 20 : 1 << 18);
  using ring = RingBuffer.create(name, { capacity });
  using consumer = ring.consumer();
  let read = 0;
  const drain = async (until: number): Promise<void> => {
    if (mode === "async") while (read < until) read += await consumer.readAsync(handler);
    else if (mode === "spin") while (read < until) read += consumer.tryRead(handler);
    else while (read < until) read += consumer.read(handler, { timeoutMs: 1000 });
  };
  await drain(warm);
  const from = read;
  const start = Bun.nanoseconds();
  await drain(warm + count);
  const taken = Bun.nanoseconds() - start;
  console.log(JSON.stringify({ perSecond: ((read - from) / taken) * 1e9, sum }));
  ring.unlink();
}
