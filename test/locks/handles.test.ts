/** What all locks have in common: by name and in a segment, held, closed, told apart. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  Barrier,
  Condition,
  Lease,
  type LockHandle,
  Mutex,
  RwLock,
  Segment,
  SharedEvent,
} from "../../src/index.ts";
import { rejected, thrown } from "../support/errors.ts";
import { one } from "../../src/arguments.ts";
import {
  BARRIER_MARK,
  CONDITION_MARK,
  EVENT_MARK,
  LEASE_MARK,
  MUTEX_MARK,
  type Mark,
  RW_LOCK_MARK,
} from "../../src/layout/lock-marks.ts";
import { MAKING } from "../../src/layout/making.ts";
import { uniqueName } from "../support/names.ts";
import { runBun } from "../support/process.ts";

type Options = Readonly<Record<string, unknown>>;

/** A kind of lock, as far as all are alike. */
interface Kind {
  create(name: string, options?: Options): LockHandle;
  open(name: string, options?: Options): LockHandle;
  openOrCreate(name: string, options?: Options): LockHandle;
  init(segment: Segment, offset: number, options?: Options): LockHandle;
  at(segment: Segment, offset: number, options?: Options): LockHandle;
  byteLength(options?: Options): number;
  unlink(name: string): boolean;
}

const arena = Segment.create("memfd:locks", { size: 2 ** 16 });
const mutex = Mutex.init(arena, 0);

interface Case {
  readonly noun: string;
  readonly kind: Kind;
  readonly make: Options;
  readonly find: Options;
  readonly mark: Mark;
}

const KINDS: readonly Case[] = [
  { noun: "mutex", kind: Mutex as unknown as Kind, make: {}, find: {}, mark: MUTEX_MARK },
  {
    noun: "readers-writer lock",
    kind: RwLock as unknown as Kind,
    make: { readers: 4 },
    find: { readers: 4 },
    mark: RW_LOCK_MARK,
  },
  {
    noun: "condition",
    kind: Condition as unknown as Kind,
    make: { mutex },
    find: { mutex },
    mark: CONDITION_MARK,
  },
  {
    noun: "event",
    kind: SharedEvent as unknown as Kind,
    make: { reset: "auto", set: true },
    find: { reset: "auto" },
    mark: EVENT_MARK,
  },
  {
    noun: "barrier",
    kind: Barrier as unknown as Kind,
    make: { parties: 3 },
    find: {},
    mark: BARRIER_MARK,
  },
  { noun: "lease", kind: Lease as unknown as Kind, make: {}, find: {}, mark: LEASE_MARK },
];

const PEER = "test/peers/sync-peer.ts";

let names: string[] = [];
function fresh(): string {
  const name = uniqueName("handles");
  names.push(name);
  return name;
}
afterEach(() => {
  for (const name of names) Segment.unlink(name);
  names = [];
});

describe.each(KINDS)("$noun", ({ noun, kind, make, find, mark }) => {
  test("has a segment of its own, of exactly its length", () => {
    const name = fresh();
    using made = kind.create(name, { ...make, mode: 0o640 });
    expect([made.created, made.offset, made.segment.name]).toEqual([true, 0, name]);
    expect([made.segment.size, made.segment.mode]).toEqual([kind.byteLength(make), 0o640]);
    using found = kind.open(name, { ...find, waitMs: 0 });
    using either = kind.openOrCreate(name, make);
    expect([found.created, either.created]).toEqual([false, false]);
    found.close();
    expect([found.closed, found.segment.closed, made.closed]).toEqual([true, true, false]);
    expect([made.unlink(), made.unlink(), kind.unlink(name)]).toEqual([true, false, false]);
    using other = kind.openOrCreate(name, make);
    expect(other.created).toBe(true);
  });

  test("lies beside others in a segment, and is not made twice", () => {
    const segment = Segment.create("memfd:place", { size: 2 ** 16 });
    using before = SharedEvent.init(segment, 128, { reset: "manual", set: true });
    const offset = 128 + SharedEvent.byteLength();
    using made = kind.init(segment, offset, make);
    const behind = offset + kind.byteLength(make);
    using after = Mutex.init(segment, behind);
    expect(after.tryLock()).toBe(true);
    expect([made.created, made.offset, kind.at(segment, offset, find).created]).toEqual([
      true,
      offset,
      false,
    ]);
    expect(thrown(() => kind.init(segment, offset, make))).toBe("StateError EEXIST");
    const place = `${noun} at ${offset} in segment "${segment.name}"`;
    expect(() => kind.init(segment, offset, make)).toThrow(
      `Cannot make ${place}: there is one already`,
    );
    using again = kind.init(segment, offset, { ...make, overwrite: true });
    expect([again.created, before.isSet, after.held]).toEqual([true, true, true]);
    after.unlock();
    segment.close();
    expect([made.closed, thrown(() => made.unlink())]).toEqual([true, "ClosedError ECLOSED"]);
  });

  test("is told apart from all others, and from nothing", () => {
    for (const other of KINDS) {
      const name = fresh();
      using _ = other.kind.create(name, other.make);
      if (other.kind === kind) continue;
      // Not after a wait for a maker: what is there is known at once.
      expect(thrown(() => kind.open(name, find))).toBe("LayoutError ELAYOUT");
      expect(() => kind.open(name, find)).toThrow(`expected ${one(noun)} at offset`);
      expect(() => kind.openOrCreate(name, make)).toThrow(`found ${one(other.noun)}`);
    }
    using tiny = Segment.create(fresh(), { size: 4 });
    expect(() => kind.open(tiny.name, find)).toThrow(
      noun === "mutex" || noun === "barrier" || noun === "readers-writer lock"
        ? "the segment is too small for one"
        : "it holds only zeros",
    );
    expect(thrown(() => kind.open(fresh(), find))).toBe("SystemError ENOENT");
  });

  test("of which only a part is there is refused", () => {
    const name = fresh();
    using whole = kind.create(fresh(), make);
    const length = kind.byteLength(make) - 128;
    using part = Segment.create(name, { size: length });
    part.bytes.set(whole.segment.bytes.subarray(0, length));
    expect(() => kind.open(name, find)).toThrow("the segment ends before it does");
    expect(part.closed).toBe(false);
  });

  test("that its maker left half done is made again", () => {
    const name = fresh();
    using half = Segment.create(name, { size: kind.byteLength(make) });
    // Nobody holds the maker's byte, and the magic is missing.
    half.bytes.fill(0x5a, kind.byteLength(make) - 64);
    half.view.setUint32(mark.offset, MAKING, true);
    using made = kind.openOrCreate(name, make);
    expect([made.created, half.bytes.at(-1)]).toEqual([true, 0]);
  });

  test("refuses options that it has not", () => {
    const typo = { ...make, overwriet: true };
    expect(() => kind.init(arena, 1024, typo)).toThrow('did you mean "overwrite"?');
    expect(() => kind.at(arena, 1024, { ...find, mode: 0o600 })).toThrow('no option "mode"');
    expect(() => kind.open("/x", { ...find, wait: 5 })).toThrow('did you mean "waitMs"?');
    expect(() => kind.create("/x", null as never)).toThrow("must be an object, not null");
  });
});

