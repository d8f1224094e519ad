/** Everything that the package exports, made and ready to be called, with sound arguments. */
import * as api from "../../src/index.ts";
import {
  Barrier,
  Condition,
  Lease,
  MessageQueue,
  Mutex,
  PortableSegment,
  RingBuffer,
  RwLock,
  Segment,
  Semaphore,
  SharedAtomics,
  SharedCounter,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedWord,
  SystemVSemaphore,
  arrayOf,
  byteArray,
  charArray,
  codecs,
  struct,
} from "../../src/index.ts";

/** Something to be called. */
export interface Target {
  readonly on: object;
  /** Whose bytes a refused call must leave alone. */
  readonly segment?: Segment | undefined;
  /** Whether calls could leave objects. */
  readonly named?: boolean;
  readonly isClass?: boolean;
  /** Whether it is made again after a call that did something. Default true. */
  readonly fresh?: boolean;
  readonly skip?: readonly string[];
  /** Methods that leave marks of their own, refused or not: locks that they took, looks that count. */
  readonly marks?: readonly string[];
  /** Arguments of each method that has some. */
  readonly sound?: Readonly<Record<string, readonly unknown[] | (() => readonly unknown[])>>;
  /** Names of options that are not among the sound arguments. */
  readonly options?: Readonly<Record<string, readonly string[]>>;
  end(): void;
}

const OFFSET = 128;
/** Where there is one already. */
const FOUND = 1 << 15;
const WAIT = { timeoutMs: 0 };
const WAITS = ["signal"];
const ASYNC = ["signal", "ref"];

const Quote = struct({
  price: "f64",
  size: "u32",
  on: "bool",
  big: "u64",
  label: charArray(4),
  key: byteArray(3),
  levels: arrayOf("i16", 2),
  inner: struct({ x: "u8" }),
});
const quote = (): object => ({
  price: 1,
  size: 2,
  on: true,
  big: 5n,
  label: "abcd",
  key: new Uint8Array(3),
  levels: [1, 2],
  inner: { x: 1 },
});

let count = 0;

const end =
  (...handles: readonly { close(): void }[]) =>
  (): void => {
    for (const handle of handles) handle.close();
  };

/** Something made in a segment of its own kind, beside zeros. */
function placed(
  init: (segment: Segment) => { close(): void },
  more: Omit<Target, "on" | "end">,
  size = 1 << 15,
): () => Target {
  return () => {
    const segment = Segment.create("memfd:garbage", { size });
    const on = init(segment);
    return { on, segment, ...more, end: end(on, segment) };
  };
}

