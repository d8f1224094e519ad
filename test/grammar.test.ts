/**
 * Holds every exported noun to one grammar: how it is made, found and removed, what each handle has,
 * how its methods are named, what it answers after its end, and what wrong arguments are told.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as api from "../src/index.ts";
import {
  Barrier,
  ClosedError,
  Condition,
  LayoutError,
  Lease,
  Meters,
  MessageQueue,
  Mutex,
  NamedLocks,
  PortableSegment,
  RateLimiter,
  RemoteError,
  RingBuffer,
  RwLock,
  Segment,
  Semaphore,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  StateError,
  SystemError,
  SystemVSemaphore,
  UnsupportedError,
  codecs,
  struct,
} from "../src/index.ts";
import { uniqueName } from "./support/names.ts";

const LIMIT = { algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 } as const;

/** A handle, as far as all of them are alike. */
interface Handle extends Disposable {
  readonly name: string | undefined;
  readonly segment?: Segment | undefined;
  readonly created: boolean;
  readonly closed: boolean;
  readonly offset?: number;
  close(): void;
  unlink?(): boolean;
  readonly unlinked?: boolean;
}

type Options = Readonly<Record<string, unknown>>;

/** A noun's class, as far as all of them are alike. */
interface Noun {
  readonly prototype: object;
  create(name: string, options?: Options): Handle;
  open(name: string, options?: Options): Handle;
  openOrCreate(name: string, options?: Options): Handle;
  unlink(name: string): boolean;
  init(segment: Segment, offset: number, options?: Options): Handle;
  at(segment: Segment, offset: number, options?: Options): Handle;
  byteLength(options?: Options): number;
}

interface Entry {
  readonly noun: Noun;
  /** Options without which it cannot be made, and found. */
  readonly create?: Options;
  readonly open?: Options;
  /** Options of its form inside a segment; absent where it has none. */
  readonly placed?: { readonly init?: Options; readonly at?: Options };
  /** Names, where they are not POSIX ones. */
  readonly name?: () => string;
  /** Why it has no segment, where it has none. */
  readonly withoutSegment?: string;
  /** Facts that a closed handle goes on telling, beside name, created, closed, offset, segment. */
  readonly facts?: readonly string[];
}

const noun = (found: unknown): Noun => found as Noun;
const Quote = struct({ price: "f64", size: "u32" });

// A condition needs a mutex, which lives as long as the tests.
const mutexSegment = Segment.create("memfd:grammar", { size: 4096 });
const mutex = Mutex.init(mutexSegment, 0);

let keys = 0;
const nextKey = (): string => `sysv:0x${((process.pid << 12) | ++keys).toString(16)}`;

