/**
 * A user's app, which the gate compiles and runs against the packed package. It uses every public
 * noun, and nothing but the language and the package: no console, no DOM, no Bun.
 */
import {
  Barrier,
  ClosedError,
  type Codec,
  Condition,
  type Finding,
  type Infer,
  LayoutError,
  Lease,
  MessageQueue,
  type MessageQueueEvent,
  type Metric,
  Mutex,
  PortableSegment,
  RingBuffer,
  type RingProducer,
  type RingStats,
  RwLock,
  Segment,
  Semaphore,
  Meters,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  type Struct,
  SystemError,
  SystemVSemaphore,
  UnsupportedError,
  arrayOf,
  byteArray,
  charArray,
  codecs,
  doctor,
  metrics,
  prometheusText,
  prune,
  struct,
  usage,
} from "bun-shm";

export const Quote: Struct<{ readonly price: "f64"; readonly size: "u32"; readonly id: "u64" }> =
  struct({ price: "f64", size: "u32", id: "u64" });
export type QuoteValue = Infer<typeof Quote>;

interface Order {
  readonly id: number;
  readonly symbol?: string;
}

/** A codec of the app's own. */
const numbers: Codec<number> = {
  id: "f64/1",
  encode: (value) => new Uint8Array(new Float64Array([value]).buffer),
  decode: (encoded) => new DataView(encoded.slice().buffer).getFloat64(0, true),
};

async function rings(name: string): Promise<readonly unknown[]> {
  using ring = RingBuffer.create(name, { capacity: 1 << 16, codec: codecs.json<Order>() });
  using producer: RingProducer<Order> = ring.producer({ batch: 1 });
  using consumer = ring.consumer({ strategy: "adaptive" });
  producer.tryWrite({ id: 1 });
  await producer.writeAsync({ id: 2, symbol: "ABC" }, { timeoutMs: 1000 });
  const seen: unknown[] = [consumer.take()?.id];
  for await (const order of consumer) {
    seen.push(order.symbol);
    break;
  }
  const stats: RingStats = ring.stats();
  ring.unlink();
  return [...seen, typeof stats];
}

function inPlace(name: string): number {
  using ring = RingBuffer.create(name, { kind: "mpsc", capacity: 1 << 16, codec: codecs.bytes });
  using producer = ring.producer();
  const claim = producer.claim(8, { type: 7 });
  claim?.view.setFloat64(0, 2.5, true);
  claim?.commit();
  using consumer = ring.consumer();
  let value = 0;
  consumer.tryRead((view, index) => (value = view.getFloat64(index, true)));
  ring.unlink();
  return value;
}

function broadcast(name: string): readonly (string | number | undefined)[] {
  using texts = RingBuffer.create(name, { kind: "broadcast", codec: codecs.utf8 });
  using reader = texts.consumer();
  using writer = texts.producer();
  writer.write("hello");
  const text = reader.tryTake();
  texts.unlink();
  using values = RingBuffer.create(name, { capacity: 1 << 16, codec: numbers });
  using out = values.producer();
  using into = values.consumer();
  out.write(1.5);
  values.unlink();
  return [text, into.take()];
}

async function queues(name: string): Promise<readonly (string | undefined)[]> {
  const events: MessageQueueEvent[] = [];
  using queue = MessageQueue.create(name, {
    slots: 4,
    slotSize: 64,
    logger: (event) => events.push(event),
  });
  queue.enqueue("one");
  await queue.enqueueAsync("two", { timeoutMs: 1000 });
  const received = [queue.tryDequeue(), await queue.dequeueAsync()];
  queue.unlink();
  return received;
}

async function semaphores(name: string): Promise<boolean> {
  using semaphore = Semaphore.create(name, { value: 1 });
  const taken = await semaphore.waitAsync({ timeoutMs: 1000 });
  semaphore.post();
  {
    using held = semaphore.acquire();
    if (held === undefined) return false;
  }
  Semaphore.unlink(name);
  const classic = SystemVSemaphore.create("sysv:private", { value: 1 });
  const waited = classic.wait({ timeoutMs: 1000 });
  classic.unlink();
  return taken && waited;
}

