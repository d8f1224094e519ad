/** The nouns that a hostile process attacks: how each is made, found, used and made again. */
import {
  Barrier,
  Condition,
  Lease,
  Meters,
  MessageQueue,
  type MessageQueueCreateOptions,
  Mutex,
  NamedLocks,
  RateLimiter,
  RingBuffer,
  type RingConsumer,
  type RingOptions,
  type RingProducer,
  RwLock,
  Segment,
  Semaphore,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  codecs,
  struct,
} from "../../src/index.ts";
import {
  BOOK_LOCK_WORD,
  DEFAULT_SLOTS,
  DEFAULT_SLOT_SIZE,
  QUEUE_BOOK_LENGTH,
  QUEUE_HEADER_LENGTH,
  bookOffset,
} from "../../src/layout/message-queue-layout.ts";
import { planTable, placesOf } from "../../src/table/algorithm/table-shape.ts";
import { SHARED_RECORD_SLOTS_OFFSET } from "../../src/layout/shared-record-layout.ts";

/** How long a call of a victim may wait, in ms. */
export const CALL_MS = 15;
const WAIT = { timeoutMs: CALL_MS };
/** Bytes in which a victim says what it is doing. */
export const REPORT_LENGTH = 256;

type Calls = Readonly<Record<string, () => unknown>>;

/** What a victim has of a noun. */
export interface Use {
  /** Calls that block, or answer at once. */
  readonly blocking: Calls;
  /** Calls that wait in the event loop. */
  readonly waiting: Calls;
  close(): void;
}

/** Bytes of a file that may be changed. */
export interface Range {
  readonly path: string;
  readonly offset: number;
  readonly byteLength: number;
}

export interface Noun {
  /** Makes it anew, whatever is there. */
  make(name: string): { close(): void };
  /** @param victim The number of the victim, from 0. */
  use(name: string, victim: number): Use;
  /** All of its bytes. */
  everything(name: string): readonly Range[];
  /** Its locks, wait points, positions and semaphores. */
  locks(name: string): readonly Range[];
  unlink(name: string): void;
}

const fileOf = (name: string): string => `/dev/shm${name}`;
const semaphoreFile = (name: string): string => `/dev/shm/sem.${name.slice(1)}`;

/** What lies at the start of a segment of its own. */
function placed<H extends { close(): void }>(
  byteLength: number,
  init: (segment: Segment) => { close(): void },
  at: (segment: Segment) => H,
  use: (handle: H, victim: number) => Omit<Use, "close"> & { close?: () => void },
  lockBytes: number = byteLength,
): Noun {
  const size = Math.ceil(byteLength / 4096) * 4096;
  const range = (name: string, length: number): Range[] => [
    { path: fileOf(name), offset: 0, byteLength: length },
  ];
  return {
    make(name) {
      const segment = Segment.openOrCreate(name, { size });
      const handle = init(segment);
      return { close: () => (handle.close(), segment.close()) };
    },
    use(name, victim) {
      const segment = Segment.open(name);
      let handle: H;
      try {
        handle = at(segment);
      } catch (error) {
        segment.close();
        throw error;
      }
      const used = use(handle, victim);
      return { ...used, close: () => (used.close?.(), handle.close(), segment.close()) };
    },
    everything: (name) => range(name, byteLength),
    locks: (name) => range(name, lockBytes),
    unlink: (name) => void Segment.unlink(name),
  };
}

const AGAIN = { overwrite: true } as const;

const mutex = placed(
  Mutex.byteLength(),
  (segment) => Mutex.init(segment, 0, AGAIN),
  (segment) => Mutex.at(segment, 0),
  (one) => ({
    blocking: {
      lock: () => one.lock(WAIT) && one.unlock(),
      tryLock: () => one.tryLock() && one.unlock(),
      acquire: () => one.acquire(WAIT)?.unlock(),
      tryAcquire: () => one.tryAcquire()?.unlock(),
      looks: () => [one.held, one.ownerDied, one.deaths],
    },
    waiting: {
      lockAsync: async () => (await one.lockAsync(WAIT)) && one.unlock(),
      acquireAsync: async () => (await one.acquireAsync(WAIT))?.unlock(),
    },
  }),
);

