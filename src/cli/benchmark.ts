/** What `bun-shm bench` measures, and the process at the other end. */
import { availableParallelism, cpus } from "node:os";
import { RingBuffer, Segment, Semaphore } from "../index.ts";
import { EXIT, Failure } from "./failure.ts";
import { beforeExit } from "./signals.ts";

/** One measured figure. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

const PATIENCE_MS = 10_000;

function summarize(name: string, unit: string, values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)]!;
  return { name, unit, median: at(0.5), min: at(0), max: at(1) };
}

/** Measures the time of one call, in batches, for a second. */
function timed(name: string, call: () => void, batch: number, unit: "ns" | "µs"): Figure {
  const values: number[] = [];
  const end = performance.now() + 1000;
  while (performance.now() < end) {
    const start = Bun.nanoseconds();
    for (let at = 0; at < batch; at++) call();
    values.push((Bun.nanoseconds() - start) / batch / (unit === "ns" ? 1 : 1000));
  }
  return summarize(name, unit, values);
}

/** What the other process does: it answers pings, counts the flow, and reports the count. */
export function benchmarkPeer(prefix: string): void {
  using pings = RingBuffer.open(`${prefix}-ping`);
  using pongs = RingBuffer.open(`${prefix}-pong`);
  using consumer = pings.consumer();
  using producer = pongs.producer();
  let flowed = 0;
  let bytes = 0;
  for (;;) {
    let ended = false;
    const count = consumer.read(
      (_, __, length, type) => {
        if (type === 1) producer.tryWrite("pong");
        else if (type === 2) ended = true;
        else if (type === 3) {
          producer.write(`${flowed} ${bytes}`, { timeoutMs: PATIENCE_MS });
          flowed = bytes = 0;
        } else {
          flowed++;
          bytes += length;
        }
      },
      { timeoutMs: PATIENCE_MS },
    );
    // A parent that sends nothing for so long is dead.
    if (ended || count === 0) return;
  }
}

/** Gives a signal its turn: what is measured blocks this thread. */
const pause = (): Promise<void> => Bun.sleep(0);

async function* measureTogether(pings: RingBuffer, pongs: RingBuffer): AsyncGenerator<Figure> {
  using producer = pings.producer({ batch: 32 });
  using consumer = pongs.consumer();
  const roundTrip = (): void => {
    producer.tryWrite("ping", 1);
    producer.flush();
    if (consumer.read(() => undefined, { limit: 1, timeoutMs: PATIENCE_MS }) === 0) {
      throw new Failure(EXIT.failed, "The other process does not answer");
    }
  };
  roundTrip();
  yield timed("ring round trip, two processes, 4 B", roundTrip, 20, "µs");
  for (const [length, count] of [
    [64, 200_000],
    [65_536, 2000],
  ] as const) {
    const record = new Uint8Array(length).fill(1);
    const rates: number[] = [];
    for (let run = 0; run < 7; run++) {
      await pause();
      const start = Bun.nanoseconds();
      for (let at = 0; at < count; at++) {
        if (!producer.tryWrite(record)) producer.write(record, { timeoutMs: PATIENCE_MS });
      }
      producer.write("", { type: 3, timeoutMs: PATIENCE_MS });
      producer.flush();
      if (consumer.take({ timeoutMs: PATIENCE_MS }) === undefined) {
        throw new Failure(EXIT.failed, "The other process is gone");
      }
      const seconds = (Bun.nanoseconds() - start) / 1e9;
      rates.push(length === 64 ? count / seconds / 1e6 : (count * length) / seconds / 1e6);
    }
    const unit = length === 64 ? "M records/s" : "MB/s";
    yield summarize(`ring one way, two processes, ${length} B`, unit, rates);
  }
  producer.tryWrite("", 2);
  producer.flush();
}

/** Measures everything, in about ten seconds. @param peer Starts the other process. */
export async function benchmark(peer: (prefix: string) => { kill(): void }): Promise<Figure[]> {
  const prefix = `/bun-shm-bench-${process.pid}`;
  const made = new DisposableStack();
  using _ = beforeExit(() => made.dispose());
  const figures: Figure[] = [];
  const createOnce = (): void => {
    using segment = Segment.create(`${prefix}-create`, { size: 4096 });
    segment.unlink();
  };
  figures.push(timed("segment create and unlink, 4 KiB", createOnce, 10, "µs"));
  await pause();
  {
    using segment = Segment.create(`${prefix}-copy`, { size: 1 << 24 });
    segment.unlink();
    const source = new Uint8Array(1 << 24).fill(1);
    const copy = timed("copy", () => segment.bytes.set(source), 1, "µs");
    const rate = (us: number): number => source.length / us;
    figures.push({
      name: "copy into a segment, 16 MiB",
      unit: "MB/s",
      median: rate(copy.median),
      min: rate(copy.max),
      max: rate(copy.min),
    });
  }
  {
    using semaphore = Semaphore.create(`${prefix}-sem`, { value: 0 });
    Semaphore.unlink(`${prefix}-sem`);
    const cycle = (): void => {
      semaphore.post();
      semaphore.tryWait();
    };
    figures.push(timed("semaphore post and wait", cycle, 1000, "ns"));
  }
  await pause();
  const make = (name: string, capacity: number): RingBuffer =>
    made.adopt(RingBuffer.create(`${prefix}-${name}`, { capacity }), (ring) => {
      ring.unlink();
      ring.close();
    });
  const [pings, pongs] = [make("ping", 1 << 22), make("pong", 1 << 16)];
  made.adopt(peer(prefix), (other) => other.kill());
  for await (const figure of measureTogether(pings, pongs)) figures.push(figure);
  return figures;
}

/** @returns The machine in a few words. */
export function machineText(): string {
  const model = cpus()[0]?.model ?? "unknown processor";
  return `${model}, ${availableParallelism()} cores, Bun ${Bun.version}`;
}
