/**
 * A scheduler that walks every interleaving of small programs over shared words.
 *
 * The seam is `src/memory/atomics.ts`: the one file that uses `Atomics`. While `explore` runs (it is
 * synchronous) the functions of the global `Atomics` are replaced, and nothing is loaded plainly, so each access to the model's
 * buffer becomes a step of its own, and nothing of the code under test is changed or re-imported.
 *
 * JavaScript cannot stop in the middle of a function, so a participant is advanced by replay: it is
 * started afresh, its accesses so far are answered from its log, with the memory put back to what it
 * was after each of them, so that plain reads see what they saw; then the true memory is put in
 * place, one further step happens, and a private exception ends the run.
 *
 *     step      = one atomic access, or one call of the kernel (lock, futex) through `Turn`
 *     block     = the plain code between two steps
 *
 * A block runs together with the step before it (`blocks: "joined"`, the default): that is enough
 * where plain accesses are ordered by the atomic ones, since such a block commutes with all that the
 * others do. With `blocks: "apart"` it is a unit of its own, and others may run before it.
 *
 * Kills: a participant named in `kill` is also stopped for ever at each point where it could go on,
 * and in the middle of a block: with some of the words that the block would have written, and
 * without others. The kernel releases its locks; participants `after` it start.
 *
 * States that were seen are not walked twice, but their schedules are counted. Two states are the
 * same when the memory is, and each participant got the same answers, each written by the same step
 * of the same participant. That determines what plain reads saw if they are ordered by the atomic
 * accesses (no data race). For code that races on purpose, as a seqlock does, say after which words'
 * accesses it does (`racyAfter`): those blocks are units of their own, and what the whole memory held
 * at their start counts too. States are told apart by 53-bit hashes.
 */

import { loadByAtomics } from "../../src/memory/atomics.ts";

/** What a participant's program uses besides the code under test. */
export interface Turn {
  /** Records what happened, for `check`; also kept for a participant that is killed later. */
  note(value: unknown): void;
  /** Lets others run; goes on only after another participant wrote, so a poll loop is finite. */
  pause(): void;
  /** Pauses like a sleep with a timeout: goes on also when nobody else can, since time passes. */
  rest(): void;
  /**
   * Says that all that the participant will do from here follows from its notes and from `state`.
   * Each history of polls is a state of its own otherwise, and there are very many.
   */
  forget(state?: unknown): void;
  /** Does all of it in one block, at its start: for what a model is not about, as constructors. */
  atomically<Result>(action: () => Result): Result;
  /** Takes a kernel lock, which dies with the participant. */
  tryLock(lock: number): boolean;
  unlock(lock: number): void;
  isLocked(lock: number): boolean;
  /** Sleeps if the word is `expected`, until woken: there are no timeouts here. */
  futexWait(index: number, expected: number): void;
  /** Wakes at most `count` sleepers, in every choice of them. */
  futexWake(index: number, count?: number): void;
}

export interface Participant {
  readonly run: (turn: Turn) => void;
  /** Starts only once this one was killed. */
  readonly after?: string;
  /** Kernel locks that it holds from the beginning. */
  readonly locks?: readonly number[];
}

/** What a schedule left. */
export interface Outcome {
  readonly notes: Readonly<Record<string, readonly unknown[]>>;
  /** Who was killed. */
  readonly killed: readonly string[];
  readonly words: Int32Array;
  readonly buffer: ArrayBuffer;
}

export interface Model {
  readonly buffer: ArrayBuffer;
  readonly participants: Readonly<Record<string, Participant>>;
  /** Called at the end of each schedule; throws when an invariant does not hold. */
  readonly check: (outcome: Outcome) => void;
  /** Called in each state that is new: for invariants that hold at every moment. */
  readonly always?: (words: Int32Array) => void;
  /** Those that may be killed. */
  readonly kill?: readonly string[];
  /** How many may be killed in one schedule. Default 1. */
  readonly kills?: number;
  /** Default "joined". */
  readonly blocks?: "apart" | "joined";
  /** Indices of words; the blocks that follow an access to one race with others on purpose. */
  readonly racyAfter?: readonly number[];
  /** Whether all shared words are accessed atomically: then it does not matter who wrote what. */
  readonly allAtomic?: boolean;
  /** Default true; false walks each schedule by itself, and trusts no hash. */
  readonly prune?: boolean;
  /** Most steps of one participant, against endless loops. Default 400. */
  readonly stepLimit?: number;
  /** Most states, against models that are too large to walk. Default 1 million, 20 in long form. */
  readonly stateLimit?: number;
}