const rwLock = placed(
  RwLock.byteLength({ readers: 4 }),
  (segment) => RwLock.init(segment, 0, { ...AGAIN, readers: 4 }),
  (segment) => RwLock.at(segment, 0),
  (one) => ({
    blocking: {
      lockRead: () => one.lockRead(WAIT) && one.unlockRead(),
      lockWrite: () => one.lockWrite(WAIT) && one.unlockWrite(),
      tryLockRead: () => one.tryLockRead() && one.unlockRead(),
      tryLockWrite: () => one.tryLockWrite() && one.unlockWrite(),
      acquireRead: () => one.acquireRead(WAIT)?.[Symbol.dispose](),
      acquireWrite: () => one.acquireWrite(WAIT)?.[Symbol.dispose](),
      looks: () => [one.held, one.readers, one.ownerDied],
    },
    waiting: {
      lockReadAsync: async () => (await one.lockReadAsync(WAIT)) && one.unlockRead(),
      lockWriteAsync: async () => (await one.lockWriteAsync(WAIT)) && one.unlockWrite(),
    },
  }),
);

const CONDITION_AT = 1024;
const condition = placed(
  CONDITION_AT + Condition.byteLength(),
  (segment) => {
    const lock = Mutex.init(segment, 0, AGAIN);
    return Condition.init(segment, CONDITION_AT, { ...AGAIN, mutex: lock });
  },
  (segment) => {
    const lock = Mutex.at(segment, 0);
    const one = Condition.at(segment, CONDITION_AT, { mutex: lock });
    return { one, lock, close: () => (one.close(), lock.close()) };
  },
  ({ one, lock }) => {
    const locked = (call: () => unknown): unknown => {
      if (!lock.lock(WAIT)) return false;
      try {
        return call();
      } finally {
        lock.unlock();
      }
    };
    const lockedAsync = async (call: () => Promise<unknown>): Promise<unknown> => {
      if (!(await lock.lockAsync(WAIT))) return false;
      try {
        return await call();
      } finally {
        lock.unlock();
      }
    };
    return {
      blocking: {
        wait: () => locked(() => one.wait(WAIT)),
        waitFor: () => locked(() => one.waitFor(() => false, WAIT)),
        notifyOne: () => locked(() => one.notifyOne()),
        notifyAll: () => locked(() => one.notifyAll()),
      },
      waiting: {
        waitAsync: () => lockedAsync(() => one.waitAsync(WAIT)),
        waitForAsync: () => lockedAsync(() => one.waitForAsync(() => false, WAIT)),
      },
    };
  },
);

const barrier = placed(
  Barrier.byteLength({ parties: 3 }),
  (segment) => Barrier.init(segment, 0, { ...AGAIN, parties: 3 }),
  (segment) => Barrier.at(segment, 0),
  (one) => ({
    blocking: {
      wait: () => one.wait(WAIT),
      reset: () => one.reset(),
      looks: () => [one.broken, one.waiting, one.parties],
    },
    waiting: { waitAsync: () => one.waitAsync(WAIT), again: () => one.waitAsync(WAIT) },
  }),
);

const event = placed(
  SharedEvent.byteLength(),
  (segment) => SharedEvent.init(segment, 0, { ...AGAIN, reset: "auto" }),
  (segment) => SharedEvent.at(segment, 0),
  (one) => ({
    blocking: {
      set: () => one.set(),
      reset: () => one.reset(),
      tryWait: () => one.tryWait(),
      wait: () => one.wait(WAIT),
      looks: () => [one.isSet, one.kind],
    },
    waiting: { waitAsync: () => one.waitAsync(WAIT), again: () => one.waitAsync(WAIT) },
  }),
);

const lease = placed(
  Lease.byteLength(),
  (segment) => Lease.init(segment, 0, AGAIN),
  (segment) => Lease.at(segment, 0),
  (one) => ({
    blocking: {
      acquire: () => one.acquire({ ...WAIT, text: "mine" })?.release(),
      tryAcquire: () => one.tryAcquire()?.release(),
      looks: () => [one.term, one.isHeld, one.holder],
    },
    waiting: { acquireAsync: async () => (await one.acquireAsync(WAIT))?.release() },
  }),
);