/** A noun's static methods. */
function nouns(prefix: string): Record<string, () => Target> {
  const entries: Record<string, [object, object, object, object | undefined, readonly string[]]> = {
    // Noun, options to make, to find, to place, more options' names.
    Segment: [
      Segment,
      { size: 4096 },
      {},
      undefined,
      ["mode", "reserve", "portable", "sealed", "hugePages", "truncate"],
    ],
    PortableSegment: [PortableSegment, { size: 64 }, {}, undefined, ["mode"]],
    Semaphore: [Semaphore, { value: 1 }, {}, { value: 1 }, ["mode"]],
    SystemVSemaphore: [SystemVSemaphore, { value: 1 }, {}, undefined, ["mode", "undo"]],
    MessageQueue: [
      MessageQueue,
      { slots: 4, slotSize: 64 },
      { slots: 4 },
      undefined,
      ["mode", "synchronization", "logger", "semaphores"],
    ],
    RingBuffer: [
      RingBuffer,
      { capacity: 1024 },
      { capacity: 1024 },
      { capacity: 1024 },
      ["mode", "kind", "policy", "codec"],
    ],
    SharedRecord: [
      SharedRecord,
      { codec: Quote },
      { codec: Quote },
      { codec: Quote },
      ["mode", "initial", "slots"],
    ],
    SharedMap: [
      SharedMap,
      { codec: codecs.utf8, size: 16384 },
      { codec: codecs.utf8 },
      { codec: codecs.utf8, size: 16384 },
      ["mode", "key", "whenFull", "entryLength", "unitLength"],
    ],
    SharedAtomics: [
      SharedAtomics,
      { words: ["a"], counters: ["b"] },
      { words: ["a"] },
      { words: ["a"] },
      ["mode"],
    ],
    Mutex: [
      Mutex,
      { onOwnerDied: () => undefined },
      {},
      { onOwnerDied: () => undefined },
      ["mode"],
    ],
    RwLock: [RwLock, { readers: 2 }, { readers: 2 }, { readers: 2 }, ["mode", "onOwnerDied"]],
    Condition: [Condition, {}, {}, {}, ["mode", "mutex"]],
    SharedEvent: [
      SharedEvent,
      { reset: "auto" },
      { reset: "auto" },
      { reset: "auto" },
      ["mode", "set"],
    ],
    Barrier: [Barrier, { parties: 2 }, { parties: 2 }, { parties: 2 }, ["mode"]],
    Lease: [Lease, {}, {}, {}, ["mode"]],
  };
  const mutexSegment = Segment.create("memfd:mutex", { size: 4096 });
  const mutex = Mutex.init(mutexSegment, 0);
  return Object.fromEntries(
    Object.entries(entries).map(([label, [noun, create, open, init, names]]) => {
      const isMutex = label === "Condition";
      const own = isMutex ? { mutex } : {};
      const name =
        label === "SystemVSemaphore"
          ? `sysv:0x${((process.pid << 12) | 0xeef).toString(16)}`
          : `${prefix}-${label[0]}`;
      const make = (): Target => {
        const segment = Segment.create("memfd:garbage", { size: 1 << 16 });
        // Of zeros it would be believed, for a second, that somebody makes one there.
        segment.bytes.fill(0xff, 0, 1024);
        const { unlink } = noun as { unlink(name: string): boolean };
        const remove = (): void => void unlink.call(noun, name);
        remove();
        const { init: place } = noun as {
          init?(segment: Segment, at: number, options: object): object;
        };
        if (init !== undefined) place!.call(noun, segment, FOUND, { ...init, ...own });
        return {
          on: noun,
          segment,
          named: true,
          isClass: true,
          skip: ["of", "attachOrCreate", "isOne"],
          sound: {
            create: [name, { ...create, ...own }],
            open: [name, { ...open, ...own }],
            openOrCreate: [name, { ...create, ...own }],
            unlink: [name],
            exists: [name],
            inUse: [name],
            removeLeftovers: [name, {}],
            init: [segment, OFFSET, { ...init, ...own }],
            at: [segment, FOUND, { ...(init === undefined ? {} : open), ...own }],
            byteLength: [{ ...init, ...own }],
          },
          options: {
            create: names,
            open: [...names, "waitMs", "access", "offset", "length"].filter(
              (each) => each !== "waitMs",
            ),
            openOrCreate: names,
            init: [...names, "overwrite"],
            at: names,
            byteLength: names,
          },
          end: () => {
            remove();
            segment.close();
          },
        };
      };
      return [label, make];
    }),
  );
}

