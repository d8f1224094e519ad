/** The loads of one handle: `getOrSet`, with one loader for a key over all processes. */
import { checkFunction, shown } from "../arguments.ts";
import { ClosedError, type RemoteError, StateError } from "../errors.ts";
import { ERROR_ENTRY } from "../layout/map-layout.ts";
import type { HashedKey } from "../struct/hashed-key.ts";
import { Scratch } from "../struct/scratch.ts";
import { decodeError, encodeError } from "../struct/shared-error.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import { MAX_TIMER_MS } from "../waiting/limits.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import {
  type Claim,
  FAILED,
  IS_LIST,
  LOADED,
  MINE,
  MapLoads,
  NO_ROOM,
  OTHERS,
} from "./algorithm/map-loads.ts";
import { LONG_AGO } from "./algorithm/map-memory.ts";
import { ABSENT } from "./algorithm/map-reader.ts";
import { MapDraft } from "./algorithm/map-units.ts";
import { type SharedMapLoadOptions, type SharedMapLoader, checkLoad } from "./map-load-options.ts";
import type { SharedMapKey } from "./map-options.ts";
import { type MapParts, heldError } from "./map-parts.ts";
import { expiryIn } from "./map-times.ts";

/** One key that is loaded, here or elsewhere, and all calls of this handle that wait for it. */
interface Flight<V> {
  readonly id: string;
  readonly key: SharedMapKey;
  readonly number: number;
  readonly abort: AbortController;
  readonly promise: Promise<V>;
  /** How many calls wait. */
  callers: number;
  /** Whether this handle has the load. */
  isMine: boolean;
  isDone: boolean;
}

/** What is called to load, with the key and the context. */
type Load<V> = () => V | PromiseLike<V>;

/** Numbers the loads of this thread. */
let loadNumber = 0;

/** In the place of a value that is not there; a codec's values may be anything else. */
const NONE: unique symbol = Symbol("none");

/** The loads of one handle of a map. */
export class MapFlights<V, K extends SharedMapKey> {
  readonly #parts: MapParts<V>;
  readonly #loads: MapLoads;
  readonly #flights = new Map<string, Flight<V>>();
  readonly #failure: MapDraft = new MapDraft(new Scratch(256));

  constructor(parts: MapParts<V>) {
    const { memory, writer, reader, found, system } = parts;
    this.#parts = parts;
    this.#loads = new MapLoads(memory, writer, { reader, found }, (n) => system.isAlive(n));
    this.#failure.sort = ERROR_ENTRY;
  }

  /** Gets a value that is not there, or has expired. @throws See `SharedMap.getOrSet`. */
  async loadAsync(
    key: K | string,
    loader: SharedMapLoader<V, K>,
    options: SharedMapLoadOptions = {},
  ): Promise<V> {
    const { placed, guard } = this.#parts;
    const action = `Cannot load a value of ${placed.what}`;
    checkFunction(action, "its loader", loader);
    checkLoad(action, options);
    guard.check("load a value of");
    const id = idOf(key);
    const { staleMs = 0, timeoutMs, signal } = options;
    const stale = staleMs === 0 ? NONE : this.#readStale(key, staleMs);
    let flight = this.#flightOf(id, key);
    if (flight === undefined) {
      const number = (loadNumber = (loadNumber + 1) | 0);
      const claim = this.#claim(key, number);
      if (claim === LOADED) {
        const value = this.#read(key);
        if (value !== NONE) return inTime(value);
      }
      // While another process loads, or after a failure, the old value does.
      if (stale !== NONE && (claim === FAILED || claim === OTHERS)) return inTime(stale);
      const own = typeof key === "string" ? key : (Uint8Array.from(key) as unknown as K);
      const context = { signal: new AbortController(), stale: stale === NONE ? undefined : stale };
      flight = this.#start({ id, key: own, number }, claim, context, loader, options);
      const started = flight;
      // Behind an old value nobody waits, but the time counts.
      if (stale !== NONE)
        this.#until(flight, timeoutMs, undefined).catch(() => this.#leave(started));
    }
    return stale === NONE ? this.#join(flight, timeoutMs, signal) : inTime(stale);
  }

