/** The requests of one handle of named locks: how they wait, and how they learn of a theft. */
import { checkSyncAnswer, shown } from "../arguments.ts";
import { ClosedError, LayoutError, StateError } from "../errors.ts";
import {
  LOCKS_GRANTED_POINT_OFFSET,
  LOCKS_LOCK_OFFSET,
  LOCKS_STOLEN_POINT_OFFSET,
  REQUEST_HELD,
  REQUEST_STOLEN,
} from "../layout/named-locks-layout.ts";
import type { Hold } from "../segment/holds.ts";
import { quietly } from "../segment/quietly.ts";
import type { Structure } from "../segment/structure.ts";
import { HashedKey } from "../struct/hashed-key.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import { WaitPoint } from "../waiting/wait-point.ts";
import { NamedLocksMemory } from "./algorithm/named-locks-memory.ts";
import {
  GONE,
  type ListedRequest,
  NOT_AVAILABLE,
  NO_REQUEST_LEFT,
  NamedLocksTable,
} from "./algorithm/named-locks-table.ts";
import { readNamedLocks } from "./named-locks-header.ts";
import type { Asked, NamedLockMode } from "./named-locks-options.ts";
import { OwnedLock } from "./owned-lock.ts";

/** A lock that is held while the function runs that got it. */
export interface NamedLock {
  readonly name: string;
  readonly mode: NamedLockMode;
}

/** A request of this handle's that waits or holds. */
interface OwnRequest {
  readonly request: number;
  readonly number: number;
  readonly lock: NamedLock;
  /** Ends the call at once, while its function goes on. */
  fail: ((error: unknown) => void) | undefined;
}

export class NamedLockRequests {
  readonly #structure: Structure;
  readonly #table: NamedLocksTable;
  readonly #lock: OwnedLock;
  readonly #key: HashedKey;
  readonly #granted: WaitPoint;
  readonly #stolen: WaitPoint;
  readonly #hold: Hold;
  /** All that wait or hold, and those that hold for an event loop. */
  readonly #own = new Set<OwnRequest>();
  readonly #held = new Set<OwnRequest>();
  #isWatching = false;