test("what a lock takes is asked with options that it has", () => {
  expect(() => Barrier.byteLength({} as never)).toThrow("parties must be an integer");
  expect(() => RwLock.byteLength({ reader: 5 } as never)).toThrow('did you mean "readers"?');
  expect(RwLock.byteLength()).toBe(RwLock.byteLength({ readers: 16 }));
});

describe("what waits", () => {
  interface Waits {
    readonly what: string;
    blocking(options: object): unknown;
    inLoop(options: object): Promise<unknown>;
  }
  const event = SharedEvent.init(arena, 4096, { reset: "auto", set: true });
  const lock = RwLock.init(arena, 8192);
  const changed = Condition.init(arena, 16_384, { mutex });
  const barrier = Barrier.init(arena, 20_480, { parties: 2 });
  const lease = Lease.init(arena, 32_768);
  const ALL: readonly Waits[] = [
    { what: "mutex", blocking: (o) => mutex.lock(o), inLoop: (o) => mutex.lockAsync(o) },
    { what: "guard", blocking: (o) => mutex.acquire(o), inLoop: (o) => mutex.acquireAsync(o) },
    { what: "event", blocking: (o) => event.wait(o), inLoop: (o) => event.waitAsync(o) },
    { what: "reader", blocking: (o) => lock.lockRead(o), inLoop: (o) => lock.lockReadAsync(o) },
    { what: "writer", blocking: (o) => lock.lockWrite(o), inLoop: (o) => lock.lockWriteAsync(o) },
    { what: "condition", blocking: (o) => changed.wait(o), inLoop: (o) => changed.waitAsync(o) },
    {
      what: "predicate",
      blocking: (o) => changed.waitFor(() => true, o),
      inLoop: (o) => changed.waitForAsync(() => true, o),
    },
    { what: "barrier", blocking: (o) => barrier.wait(o), inLoop: (o) => barrier.waitAsync(o) },
    { what: "lease", blocking: (o) => lease.acquire(o), inLoop: (o) => lease.acquireAsync(o) },
  ];

  test.each(ALL)("checks its options before it takes anything: $what", async (waits) => {
    const bad: [object, string][] = [
      [{ timeoutMs: -1 }, "RangeError"],
      [{ timeoutMs: Number.NaN }, "RangeError"],
      [{ timeoutMs: "5" }, "TypeError"],
      [{ timeout: 5 }, "TypeError"],
      [{ signal: {} }, "TypeError"],
    ];
    for (const [options, error] of bad) {
      expect([options, thrown(() => waits.blocking(options))]).toEqual([options, error]);
      expect([options, await rejected(waits.inLoop(options))]).toEqual([options, error]);
    }
    expect(await rejected(waits.inLoop({ ref: 1 }))).toBe("TypeError");
    expect(thrown(() => waits.blocking({ ref: true }))).toBe("TypeError");
    const signal = AbortSignal.abort(new RangeError("enough"));
    expect(() => waits.blocking({ signal })).toThrow("enough");
    expect(waits.inLoop({ signal })).rejects.toThrow("enough");
    expect([mutex.held, lock.held, event.isSet, barrier.broken, lease.term]).toEqual([
      false,
      undefined,
      true,
      false,
      undefined,
    ]);
  });
});