const NOUNS: Readonly<Record<string, Entry>> = {
  Segment: {
    noun: noun(Segment),
    create: { size: 4096 },
    withoutSegment: "it is the segment",
    facts: ["access", "backing", "size"],
  },
  PortableSegment: {
    noun: noun(PortableSegment),
    create: { size: 64 },
    name: () => `/bun-shm-g${process.pid}-${++keys}`,
  },
  Semaphore: {
    noun: noun(Semaphore),
    placed: {},
    withoutSegment: "a named one is libc's own object",
  },
  SystemVSemaphore: {
    noun: noun(SystemVSemaphore),
    name: nextKey,
    withoutSegment: "it lives in the kernel",
    facts: ["id"],
  },
  MessageQueue: {
    noun: noun(MessageQueue),
    facts: ["capacity", "maxTextLength", "synchronization"],
  },
  RingBuffer: {
    noun: noun(RingBuffer),
    create: { capacity: 4096 },
    placed: { init: { capacity: 4096 } },
    facts: ["capacity", "kind", "policy", "maxRecordLength"],
  },
  Mutex: { noun: noun(Mutex), placed: {}, facts: ["held", "ownerDied"] },
  RwLock: { noun: noun(RwLock), placed: {}, facts: ["held", "readers"] },
  Condition: {
    noun: noun(Condition),
    create: { mutex },
    open: { mutex },
    placed: { init: { mutex }, at: { mutex } },
  },
  SharedEvent: {
    noun: noun(SharedEvent),
    create: { reset: "manual" },
    placed: { init: { reset: "manual" } },
    facts: ["kind"],
  },
  Barrier: {
    noun: noun(Barrier),
    create: { parties: 2 },
    placed: { init: { parties: 2 } },
    facts: ["parties"],
  },
  Lease: { noun: noun(Lease), placed: {}, facts: ["term"] },
  NamedLocks: {
    noun: noun(NamedLocks),
    create: { names: 5 },
    placed: { init: { names: 5 } },
    facts: ["names", "requests"],
  },
  SharedRecord: {
    noun: noun(SharedRecord),
    create: { codec: Quote },
    open: { codec: Quote },
    placed: { init: { codec: Quote }, at: { codec: Quote } },
    facts: ["codec", "missingFields"],
  },
  SharedTable: {
    noun: noun(SharedTable),
    create: { codec: Quote, rows: 10 },
    open: { codec: Quote },
    placed: { init: { codec: Quote, rows: 10 }, at: { codec: Quote } },
    facts: ["codec", "missingFields", "rows"],
  },
  SharedMap: {
    noun: noun(SharedMap),
    create: { size: 2 ** 16, codec: codecs.utf8 },
    open: { codec: codecs.utf8 },
    placed: { init: { size: 2 ** 16, codec: codecs.utf8 }, at: { codec: codecs.utf8 } },
    facts: ["missingFields"],
  },
  RateLimiter: {
    noun: noun(RateLimiter),
    create: LIMIT,
    placed: { init: LIMIT },
    facts: ["algorithm", "limit", "windowMs", "burst", "keys"],
  },
  SharedAtomics: {
    noun: noun(SharedAtomics),
    create: { words: ["paused"], counters: ["hits"] },
    placed: { init: { words: ["paused"], counters: ["hits"] } },
    facts: ["words", "counters"],
  },
  Meters: {
    noun: noun(Meters),
    create: { size: 2 ** 14 },
    placed: { init: { size: 2 ** 14 } },
  },
};

/** Classes that a noun hands out: they are made by a method, and not by a name. */
const HANDED_OUT: readonly string[] = [
  "ByteLock",
  "HeldGuard",
  "LeaseTerm",
  "MutexGuard",
  "RingClaim",
  "RingConsumer",
  "RingProducer",
  "SharedCounter",
  "SharedWord",
];

const ERRORS = { ClosedError, LayoutError, RemoteError, StateError, SystemError, UnsupportedError };

const isClass = (value: unknown): boolean =>
  typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));

const opened: Handle[] = [];
afterEach(() => {
  for (const handle of opened.splice(0)) handle.close();
});

/** Keeps a handle for the end of the test. */
function keep<H extends Handle>(handle: H): H {
  opened.push(handle);
  return handle;
}

const nameFor = ({ name }: Entry, what: string): string => (name ?? (() => uniqueName(what)))();

function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("every exported class is a noun, is handed out by one, or is an error", () => {
  const classes = Object.entries(api)
    .filter(([, value]) => isClass(value))
    .map(([name]) => name);
  const known = [...Object.keys(NOUNS), ...HANDED_OUT, ...Object.keys(ERRORS)];
  expect(classes.map(String).sort()).toEqual(known.sort());
});

test("no noun is made with new, and each says so", () => {
  for (const name of Object.keys(NOUNS)) {
    for (const args of [[], ["/x", 1, true], [undefined, 5, false, true], [{}, {}, {}]]) {
      expect(() => Reflect.construct(Reflect.get(api, name) as typeof Object, args)).toThrow(
        `Cannot call new ${name}: ${name}.create makes one, ${name}.open finds it`,
      );
    }
  }
});

test("every error has a code", () => {
  const system = { code: "EIO", errno: 5, syscall: "read" };
  const layout = { expected: "a", found: "b", offset: 0 };
  const errors = [
    new SystemError("x", system),
    new StateError("EBUSY", "x"),
    new LayoutError("x", layout),
    new ClosedError("x"),
    new UnsupportedError("x"),
  ];
  const codes = ["EIO", "EBUSY", "ELAYOUT", "ECLOSED", "ENOTSUP"];
  expect(errors.map(({ code }) => code)).toEqual(codes);
  expect(errors.map(({ name }): string => name)).toEqual(
    errors.map((error) => error.constructor.name),
  );
  // Its name is that of another process's error.
  expect(new RemoteError("x").code).toBe("EREMOTE");
});

