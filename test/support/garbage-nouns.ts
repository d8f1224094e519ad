/** The static methods of every noun, ready to be called. */
import {
  Barrier,
  Condition,
  Lease,
  Meters,
  MessageQueue,
  Mutex,
  NamedLocks,
  PortableSegment,
  RateLimiter,
  RingBuffer,
  RwLock,
  Segment,
  Semaphore,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  SystemVSemaphore,
  codecs,
} from "../../src/index.ts";
import { OFFSET, FOUND, Quote, type Target } from "./garbage-target.ts";

/** A noun's static methods. */
export function nouns(prefix: string): Record<string, () => Target> {
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
    SharedTable: [
      SharedTable,
      { codec: Quote, rows: 4, names: true },
      { codec: Quote },
      { codec: Quote, rows: 4, names: true },
      ["mode", "names"],
    ],
    SharedMap: [
      SharedMap,
      { codec: codecs.utf8, size: 16384 },
      { codec: codecs.utf8 },
      { codec: codecs.utf8, size: 16384 },
      ["mode", "key", "whenFull", "entryLength", "unitLength"],
    ],
    RateLimiter: [
      RateLimiter,
      { algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 },
      {},
      { algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 },
      ["mode", "burst"],
    ],
    SharedAtomics: [
      SharedAtomics,
      { words: ["a"], counters: ["b"] },
      { words: ["a"] },
      { words: ["a"] },
      ["mode"],
    ],
    Meters: [Meters, { size: 16384 }, {}, { size: 16384 }, ["mode"]],
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
    NamedLocks: [NamedLocks, { names: 5 }, {}, { names: 5 }, ["mode", "requests"]],
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