const MAP = { codec: codecs.json<object>(), size: 1 << 14 };
const map = placed(
  SharedMap.byteLength(MAP),
  (segment) => {
    const made = SharedMap.init(segment, 0, { ...MAP, ...AGAIN });
    for (let at = 0; at < 30; at++) made.set(`k${at}`, { at });
    return made;
  },
  (segment) => SharedMap.at(segment, 0, { codec: MAP.codec }),
  (one) => {
    const target = new Uint8Array(256);
    let turn = 0;
    const key = (): string => `k${(turn = (turn * 5 + 7) % 64)}`;
    return {
      blocking: {
        get: () => one.get(key()),
        getInto: () => one.getInto(key(), target),
        has: () => one.has(key()),
        set: () => one.set(key(), { turn, text: "x".repeat(turn * 3) }),
        setOfTime: () => one.set(key(), { turn }, { ttlMs: 5 }),
        setIfAbsent: () => one.setIfAbsent(key(), { turn }),
        delete: () => one.delete(key()),
        update: () => one.update(key(), (old) => (turn % 3 === 0 ? undefined : (old ?? {}))),
        entries: () => [...one.entries()].length,
        clear: () => turn % 8 === 0 && one.clear(),
        replace: () => one.replace(key(), { turn }),
        compareAndSet: () => {
          const { version } = one.getWithVersion(key()) ?? { version: 0 };
          one.compareAndSet(`k${turn}`, version, { turn });
        },
        getAndDelete: () => one.getAndDelete(key()),
        touch: () => one.touch(key(), 5),
        stale: () => [one.getStale(key()), one.ttl(key())],
        flushExpired: () => one.flushExpired(),
        keys: () => [...one.keys({ prefix: "k1" })].length,
        push: () => {
          const list = `l${turn % 5}`;
          if (turn % 2 === 0) one.pushLeft(list, { turn, text: "x".repeat(turn * 3) });
          else one.pushRight(list, { turn });
        },
        pop: () => [one.popLeft(`l${turn % 5}`), one.popRight(`l${turn % 3}`)],
        listLength: () => one.listLength(`l${turn % 5}`),
        looks: () => [one.size, one.stats()],
      },
      waiting: {
        getOrSetAsync: () => one.getOrSet(key(), () => ({ turn }), { ...WAIT, staleMs: 5 }),
        async changesAsync() {
          const signal = AbortSignal.timeout(2);
          try {
            for await (const _ of one.changes({ signal })) if (turn % 3 === 0) return;
          } catch (error) {
            if (error !== signal.reason) throw error;
          }
        },
      },
    };
  },
);

const LIMIT = { limit: 5, windowMs: 20, keys: 40 };
function limiter(algorithm: "gcra" | "sliding-window" | "fixed-window"): Noun {
  const options = { ...LIMIT, algorithm };
  return placed(
    RateLimiter.byteLength(options),
    (segment) => {
      const made = RateLimiter.init(segment, 0, { ...options, ...AGAIN });
      for (let at = 0; at < 30; at++) made.consume(`k${at}`);
      return made;
    },
    (segment) => RateLimiter.at(segment, 0),
    (one) => {
      let turn = 0;
      const key = (): string => `k${(turn = (turn * 5 + 7) % 64)}`;
      return {
        blocking: {
          consume: () => one.headers(one.consume(key(), 1 + (turn % one.burst))),
          tryConsume: () => one.tryConsume(key()),
          penalize: () => one.penalize(key(), 9),
          reward: () => one.reward(key(), 9),
          peek: () => one.peek(key()),
          reset: () => one.reset(key()),
          clear: () => turn % 8 === 0 && one.clear(),
          looks: () => [one.size, one.stats()],
        },
        waiting: {},
      };
    },
  );
}