  /** @returns The flight of a key, unless its load was ended, by a write of the key. */
  #flightOf(id: string, key: SharedMapKey): Flight<V> | undefined {
    const flight = this.#flights.get(id);
    if (flight?.isMine !== true) return flight;
    const { number: participant } = this.#parts.segment.participant;
    const isOver = this.#loads.isOver(this.#hashed(key), participant, flight.number, false);
    return isOver ? undefined : flight;
  }

  /** Ends all loads of this handle, which is about to be closed. */
  close(): void {
    const { placed } = this.#parts;
    for (const flight of this.#flights.values()) {
      this.#finish(flight);
      flight.abort.abort(new ClosedError(placed.what));
    }
  }

  /** @returns An expired value that may still be used. */
  #readStale(key: SharedMapKey, staleMs: number): V | typeof NONE {
    const { reader, memory, codec, found } = this.#parts;
    const length = reader.readExpired(this.#hashed(key));
    if (length === ABSENT || reader.expiry === 0) return NONE;
    const isOver = reader.expiry === LONG_AGO || reader.expiry + staleMs <= memory.clock.nowMs();
    if (isOver) return NONE;
    return codec.decode(found, 0, length);
  }

  #read(key: SharedMapKey): V | typeof NONE {
    const { reader, codec, found } = this.#parts;
    const length = reader.read(this.#hashed(key));
    return length === ABSENT ? NONE : codec.decode(found, 0, length);
  }

  #hashed(key: SharedMapKey): HashedKey {
    const hashed = this.#parts.key;
    hashed.setNew(key);
    return hashed;
  }

  #claim(key: SharedMapKey, number: number): Claim {
    return this.#loads.claim(this.#hashed(key), this.#parts.segment.participant.number, number);
  }

  /** @returns The error that the last claim found. */
  #foundError(): RemoteError {
    return decodeError(this.#parts.found.node.toString("utf8", 0, this.#loads.errorLength));
  }

  #start(
    what: { readonly id: string; readonly key: K | string; readonly number: number },
    claim: Claim,
    { signal: abort, stale }: { readonly signal: AbortController; readonly stale: V | undefined },
    loader: SharedMapLoader<V, K>,
    options: SharedMapLoadOptions,
  ): Flight<V> {
    const { promise, resolve, reject } = Promise.withResolvers<V>();
    const flight = { ...what, abort, promise, callers: 0, isMine: claim === MINE, isDone: false };
    this.#flights.set(what.id, flight);
    const load = (): V | PromiseLike<V> => loader(what.key, { signal: abort.signal, stale });
    const end = (): void => this.#end(flight);
    this.#fly(flight, claim, load, options).finally(end).then(resolve, reject);
    // Those who wait get the error. If nobody does, it is nobody's.
    promise.catch(() => undefined);
    return flight;
  }

  #end(flight: Flight<V>): void {
    flight.isDone = true;
    if (this.#flights.get(flight.id) === flight) this.#flights.delete(flight.id);
  }

  async #fly(
    flight: Flight<V>,
    first: Claim,
    load: Load<V>,
    options: SharedMapLoadOptions,
  ): Promise<V> {
    for (let claim = first; ; claim = this.#claim(flight.key, flight.number)) {
      flight.isMine = claim === MINE;
      if (claim === MINE || claim === NO_ROOM) return this.#bring(flight, load, options);
      if (claim === FAILED) throw this.#foundError();
      if (claim === IS_LIST) throw heldError(this.#parts.placed, "load", flight.key, "list");
      if (claim === LOADED) {
        const value = this.#read(flight.key);
        if (value !== NONE) return value;
      } else await this.#waitForOthers(flight);
      if (isTurnDue()) await takeTurn();
      this.#parts.placed.checkOpen();
    }
  }

  async #waitForOthers({ key, abort }: Flight<V>): Promise<void> {
    const { loader, loadNumber: number } = this.#loads;
    const isOver = (asks = false): boolean => {
      this.#parts.placed.checkOpen();
      return this.#loads.isOver(this.#hashed(key), loader, number, asks);
    };
    await this.#parts.system.loads.waitAsync(isOver, { signal: abort.signal });
  }

  /** Loads, and stores what comes. Whatever happens, the load is ended. */
  async #bring(
    flight: Flight<V>,
    load: Load<V>,
    { ttlMs, staleMs, errorTtlMs }: SharedMapLoadOptions,
  ): Promise<V> {
    const { codec, draft, placed, writer } = this.#parts;
    const { signal } = flight.abort;
    try {
      const value = await orAborted(load, signal);
      placed.checkOpen();
      const length = codec.encode(value, draft.value);
      draft.length = length;
      draft.expiry = ttlMs === undefined ? 0 : expiryIn(ttlMs);
      draft.staleMs = staleMs ?? 0;
      this.#finish(flight, draft);
      // All get what others will read, since a codec need not return what it was given.
      return codec.decode(draft.value, 0, length);
    } catch (error) {
      if (errorTtlMs !== undefined && !signal.aborted && !placed.closed) {
        const failure = this.#failure;
        failure.length = encodeError(error, failure.value);
        failure.expiry = expiryIn(errorTtlMs);
        // A small map may not hold it; what the loader threw is what its callers get.
        if (writer.fits(this.#hashed(flight.key), failure)) this.#finish(flight, failure);
      }
      throw error;
    } finally {
      this.#finish(flight);
    }
  }

  /** Ends a load of this handle, if it has one. @param draft What came of it. */
  #finish(flight: Flight<V>, draft?: MapDraft): void {
    const { placed, segment, writer } = this.#parts;
    if (!flight.isMine || placed.closed) return;
    const key = this.#hashed(flight.key);
    if (draft !== undefined) writer.measure(key, draft);
    flight.isMine = false;
    this.#loads.finish(key, segment.participant.number, flight.number, draft);
  }

  /** Waits for a flight. When the last one leaves that is not over, it is aborted. */
  async #join(
    flight: Flight<V>,
    timeoutMs: number | undefined,
    signal: AbortSignalLike | undefined,
  ): Promise<V> {
    flight.callers++;
    try {
      return await this.#until(flight, timeoutMs, signal);
    } finally {
      flight.callers--;
      this.#leave(flight);
      // What a loader brings at once, or an error that is shared, needs no turn of its own.
      if (isTurnDue()) await takeTurn();
    }
  }

  /** Gives a flight up that is not over, and for which nobody waits. */
  #leave(flight: Flight<V>): void {
    if (flight.callers > 0 || flight.isDone) return;
    this.#end(flight);
    // Before the user's code hears of it, which may close the map.
    this.#finish(flight);
    flight.abort.abort();
  }

  #until(
    { key, promise: result }: Flight<V>,
    timeoutMs: number | undefined,
    signal: AbortSignalLike | undefined,
  ): Promise<V> {
    if (timeoutMs === undefined && signal === undefined) return result;
    const { promise, resolve, reject } = Promise.withResolvers<V>();
    const aborted = (): void => reject(signal?.reason);
    const late = (): void => {
      const action = `Cannot get ${shown(key)} from ${this.#parts.placed.what}`;
      reject(new StateError("ETIMEDOUT", `${action}: its load took over ${timeoutMs} ms`));
    };
    signal?.addEventListener("abort", aborted, { once: true });
    // The loader, which has begun, may have aborted it.
    if (signal?.aborted === true) aborted();
    const isLong = timeoutMs === undefined || timeoutMs > MAX_TIMER_MS;
    const timer = isLong ? undefined : setTimeout(late, timeoutMs);
    result.then(resolve, reject);
    const leave = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    };
    promise.then(leave, leave);
    return promise;
  }
}

/** Lets the event loop turn when it is due. @returns The value. */
async function inTime<V>(value: V): Promise<V> {
  if (isTurnDue()) await takeTurn();
  return value;
}

/** @returns A text that no other key of a map has. Text and its bytes may have one each. */
function idOf(key: SharedMapKey): string {
  return typeof key === "string" ? `t${key}` : `b${Buffer.from(key).toString("latin1")}`;
}

/** @returns What a loader brings. @throws The signal's reason as soon as it is aborted. */
function orAborted<T>(load: () => T | PromiseLike<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const aborted = (): void => reject(signal.reason);
  signal.addEventListener("abort", aborted, { once: true });
  try {
    // Not `resolve(load())`, after which an abort would come too late.
    Promise.resolve(load()).then(resolve, reject);
  } catch (error) {
    reject(error);
  }
  if (signal.aborted) aborted();
  const leave = (): void => signal.removeEventListener("abort", aborted);
  promise.then(leave, leave);
  return promise;
}
