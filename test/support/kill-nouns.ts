/**
 * What processes that may be killed or stopped at any instant do with all nouns, and what must be
 * true whenever somebody looks, and once all are dead. Each participant counts in the ledger what
 * it has done for certain; so for each count, what the nouns say lies between the sum of what was
 * acknowledged and that sum plus one for each death.
 */
import {
  Barrier,
  Condition,
  Lease,
  type MeterCounter,
  Meters,
  MessageQueue,
  Mutex,
  NamedLocks,
  RateLimiter,
  RingBuffer,
  type RingConsumer,
  type RingProducer,
  RwLock,
  Segment,
  Semaphore,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  StateError,
  SystemVSemaphore,
  type WaitOptions,
  codecs,
} from "../../src/index.ts";
import { Block, blockOf, checkBlock, checkMap, checkText, textOf } from "../peers/state-values.ts";
import { type Channel, type Count, type KillLedger, MESSAGES } from "./kill-ledger.ts";
import type { Random } from "./random.ts";

/** A participant's hold on a group of nouns. */
export interface KillGroup {
  /** Uses one or several of them; it waits for some ms at most. @throws Error at a fault. */
  turn(): void | Promise<void>;
  /** Once all others are dead: uses each of them again. @returns What is wrong. */
  judge(): string[];
  unlink(): void;
}

/** How long a turn's waits last at most; a holder that is stopped makes others wait. */
const WAIT = { timeoutMs: 5 };
/** This is not a measure of speed: whoever waits so long would wait for ever. */
const LAST_WAIT = { timeoutMs: 30_000 };

/** Data under a lock: who is inside, and two words that differ while somebody is. */
class Guarded {
  readonly #words: Int32Array;
  readonly #ledger: KillLedger;
  readonly #what: string;

  constructor(words: Int32Array, ledger: KillLedger, what: string) {
    this.#words = words;
    this.#ledger = ledger;
    this.#what = what;
  }

  get changes(): number {
    return this.#words[1]!;
  }