for (const [title, entry] of Object.entries(NOUNS)) {
  const { noun, create = {}, open = {}, placed } = entry;
  // The arena of what lies inside a segment: not at its start, and between two others' bytes.
  const arena = (): Segment => {
    const segment = Segment.create("memfd:arena", { size: 2 ** 18 });
    segment.bytes.fill(0xa5);
    segment.bytes.fill(0, OFFSET, OFFSET + noun.byteLength(placed?.init));
    opened.push(segment);
    return segment;
  };
  const OFFSET = 1024;

  describe(title, () => {
    test("is made, found, made or found, and removed by name", () => {
      const name = nameFor(entry, title.toLowerCase());
      const made = keep(noun.create(name, create));
      expect([made.created, made.closed, made.name]).toEqual([true, false, name]);
      expect((caught(() => noun.create(name, create)) as { code?: string }).code).toBe("EEXIST");
      const found = keep(noun.open(name, open));
      expect([found.created, found.closed, found.name]).toEqual([false, false, name]);
      const either = keep(noun.openOrCreate(name, create));
      expect(either.created).toBe(false);
      // Semaphores by name have no segment, and not all systems show what their names stand for.
      const tells = entry.withoutSegment === undefined || made.unlinked !== undefined;
      const gone = (): unknown[] => [made, found, either].map(({ unlinked }) => unlinked);
      if (tells) expect(gone()).toEqual([false, false, false]);
      expect(noun.unlink(name)).toBe(true);
      if (tells) expect(gone()).toEqual([true, true, true]);
      expect(noun.unlink(name)).toBe(false);
      const missing = caught(() => noun.open(name, open)) as { code?: string; message: string };
      expect(missing.code).toBe("ENOENT");
      const again = keep(noun.openOrCreate(name, create));
      expect(again.created).toBe(true);
      // The name belongs to a newer one.
      if (tells) expect([...gone(), again.unlinked]).toEqual([true, true, true, false]);
      if (again.unlink !== undefined) expect(again.unlink()).toBe(true);
      else expect(noun.unlink(name)).toBe(true);
    });

    test("every handle has segment, close, dispose; closed is for ever, and again is harmless", () => {
      const name = nameFor(entry, "life");
      const handle = noun.create(name, create);
      if (entry.withoutSegment === undefined) {
        expect(handle.segment).toBeInstanceOf(Segment);
        expect(handle.segment!.name).toBe(name);
      } else {
        expect(handle.segment).toBeUndefined();
      }
      handle.close();
      handle.close();
      handle[Symbol.dispose]();
      expect([handle.closed, handle.name, handle.created]).toEqual([true, name, true]);
      expect(noun.unlink(name)).toBe(true);
    });

    test("after close, whatever is asked throws ClosedError", async () => {
      const name = nameFor(entry, "closed");
      const handle = noun.create(name, create);
      handle.close();
      noun.unlink(name);
      expect(await answersAfterClose(handle, entry.facts ?? [])).toEqual([]);
    });

    test("an option with a typo is named, and so are options that are none", () => {
      const name = nameFor(entry, "typo");
      const calls: [string, () => unknown][] = [
        ["create", () => keep(noun.create(name, { ...create, moed: 0o600 }))],
        ["openOrCreate", () => keep(noun.openOrCreate(name, { ...create, moed: 0o600 }))],
        ["open", () => keep(noun.open(name, { ...open, wiatMs: 0 }))],
      ];
      for (const [verb, call] of calls) {
        const error = caught(call) as Error;
        expect([verb, error?.name]).toEqual([verb, "TypeError"]);
        expect(error.message).toMatch(/there is no option "(moed|wiatMs)".*(mode|waitMs)/);
      }
      expect(caught(() => noun.create(name, 5 as unknown as Options))).toBeInstanceOf(TypeError);
      expect(caught(() => noun.create(7 as unknown as string, create))).toBeInstanceOf(TypeError);
      expect(caught(() => noun.open(undefined as unknown as string, open))).toBeDefined();
      expect(noun.unlink(name)).toBe(false);
    });

    test("mode, waitMs and owner are checked", () => {
      const name = nameFor(entry, "mode");
      for (const mode of [-1, 1.5, Number.NaN, 0o1777]) {
        const error = caught(() => noun.create(name, { ...create, mode }));
        expect([mode, (error as Error)?.name]).toEqual([mode, "RangeError"]);
      }
      expect(caught(() => noun.create(name, { ...create, mode: "0600" }))).toBeInstanceOf(
        TypeError,
      );
      for (const waitMs of [-1, Number.NaN]) {
        expect(caught(() => noun.open(name, { ...open, waitMs }))).toBeInstanceOf(RangeError);
      }
      expect(caught(() => noun.open(name, { ...open, waitMs: "5" }))).toBeInstanceOf(TypeError);
      for (const call of [
        (owner: unknown) => noun.open(name, { ...open, owner }),
        (owner: unknown) => noun.openOrCreate(name, { ...create, owner }),
      ]) {
        for (const owner of [-1, 0.5, 2 ** 32]) {
          expect(caught(() => call(owner))).toBeInstanceOf(RangeError);
        }
        for (const owner of ["root", null]) {
          expect(caught(() => call(owner))).toBeInstanceOf(TypeError);
        }
      }
      const missing = caught(() => noun.open(name, { ...open, waitMs: 1 })) as { code?: string };
      expect(missing.code).toBe("ENOENT");
      const accepted = noun.openOrCreate(name, { ...create, owner: "any" });
      expect([accepted.created, noun.unlink(name)]).toEqual([true, true]);
      accepted.close();
    });

    if (placed === undefined) return;

    test("lies inside a segment, and touches nobody else's bytes", () => {
      const segment = arena();
      const length = noun.byteLength(placed?.init);
      const made = keep(noun.init(segment, OFFSET, placed?.init));
      expect([made.created, made.segment, made.offset]).toEqual([true, segment, OFFSET]);
      const found = keep(noun.at(segment, OFFSET, placed?.at));
      expect([found.created, found.segment, found.offset]).toEqual([false, segment, OFFSET]);
      const { bytes } = segment;
      expect(bytes.subarray(0, OFFSET).every((byte) => byte === 0xa5)).toBe(true);
      expect(bytes.subarray(OFFSET + length).every((byte) => byte === 0xa5)).toBe(true);
      for (const handle of [made, found]) handle.close();
      expect([made.closed, segment.closed]).toEqual([true, false]);
    });

    test("a bad place is refused", () => {
      const segment = arena();
      for (const offset of [-128, 1.5, 4, segment.size, Number.NaN]) {
        const error = caught(() => noun.init(segment, offset, placed?.init));
        expect([offset, (error as Error)?.name]).toEqual([offset, "RangeError"]);
      }
      const elsewhere = caught(() => noun.init({} as Segment, 0, placed?.init));
      expect(elsewhere).toBeInstanceOf(TypeError);
      const typo = caught(() => noun.init(segment, OFFSET, { ...placed?.init, overwriet: true }));
      expect(typo).toBeInstanceOf(TypeError);
    });

    // A semaphore in a segment is libc's own, and says nothing of itself.
    if (title === "Semaphore") return;

    test("a finished one is not made again, what is none is not found", () => {
      const segment = arena();
      const empty = caught(() => noun.at(segment, OFFSET, placed?.at)) as { code?: string };
      expect(empty.code).toBe("ENODATA");
      keep(noun.init(segment, OFFSET, placed?.init));
      const twice = caught(() => noun.init(segment, OFFSET, placed?.init)) as { code?: string };
      expect(twice.code).toBe("EEXIST");
      expect(caught(() => noun.at(segment, 0, placed?.at))).toBeInstanceOf(LayoutError);
      const anew = keep(noun.init(segment, OFFSET, { ...placed?.init, overwrite: true }));
      expect(anew.created).toBe(true);
    });
  });
}