export interface Report {
  /** Schedules covered, kills included. */
  readonly schedules: number;
  /** Distinct states visited. */
  readonly states: number;
  readonly longest: number;
}

type Word = (words: Int32Array, index: number, a?: number, b?: number) => number;

/** A step that a participant is about to take. */
interface Pending {
  readonly kind: string;
  readonly index: number;
  readonly a: number;
  readonly b: number;
}

/** Words and their values. */
type Writes = readonly (readonly [number, number])[];

type Phase = "block" | "step" | "asleep" | "done" | "dead";

/** All of it is replaced, never changed, so that going back is an assignment. */
interface State {
  readonly phase: Phase;
  readonly log: readonly number[];
  readonly snapshots: readonly Int32Array[];
  readonly pending: Pending | undefined;
  readonly hash: number;
  /** Whether another participant wrote since the last pause. */
  readonly stale: boolean;
  readonly notes: readonly unknown[];
}

/** A choice that was made, and of what. */
interface Move {
  readonly who: number;
  readonly choice: number;
  readonly state: State;
}

const LOCKS = 16;
const STATE_LIMIT = process.env["BUN_SHM_SOAK"] === undefined ? 1_000_000 : 20_000_000;
const ACCESSES = [
  "load",
  "store",
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "exchange",
  "compareExchange",
] as const;

const IS_ACCESS: ReadonlySet<string> = new Set(ACCESSES);

/** Ends a replay; one object, because an Error with a stack costs more than the step itself. */
const STOP = new Error("The scheduler stops a participant; let it pass");

function mix(hash: number, value: number): number {
  // Two 32-bit lanes folded into 53 bits: collisions among millions of states are improbable.
  let low = hash | 0;
  let high = Math.floor(hash / 2 ** 32) | 0;
  low = Math.imul(low ^ value, 0x9e3779b1);
  low ^= low >>> 15;
  high = Math.imul(high ^ low ^ (value << 7), 0x85ebca77);
  high ^= high >>> 13;
  return (low >>> 0) + (high & 0x1fffff) * 2 ** 32;
}

function mixWords(hash: number, words: Int32Array): number {
  let result = hash;
  for (let at = 0; at < words.length; at++) {
    const value = words[at]!;
    if (value !== 0) result = mix(mix(result, at), value);
  }
  return result;
}

/** Walks all schedules of a model. Throws with the schedule when a check fails or all are stuck. */
export function explore(model: Model): Report {
  return new Explorer(model).run();
}

/** Says how much was walked. */
export function describeReport(what: string, report: Report): string {
  const { schedules, states, longest } = report;
  const count = schedules < 1e15 ? schedules.toLocaleString("en") : schedules.toExponential(2);
  return `${what}: ${count} schedules, ${states.toLocaleString("en")} states, longest ${longest}`;
}

class Explorer {
  readonly #model: Model;
  readonly #names: readonly string[];
  readonly #programs: readonly Participant[];
  readonly #words: Int32Array;
  readonly #original = { ...pickAtomics() };
  readonly #seen = new Map<number, number>();
  readonly #path: Move[] = [];
  #states: State[];
  /** Owner (index + 1) of each kernel lock. */
  #locks: readonly number[] = Array.from({ length: LOCKS }, () => 0);
  /** Hash of the step that wrote each word last. */
  #writers: readonly number[] = [];
  #killed: readonly string[] = [];
  #longest = 0;
  #visited = 0;

  // Of the replay under way.
  #current = -1;
  #answered = 0;
  #mode: "block" | "step" = "block";
  #stopped = false;
  #atomic = false;
  /** Whether the last block had a part that nothing interrupts. */
  #wasAtomic = false;
  #settled = new Int32Array(0);
  #live = new Int32Array(0);
  #next!: { -readonly [Key in keyof State]: State[Key] };

