/** Sessions for express-session: `bun-shm/express-session`. */
import { type SessionData, Store } from "express-session";
import type { SharedMap } from "../src/index.ts";
import { checkMap, checkNames, checkPrefix, checkTime, refusal, removeAll } from "./checks.ts";

/** Where sessions are, and for how long. */
export interface SessionStoreOptions {
  /** A map of `codecs.json()`, or of `codecs.clone()` to keep what JSON cannot in sessions. */
  readonly map: SharedMap<SessionData>;
  /** What its keys begin with. Default "sess:". */
  readonly prefix?: string | undefined;
  /**
   * Milliseconds after which a session expires whose cookie has no end; others expire with their
   * cookie. Default: a day.
   */
  readonly ttlMs?: number | undefined;
}

const DAY_MS = 86_400_000;

/** @returns Milliseconds until the session's cookie expires; 0 or less: it has expired. */
function cookieTtlMs({ cookie }: SessionData, otherwise: number): number {
  const expires: unknown = cookie.expires;
  if (expires === undefined || expires === null || expires === false) return otherwise;
  return new Date(expires as string | Date).getTime() - Date.now();
}

/** @returns A session as its data only: its cookie is an object of a class, with hidden state. */
function plain(session: SessionData): SessionData {
  const { cookie } = session as SessionData & { cookie: { toJSON?: () => SessionData["cookie"] } };
  return { ...session, cookie: typeof cookie.toJSON === "function" ? cookie.toJSON() : cookie };
}

/**
 * A store for express-session, whose sessions all processes share that open the same map: any of
 * them answers any request. Sessions outlive the processes, and end with the machine. A process
 * that is killed while it stores a session leaves the old one or the new one.
 *
 * A session that a full map refuses is an error in the callback of `set`, which express-session
 * hands to `next`. As in every store of express-session, the last of two requests that change one
 * session at the same time wins. The map stays the caller's.
 *
 * @example
 * ```ts
 * import session, { type SessionData } from "express-session";
 * import { SharedMap, codecs } from "bun-shm";
 * import { SessionStore } from "bun-shm/express-session";
 *
 * const codec = codecs.json<SessionData>();
 * using map = SharedMap.openOrCreate("/sessions", { size: 2 ** 24, codec });
 * const sessions = session({
 *   store: new SessionStore({ map }),
 *   secret: "of the app",
 *   resave: false,
 *   saveUninitialized: false,
 * });
 * console.log(typeof sessions); // app.use(sessions), in each process
 * map.unlink();
 * ```
 */
export class SessionStore extends Store {
  readonly #map: SharedMap<SessionData>;
  readonly #prefix: string;
  readonly #ttlMs: number;

  /** @throws TypeError, RangeError for bad options. */
  constructor(options: SessionStoreOptions) {
    super();
    const action = "Cannot make a store for sessions";
    checkNames(action, options, ["map", "prefix", "ttlMs"]);
    const { map, prefix = "sess:", ttlMs = DAY_MS } = options;
    checkMap(action, map);
    checkPrefix(action, "prefix", prefix);
    checkTime(action, "ttlMs", ttlMs);
    this.#map = map;
    this.#prefix = prefix;
    this.#ttlMs = ttlMs;
  }

  /** Does something, and calls back later. @throws What fails, if nobody is called back. */
  #answer<T>(work: () => T, callback: ((error: unknown, value: T) => void) | undefined): void {
    if (callback === undefined) {
      work();
      return;
    }
    try {
      process.nextTick(callback, null, work());
    } catch (error) {
      process.nextTick(callback as (error: unknown) => void, error);
    }
  }

  /** Finds a session; the callback gets undefined when there is none, or it has expired. */
  override get(
    sid: string,
    callback: (error: unknown, session?: SessionData | null) => void,
  ): void {
    this.#answer(() => this.#map.get(this.#prefix + sid), callback);
  }

  /** Stores a session; one whose cookie has expired is removed. */
  override set(sid: string, session: SessionData, callback?: (error?: unknown) => void): void {
    this.#answer(() => {
      const ttlMs = cookieTtlMs(session, this.#ttlMs);
      if (!(ttlMs > 0)) this.#map.delete(this.#prefix + sid);
      else if (!this.#map.set(this.#prefix + sid, plain(session), { ttlMs })) {
        throw refusal(this.#map, "a session");
      }
    }, callback);
  }

  /** Gives a session the end of its cookie, and leaves all else; does nothing when it is gone. */
  override touch(sid: string, session: SessionData, callback?: (error?: unknown) => void): void {
    this.#answer(() => {
      const ttlMs = cookieTtlMs(session, this.#ttlMs);
      const { cookie } = plain(session);
      const key = this.#prefix + sid;
      if (!(ttlMs > 0)) this.#map.delete(key);
      else if (!this.#map.update(key, (found) => found && { ...found, cookie }, { ttlMs })) {
        throw refusal(this.#map, "a session");
      }
    }, callback);
  }

  /** Removes a session. */
  override destroy(sid: string, callback?: (error?: unknown) => void): void {
    this.#answer(() => void this.#map.delete(this.#prefix + sid), callback);
  }

  /** Finds all sessions, by their ids. */
  override all(
    callback: (error: unknown, sessions?: { [sid: string]: SessionData } | null) => void,
  ): void {
    this.#answer(() => {
      const sessions = Object.create(null) as { [sid: string]: SessionData };
      for (const [key, session] of this.#map.entries({ prefix: this.#prefix })) {
        sessions[key.slice(this.#prefix.length)] = session;
      }
      return sessions;
    }, callback);
  }

  /** Counts the sessions. */
  override length(callback: (error: unknown, length?: number) => void): void {
    this.#answer(() => {
      let length = 0;
      for (const _ of this.#map.keys({ prefix: this.#prefix })) length++;
      return length;
    }, callback);
  }

  /** Removes all sessions, and nothing else that is in the map. */
  override clear(callback?: (error?: unknown) => void): void {
    this.#answer(() => removeAll(this.#map, this.#prefix), callback);
  }
}