const COMMON_FACTS: readonly string[] = [
  "constructor",
  "close",
  "closed",
  "created",
  "name",
  "offset",
  "segment",
];

/** Arguments with which a method of that name can be called at all. */
function argumentsOf(method: string): unknown[] {
  if (/^(try)?(write|enqueue)/i.test(method)) return ["x"];
  if (/^(update|setIfAbsent|set)$/.test(method))
    return ["k", method === "update" ? () => "v" : "v"];
  if (/^(get|has|delete|increment)$/.test(method)) return ["k"];
  if (method === "getInto") return ["k", new Uint8Array(8)];
  if (method === "readInto") return [{ price: 0, size: 0 }];
  if (method === "resize") return [8192];
  if (/^(tryLock|isLocked)$/.test(method)) return [0];
  if (method === "request") return ["a", () => true];
  if (/^(withLock|waitFor)/.test(method)) return [() => true];
  return [];
}

/** What a closed handle answers, of all that its class has, other than ClosedError. */
async function answersAfterClose(handle: Handle, facts: readonly string[]): Promise<string[]> {
  const wrong: string[] = [];
  const prototype = Object.getPrototypeOf(handle) as object;
  const known = new Set([...COMMON_FACTS, ...facts]);
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (known.has(name)) continue;
    try {
      let answer: unknown;
      if (property.get !== undefined) answer = Reflect.get(handle, name);
      else if (name === "write" && "codec" in handle)
        answer = call(handle, name, [{ price: 1, size: 1 }]);
      else if (name === "update" && "codec" in handle)
        answer = call(handle, name, [(q: unknown) => q]);
      else answer = call(handle, name, argumentsOf(name));
      if (isIterator(answer)) answer = answer.next();
      await answer;
      wrong.push(`${name} answers`);
    } catch (error) {
      if (!(error instanceof ClosedError)) wrong.push(`${name}: ${String(error)}`);
    }
  }
  return wrong;
}