describe("close", () => {
  test("is refused while the handle holds the lock, and says how to release it", () => {
    const [a, b] = [fresh(), fresh()];
    const mine = Mutex.create(a);
    const guard = mine.acquire();
    expect(thrown(() => mine.close())).toBe("StateError EBUSY");
    expect(() => mine.close()).toThrow(`Cannot close mutex "${a}": it is held. Unlock it first`);
    expect(thrown(() => mine.segment.close())).toBe("StateError EBUSY");
    expect(() => mine.segment.close()).toThrow(`Cannot close segment "${a}": the mutex at 0`);
    guard.unlock();
    mine.close();
    const lock = RwLock.create(b);
    lock.lockRead();
    expect(() => lock.close()).toThrow("this handle reads. Call unlockRead first");
    lock.unlockRead();
    lock.close();
    expect([mine.closed, lock.closed, lock.held]).toEqual([true, true, undefined]);
  });

  test("leaves others in the segment alone, and ends only this handle", async () => {
    const segment = Segment.create("memfd:alone", { size: 4096 });
    const first = Mutex.init(segment, 0);
    const second = Mutex.at(segment, 0);
    first.close();
    expect([first.closed, second.closed, segment.closed]).toEqual([true, false, false]);
    const calls: (() => unknown)[] = [
      () => first.lock(),
      () => first.tryLock(),
      () => first.acquire(),
      () => first.tryAcquire(),
      () => first.withLock(() => 1),
      () => first.unlock(),
      () => first.abandon(),
      () => first.deaths,
    ];
    expect(new Set(calls.map(thrown))).toEqual(new Set(["ClosedError ECLOSED"]));
    expect(await rejected(first.lockAsync())).toBe("ClosedError ECLOSED");
    expect(() => first.lock()).toThrow(
      `Cannot use mutex at 0 in segment "${segment.name}": it is closed`,
    );
    expect([first.name, first.offset, first.created, first.held]).toEqual([
      segment.name,
      0,
      true,
      false,
    ]);
    expect(second.tryLock()).toBe(true);
    second.unlock();
    segment.close();
  });

  test("ends waits in the event loop, also when it is the segment that closes", async () => {
    const name = fresh();
    const event = SharedEvent.create(name, { reset: "auto" });
    const wait = event.waitAsync();
    await Bun.sleep(5);
    event.close();
    expect(await rejected(wait)).toBe("ClosedError ECLOSED");

    const segment = Segment.create("memfd:ends", { size: 4096 });
    const placed = SharedEvent.init(segment, 0, { reset: "auto" });
    const another = placed.waitAsync();
    await Bun.sleep(5);
    segment.close();
    expect(await rejected(another)).toBe("ClosedError ECLOSED");

    const rounds = Barrier.create(fresh(), { parties: 2 });
    using witness = Barrier.open(rounds.name);
    const round = rounds.waitAsync();
    await Bun.sleep(5);
    rounds.close();
    expect(await rejected(round)).toBe("ClosedError ECLOSED");
    expect([witness.broken, witness.wait()]).toEqual([true, "broken"]);
  });

  test("after resize, the old handle is closed and another one works", () => {
    const segment = Segment.create(fresh(), { size: 4096 });
    const lock = RwLock.init(segment, 0);
    segment.resize(8192);
    expect([lock.closed, thrown(() => lock.lockRead())]).toEqual([true, "ClosedError ECLOSED"]);
    using again = RwLock.at(segment, 0);
    expect(again.tryLockWrite()).toBe(true);
    again.unlockWrite();
    segment.close();
  });
});

describe("in another process", () => {
  test("exactly one of those that come together makes it", async () => {
    for (let round = 0; round < 3; round++) {
      const name = fresh();
      const children = Array.from({ length: 4 }, () => runBun(PEER, name, "meet", "4"));
      const outcomes = await Promise.all(children);
      const said = outcomes.map(({ stdout }) => stdout.trim().split(" "));
      expect(said.filter(([created]) => created === "true").length).toBe(1);
      expect(said.filter(([, outcome]) => outcome === "last").length).toBe(1);
      expect(said.filter(([, outcome]) => outcome === "passed").length).toBe(3);
    }
  });

  test("a named lock excludes, and a blocking lease passes on", async () => {
    const [lockName, leaseName] = [fresh(), fresh()];
    using held = Mutex.create(lockName);
    using lease = Lease.create(leaseName);
    const guard = held.acquire();
    const { stdout, exitCode } = await runBun(PEER, lockName, "named", leaseName);
    expect([stdout, exitCode]).toEqual(["false  true\n", 0]);
    guard.unlock();
    // The child is dead: a blocking wait has its role at the latest after a slice.
    expect(lease.acquire({ text: "parent" })?.held).toBe(true);
    expect(lease.holder?.text).toBe("parent");
  });
});
