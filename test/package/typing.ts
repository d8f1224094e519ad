/**
 * What a user's editor infers, and which slips it marks: the gate compiles this against the packed
 * package. Nothing here runs.
 */
import {
  Barrier,
  type Codec,
  Condition,
  Lease,
  MessageQueue,
  Mutex,
  PortableSegment,
  RateLimiter,
  RingBuffer,
  RwLock,
  Segment,
  Semaphore,
  Meters,
  type NamedLock,
  NamedLocks,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  type Struct,
  type StructField,
  SystemVSemaphore,
  charArray,
  codecs,
  openObject,
  struct,
} from "bun-shm";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the first type is exactly the second one. */
declare function is<Found, Expected>(
  ...differs: Equal<Found, Expected> extends true ? [] : [found: Found, expected: Expected]
): void;

interface Order {
  a: number;
}
type Quote = { price: number; id: bigint; live: boolean; symbol: string };
declare const Quote: Struct<{
  readonly price: "f64";
  readonly id: "u64";
  readonly live: "bool";
  readonly symbol: StructField<string>;
}>;
declare const initial: Quote;
declare const points: Codec<{ x: number }>;
const size = 2 ** 20;

/** The values follow the codec. */
export async function values(): Promise<void> {
  const map = SharedMap.create("/m", { size, codec: codecs.json<Order>() });
  is<ReturnType<typeof map.get>, Order | undefined>();
  is<number | undefined, Exclude<ReturnType<typeof map.get>, undefined>["a"] | undefined>();

  using quotes = RingBuffer.create("/r", { codec: Quote });
  using consumer = quotes.consumer();
  const taken = consumer.tryTake();
  is<typeof taken, Quote | undefined>();
  const awaited = await consumer.takeAsync({ timeoutMs: 1 });
  is<typeof awaited, Quote | undefined>();
  for await (const quote of consumer) is<typeof quote, Quote>();
  for await (const quote of consumer.values()) is<typeof quote, Quote>();

  const bytes = RingBuffer.create("/r").consumer().take();
  is<typeof bytes, Uint8Array | undefined>();
  const own = RingBuffer.open("/r", { codec: points }).consumer().take();
  is<typeof own, { x: number } | undefined>();
  const text = RingBuffer.openOrCreate("/r", { codec: codecs.utf8 }).consumer().take();
  is<typeof text, string | undefined>();

  const record = SharedRecord.openOrCreate("/q", { codec: Quote, initial });
  const latest = record.read();
  is<typeof latest, Quote | undefined>();
  for await (const quote of record) is<typeof quote, Quote>();
  for await (const message of MessageQueue.open("/q")) is<typeof message, string>();

  const inline = struct({ price: "f64", symbol: charArray(8) });
  const read = SharedRecord.open("/q", { codec: inline }).read();
  is<typeof read, { price: number; symbol: string } | undefined>();

  const table = SharedTable.openOrCreate("/t", { codec: inline, rows: 5, names: true });
  for await (const rows of table.changes({ from: "now" })) is<typeof rows, number[]>();
  const row = table.rowOf("a");
  is<typeof row, number | undefined>();
  const prices = table.columnInto("price", table.column("price"));
  is<typeof prices, Float64Array>();
  // @ts-expect-error: only scalar fields are columns.
  table.column("symbol");
  // @ts-expect-error: the array has another type.
  table.columnInto("price", new Uint8Array(5));
  const grown = struct({ price: "f64", venue: "u32" }, { defaults: { venue: 0 } });
  is<ReturnType<typeof grown.read>, { price: number; venue: number }>();
  // @ts-expect-error: a default has its field's type.
  struct({ price: "f64", venue: "u32" }, { defaults: { venue: "x" } });
}

/** Keys and names are typed too. */
export function keys(): void {
  const texts = SharedMap.create("/m", { size, codec: codecs.number });
  for (const [key, value] of texts) is<[typeof key, typeof value], [string, number]>();
  const blobs = SharedMap.create("/m", { size, codec: codecs.utf8, key: codecs.bytes });
  for (const key of blobs.keys()) is<typeof key, Uint8Array>();
  texts.increment("hits");
  const loaded = texts.getOrSet("k", async (key, { signal, stale }) => {
    is<[typeof key, typeof stale], [string, number | undefined]>();
    return signal.aborted ? 0 : 1;
  });
  is<typeof loaded, Promise<number>>();
  blobs.get(new Uint8Array(2));
  // @ts-expect-error: `keys` could not give back what is no text.
  texts.get(new Uint8Array(2));
  // @ts-expect-error: only numbers can be added to.
  blobs.increment("hits");

  const limiter = RateLimiter.create("/l", { algorithm: "gcra", limit: 1, windowMs: 1, keys: 1 });
  const { allowed, remaining } = limiter.consume("k");
  is<typeof allowed, boolean>();
  is<typeof remaining, number>();
  const response = { headers: limiter.headers(limiter.peek(new Uint8Array(2))) };
  is<typeof response.headers, Record<string, string>>();

  const locks = NamedLocks.create("/n", { names: 10 });
  is<ReturnType<typeof locks.withLock<5>>, 5>();
  void locks
    .request("a", { mode: "shared" }, async (lock) => lock.name.length)
    .then((length) => {
      is<typeof length, number>();
    });
  void locks.request("a", { ifAvailable: true }, (lock) => {
    is<typeof lock, NamedLock | null>();
  });

  const { words, counters } = SharedAtomics.create("/a", { words: ["on"], counters: ["hits"] });
  is<keyof typeof words, "on">();
  is<keyof typeof counters, "hits">();

  const meters = Meters.open("/meters");
  meters.counter("c", { help: "h" }).add(1);
  const labelled = meters.counter("c", { help: "h", labels: ["route", "status"] });
  labelled.labels({ route: "/", status: 200 }).add();
  meters.histogram("h", { help: "h", bounds: [1] }).observe(1);
  // @ts-expect-error: one with labels has nothing to add to.
  labelled.add(1);
  // @ts-expect-error: a label is missing.
  labelled.labels({ route: "/" });
  // @ts-expect-error: a histogram has bounds, or says how they grow.
  meters.histogram("h", { help: "h" });
}