function ringTargets(kind: object, codec: object, value: unknown): Record<string, () => Target> {
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

const lockCalls = (names: readonly string[]): Pick<Target, "sound" | "options"> => ({
  sound: Object.fromEntries(names.map((name) => [name, [WAIT]])),
  options: Object.fromEntries(names.map((name) => [name, ASYNC])),
});

function lockTargets(): Record<string, () => Target> {
  return {
    mutex: placed((segment) => Mutex.init(segment, OFFSET), {
      sound: {
        ...lockCalls(["lock", "lockAsync", "acquire", "acquireAsync"]).sound,
        withLock: [() => undefined, WAIT],
      },
      options: {
        ...lockCalls(["lock", "lockAsync", "acquire", "acquireAsync"]).options,
        withLock: ASYNC,
      },
    }),
    "mutex that is held": () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const on = Mutex.init(segment, OFFSET);
      on.lock();
      return {
        on,
        segment,
        ...lockCalls(["lock", "lockAsync", "acquire", "acquireAsync"]),
        end: () => {
          if (on.held) on.unlock();
          end(on, segment)();
        },
      };
    },
    "mutex guard": () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const mutex = Mutex.init(segment, OFFSET);
      const guard = mutex.acquire();
      return {
        on: guard,
        segment,
        end: () => {
          guard[Symbol.dispose]();
          end(mutex, segment)();
        },
      };
    },
    "readers-writer lock": placed(
      (segment) => RwLock.init(segment, OFFSET, { readers: 4 }),
      lockCalls([
        "lockRead",
        "lockReadAsync",
        "lockWrite",
        "lockWriteAsync",
        "acquireRead",
        "acquireReadAsync",
        "acquireWrite",
        "acquireWriteAsync",
      ]),
    ),
    "read guard": () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const lock = RwLock.init(segment, OFFSET, { readers: 4 });
      const guard = lock.acquireRead();
      return {
        on: guard,
        segment,
        end: () => {
          guard[Symbol.dispose]();
          end(lock, segment)();
        },
      };
    },
    condition: () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const mutex = Mutex.init(segment, 4096);
      const on = Condition.init(segment, OFFSET, { mutex });
      mutex.lock();
      return {
        on,
        segment,
        fresh: true,
        sound: {
          wait: [WAIT],
          waitAsync: [WAIT],
          waitFor: [() => false, WAIT],
          waitForAsync: [() => false, WAIT],
        },
        options: { wait: ASYNC, waitAsync: ASYNC, waitFor: ASYNC, waitForAsync: ASYNC },
        end: () => {
          if (mutex.held) mutex.unlock();
          on.close();
          mutex.close();
          segment.close();
        },
      };
    },
    event: placed(
      (segment) => SharedEvent.init(segment, OFFSET, { reset: "auto" }),
      lockCalls(["wait", "waitAsync"]),
    ),
    barrier: placed(
      (segment) => Barrier.init(segment, OFFSET, { parties: 2 }),
      lockCalls(["wait", "waitAsync"]),
    ),
    lease: placed((segment) => Lease.init(segment, OFFSET), {
      sound: { tryAcquire: [{ text: "x" }], acquire: [WAIT], acquireAsync: [WAIT] },
      options: { acquire: [...ASYNC, "text"], acquireAsync: [...ASYNC, "text"] },
    }),
    term: () => {
      const segment = Segment.create("memfd:garbage", { size: 1 << 14 });
      const lease = Lease.init(segment, OFFSET);
      const on = lease.tryAcquire()!;
      return { on, segment, skip: ["end"], end: end(lease, segment) };
    },
    semaphore: placed((segment) => Semaphore.init(segment, OFFSET, { value: 1 }), {
      skip: ["waitSlice", "hold"],
      sound: { ...lockCalls(["wait", "waitAsync", "acquire", "acquireAsync"]).sound, post: [1] },
      options: lockCalls(["wait", "waitAsync", "acquire", "acquireAsync"]).options!,
    }),
    "semaphore at 0": placed((segment) => Semaphore.init(segment, OFFSET, { value: 0 }), {
      skip: ["waitSlice", "hold"],
      ...lockCalls(["wait", "waitAsync", "acquire", "acquireAsync"]),
    }),
    "System V semaphore": () => {
      const on = SystemVSemaphore.create("sysv:private", { value: 1 });
      return {
        on,
        sound: { wait: [WAIT], acquire: [WAIT], post: [1] },
        options: { wait: ASYNC, acquire: ASYNC },
        end: () => {
          SystemVSemaphore.unlink(on.name);
          on.close();
        },
      };
    },
  };
}