function call(handle: object, method: string, values: unknown[]): unknown {
  return (Reflect.get(handle, method) as (...values: unknown[]) => unknown).apply(handle, values);
}

function isIterator(value: unknown): value is Iterator<unknown> {
  return typeof (value as Iterator<unknown> | undefined)?.next === "function";
}

describe("names of methods", () => {
  const SRC = join(import.meta.dir, "../src");
  const SUBJECTS =
    "{segment,semaphore,queue,ring,locks,struct,record,table,map,atomics,limiter,meters}/*.ts";
  // What index.ts exports nothing of has names of its own.
  const index = readFileSync(join(SRC, "index.ts"), "utf8");
  const sources = [...new Bun.Glob(SUBJECTS).scanSync(SRC)]
    .filter((file) => index.includes(`"./${file}"`))
    .map((file) => ({ file, text: readFileSync(join(SRC, file), "utf8") }));

  /** Public methods with what they return, of every class in the files of the nouns. */
  const methods = sources.flatMap(({ file, text }) =>
    [
      ...text.matchAll(
        /^ {2}(?:static )?(?:async )?(\w+)(?:<[^(]*>)?\((?:[^()]|\([^()]*\))*\): ([^{;]+)[{;]$/gm,
      ),
    ].map(([, name, returns]) => ({ file, name: name!, returns: returns!.trim() })),
  );

  /**
   * What has no form that blocks, of which it would be the other one, since its callback may wait;
   * and what has the names of the Web Locks API.
   */
  const WITHOUT_TWIN: readonly string[] = ["getOrSet", "request", "query"];

  test("what returns a promise ends in Async, and nothing else does", () => {
    expect(methods.length).toBeGreaterThan(150);
    const wrong = methods
      .filter(({ name }) => !WITHOUT_TWIN.includes(name))
      .filter(({ name, returns }) => name.endsWith("Async") !== returns.startsWith("Promise<"))
      .map(({ file, name, returns }) => `${file}: ${name}(): ${returns}`);
    expect(wrong).toEqual([]);
  });

  test("what waits in the event loop has a twin that blocks", () => {
    const names = new Set(methods.map(({ file, name }) => `${file}: ${name}`));
    const alone = [...names]
      .filter((name) => name.endsWith("Async"))
      .filter((name) => !names.has(name.slice(0, -"Async".length)));
    expect(alone).toEqual([]);
  });

  test("every error that is thrown has a class with a code, or is about an argument", () => {
    const wrong = [...new Bun.Glob("**/*.ts").scanSync(SRC)]
      .filter((file) => !file.startsWith("cli/"))
      .flatMap((file) =>
        [...readFileSync(join(SRC, file), "utf8").matchAll(/new Error\(/g)].map(() => file),
      );
    expect(wrong).toEqual([]);
  });
});