/** Whatever is held or open ends with its block. */
export function blocks(segment: Segment): readonly unknown[] {
  using mutex = Mutex.init(segment, 0);
  using lock = RwLock.init(segment, 128, { readers: 4 });
  using changed = Condition.init(segment, 256, { mutex });
  using event = SharedEvent.init(segment, 384, { reset: "auto" });
  using barrier = Barrier.init(segment, 512, { parties: 2 });
  using lease = Lease.openOrCreate("/x");
  using semaphore = Semaphore.open("/x");
  using classic = SystemVSemaphore.create("sysv:private", { value: 1 });
  using portable = PortableSegment.create("/x", { size });
  using queue = MessageQueue.open("/x");
  using ring = RingBuffer.open("/x");
  using producer = ring.producer();
  using consumer = ring.consumer();
  using map = SharedMap.open("/x", { codec: codecs.number });
  using record = SharedRecord.open("/x", { codec: Quote });
  using atomics = SharedAtomics.open("/x", { words: ["on"] });
  using object = openObject("/x");
  using locked = mutex.acquire({ timeoutMs: 1 });
  using reading = lock.tryAcquireRead();
  using writing = lock.acquireWrite();
  using term = lease.tryAcquire();
  using slot = semaphore.tryAcquire();
  using claim = producer.claim(8);
  using byte = segment.tryLock(99);
  const held = [locked, reading, writing, term, slot, claim, byte];
  const open = [changed, event, barrier, classic, portable, queue, consumer, map, record, atomics];
  return [...held, ...open, object];
}

/** Slips are compile errors. */
export function slips(consumer: ReturnType<RingBuffer["consumer"]>): void {
  // @ts-expect-error: capacity.
  RingBuffer.create("/x", { capasity: 1 });
  // @ts-expect-error: no such kind.
  RingBuffer.create("/x", { kind: "mpmc" });
  // @ts-expect-error: timeoutMs.
  consumer.take({ timeout: 1 });
  // @ts-expect-error: a try never waits.
  consumer.tryTake({ timeoutMs: 1 });
  // @ts-expect-error: a map has a codec.
  SharedMap.create("/x", { size });
  // @ts-expect-error: ttlMs.
  SharedMap.create("/x", { size, codec: codecs.number }).set("k", 1, { ttl: 1 });
  // @ts-expect-error: a record's codec is a struct.
  SharedRecord.create("/x", { codec: codecs.utf8 });
  // @ts-expect-error: initial.
  SharedRecord.create("/x", { codec: Quote, initail: initial });
  // @ts-expect-error: slots.
  MessageQueue.create("/x", { slot: 1 });
  // @ts-expect-error: value.
  Semaphore.create("/x", { valu: 1 });
  // @ts-expect-error: a segment has a size.
  Segment.create("/x");
  // @ts-expect-error: one of four algorithms.
  RateLimiter.create("/x", { algorithm: "leaky-bucket", limit: 1, windowMs: 1, keys: 1 });
  // @ts-expect-error: how many keys there are is for the caller to say.
  RateLimiter.create("/x", { algorithm: "gcra", limit: 1, windowMs: 1 });
  // @ts-expect-error: a mode is one of two words.
  void NamedLocks.open("/x").request("a", { mode: "read" }, () => 1);
  // @ts-expect-error: words.
  SharedAtomics.create("/x", { word: ["on"] });
  // @ts-expect-error: parties.
  Barrier.create("/x", { partys: 1 });
  // @ts-expect-error: "auto" or "manual".
  SharedEvent.create("/x", { reset: "never" });
  // @ts-expect-error: a lease has no such option.
  Lease.create("/x", { ttlMs: 1 });
  // @ts-expect-error: an offset.
  Mutex.init(Segment.open("/x"));
  // @ts-expect-error: no such type of field.
  struct({ x: "u128" });
  // @ts-expect-error: a field is made by the package.
  const field: StructField<number> = { byteLength: 4, alignment: 4, cType: String };
  struct({ x: field });
}