function stateTargets(): Record<string, () => Target> {
  const Q = Quote as never;
  const update = (old: unknown): unknown => old ?? quote();
  const targets: Record<string, () => Target> = {
    record: placed(
      (segment) => SharedRecord.init(segment, OFFSET, { codec: Q, initial: quote() as never }),
      {
        sound: {
          readInto: [{}],
          peek: [() => undefined],
          write: [quote()],
          update: [update],
          waitChanged: [WAIT],
          waitChangedAsync: [WAIT],
          values: [{}],
        },
        options: {
          waitChanged: ["since", ...ASYNC],
          waitChangedAsync: ["since", ...ASYNC],
          values: WAITS,
          write: ["price", "size", "on", "big", "label", "key", "levels", "inner"],
        },
      },
    ),
    atomics: placed((segment) => SharedAtomics.init(segment, OFFSET, { words: ["a"] }), {}),
    word: () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      const on = SharedWord.at(segment, 4);
      return {
        on,
        segment,
        sound: { store: [1], add: [1], and: [1], or: [1], exchange: [1], compareExchange: [0, 1] },
        end: end(segment),
      };
    },
    counter: () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      return { on: SharedCounter.at(segment, 8), segment, sound: { add: [1] }, end: end(segment) };
    },
    "static word": () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      return {
        on: SharedWord,
        segment,
        isClass: true,
        skip: ["of"],
        sound: { at: [segment, 4] },
        end: end(segment),
      };
    },
    "static counter": () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      return {
        on: SharedCounter,
        segment,
        isClass: true,
        skip: ["of"],
        sound: { at: [segment, 8] },
        end: end(segment),
      };
    },
  };
  const maps: Record<string, [object, unknown]> = {
    utf8: [codecs.utf8, "v"],
    bytes: [codecs.bytes, new Uint8Array(2)],
    number: [codecs.number, 5],
    json: [codecs.json(), { a: 1 }],
    struct: [Quote, quote()],
  };
  for (const [form, [codec, value]] of Object.entries(maps)) {
    for (const key of [codecs.utf8, codecs.bytes] as readonly { id: string }[]) {
      if (key === codecs.bytes && form !== "utf8") continue;
      const k = key === codecs.bytes ? new Uint8Array(3) : "k";
      targets[`map of ${form} by ${key.id}`] = placed(
        (segment) => {
          const map = SharedMap.init(segment, OFFSET, { codec, key, size: 16384 } as never);
          map.set(k, value as never);
          return map;
        },
        {
          marks: ["increment", "getInto", "update"],
          sound: {
            get: [k],
            getInto: [k, new Uint8Array(1000)],
            has: [k],
            set: [k, value, { ttlMs: 5000 }],
            setIfAbsent: ["other", value, { ttlMs: 5000 }],
            delete: [k],
            update: [k, () => value, { ttlMs: 5000 }],
            increment: [k, 1, { ttlMs: 5000 }],
          },
        },
      );
    }
  }
  return targets;
}

function structTargets(): Record<string, () => Target> {
  const view = (): DataView => new DataView(new ArrayBuffer(256));
  const accessor = Quote.at(view());
  const codecTarget = (codec: object, value: unknown, bytes: Uint8Array) => (): Target => ({
    on: codec,
    fresh: false,
    sound: { encode: [value], decode: [bytes] },
    end: () => undefined,
  });
  const memory = Segment.create("memfd:struct", { size: 4096 });
  // Properties of an accessor are no methods: those of this object set them.
  const setters = {
    ...Object.fromEntries(
      ["price", "size", "on", "big", "label", "key", "levels", "inner"].map((name) => [
        name,
        (value: unknown) => Object.assign(Quote.at(memory.view), { [name]: value }),
      ]),
    ),
    setLevel: (index: number, value: number) => Quote.at(memory.view).levels.set(index, value),
    getLevel: (index: number) => Quote.at(memory.view).levels.get(index),
  };
  return {
    struct: () => ({
      on: Quote,
      segment: memory,
      fresh: false,
      skip: ["cType", "get", "put", "misfit", "cursor"],
      sound: {
        read: [memory.view, 8],
        readInto: [memory.view, 8, {}],
        write: [memory.view, 8, quote()],
        at: [memory.view, 8],
        move: () => [accessor, 8, memory.view],
        toC: ["Quote"],
        encode: [quote()],
        decode: [new Uint8Array(Quote.byteLength)],
      } as never,
      options: { write: ["price", "size", "on", "big", "label", "key", "levels", "inner"] },
      end: () => undefined,
    }),
    accessor: () => ({
      on: setters,
      segment: memory,
      fresh: false,
      sound: { setLevel: [0, 1], getLevel: [0] },
      end: () => undefined,
    }),
    "array accessor": () => ({
      on: Quote.at(memory.view).levels,
      segment: memory,
      fresh: false,
      sound: { set: [0, 1], get: [0] },
      end: () => undefined,
    }),
    "codec bytes": codecTarget(codecs.bytes, new Uint8Array(2), new Uint8Array(2)),
    "codec utf8": codecTarget(codecs.utf8, "x", new Uint8Array(2)),
    "codec number": codecTarget(codecs.number, 5, new Uint8Array(8)),
    "codec json": codecTarget(codecs.json(), 5, Buffer.from("5")),
    "codec clone": codecTarget(codecs.clone(), 5, codecs.clone().encode(5)),
    codecs: () => ({ on: codecs, fresh: false, end: () => undefined }),
  };
}