  constructor(structure: Structure) {
    const { segment, dataOffset, what, placed } = structure;
    const { shape, seeds } = readNamedLocks(structure);
    const memory = new NamedLocksMemory(segment.buffer, dataOffset, shape);
    const granted = new WaitPoint(segment, dataOffset + LOCKS_GRANTED_POINT_OFFSET, {
      forHolder: true,
    });
    const stolen = new WaitPoint(segment, dataOffset + LOCKS_STOLEN_POINT_OFFSET);
    const lock = new OwnedLock(segment, dataOffset + LOCKS_LOCK_OFFSET, `table of ${what}`);
    const system = {
      lock: () => lock.lock(),
      unlock: () => lock.unlock(),
      isAlive: (participant: number) => segment.participant.isAlive(participant),
      isOwn: (participant: number) => segment.participant.isOwn(participant),
      wakeWaiters: () => granted.wake(),
      wakeHolders: () => stolen.wake(),
    };
    this.#structure = structure;
    this.#table = new NamedLocksTable(memory, system, () => segment.participant.number);
    this.#lock = lock;
    this.#key = new HashedKey(seeds[0] | 0, seeds[1] | 0, true);
    this.#granted = granted;
    this.#stolen = stolen;
    this.#hold = segment.holds.register(
      this,
      `a name of the named locks at ${placed.offset}`,
      segment.mapping,
    );
  }

  /** Fills in a new table. */
  create(): void {
    this.#table.create();
  }

  /** @throws ClosedError; LayoutError. */
  list(): ListedRequest[] {
    this.#structure.placed.checkOpen();
    return this.#table.list();
  }

  /** Calls a function with a name held, in an event loop. @returns What it returned. */
  async request<T>(asked: Asked<(lock: NamedLock | null) => T>): Promise<Awaited<T>> {
    const { fn, timeoutMs, signal } = asked;
    const own = this.#enter(asked);
    let isHeld = false;
    try {
      // The function never runs before `request` has returned.
      await (isTurnDue() ? takeTurn() : undefined);
      if (own === undefined) return await this.#callWithNull(fn);
      this.#mustBeOpen(own);
      signal?.throwIfAborted();
      isHeld =
        this.#isHeld(own) ||
        (await this.#granted.waitAsync(this.#look(own), { timeoutMs, signal }));
    } finally {
      if (own !== undefined && !isHeld) this.#leave(own);
    }
    return isHeld ? await this.#callAsync(own, fn) : await this.#callWithNull(fn);
  }

  /** Calls a synchronous function with a name held. @returns What it returned. */
  withLock<T>(asked: Asked<(lock: NamedLock | null) => T>): T {
    const { fn, timeoutMs, signal } = asked;
    const action = `Cannot hold ${shown(asked.name)} of ${this.#structure.what}`;
    const own = this.#enter(asked);
    if (own === undefined) return checked(action, fn(null));
    let isHeld = this.#isHeld(own);
    let result: T;
    try {
      if (!isHeld && this.#table.isBehindOwn(own.request, own.number)) {
        const why = "this thread holds it, or waits for it, in its event loop";
        throw new StateError("EDEADLK", `${action}: ${why}. Use request`);
      }
      isHeld ||= this.#granted.wait(this.#look(own), { timeoutMs, signal });
      result = fn(isHeld ? own.lock : null);
    } catch (error) {
      this.#leave(own);
      throw error;
    }
    if (this.#leave(own) === REQUEST_STOLEN) throw this.#theft(own);
    return checked(action, result);
  }

  /** Releases everything, and ends all calls with an error. */
  close(): void {
    const error = new ClosedError(this.#structure.what);
    for (const own of this.#own) {
      quietly(() => this.#leave(own));
      own.fail?.(error);
    }
    this.#hold.held = false;
    if (this.#structure.placed.closed) return;
    this.#granted.endWaits();
    this.#stolen.endWaits();
  }

  /** Ends the use of the table. */
  end(): void {
    this.#lock.close();
  }

  /** @returns The request; undefined when the name is not available. @throws StateError ENOSPC. */
  #enter({ name, mode, manner }: Asked<unknown>): OwnRequest | undefined {
    this.#structure.placed.checkOpen();
    this.#key.set(name);
    const request = this.#table.enter(this.#key, mode === "shared", manner);
    if (request === NOT_AVAILABLE) return undefined;
    if (request < 0) this.#refuse(name, request);
    const number = this.#table.numberOf(request);
    const own = { request, number, lock: Object.freeze({ name, mode }), fail: undefined };
    this.#own.add(own);
    this.#hold.held = true;
    // What this thread stole from itself it need not be told of.
    if (manner === "steal") this.#failStolen();
    return own;
  }

  #refuse(name: string, answer: number): never {
    const [what, option] =
      answer === NO_REQUEST_LEFT ? ["requests", "requests"] : ["other names", "names"];
    const why = `as many ${what} hold and wait as there is room for`;
    const action = `Cannot request ${shown(name)} of ${this.#structure.what}`;
    throw new StateError("ENOSPC", `${action}: ${why}. Make them with more ${option}`);
  }

  #look(own: OwnRequest) {
    return (unasked?: boolean): boolean => {
      // A closed handle's requests are gone; their waits are about to be ended.
      if (!this.#own.has(own)) return false;
      if (unasked === true) this.#table.examine(own.request, own.number);
      return this.#isHeld(own);
    };
  }

  #isHeld(own: OwnRequest): boolean {
    const state = this.#table.stateOf(own.request, own.number);
    if (state === GONE) this.#failGone(own);
    return state === REQUEST_HELD || state === REQUEST_STOLEN;
  }

  /** @returns Its state until then. */
  #leave(own: OwnRequest): number {
    if (!this.#own.delete(own)) return GONE;
    this.#held.delete(own);
    if (this.#own.size === 0) this.#hold.held = false;
    return this.#structure.placed.closed ? GONE : this.#table.leave(own.request, own.number);
  }

  /** @throws ClosedError when the handle was closed meanwhile, and so ended the request. */
  #mustBeOpen(own: OwnRequest): void {
    if (!this.#own.has(own)) throw new ClosedError(this.#structure.what);
  }

  #callWithNull<T>(fn: (lock: NamedLock | null) => T): T {
    this.#structure.placed.checkOpen();
    return fn(null);
  }

  async #callAsync<T>(own: OwnRequest, fn: (lock: NamedLock) => T): Promise<Awaited<T>> {
    this.#mustBeOpen(own);
    const { promise: failure, reject } = Promise.withResolvers<never>();
    own.fail = reject;
    this.#held.add(own);
    this.#watch();
    let result: Awaited<T>;
    try {
      result = await Promise.race([failure, call(fn, own.lock)]);
    } catch (error) {
      this.#leave(own);
      throw error;
    }
    if (this.#leave(own) === REQUEST_STOLEN) throw this.#theft(own);
    return result;
  }

  /**
   * Waits for thefts while something is held, and until nothing was held for a look unasked: to
   * begin and end a wait with each lock would cost more than the lock.
   */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    void this.#watchOn().catch((error: unknown) => this.#failHeld(error));
  }

  async #watchOn(): Promise<void> {
    const ready = (unasked?: boolean): boolean =>
      this.#isAnyStolen() || (unasked === true && this.#held.size === 0);
    try {
      for (;;) {
        const isReady = await this.#stolen.waitAsync(ready, { ref: false }, true);
        if (!isReady) return this.#failHeld(new ClosedError(this.#structure.what));
        this.#failStolen();
        if (this.#held.size === 0) return;
      }
    } finally {
      this.#isWatching = false;
    }
  }

  #isAnyStolen(): boolean {
    for (const own of this.#held) if (this.#isStolen(own)) return true;
    return false;
  }

  #isStolen({ request, number }: OwnRequest): boolean {
    const state = this.#table.stateOf(request, number);
    return state === REQUEST_STOLEN || state === GONE;
  }

  #failStolen(): void {
    for (const own of this.#held) {
      if (!this.#isStolen(own)) continue;
      quietly(() => this.#leave(own));
      own.fail?.(this.#theft(own));
    }
  }

  #failHeld(error: unknown): void {
    for (const own of this.#held) {
      quietly(() => this.#leave(own));
      own.fail?.(error);
    }
  }

  /** @returns The error for a lock that was stolen, or that the table forgot. */
  #theft(own: OwnRequest): Error {
    const { what } = this.#structure;
    return new DOMException(
      `Cannot hold ${shown(own.lock.name)} of ${what}: it was stolen`,
      "AbortError",
    );
  }

  #failGone(own: OwnRequest): never {
    const why = "its table was overwritten";
    const { what, placed } = this.#structure;
    throw new LayoutError(`Cannot hold ${shown(own.lock.name)} of ${what}: ${why}`, {
      expected: `request ${own.number}`,
      found: "none",
      offset: placed.offset,
    });
  }
}

/** Calls a function whose error is a rejection. */
async function call<T>(fn: (lock: NamedLock) => T, lock: NamedLock): Promise<Awaited<T>> {
  return await fn(lock);
}

function checked<T>(action: string, result: T): T {
  checkSyncAnswer(action, result);
  return result;
}