const namedLocks = placed(
  NamedLocks.byteLength({ names: 6, requests: 12 }),
  (segment) => NamedLocks.init(segment, 0, { names: 6, requests: 12, ...AGAIN }),
  (segment) => NamedLocks.at(segment, 0),
  (one) => {
    let turn = 0;
    const name = (): string => `n${(turn = (turn * 5 + 7) % 8)}`;
    const isTheft = (error: unknown): boolean => error instanceof DOMException;
    const withLock = (options: object): void => {
      try {
        one.withLock(name(), options, () => turn);
      } catch (error) {
        if (!isTheft(error)) throw error;
      }
    };
    const request = async (options: object): Promise<void> => {
      try {
        await one.request(name(), options, () => Bun.sleep(1));
      } catch (error) {
        if (!isTheft(error)) throw error;
      }
    };
    return {
      blocking: {
        withLock: () => withLock(WAIT),
        shared: () => withLock({ mode: "shared", ifAvailable: true }),
        steal: () => withLock({ steal: true }),
        looks: () => [one.clientId, one.names, one.requests],
      },
      waiting: {
        request: () => request(WAIT),
        shared: () => request({ ...WAIT, mode: "shared" }),
        steal: () => request({ steal: true }),
        query: () => one.query(),
      },
    };
  },
);

const Quote = struct({ price: "f64", size: "u32", when: "u64" });
const QUOTE = { price: 1, size: 2, when: 3n };
const record = placed(
  SharedRecord.byteLength({ codec: Quote }),
  (segment) => SharedRecord.init(segment, 0, { ...AGAIN, codec: Quote, initial: QUOTE }),
  (segment) => SharedRecord.at(segment, 0, { codec: Quote }),
  (one) => {
    const target = { ...QUOTE };
    return {
      blocking: {
        read: () => one.read(),
        readInto: () => one.readInto(target),
        peek: () => one.peek()?.price,
        write: () => one.write(QUOTE),
        update: () => one.update((old) => old ?? QUOTE),
        waitChanged: () => one.waitChanged(WAIT),
        looks: () => [one.version, one.stats()],
      },
      waiting: { waitChangedAsync: () => one.waitChangedAsync(WAIT) },
    };
  },
  128 + SHARED_RECORD_SLOTS_OFFSET,
);

const TABLE = { codec: Quote, rows: 20, names: 8 } as const;
const table = placed(
  SharedTable.byteLength(TABLE),
  (segment) => SharedTable.init(segment, 0, { ...AGAIN, ...TABLE }),
  (segment) => SharedTable.at(segment, 0, { codec: Quote }),
  (one, victim) => {
    const target = { ...QUOTE };
    const prices = new Float64Array(20);
    let row = victim;
    const next = (): number => (row = (row + 7) % 20);
    const changes = one.changes();
    return {
      blocking: {
        write: () => one.write(next(), QUOTE),
        read: () => one.read(next()),
        readInto: () => one.readInto(next(), target),
        view: () => one.view(next())?.price,
        update: () => one.update(next(), (old) => old ?? QUOTE),
        snapshot: () => one.snapshot(),
        column: () => one.columnInto("price", prices),
        rowOf: () => one.rowOf(`n${next()}`),
        names: () => [one.findRow("n1"), one.nameOf(next()), one.names()],
        looks: () => [one.version(next()), one.stats()],
      },
      waiting: {
        changes: async () => {
          one.write(next(), QUOTE);
          const step = await changes.next();
          if (!step.done && step.value.some((at) => !(at >= 0 && at < 20))) {
            throw new Error(`Rows ${step.value} are none`);
          }
        },
      },
    };
  },
  128 + placesOf(planTable(20, 24, 8)).rows,
);

const NAMES = { words: ["a", "b"], counters: ["c"] } as const;
const atomics = placed(
  SharedAtomics.byteLength(NAMES),
  (segment) => SharedAtomics.init(segment, 0, { ...NAMES, ...AGAIN }),
  (segment) => SharedAtomics.at(segment, 0, NAMES),
  (one) => {
    const { words, counters } = one;
    return {
      blocking: {
        add: () => words.a.add(1),
        exchange: () => words.b.exchange(words.a.load()),
        compareExchange: () => words.a.compareExchange(0, 1),
        bits: () => [words.a.and(-1), words.a.or(1)],
        count: () => counters.c.add(1),
        value: () => counters.c.value,
      },
      waiting: {},
    };
  },
);