/** Everything, by name. */
export function targets(prefix: string): Readonly<Record<string, () => Target>> {
  return {
    functions: () => ({
      on: { ...api },
      fresh: false,
      named: true,
      skip: Object.entries(api)
        .filter(([, value]) => typeof value === "function" && /^class/.test(String(value)))
        .map(([name]) => name),
      sound: {
        ftok: ["/etc/passwd", 65],
        struct: [{ a: "u8" }],
        arrayOf: ["u8", 3],
        byteArray: [3],
        charArray: [3],
        openAny: [`${prefix}-none`],
        openObject: [`${prefix}-none`],
        prune: [{ dryRun: true }],
        usage: [{}],
        activities: [[]],
        prometheusText: [[]],
        registerMetrics: [{}],
      },
      options: { usage: ["sysv", "kinds"], prune: ["sysv", "force", "only"] },
      end: () => undefined,
    }),
    ...nouns(prefix),
    segment: () => {
      const on = Segment.create("memfd:garbage", { size: 8192 });
      return {
        on,
        segment: on,
        skip: [],
        sound: { resize: [8192, {}], tryLock: [5], isLocked: [5], hold: ["x"] },
        options: { resize: ["force", "reserve"] },
        end: () => {
          try {
            on.close();
          } catch {
            // `hold` has no end here.
          }
        },
      };
    },
    "portable segment": () => {
      const name = `${prefix}p${(++count).toString(36)}`;
      const on = PortableSegment.create(name, { size: 64 });
      return {
        on,
        segment: on.segment,
        end: () => {
          PortableSegment.unlink(name);
          on.close();
        },
      };
    },
    "byte lock": () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      return { on: segment.tryLock(3)!, end: end(segment) };
    },
    "message queue": () => {
      const name = `${prefix}-q${++count}`;
      const on = MessageQueue.create(name, { slots: 4, synchronization: "segment" });
      const text = ["x", WAIT];
      return {
        on,
        sound: {
          tryEnqueue: ["x", {}],
          enqueue: text,
          enqueueAsync: text,
          dequeue: [WAIT],
          dequeueAsync: [WAIT],
          values: [{}],
        },
        options: {
          tryEnqueue: ["truncate"],
          enqueue: ["truncate", ...ASYNC],
          enqueueAsync: ["truncate", ...ASYNC],
          dequeue: ASYNC,
          dequeueAsync: ASYNC,
          values: WAITS,
        },
        end: () => {
          on.close();
          MessageQueue.unlink(name);
        },
      };
    },
    ...ringTargets({ kind: "spsc" }, codecs.bytes, new Uint8Array(40)),
    ...ringTargets({ kind: "mpsc" }, Quote, quote()),
    ...ringTargets({ kind: "broadcast" }, codecs.json(), { a: 1 }),
    ...lockTargets(),
    ...stateTargets(),
    ...structTargets(),
  };
}