  /** @param ownerDied Whether the lock said so, or whether it does not say such things. */
  enter(ownerDied: boolean): void {
    const words = this.#words;
    const other = Atomics.exchange(words, 0, this.#ledger.me + 1) - 1;
    if (other >= 0 && !this.#ledger.isDead(other))
      throw new Error(`${this.#what}: ${other} is inside too`);
    if (!ownerDied) this.check();
    words[1] = words[1]! + 1;
    words[2] = words[1] - 1;
  }

  leave(): void {
    const words = this.#words;
    words[2] = words[2]! + 1;
    if (words[1] !== words[2])
      throw new Error(`${this.#what}: ${words[1]} and ${words[2]}, inside`);
    const me = Atomics.exchange(words, 0, 0) - 1;
    if (me !== this.#ledger.me) throw new Error(`${this.#what}: ${me} came inside`);
  }

  /** For whoever was told of no death. */
  check(): void {
    const [, first, second] = this.#words;
    if (first !== second) throw new Error(`${this.#what}: torn, ${first} and ${second}`);
  }

  /** For a reader that was told of no death. */
  look(): void {
    this.check();
    const inside = Atomics.load(this.#words, 0) - 1;
    if (inside >= 0) throw new Error(`${this.#what}: ${inside} writes under a reader`);
  }
}

/** A fault when `found` is not what was acknowledged, or more by one for each death at most. */
function between(ledger: KillLedger, count: Count, found: number): string[] {
  const least = ledger.total(count);
  const most = least + ledger.deaths;
  return found >= least && found <= most ? [] : [`${count}: ${found}, not ${least} to ${most}`];
}

const isBusy = (error: unknown): boolean => error instanceof StateError && error.code === "EBUSY";

/** Behind the semaphore. */
const DATA_OFFSET = 128;
const KEYS = 50;
const TOKENS = 1000;
/** Far more than is asked for, in a window that does not end. */
const LIMIT = {
  algorithm: "fixed-window",
  limit: 1_000_000_000,
  windowMs: 2 ** 32 - 1,
  keys: 20,
} as const;
const ROWS = 6;

/** Locks, and what stands on them. */
class Holders implements KillGroup {
  readonly #name: string;
  readonly #ledger: KillLedger;
  readonly #random: Random;
  readonly #waitsAsync: boolean;
  readonly #segment: Segment;
  readonly #mutex: Mutex;
  readonly #rwLock: RwLock;
  readonly #lease: Lease;
  readonly #stockMutex: Mutex;
  readonly #changed: Condition;
  readonly #event: SharedEvent;
  readonly #barrier: Barrier;
  readonly #semaphore: Semaphore;
  readonly #named: Semaphore;
  readonly #undone: SystemVSemaphore;
  readonly #counts: SharedMap<number>;
  readonly #texts: SharedMap<string>;
  readonly #record: SharedRecord<(typeof Block)["schema"]>;
  readonly #table: SharedTable<(typeof Block)["schema"]>;
  readonly #atomics: SharedAtomics<"word", "counter">;
  readonly #limiter: RateLimiter;
  readonly #locks: NamedLocks;
  readonly #meters: Meters;
  readonly #meter: MeterCounter;
  readonly #inMutex: Guarded;
  readonly #inRwLock: Guarded;
  readonly #inLease: Guarded;
  readonly #inByteLock: Guarded;
  readonly #inNamedLock: Guarded;
  /** Produced and consumed, under the second mutex. */
  readonly #stock: Int32Array;
  readonly #token: Float64Array;
  #turn = 0;

  constructor(name: string, ledger: KillLedger, random: Random) {
    this.#name = name;
    this.#ledger = ledger;
    this.#random = random;
    this.#waitsAsync = ledger.me % 2 === 0;
    const segment = Segment.openOrCreate(name, { size: DATA_OFFSET + 4096 });
    this.#segment = segment;
    this.#semaphore =
      ledger.me === 0 ? Semaphore.init(segment, 0, { value: TOKENS }) : Semaphore.at(segment, 0);
    this.#mutex = Mutex.openOrCreate(`${name}-mutex`);
    this.#rwLock = RwLock.openOrCreate(`${name}-rw-lock`, { readers: 4 });
    this.#lease = Lease.openOrCreate(`${name}-lease`);
    this.#stockMutex = Mutex.openOrCreate(`${name}-stock`);
    this.#changed = Condition.openOrCreate(`${name}-changed`, { mutex: this.#stockMutex });
    this.#event = SharedEvent.openOrCreate(`${name}-event`, { reset: "auto" });
    this.#barrier = Barrier.openOrCreate(`${name}-barrier`, { parties: 2 });
    this.#named = Semaphore.openOrCreate(`${name}-semaphore`, { value: TOKENS });
    const atomics = SharedAtomics.openOrCreate(`${name}-atomics`, {
      words: ["word", "undone"],
      counters: ["counter"],
    });
    this.#atomics = atomics;
    if (ledger.me === 0) {
      const undone = SystemVSemaphore.create("sysv:private", { value: 1 });
      atomics.words.undone.store(undone.id);
      this.#undone = undone;
    } else {
      this.#undone = SystemVSemaphore.open(`sysv:#${atomics.words.undone.load()}`);
    }
    this.#counts = SharedMap.openOrCreate(`${name}-counts`, {
      size: 2 ** 14,
      codec: codecs.number,
    });
    this.#texts = SharedMap.openOrCreate(`${name}-texts`, { size: 2 ** 18, codec: codecs.utf8 });
    this.#locks = NamedLocks.openOrCreate(`${name}-locks`, { names: 4, requests: 64 });
    this.#limiter = RateLimiter.openOrCreate(`${name}-limiter`, LIMIT);
    this.#meters = Meters.openOrCreate(`${name}-meters`, { size: 2 ** 14 });
    this.#meter = this.#meters.counter("changes_total", { help: "Changes." });
    this.#record = SharedRecord.openOrCreate(`${name}-record`, {
      codec: Block,
      initial: blockOf(0),
    });
    this.#table = SharedTable.openOrCreate(`${name}-table`, {
      codec: Block,
      rows: ROWS,
      names: true,
    });
    const data = new Int32Array(segment.buffer, DATA_OFFSET, 1024);
    const area = (at: number): Int32Array => data.subarray(at * 32, at * 32 + 32);
    this.#inMutex = new Guarded(area(0), ledger, "mutex");
    this.#inRwLock = new Guarded(area(1), ledger, "rw-lock");
    this.#inLease = new Guarded(area(2), ledger, "lease");
    this.#inByteLock = new Guarded(area(3), ledger, "byte lock");
    this.#stock = area(4);
    this.#token = new Float64Array(segment.buffer, DATA_OFFSET + 5 * 128, 1);
    this.#inNamedLock = new Guarded(area(6), ledger, "named lock");
  }

  turn(): void | Promise<void> {
    const calls = this.#waitsAsync ? this.#asyncCalls : this.#calls;
    // The first turn uses each, so that whoever is killed has taken part in all.
    const turn = this.#turn++;
    if (turn < calls.length) return calls[turn]!();
    return calls[Math.floor(this.#random() * calls.length)]!();
  }

  /** Holds several of them, one in another, and always in this order. */
  readonly #nest = (): void => {
    const ledger = this.#ledger;
    const wants = (): boolean => this.#random() < 0.7;
    if (wants()) {
      using term = this.#lease.acquire(WAIT);
      if (term === undefined) return;
      this.#holdLease(term.token);
      if (wants()) this.#write();
      this.#inLease.leave();
    } else {
      this.#write();
    }
    ledger.add("turns");
  };

  #holdLease(token: number): void {
    // A lease says nothing of a death.
    this.#inLease.enter(true);
    const last = this.#token[0]!;
    if (token <= last) throw new Error(`lease: token ${token} after ${last}`);
    this.#token[0] = token;
    this.#ledger.add("lease");
  }

  #write(): void {
    const ledger = this.#ledger;
    {
      using guard = this.#mutex.acquire(WAIT);
      if (guard === undefined) return;
      this.#inMutex.enter(guard.ownerDied);
      this.#writeMore();
      this.#inMutex.leave();
    }
    ledger.add("mutex");
  }

  #writeMore(): void {
    {
      using guard = this.#rwLock.acquireWrite(WAIT);
      if (guard === undefined) return;
      this.#inRwLock.enter(guard.ownerDied);
      this.#change();
      this.#inRwLock.leave();
    }
    this.#ledger.add("rw-lock");
  }

  readonly #change = (): void => {
    const ledger = this.#ledger;
    this.#record.update((block) => {
      checkBlock(block!);
      this.#counts.update(`k${Math.floor(this.#random() * KEYS)}`, (count = 0) => {
        this.#atomics.counters.counter.add(1);
        ledger.add("counter");
        this.#meter.add();
        ledger.add("meter");
        return count + 1;
      });
      ledger.add("map");
      return blockOf(block!.seed + 1);
    });
    ledger.add("record");
  };

  readonly #read = (): void => {
    using guard = this.#rwLock.acquireRead(WAIT);
    if (guard === undefined) return;
    const told = guard.ownerDied;
    if (!told) this.#inRwLock.look();
    checkBlock(this.#record.read()!);
    if (!told) this.#inRwLock.look();
  };

  readonly #keep = (): void => {
    const key = `t${Math.floor(this.#random() * 100)}`;
    const choice = this.#random();
    if (choice < 0.5) this.#texts.set(key, textOf(key, Math.floor(this.#random() * 1000)));
    else if (choice < 0.7) this.#texts.delete(key);
    else {
      const text = this.#texts.get(key);
      if (text !== undefined) checkText(key, text);
    }
  };

  readonly #limit = (): void => {
    // Other keys push this one out only if the order of use is wrong.
    if (this.#limiter.tryConsume("all")) this.#ledger.add("limiter");
    this.#limiter.tryConsume(`k${Math.floor(this.#random() * LIMIT.keys * 2)}`);
  };

  readonly #fill = (): void => {
    const row = this.#table.rowOf(`n${Math.floor(this.#random() * ROWS)}`)!;
    this.#table.update(row, (block = blockOf(0)) => {
      checkBlock(block);
      return blockOf(block.seed + 1);
    });
    this.#ledger.add("table");
    for (const block of this.#table.snapshot().values()) checkBlock(block);
  };

  readonly #lockByte = (): void => {
    using lock = this.#segment.tryLock(7);
    if (lock === undefined) return;
    this.#inByteLock.enter(true);
    this.#inByteLock.leave();
    this.#ledger.add("byte lock");
  };

  /** For a death nobody is told of. */
  readonly #holdName = (lock: object | null): void => {
    if (lock === null) return;
    this.#inNamedLock.enter(true);
    this.#inNamedLock.leave();
    this.#ledger.add("named lock");
  };

  readonly #holdOtherName = (): void => {
    const name = `n${Math.floor(this.#random() * 3)}`;
    this.#locks.withLock(name, { mode: "shared", timeoutMs: 5 }, () => undefined);
  };

  readonly #stockUp = (): void => {
    using guard = this.#stockMutex.acquire(WAIT);
    if (guard === undefined) return;
    this.#stock[0] = this.#stock[0]! + 1;
    this.#ledger.add("produced");
    this.#changed.notifyOne();
  };

  #consume(): void {
    this.#stock[1] = this.#stock[1]! + 1;
    this.#ledger.add("consumed");
  }

  readonly #isStocked = (): boolean => this.#stock[0]! > this.#stock[1]!;

  readonly #takeStock = (): void => {
    using guard = this.#stockMutex.acquire(WAIT);
    if (guard !== undefined && this.#changed.waitFor(this.#isStocked, WAIT)) this.#consume();
  };

  readonly #signal = (): void => {
    // This counts before the set, and below after the pass, so there are never fewer sets.
    this.#ledger.add("sets");
    this.#event.set();
    this.#atomics.words.word.add(1);
    this.#ledger.add("word");
  };

  readonly #post = (): void => {
    this.#semaphore.post();
    this.#ledger.add("posts");
    this.#named.post();
    this.#ledger.add("named posts");
  };

  #meet(outcome: "last" | "passed" | "broken" | "timedOut"): void {
    this.#ledger.add(outcome);
    if (outcome === "broken" || outcome === "timedOut") this.#barrier.reset();
  }

  /** Runs what a third party at a barrier of two, or a fifth reader, is refused. */
  async #unlessBusy(call: () => unknown): Promise<void> {
    try {
      await call();
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
  }

  readonly #calls: readonly (() => void | Promise<void>)[] = [
    this.#nest,
    this.#nest,
    () => this.#write(),
    () => this.#unlessBusy(this.#read),
    this.#keep,
    this.#limit,
    this.#fill,
    this.#lockByte,
    () => this.#locks.withLock("all", WAIT, this.#holdName),
    this.#holdOtherName,
    this.#stockUp,
    this.#takeStock,
    this.#signal,
    () => this.#event.wait(WAIT) && this.#ledger.add("passes of the event"),
    () => this.#unlessBusy(() => this.#meet(this.#barrier.wait(WAIT))),
    this.#post,
    () => this.#semaphore.wait(WAIT) && this.#ledger.add("takes"),
    () => this.#named.wait(WAIT) && this.#ledger.add("named takes"),
    () => {
      using _ = this.#undone.acquire(WAIT);
    },
  ];

  readonly #asyncCalls: readonly (() => void | Promise<void>)[] = [
    async () => {
      using term = await this.#lease.acquireAsync(WAIT);
      if (term === undefined) return;
      this.#holdLease(term.token);
      this.#inLease.leave();
    },
    async () => {
      {
        using guard = await this.#mutex.acquireAsync(WAIT);
        if (guard === undefined) return;
        this.#inMutex.enter(guard.ownerDied);
        this.#change();
        this.#inMutex.leave();
      }
      this.#ledger.add("mutex");
    },
    async () => {
      {
        using guard = await this.#rwLock.acquireWriteAsync(WAIT);
        if (guard === undefined) return;
        this.#inRwLock.enter(guard.ownerDied);
        this.#inRwLock.leave();
      }
      this.#ledger.add("rw-lock");
    },
    () =>
      this.#unlessBusy(async () => {
        using guard = await this.#rwLock.acquireReadAsync(WAIT);
        if (guard?.ownerDied === false) this.#inRwLock.look();
      }),
    this.#nest,
    this.#keep,
    this.#limit,
    this.#fill,
    this.#lockByte,
    () => this.#locks.request("all", WAIT, this.#holdName),
    this.#holdOtherName,
    this.#stockUp,
    async () => {
      using guard = await this.#stockMutex.acquireAsync(WAIT);
      if (guard === undefined) return;
      if (await this.#changed.waitForAsync(this.#isStocked, WAIT)) this.#consume();
    },
    this.#signal,
    async () => {
      if (await this.#event.waitAsync(WAIT)) this.#ledger.add("passes of the event");
    },
    () => this.#unlessBusy(async () => this.#meet(await this.#barrier.waitAsync(WAIT))),
    this.#post,
    async () => {
      if (await this.#semaphore.waitAsync(WAIT)) this.#ledger.add("takes");
    },
    async () => {
      if (await this.#named.waitAsync(WAIT)) this.#ledger.add("named takes");
    },
  ];

  judge(): string[] {
    const ledger = this.#ledger;
    const { deaths } = ledger;
    const faults: string[] = [];
    const must = (holds: boolean, what: string): void => void (holds || faults.push(what));

    using term = this.#lease.acquire(LAST_WAIT);
    must(term !== undefined && term.token > this.#token[0]!, "the lease is not free");
    using guard = this.#mutex.acquire(LAST_WAIT);
    must(guard !== undefined, "the mutex is not free");
    if (guard?.ownerDied === false) this.#inMutex.check();
    must(this.#mutex.deaths <= deaths, `the mutex counted ${this.#mutex.deaths} deaths`);
    using write = this.#rwLock.acquireWrite(LAST_WAIT);
    must(write !== undefined, "the rw-lock is not free");
    if (write?.ownerDied === false) this.#inRwLock.check();
    using byte = this.#segment.tryLock(7);
    must(byte !== undefined, "the byte is not free");
    for (const name of ["all", "n0", "n1", "n2", "n3"]) {
      const isFree = this.#locks.withLock(name, LAST_WAIT, (lock) => lock !== null);
      must(isFree, `the name ${name} is not free`);
    }
    using stock = this.#stockMutex.acquire(LAST_WAIT);
    must(stock !== undefined, "the condition's mutex is not free");
    must(this.#event.set() === undefined && this.#event.tryWait(), "the event is not set");

    faults.push(
      ...between(ledger, "mutex", this.#inMutex.changes),
      ...between(ledger, "rw-lock", this.#inRwLock.changes),
      ...between(ledger, "lease", this.#inLease.changes),
      ...between(ledger, "byte lock", this.#inByteLock.changes),
      ...between(ledger, "named lock", this.#inNamedLock.changes),
      ...between(ledger, "record", this.#record.version - 1),
      ...between(ledger, "record", this.#record.read()!.seed),
      ...between(ledger, "limiter", LIMIT.limit - this.#limiter.peek("all").remaining),
      ...between(ledger, "counter", this.#atomics.counters.counter.value),
      ...between(ledger, "meter", this.#meter.value),
      ...between(ledger, "word", this.#atomics.words.word.load()),
      ...between(ledger, "produced", this.#stock[0]!),
      ...between(ledger, "consumed", this.#stock[1]!),
    );
    const seeds = [...this.#table.snapshot().values()].map(
      (block) => (checkBlock(block), block.seed),
    );
    const versions = Array.from({ length: ROWS }, (_, row) => this.#table.version(row));
    const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
    faults.push(
      ...between(ledger, "table", sum(seeds)),
      ...between(ledger, "table", sum(versions)),
    );
    const names = this.#table.names();
    must(new Set(names).size === names.length, `names are there twice: ${names}`);
    must(
      names.every((name, row) => this.#table.findRow(name) === row),
      `names have other rows: ${names}`,
    );
    let counted = 0;
    for (const count of this.#counts.values()) counted += count;
    faults.push(...between(ledger, "map", counted));
    must(this.#stock[1]! <= this.#stock[0]!, "more was consumed than produced");
    const [sets, passes] = [ledger.total("sets"), ledger.total("passes of the event")];
    must(passes <= sets, `${passes} passed an event that was set ${sets} times`);
    const [last, passed] = [ledger.total("last"), ledger.total("passed")];
    must(passed <= last + deaths, `${passed} passed, and ${last} came last`);
    for (const [one, posts, takes] of [
      [this.#semaphore, "posts", "takes"],
      [this.#named, "named posts", "named takes"],
    ] as const) {
      const expected = TOKENS + ledger.total(posts) - ledger.total(takes);
      must(Math.abs(one.value - expected) <= deaths, `${one.value} tokens, not ${expected}`);
      must(one.tryWait(), "a semaphore has no tokens");
    }
    must(this.#undone.value === 1, `undone to ${this.#undone.value}`);

    // One update and one write in every stripe repair what the last deaths left.
    this.#change();
    for (let key = 0; key < KEYS; key++) this.#counts.delete(`k${key}`);
    for (let key = 0; key < 100; key++) this.#texts.set(`t${key}`, textOf(`t${key}`, key));
    must(checkMap(this.#texts) === 100, `${this.#texts.size} texts`);
    for (let key = 0; key < 100; key++) this.#texts.delete(`t${key}`);
    for (const map of [this.#counts, this.#texts]) {
      const { freeBytes, byteLength } = map.stats();
      must(map.size === 0 && freeBytes === byteLength, `${byteLength - freeBytes} bytes are lost`);
    }
    return faults;
  }

  unlink(): void {
    const locks = [this.#mutex, this.#rwLock, this.#lease, this.#changed, this.#stockMutex];
    const states = [
      this.#barrier,
      this.#counts,
      this.#texts,
      this.#record,
      this.#atomics,
      this.#limiter,
      this.#locks,
      this.#meters,
      this.#table,
      this.#atomics,
    ];
    const placed = [this.#event, ...locks, ...states];
    for (const one of placed) {
      const { name } = one.segment;
      one.close();
      Segment.unlink(name);
    }
    this.#undone.unlink();
    this.#named.unlink();
    this.#segment.close();
    Segment.unlink(this.#name);
  }
}

const CAPACITY = 4096;
const SHORTEST = 10;
/** How many records fit into what a dead reader had not given back: an eighth of the ring. */
const AGAIN_MOST = CAPACITY / 8 / SHORTEST;

/** The message that shows that a channel still works. */
const LAST = "last";

/** Whose message it is, and which. */
const textOfMessage = (sender: number, message: number): string => `${sender}:${message}`;

/** Queues and rings. Of the two roles at a ring, odd participants want one, and even the other. */
class Messengers implements KillGroup {
  readonly #ledger: KillLedger;
  readonly #random: Random;
  readonly #waitsAsync: boolean;
  readonly #queues: readonly [Channel, MessageQueue][];
  readonly #rings: readonly [Channel, RingBuffer<string>][];
  readonly #producers = new Map<Channel, RingProducer<string>>();
  readonly #consumers = new Map<Channel, RingConsumer<string>>();
  /** The last message that this participant received, by channel and sender. */
  readonly #last = new Map<string, number>();
  readonly #lost = new Map<Channel, number>();
  #turn = 0;

  constructor(name: string, ledger: KillLedger, random: Random) {
    this.#ledger = ledger;
    this.#random = random;
    this.#waitsAsync = ledger.me % 4 >= 2;
    this.#queues = (["segment", "polling", "named"] as const).map((synchronization) => [
      `${synchronization} queue`,
      MessageQueue.openOrCreate(`${name}-${synchronization}`, { synchronization }),
    ]);
    const ring = { capacity: CAPACITY, codec: codecs.utf8 };
    this.#rings = [
      ["spsc", RingBuffer.openOrCreate(`${name}-spsc`, ring)],
      ["mpsc", RingBuffer.openOrCreate(`${name}-mpsc`, { ...ring, kind: "mpsc" })],
      [
        "block",
        RingBuffer.openOrCreate(`${name}-block`, { ...ring, kind: "broadcast", policy: "block" }),
      ],
      ["overwrite", RingBuffer.openOrCreate(`${name}-overwrite`, { ...ring, kind: "broadcast" })],
    ];
  }

  get #sends(): boolean {
    return this.#ledger.me % 2 === 1;
  }

  async turn(): Promise<void> {
    const all = this.#queues.length + this.#rings.length;
    // The first turns use each, so that whoever is killed has taken part in all.
    const turn = this.#turn++;
    const which = turn < all ? turn : Math.floor(this.#random() * all);
    const queue = this.#queues[which];
    if (queue !== undefined) {
      if (this.#random() < 0.5) await this.#enqueue(...queue);
      else await this.#dequeue(...queue);
      return;
    }
    const [channel, ring] = this.#rings[which - this.#queues.length]!;
    if (this.#sends) await this.#write(channel, ring);
    else await this.#read(channel, ring);
    if (this.#random() < 0.1) this.#leave(channel);
  }

  #leave(channel: Channel): void {
    this.#producers.get(channel)?.close();
    this.#consumers.get(channel)?.close();
    this.#producers.delete(channel);
    this.#consumers.delete(channel);
    // Whoever comes again may have missed what was sent meanwhile.
    for (const key of this.#last.keys()) if (key.startsWith(channel)) this.#last.delete(key);
    this.#lost.delete(channel);
  }

  async #enqueue(channel: Channel, queue: MessageQueue): Promise<void> {
    const { me } = this.#ledger;
    const message = this.#ledger.sent(me, channel);
    if (message === MESSAGES) return;
    const text = textOfMessage(me, message);
    const done = this.#waitsAsync
      ? await queue.enqueueAsync(text, WAIT)
      : queue.enqueue(text, WAIT);
    if (done) this.#ledger.addSent(channel);
  }

  async #dequeue(channel: Channel, queue: MessageQueue): Promise<void> {
    const text = this.#waitsAsync ? await queue.dequeueAsync(WAIT) : queue.dequeue(WAIT);
    if (text !== undefined) this.#receive(channel, text);
  }

  /** @returns A role; undefined where another live participant has it. */
  #role<R>(roles: Map<Channel, R>, channel: Channel, take: () => R): R | undefined {
    try {
      const role = roles.get(channel) ?? take();
      roles.set(channel, role);
      return role;
    } catch (error) {
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  async #write(channel: Channel, ring: RingBuffer<string>): Promise<void> {
    const producer = this.#role(this.#producers, channel, () => ring.producer());
    const { me } = this.#ledger;
    for (
      let left = 1 + Math.floor(this.#random() * 8);
      left > 0 && producer !== undefined;
      left--
    ) {
      const message = this.#ledger.sent(me, channel);
      if (message === MESSAGES) return;
      // Records of different lengths, so that they end at all places of the ring.
      const text = textOfMessage(me, message).padEnd(SHORTEST + ((message * 7) % 90));
      const done = this.#waitsAsync
        ? await producer.writeAsync(text, WAIT)
        : producer.write(text, WAIT);
      if (!done) return;
      this.#ledger.addSent(channel);
    }
  }

  async #read(channel: Channel, ring: RingBuffer<string>): Promise<void> {
    const consumer = this.#role(this.#consumers, channel, () => ring.consumer());
    if (consumer === undefined) return;
    const handler = (view: DataView, index: number, length: number): void => {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + index, length);
      this.#receive(channel, new TextDecoder().decode(bytes), consumer.lost);
    };
    const options = { ...WAIT, limit: 1 };
    for (let left = 1 + Math.floor(this.#random() * 8); left > 0; left--) {
      const count = this.#waitsAsync
        ? await consumer.readAsync(handler, options)
        : consumer.read(handler, options);
      if (count === 0) return;
    }
  }

  #receive(channel: Channel, text: string, lost = 0): void {
    const ledger = this.#ledger;
    const [, senderText, messageText] = /^(\d+):(\d+) *$/.exec(text) ?? [];
    const [sender, message] = [Number(senderText), Number(messageText)];
    const wrong = (why: string): never => {
      throw new Error(`${channel}: ${JSON.stringify(text)} ${why}`);
    };
    if (!(sender < ledger.participants && message < MESSAGES)) wrong("is no message");
    // Between the sending and the acknowledgement lies one message at most.
    if (message > ledger.sent(sender, channel)) wrong("was not sent");
    const key = `${channel} ${sender}`;
    const last = this.#last.get(key);
    if (last !== undefined && message <= last) wrong(`came after ${last}`);
    const isBroadcast = channel === "block" || channel === "overwrite";
    const before = this.#lost.get(channel) ?? lost;
    if (isBroadcast && last !== undefined && message !== last + 1 && lost === before) {
      wrong(`came after ${last}, and nothing was reported as lost`);
    }
    this.#last.set(key, message);
    this.#lost.set(channel, lost);
    if (isBroadcast) return;
    ledger.add("received");
    if (ledger.receive(sender, channel, message)) return;
    ledger.add("received again");
    // What a reader had not given back when it died comes once more; a message never does.
    if (channel !== "spsc" && channel !== "mpsc") wrong("came twice");
  }

  judge(): string[] {
    const ledger = this.#ledger;
    const faults: string[] = [];
    const works = (
      channel: Channel,
      send: (text: string) => boolean,
      take: (wait: WaitOptions) => string | undefined,
    ): void => {
      const receive = (text: string | undefined): boolean => {
        if (text !== undefined && text !== LAST) this.#receive(channel, text);
        return text !== undefined && text !== LAST;
      };
      // What is full is emptied first; what a dead sender began is skipped in its turn.
      while (!send(LAST)) if (!receive(take(LAST_WAIT))) faults.push(`${channel} gives nothing`);
      let text: string | undefined;
      do text = take(LAST_WAIT);
      while (receive(text));
      if (text !== LAST) faults.push(`${channel} gave ${text}`);
    };
    for (const [channel, queue] of this.#queues) {
      works(
        channel,
        (text) => queue.enqueue(text, WAIT),
        (wait) => queue.dequeue(wait),
      );
    }
    for (const [channel, ring] of this.#rings) {
      this.#leave(channel);
      using consumer = ring.consumer();
      using producer = ring.producer();
      works(
        channel,
        (text) => producer.write(text, WAIT),
        (wait) => consumer.take(wait),
      );
    }
    for (const channel of [
      "segment queue",
      "polling queue",
      "named queue",
      "spsc",
      "mpsc",
    ] as const) {
      let missing = 0;
      for (let sender = 0; sender < ledger.participants; sender++) {
        const sent = ledger.sent(sender, channel);
        for (let message = 0; message < sent; message++) {
          if (!ledger.wasReceived(sender, channel, message)) missing++;
        }
      }
      // A receiver of a queue that dies takes the message with it that it had taken out.
      const most = channel.endsWith("queue") ? ledger.deaths : 0;
      if (missing > most) faults.push(`${channel}: ${missing} messages are missing`);
    }
    const again = ledger.total("received again");
    if (again > 2 * ledger.deaths * AGAIN_MOST) faults.push(`${again} records came again`);
    return faults;
  }

  unlink(): void {
    for (const [, queue] of this.#queues) queue.unlink();
    for (const [, ring] of this.#rings) ring.unlink();
  }
}

type KillGroupClass = new (name: string, ledger: KillLedger, random: Random) => KillGroup;
export type KillGroupName = "holders" | "messengers";
export const KILL_GROUPS: Readonly<Record<KillGroupName, KillGroupClass>> = {
  holders: Holders,
  messengers: Messengers,
};