async function locks(name: string): Promise<readonly unknown[]> {
  using segment = Segment.create(name, { size: 1 << 16 });
  const mutex = Mutex.init(segment, 0);
  const changed = Condition.init(segment, Mutex.byteLength(), { mutex });
  const balance = new Int32Array(segment.buffer, Mutex.byteLength() + Condition.byteLength(), 1);
  mutex.withLock(() => {
    balance[0] = 10;
    changed.notifyAll();
  });
  {
    using guard = await mutex.acquireAsync({ timeoutMs: 1000 });
    if (guard?.ownerDied === true) return [];
    await changed.waitForAsync(() => balance[0] === 10, { timeoutMs: 1000 });
  }
  const lock = RwLock.init(segment, 1024, { readers: 8 });
  {
    using guard = lock.tryAcquireWrite();
    if (guard === undefined) return [];
  }
  const started = SharedEvent.init(segment, 8192, { reset: "manual" });
  started.set();
  const event = await started.waitAsync({ timeoutMs: 1000 });
  Barrier.init(segment, 16384, { parties: 1 });
  using barrier = Barrier.at(segment, 16384);
  const outcome = await barrier.waitAsync();
  const quote = Quote.at(segment.view, 32768);
  quote.size += 3;
  segment.unlink();
  return [balance[0], event, outcome, quote.size];
}

async function leases(name: string): Promise<string | undefined> {
  using lease = Lease.openOrCreate(name);
  using term = await lease.acquireAsync({ text: "app", timeoutMs: 1000 });
  const text = term === undefined ? undefined : lease.holder?.text;
  Lease.unlink(name);
  return text;
}

function state(name: string): readonly unknown[] {
  const first: QuoteValue = { price: 1, size: 0, id: 5n };
  using record = SharedRecord.create(name, { codec: Quote, initial: first });
  record.update((quote) => ({ ...(quote ?? first), size: (quote?.size ?? 0) + 1 }));
  const size = record.read()?.size;
  record.unlink();

  using map = SharedMap.create(name, { size: 1 << 20, codec: codecs.json<{ user: string }>() });
  map.set("s1", { user: "ada" }, { ttlMs: 60_000 });
  const users = [...map.entries()].map(([, value]) => value.user);
  map.unlink();

  const names = { words: ["paused"], counters: ["requests"] } as const;
  using atomics = SharedAtomics.create(name, names);
  atomics.counters.requests.add(2);
  atomics.words.paused.store(1);
  const counted = [atomics.counters.requests.value, atomics.words.paused.load()];
  atomics.unlink();

  using meters = Meters.create(name, { size: 2 ** 14 });
  meters
    .counter("c_total", { help: "h", labels: ["of"] })
    .labels({ of: "app" })
    .add(3);
  counted.push(Number(meters.prometheusText().split(" ").at(-1)));
  meters.unlink();

  using portable = PortableSegment.create(name, { size: 4096 });
  portable.data[0] = 42;
  const [byte] = portable.data;
  PortableSegment.unlink(name);

  const Frame = struct({ tag: charArray(4), hash: byteArray(4), levels: arrayOf("f32", 2) });
  const view = new DataView(new ArrayBuffer(Frame.byteLength));
  Frame.write(view, 0, { tag: "ab", hash: new Uint8Array(4), levels: [1, 2] });
  const { tag, levels } = Frame.read(view);
  return [size, users, counted, byte, tag, levels];
}

function operations(): boolean {
  const findings: Finding[] = doctor();
  const families: Metric[] = metrics();
  const { removed } = prune({ dryRun: true });
  return (
    findings.length > 0 &&
    prometheusText(families).includes("# TYPE") &&
    Array.isArray(removed) &&
    usage().every(({ used }) => typeof used === "number")
  );
}

function errors(name: string): readonly string[] {
  const caught: string[] = [];
  for (const attempt of [
    () => Segment.open(name),
    () => {
      const segment = Segment.create(name, { size: 4096 });
      segment.unlink();
      segment.close();
      return segment.view;
    },
  ]) {
    try {
      attempt();
    } catch (error) {
      if (error instanceof SystemError) caught.push(error.code);
      else if (error instanceof ClosedError) caught.push(error.name);
      else if (error instanceof LayoutError) caught.push(error.found);
      else if (error instanceof UnsupportedError) caught.push(error.message);
    }
  }
  return caught;
}

/** Uses everything once, under names that begin with `prefix`. */
export async function main(prefix: string): Promise<Readonly<Record<string, unknown>>> {
  return {
    rings: await rings(`${prefix}-ring`),
    inPlace: inPlace(`${prefix}-claim`),
    broadcast: broadcast(`${prefix}-texts`),
    queues: await queues(`${prefix}-queue`),
    semaphores: await semaphores(`${prefix}-semaphore`),
    locks: await locks(`${prefix}-locks`),
    leases: await leases(`${prefix}-lease`),
    state: state(`${prefix}-state`),
    operations: operations(),
    errors: errors(`${prefix}-errors`),
  };
}