const METERS = { size: 1 << 14 };
const meters = placed(
  Meters.byteLength(METERS),
  (segment) => {
    const made = Meters.init(segment, 0, { ...METERS, ...AGAIN });
    made
      .counter("c_total", { help: "h", labels: ["a"] })
      .labels({ a: "x" })
      .add();
    made.gauge("g", { help: "h" }).set(1);
    made.histogram("h", { help: "h", bounds: [1, 2] }).observe(1);
    return made;
  },
  (segment) => Meters.at(segment, 0),
  (one) => {
    let turn = 0;
    const labels = ["a"] as const;
    return {
      blocking: {
        count: () =>
          one
            .counter("c_total", { help: "h", labels })
            .labels({ a: turn++ % 50 })
            .add(),
        set: () => one.gauge("g", { help: "h" }).set(turn),
        observe: () => one.histogram("h", { help: "h", bounds: [1, 2] }).observe(1),
        read: () => one.histogram("h", { help: "h", bounds: [1, 2] }).percentile(50),
        make: () => one.counter(`made${turn++ % 20}`, { help: "h" }).value,
        collect: () => one.collect().length,
        text: () => one.prometheusText().length,
        stats: () => one.stats(),
      },
      waiting: {
        collectAsync: () => one.collectAsync(),
        textAsync: () => one.prometheusTextAsync(),
      },
    };
  },
);

const CAPACITY = 1024;
function ring(kind: RingOptions<Uint8Array>): Noun {
  const options = { capacity: CAPACITY, ...kind };
  const byteLength = RingBuffer.byteLength(options);
  return placed(
    byteLength,
    (segment) => RingBuffer.init(segment, 0, { ...options, ...AGAIN }),
    (segment) => RingBuffer.at(segment, 0, kind),
    (one, victim) => {
      const value = new Uint8Array(20);
      let producer: RingProducer<Uint8Array> | undefined;
      let consumer: RingConsumer<Uint8Array> | undefined;
      const writes = kind.kind === "mpsc" || victim === 0;
      const asProducer = (): RingProducer<Uint8Array> | undefined => {
        if (writes && producer?.closed !== false) producer = one.producer();
        return producer;
      };
      const asConsumer = (): RingConsumer<Uint8Array> | undefined => {
        const reads = kind.kind === "broadcast" || victim === 1;
        if (reads && consumer?.closed !== false) consumer = one.consumer();
        return consumer;
      };
      const handler = (view: DataView, index: number, length: number): void => {
        if (index < 0 || length < 0 || index + length > view.byteLength) {
          throw new Error(`A record of ${length} bytes at ${index} lies outside`);
        }
      };
      let abort = 0;
      return {
        blocking: {
          tryWrite: () => asProducer()?.tryWrite(value),
          write: () => asProducer()?.write(value, WAIT),
          claim: () => {
            const claim = asProducer()?.claim(40, WAIT);
            if (claim === undefined) return;
            if (++abort % 3 === 0) claim.abort();
            else claim.commit();
          },
          tryClaim: () => {
            const writer = asProducer();
            if (writer !== undefined && writer.tryClaim(24) >= 0) writer.commit();
          },
          flush: () => asProducer()?.flush(),
          tryRead: () => asConsumer()?.tryRead(handler, 10),
          read: () => asConsumer()?.read(handler, { ...WAIT, limit: 10 }),
          tryTake: () => asConsumer()?.tryTake(),
          take: () => asConsumer()?.take(WAIT),
          wait: () => asConsumer()?.wait(WAIT),
          looks: () => [one.stats(), one.hasProducer, consumer?.lost],
          giveUp: () => (producer?.close(), consumer?.close()),
        },
        waiting: {
          writeAsync: () => asProducer()?.writeAsync(value, WAIT),
          takeAsync: () => asConsumer()?.takeAsync(WAIT),
          readAsync: () => asConsumer()?.readAsync(handler, { ...WAIT, limit: 10 }),
          waitAsync: () => asConsumer()?.waitAsync(WAIT),
        },
      };
    },
    byteLength - CAPACITY,
  );
}