  constructor(model: Model) {
    this.#model = model;
    this.#names = Object.keys(model.participants);
    this.#programs = Object.values(model.participants);
    this.#words = new Int32Array(model.buffer);
    this.#programs.forEach(({ locks = [] }, at) => {
      for (const lock of locks) this.#locks = this.#locks.with(lock, at + 1);
    });
    this.#states = this.#names.map((_, at) => ({
      phase: "block",
      log: [],
      snapshots: [],
      pending: undefined,
      hash: at + 1,
      stale: false,
      notes: [],
    }));
  }

  run(): Report {
    const before = this.#words.slice();
    this.#patch();
    try {
      const schedules = this.#visit();
      return { schedules, states: this.#visited, longest: this.#longest };
    } finally {
      Object.assign(Atomics, this.#original);
      this.#words.set(before);
    }
  }

  #patch(): void {
    loadByAtomics();
    for (const kind of ACCESSES) {
      const original = this.#original[kind] as Word;
      const access: Word = (words, index, a = 0, b = 0) => {
        // Accesses of `check` and `always` go through.
        const isShared = this.#current >= 0 && !this.#atomic && words.buffer === this.#model.buffer;
        if (!isShared) return original(words, index, a, b);
        const at = index + (words.byteOffset >> 2);
        return this.#access({ kind, index: at, a, b });
      };
      (Atomics as unknown as Record<string, Word>)[kind] = access;
    }
  }

  #visit(): number {
    const key = this.#key();
    if (this.#model.prune !== false) {
      const known = this.#seen.get(key);
      if (known !== undefined) return known;
    }
    const { stateLimit = STATE_LIMIT } = this.#model;
    if (++this.#visited > stateLimit) this.#fail(new Error(`There are over ${stateLimit} states`));
    this.#longest = Math.max(this.#longest, this.#path.length);
    this.#model.always?.(this.#words);
    let schedules = 0;
    let moved = false;
    for (let who = 0; who < this.#names.length; who++) {
      for (const choice of this.#choices(who)) {
        moved = true;
        schedules += this.#try(who, choice, () => this.#advance(who, choice));
      }
    }
    if (!moved) this.#end();
    schedules += moved ? 0 : 1;
    schedules += this.#kills();
    this.#seen.set(key, schedules);
    return schedules;
  }

  /** Takes a move, walks everything after it, and takes it back. */
  #try(who: number, choice: number, move: () => void): number {
    const memory = this.#words.slice();
    const [states, locks, writers, killed] = [
      this.#states,
      this.#locks,
      this.#writers,
      this.#killed,
    ];
    this.#states = states.slice();
    const length = this.#path.length;
    this.#path.push({ who, choice, state: states[who]! });
    move();
    const schedules = this.#visit();
    this.#path.length = length;
    this.#words.set(memory);
    [this.#states, this.#locks, this.#writers, this.#killed] = [states, locks, writers, killed];
    return schedules;
  }

  #describe({ who, choice, state: { phase, pending } }: Move): string {
    const name = this.#names[who]!;
    if (choice < 0) return `${name} is killed`;
    if (phase === "block" || pending === undefined) return `${name}: plain code`;
    return `${name}: ${pending.kind} [${pending.index}] ${pending.a} ${pending.b}`;
  }

  /** At the end: nobody can move. */
  #end(): void {
    const stuck = this.#names.filter((_, who) => this.#isStuck(who));
    if (stuck.length > 0) this.#fail(new Error(`${stuck.join(" and ")} wait for ever`));
    const notes = Object.fromEntries(
      this.#names.map((name, at) => [name, this.#states[at]!.notes]),
    );
    try {
      const { buffer } = this.#model;
      this.#model.check({ notes, killed: this.#killed, words: this.#words, buffer });
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    const notes = this.#states.map((state, at) => `${this.#names[at]}: ${show(state.notes)}`);
    const path = this.#path.map((move) => this.#describe(move));
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`${text}\nschedule:\n  ${path.join("\n  ")}\nnotes:\n  ${notes.join("\n  ")}`);
  }

  #isStuck(who: number): boolean {
    const { phase } = this.#states[who]!;
    return phase !== "done" && phase !== "dead" && this.#started(who);
  }

  #started(who: number): boolean {
    const { after } = this.#programs[who]!;
    return after === undefined || this.#killed.includes(after);
  }

  /** The moves that a participant has: mostly one, none when it waits. */
  #choices(who: number): number[] {
    const state = this.#states[who]!;
    if (!this.#started(who)) return [];
    if (state.phase === "block") return [0];
    if (state.phase !== "step") return [];
    const { kind, index, a } = state.pending!;
    if (kind === "pause" && !state.stale) return [];
    if (kind === "rest" && !state.stale && this.#isAnyAwake()) return [];
    if (kind !== "futexWake") return [0];
    const sleepers = this.#sleepers(index);
    if (a >= sleepers.length) return [0];
    if (a !== 1) throw new Error("A wake takes one sleeper or all of them");
    return sleepers.map((_, choice) => choice);
  }

  /** Whether anybody can go on without that time passes. */
  #isAnyAwake(): boolean {
    return this.#names.some((_, who) => {
      const { phase, pending, stale } = this.#states[who]!;
      if (!this.#started(who) || (phase !== "block" && phase !== "step")) return false;
      const isPausing = pending?.kind === "pause" || pending?.kind === "rest";
      return phase === "block" || !isPausing || stale;
    });
  }

  #sleepers(index: number): number[] {
    return this.#names
      .map((_, who) => who)
      .filter((who) => {
        const { phase, pending } = this.#states[who]!;
        return phase === "asleep" && pending!.index === index;
      });
  }

  #advance(who: number, choice: number): void {
    this.#choice = choice;
    const mode = this.#states[who]!.phase === "step" ? "step" : "block";
    this.#replay(who, mode, true);
  }

  /** Whether a block begins with the step that was just taken, and others cannot run before it. */
  #isJoined(state: State): boolean {
    return state.phase === "block" && this.#model.blocks !== "apart" && !this.#isRacy(state);
  }

  /** Whether the block that comes next races on purpose. */
  #isRacy({ pending }: Pick<State, "pending">): boolean {
    const { racyAfter } = this.#model;
    if (racyAfter === undefined || pending === undefined) return false;
    return IS_ACCESS.has(pending.kind) && racyAfter.includes(pending.index);
  }

  #choice = 0;
  #runsOn = false;

  /**
   * Runs a participant from its start up to one block or step further.
   * @param joined Whether the block that is joined to the step is run with it.
   */
  #replay(who: number, mode: "block" | "step", joined = false): void {
    this.#current = who;
    this.#mode = mode;
    this.#runsOn = joined;
    this.#answered = 0;
    this.#stopped = false;
    this.#next = { ...this.#states[who]!, notes: [] };
    if (this.#next.log.length > (this.#model.stepLimit ?? 400)) {
      this.#fail(new Error(`${this.#names[who]} goes on for ever`));
    }
    this.#live = this.#words.slice();
    this.#startBlock();
    let finished = false;
    try {
      this.#programs[who]!.run(this.#turn);
      finished = !this.#stopped;
    } catch (error) {
      if (!this.#stopped) this.#fail(error);
    }
    if (finished) {
      this.#next.phase = "done";
      this.#next.pending = undefined;
    } else {
      // Whatever `finally` blocks wrote while the exception passed is taken back.
      this.#words.set(this.#settled);
    }
    this.#current = -1;
    if (this.#mode === "block") this.#noticeWrites(who);
    this.#states[who] = this.#next;
  }

  /** Called where plain code begins: puts the memory that it sees, or saw, in place. */
  #startBlock(): void {
    const { snapshots } = this.#next;
    const snapshot = snapshots[this.#answered];
    if (snapshot !== undefined) {
      this.#words.set(snapshot);
      return;
    }
    if (this.#mode !== "block") throw new Error("A step comes after a block");
    this.#words.set(this.#live);
    this.#next.snapshots = [...snapshots, this.#live];
    if (this.#isRacy(this.#next)) this.#next.hash = mixWords(this.#next.hash, this.#live);
  }

  /** An access of the code under test: answered from the log, or taken, or not yet. */
  #access(pending: Pending): number {
    if (this.#stopped) throw STOP;
    const answer = this.#next.log[this.#answered];
    if (answer !== undefined) {
      this.#answered++;
      this.#startBlock();
      return answer;
    }
    if (this.#mode === "step") {
      this.#words.set(this.#live);
      const taken = this.#take(pending);
      if (this.#runsOn && this.#isJoined(this.#next)) {
        this.#mode = "block";
        this.#answered++;
        this.#live = this.#words.slice();
        this.#startBlock();
        return taken;
      }
    } else {
      this.#next.phase = "step";
      this.#next.pending = pending;
    }
    this.#settled = this.#words.slice();
    this.#stopped = true;
    throw STOP;
  }

  /** Performs a step on the true memory. @returns What it answers. */
  #take(pending: Pending): number {
    const { kind, index, a, b } = pending;
    let answer = 0;
    let phase: Phase = "block";
    if (kind === "pause" || kind === "rest") {
      this.#next.stale = false;
    } else if (kind === "tryLock") {
      if (this.#locks[index] === 0) {
        this.#setLock(index, this.#current + 1);
        answer = 1;
      }
    } else if (kind === "unlock") {
      if (this.#locks[index] === this.#current + 1) this.#setLock(index, 0);
    } else if (kind === "isLocked") {
      answer = this.#locks[index]! > 0 ? 1 : 0;
    } else if (kind === "futexWait") {
      if (this.#words[index] === a) phase = "asleep";
    } else if (kind === "futexWake") {
      const sleepers = this.#sleepers(index);
      const chosen = a >= sleepers.length ? sleepers : [sleepers[this.#choice]!];
      for (const who of chosen) this.#states[who] = { ...this.#states[who]!, phase: "block" };
      answer = chosen.length;
    } else {
      const before = this.#words[index]!;
      answer = (this.#original as unknown as Record<string, Word>)[kind]!(this.#words, index, a, b);
      if (this.#words[index] !== before) this.#markStale(this.#current);
    }
    const { hash } = this.#next;
    const writer = this.#model.allAtomic === true ? 0 : (this.#writers[index] ?? 0);
    this.#next.hash = mix(mix(mix(hash, index + kind.length * 4096), answer), writer);
    if (kind !== "load" && IS_ACCESS.has(kind) && this.#model.allAtomic !== true) {
      const writers = this.#writers.slice();
      writers[index] = this.#next.hash;
      this.#writers = writers;
    }
    this.#next.log = [...this.#next.log, answer];
    this.#next.phase = phase;
    this.#next.pending = pending;
    return answer;
  }

  #setLock(lock: number, owner: number): void {
    this.#locks = this.#locks.with(lock, owner);
    this.#markStale(this.#current);
  }

  #markStale(writer: number): void {
    this.#states.forEach((state, who) => {
      if (who !== writer && !state.stale) this.#states[who] = { ...state, stale: true };
    });
  }

  #noticeWrites(who: number): void {
    if (changed(this.#live, this.#words).length > 0) this.#markStale(who);
  }

  readonly #turn: Turn = this.#makeTurn();

  #makeTurn(): Turn {
    const step = (kind: string, index = 0, a = 0): number => this.#access({ kind, index, a, b: 0 });
    return {
      note: (value) => {
        if (!this.#stopped) this.#next.notes = [...this.#next.notes, value];
      },
      atomically: (action) => {
        const isNew = this.#answered === this.#next.log.length && this.#mode === "block";
        if (isNew) this.#next.hash = mixWords(this.#next.hash, this.#live);
        this.#atomic = true;
        if (isNew) this.#wasAtomic = true;
        try {
          return action();
        } finally {
          this.#atomic = false;
        }
      },
      pause: () => void step("pause"),
      rest: () => void step("rest"),
      forget: (state = null) => {
        const isNew = this.#answered === this.#next.log.length && this.#mode === "block";
        if (isNew) this.#next.hash = hashText(show([this.#current, this.#next.notes, state]));
      },
      tryLock: (lock) => step("tryLock", lock) === 1,
      unlock: (lock) => void step("unlock", lock),
      isLocked: (lock) => step("isLocked", lock) === 1,
      futexWait: (index, expected) => void step("futexWait", index, expected),
      futexWake: (index, count = 2 ** 31 - 1) => void step("futexWake", index, count),
    };
  }

  /** Kills each that may be killed here, in each way. */
  #kills(): number {
    const { kill = [], kills = 1 } = this.#model;
    if (this.#killed.length >= kills) return 0;
    let schedules = 0;
    for (const name of kill) {
      const who = this.#names.indexOf(name);
      const { phase } = this.#states[who]!;
      if (phase === "done" || phase === "dead" || !this.#started(who)) continue;
      for (const torn of this.#ends(who, phase)) {
        schedules += this.#try(who, -1, () => {
          const { step, writes } = torn;
          if (step) this.#replay(who, "step");
          for (const [at, value] of writes) this.#words[at] = value;
          const state = this.#states[who]!;
          const hash = mixWords(state.hash, this.#words);
          this.#states[who] = { ...state, phase: "dead", hash };
          this.#killed = [...this.#killed, name];
          this.#locks = this.#locks.map((owner) => (owner === who + 1 ? 0 : owner));
          this.#markStale(who);
        });
      }
    }
    return schedules;
  }

  /** The ways to die here: at once, in a block, or in the block that is joined to the next step. */
  #ends(who: number, phase: Phase): { step: boolean; writes: Writes }[] {
    if (phase === "block") return this.#tornBlocks(who).map((writes) => ({ step: false, writes }));
    const atOnce = { step: false, writes: [] };
    const mayStep = this.#model.blocks !== "apart" && this.#choices(who).length > 0;
    if (!mayStep || this.#states[who]!.pending!.kind === "futexWake") return [atOnce];
    const memory = this.#words.slice();
    const [states, locks, writers] = [this.#states, this.#locks, this.#writers];
    this.#states = states.slice();
    this.#replay(who, "step");
    const torn = this.#states[who]!.phase === "block" ? this.#tornBlocks(who) : [];
    this.#words.set(memory);
    [this.#states, this.#locks, this.#writers] = [states, locks, writers];
    return [atOnce, ...torn.map((writes) => ({ step: true, writes }))];
  }

  /** What a block may have written when it is cut short. */
  #tornBlocks(who: number): Writes[] {
    const before = this.#words.slice();
    const states = this.#states;
    this.#states = states.slice();
    this.#wasAtomic = false;
    this.#replay(who, "block");
    const after = this.#words.slice();
    this.#words.set(before);
    this.#states = states;
    const writes = changed(before, after);
    const torn: Writes[] = [[]];
    if (this.#wasAtomic) return torn;
    if (writes.length <= 4) {
      for (let subset = 1; subset < 2 ** writes.length - 1; subset++) {
        torn.push(writes.filter((_, bit) => (subset >> bit) & 1));
      }
    } else {
      for (let cut = 1; cut < writes.length; cut++) {
        torn.push(writes.slice(0, cut), writes.slice(cut));
      }
    }
    return torn;
  }

  #key(): number {
    let key = mixWords(17, this.#words);
    const phases: Phase[] = ["block", "step", "asleep", "done", "dead"];
    for (const { hash, phase, stale } of this.#states) {
      key = mix(mix(key, hash | 0), Math.floor(hash / 2 ** 32));
      key = mix(key, phases.indexOf(phase) * 2 + (stale ? 1 : 0));
    }
    return this.#locks.reduce(mix, key);
  }
}

/** @returns The words that differ, with their later values. */
function changed(before: Int32Array, after: Int32Array): Writes {
  const writes: [number, number][] = [];
  for (let at = 0; at < after.length; at++) {
    if (before[at] !== after[at]) writes.push([at, after[at]!]);
  }
  return writes;
}

function pickAtomics(): Pick<typeof Atomics, (typeof ACCESSES)[number]> {
  const { load, store, add, sub, and, or, xor, exchange, compareExchange } = Atomics;
  return { load, store, add, sub, and, or, xor, exchange, compareExchange };
}

function hashText(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = mix(hash, text.charCodeAt(at));
  return hash;
}

function show(value: unknown): string {
  return JSON.stringify(value);
}