const semaphoreUse = (one: Semaphore): Omit<Use, "close"> => ({
  blocking: {
    post: () => one.post(),
    postMany: () => one.post(3),
    tryWait: () => one.tryWait(),
    wait: () => one.wait(WAIT),
    acquire: () => one.acquire(WAIT)?.[Symbol.dispose](),
    value: () => one.value,
  },
  waiting: {
    waitAsync: () => one.waitAsync(WAIT),
    acquireAsync: async () => (await one.acquireAsync(WAIT))?.[Symbol.dispose](),
  },
});

const semaphore = placed(
  Semaphore.byteLength(),
  (segment) => Semaphore.init(segment, 0, { value: 2 }),
  (segment) => Semaphore.at(segment, 0),
  semaphoreUse,
);

const namedSemaphore: Noun = {
  make(name) {
    Semaphore.unlink(name);
    return Semaphore.create(name, { value: 2 });
  },
  use(name) {
    const one = Semaphore.open(name);
    return { ...semaphoreUse(one), close: () => one.close() };
  },
  everything: (name) => [{ path: semaphoreFile(name), offset: 0, byteLength: 32 }],
  locks: (name) => [{ path: semaphoreFile(name), offset: 0, byteLength: 16 }],
  unlink: (name) => void Semaphore.unlink(name),
};

function queue(synchronization: NonNullable<MessageQueueCreateOptions["synchronization"]>): Noun {
  const semaphores = (name: string): Range[] =>
    synchronization === "named"
      ? ["mutex", "items", "spaces"].map((which) => ({
          path: semaphoreFile(`${name}_${which}`),
          offset: 0,
          byteLength: 32,
        }))
      : [];
  const bookStart = bookOffset({ slots: DEFAULT_SLOTS, slotSize: DEFAULT_SLOT_SIZE });
  return {
    make(name) {
      MessageQueue.unlink(name);
      const made = MessageQueue.create(name, { synchronization });
      made.enqueue("first");
      return made;
    },
    use(name) {
      const one = MessageQueue.open(name, { waitMs: 0 });
      return {
        blocking: {
          tryEnqueue: () => one.tryEnqueue("text"),
          enqueue: () => one.enqueue("text", WAIT),
          tryDequeue: () => one.tryDequeue(),
          dequeue: () => one.dequeue(WAIT),
          looks: () => [one.size, one.stats()],
        },
        waiting: {
          enqueueAsync: () => one.enqueueAsync("text", WAIT),
          dequeueAsync: () => one.dequeueAsync(WAIT),
        },
        close: () => one.close(),
      };
    },
    everything: (name) => [
      { path: fileOf(name), offset: 0, byteLength: bookStart + QUEUE_BOOK_LENGTH },
      ...semaphores(name),
    ],
    locks: (name) => [
      { path: fileOf(name), offset: 0, byteLength: QUEUE_HEADER_LENGTH },
      {
        path: fileOf(name),
        offset: bookStart + BOOK_LOCK_WORD * 4,
        byteLength: QUEUE_BOOK_LENGTH - BOOK_LOCK_WORD * 4,
      },
      ...semaphores(name),
    ],
    unlink: (name) => void MessageQueue.unlink(name),
  };
}

/** All of them, by name. */
export const HOSTILE_NOUNS: Readonly<Record<string, Noun>> = {
  mutex,
  "rw-lock": rwLock,
  condition,
  barrier,
  event,
  lease,
  "named-locks": namedLocks,
  map,
  "limiter-gcra": limiter("gcra"),
  "limiter-sliding": limiter("sliding-window"),
  "limiter-fixed": limiter("fixed-window"),
  record,
  table,
  atomics,
  meters,
  spsc: ring({ kind: "spsc" }),
  mpsc: ring({ kind: "mpsc" }),
  broadcast: ring({ kind: "broadcast" }),
  "broadcast-block": ring({ kind: "broadcast", policy: "block" }),
  "queue-segment": queue("segment"),
  "queue-polling": queue("polling"),
  "queue-named": queue("named"),
  semaphore,
  "named-semaphore": namedSemaphore,
};
