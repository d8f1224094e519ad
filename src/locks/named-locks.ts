import { checkSyncFunction, shown } from "../arguments.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Placed } from "../segment/placed.ts";
import { Segment } from "../segment/segment.ts";
import { Structure, structureLength } from "../segment/structure.ts";
import type { NamedLocksShape } from "./algorithm/named-locks-memory.ts";
import { type NamedLock, NamedLockRequests } from "./named-lock-requests.ts";
import {
  NAMED_LOCKS_KIND,
  checkFoundNamedLocks,
  namedLocksHeader,
  readNamedLocks,
} from "./named-locks-header.ts";
import {
  type NamedLockMode,
  type NamedLockOptions,
  type NamedLocksCreateOptions,
  type NamedLocksInitOptions,
  type NamedLocksOpenOptions,
  type NamedLocksOptions,
  type SureNamedLockOptions,
  checkAsked,
  checkFindOptions,
  checkNewOptions,
} from "./named-locks-options.ts";

/** One request, as `query` shows it. */
export interface NamedLockInfo {
  readonly name: string;
  readonly mode: NamedLockMode;
  /** Names the thread and handle of whoever holds or waits; see `NamedLocks.clientId`. */
  readonly clientId: string;
}

/** Who holds names, and who waits for them, in the order of their requests. */
export interface NamedLocksQuery {
  readonly held: readonly NamedLockInfo[];
  readonly pending: readonly NamedLockInfo[];
}

/**
 * Locks that have names, in the shape of the Web Locks API (`navigator.locks`), over processes and
 * Workers: one job for each invoice, each file, each account.
 *
 * A name is held from the grant until the promise of the function settles. Requests for one name
 * are granted in the order in which they came, shared ones together. Any names will do, as text of
 * at most 256 bytes of UTF-8; one takes memory only while somebody holds it or waits for it.
 *
 * What a crash leaves: the names of a process that is killed, a Worker that is terminated or a
 * handle that is closed are free, by the kernel's word; a waiter notices within 50 ms. What they
 * had to guard is as the dead one left it, and nobody is told: use a Mutex where that matters.
 *
 * Use a Mutex or RwLock for one known thing, which costs less.
 *
 * @example
 * ```ts
 * using locks = NamedLocks.openOrCreate("/locks", { names: 1000 });
 * const total = await locks.request("invoice 17", async (lock) => {
 *   await Bun.sleep(1); // nobody else works on this invoice
 *   return lock.name.length;
 * });
 * console.log(total); // 10
 * await locks.request("report", { mode: "shared", ifAvailable: true }, (lock) => {
 *   if (lock === null) console.log("somebody writes it just now");
 * });
 * locks.unlink();
 * ```
 */
export class NamedLocks implements Disposable {
  readonly #placed: Placed;
  readonly #shape: NamedLocksShape;
  readonly #requests: NamedLockRequests;

  private constructor(structure: Structure) {
    Structure.check(structure, "NamedLocks");
    this.#placed = structure.placed;
    this.#shape = readNamedLocks(structure).shape;
    this.#requests = new NamedLockRequests(structure);
  }

  /**
   * Makes named locks in a segment of their own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static create(name: string, options: NamedLocksCreateOptions): NamedLocks {
    checkNewOptions(`Cannot create named locks ${shown(name)}`, "create", options);
    const header = namedLocksHeader(options);
    return Structure.create(NAMED_LOCKS_KIND, name, header, options, NamedLocks.#fill);
  }

  /**
   * Finds named locks that have a segment of their own. Blocks for `waitMs` while there is no such
   * name, and while their creator is at work, which `waitMs` bounds too (half a minute without it).
   *
   * @param options What they must be; what is not given may be anything.
   * @returns A handle to close.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when they are another user's (see
   *   `owner`); LayoutError when they differ in an option that is given, or something else has the
   *   name; StateError ENODATA when they are unfinished.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static open(name: string, options: NamedLocksOpenOptions = {}): NamedLocks {
    checkFindOptions(`Cannot open named locks ${shown(name)}`, "open", options);
    return Structure.open(NAMED_LOCKS_KIND, name, options, NamedLocks.#finder(options));
  }

  /**
   * Finds named locks, or makes them: exactly one of several callers at the same time makes them,
   * and `created` says which. Blocks like `open` while another caller is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT.
   */
  static openOrCreate(name: string, options: NamedLocksCreateOptions & OwnerOptions): NamedLocks {
    checkNewOptions(`Cannot open or create named locks ${shown(name)}`, "openOrCreate", options);
    return Structure.openOrCreate(
      NAMED_LOCKS_KIND,
      name,
      namedLocksHeader(options),
      options,
      NamedLocks.#fill,
      NamedLocks.#finder(options),
    );
  }

  /** Removes the locks' name; open handles go on working. @returns Whether there was one. */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /**
   * Makes named locks inside the caller's segment. Blocks for half a minute at most, while another
   * process makes some there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when some are there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static init(segment: Segment, offset: number, options: NamedLocksInitOptions): NamedLocks {
    checkNewOptions("Cannot make named locks", "init", options);
    const header = namedLocksHeader(options);
    return Structure.init(NAMED_LOCKS_KIND, segment, offset, header, options, NamedLocks.#fill);
  }

  /**
   * Finds named locks inside the caller's segment. Blocks while their maker lives and is at work,
   * for half a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @param options What they must be; what is not given may be anything.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when they differ in an option that is given, or something else is there;
   *   StateError ENODATA when nothing is there, or their maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at(segment: Segment, offset: number, options: NamedLocksOptions = {}): NamedLocks {
    checkFindOptions("Cannot find named locks", "at", options);
    return Structure.at(NAMED_LOCKS_KIND, segment, offset, NamedLocks.#finder(options));
  }

  /** @returns The bytes that they take in a segment. @throws RangeError, TypeError. */
  static byteLength(options: NamedLocksInitOptions): number {
    checkNewOptions("Cannot measure named locks", "init", options);
    return structureLength(namedLocksHeader(options));
  }

  static readonly #fill = (structure: Structure): NamedLocks => {
    const locks = new NamedLocks(structure);
    locks.#requests.create();
    return locks;
  };

  /** @returns The function that makes a handle of what was found. */
  static #finder(options: NamedLocksOptions) {
    return (structure: Structure): NamedLocks => {
      checkFoundNamedLocks(structure, options);
      return new NamedLocks(structure);
    };
  }

  /** The segment's name. */
  get name(): string {
    return this.#placed.name;
  }

  /** The segment in which they lie. */
  get segment(): Segment {
    return this.#placed.segment;
  }

  /** Bytes from the segment's start to them. */
  get offset(): number {
    return this.#placed.offset;
  }

  /** Whether this handle made them. */
  get created(): boolean {
    return this.#placed.created;
  }

  /** Whether this handle or its segment was closed, or the segment was mapped again. */
  get closed(): boolean {
    return this.#placed.closed;
  }

  /** How many names can be held or waited for at the same time. */
  get names(): number {
    return this.#shape.names;
  }

  /** How many requests can hold or wait at the same time. */
  get requests(): number {
    return this.#shape.requests;
  }

  /**
   * Names this thread's use of the segment in what `query` returns. Never blocks.
   * @throws ClosedError; SystemError.
   */
  get clientId(): string {
    this.#placed.checkOpen();
    return clientIdOf(this.segment.participant.number);
  }

  /**
   * Calls a function with a name held, and releases the name when the function's promise settles.
   * Waits for its turn in the event loop, also for what this thread itself holds; a function that
   * asks for a name that it holds waits for itself for ever. Blocks only while another thread is in
   * the table, for a microsecond or so.
   *
   * With `steal`, the name is taken away from its holders: their calls reject with an AbortError at
   * once, while their functions go on, and do not know of it. Their threads learn of it as those
   * learn of a grant that wait: the thief rings them.
   *
   * @param name At most 256 bytes of UTF-8; not one that begins with "-".
   * @param fn Gets the lock, or null when `ifAvailable` or `timeoutMs` ended the wait. Never runs
   *   before `request` has returned.
   * @returns What the function returned.
   * @throws What the function throws; the signal's reason when it ends the wait; a DOMException
   *   named AbortError when the name was stolen; StateError ENOSPC when there is no room for more
   *   names or requests; LayoutError when the bytes are no named locks; ClosedError, also when this
   *   handle is closed meanwhile; RangeError, TypeError.
   */
  request<T>(name: string, fn: (lock: NamedLock) => T): Promise<Awaited<T>>;
  request<T>(
    name: string,
    options: SureNamedLockOptions,
    fn: (lock: NamedLock) => T,
  ): Promise<Awaited<T>>;
  request<T>(
    name: string,
    options: NamedLockOptions,
    fn: (lock: NamedLock | null) => T,
  ): Promise<Awaited<T>>;
  async request<T>(name: string, ...rest: readonly unknown[]): Promise<Awaited<T>> {
    this.#placed.checkOpen();
    return await this.#requests.request<T>(checkAsked(this.#placed.what, name, rest));
  }

  /**
   * Calls a synchronous function with a name held, and releases the name afterwards. Blocks this
   * thread until the name can be had.
   *
   * @param fn Gets the lock, or null, as that of `request` does.
   * @returns What the function returned.
   * @throws The errors of `request`; an AbortError after the function has ended, if the name was
   *   stolen meanwhile; StateError EDEADLK when this thread holds the name, or waits for it, and so
   *   would wait for itself; TypeError when the function returns a promise.
   */
  withLock<T>(name: string, fn: (lock: NamedLock) => T): T;
  withLock<T>(name: string, options: SureNamedLockOptions, fn: (lock: NamedLock) => T): T;
  withLock<T>(name: string, options: NamedLockOptions, fn: (lock: NamedLock | null) => T): T;
  withLock<T>(name: string, ...rest: readonly unknown[]): T {
    this.#placed.checkOpen();
    const asked = checkAsked<(lock: NamedLock | null) => T>(this.#placed.what, name, rest);
    const action = `Cannot hold ${shown(name)} of ${this.#placed.what}`;
    checkSyncFunction(action, "what is called meanwhile", asked.fn);
    return this.#requests.withLock(asked);
  }

  /**
   * Lists who holds names, and who waits for them. Blocks like `request`.
   *
   * @returns What was so at one instant, without the dead; stale the moment it is returned.
   * @throws LayoutError when the bytes are no named locks; ClosedError; SystemError.
   */
  async query(): Promise<NamedLocksQuery> {
    const listed = this.#requests.list();
    const select = (wantsHeld: boolean): NamedLockInfo[] =>
      listed
        .filter(({ isHeld }) => isHeld === wantsHeld)
        .map(({ name, isShared, participant }) => ({
          name,
          mode: isShared ? "shared" : "exclusive",
          clientId: clientIdOf(participant),
        }));
    return { held: select(true), pending: select(false) };
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. @throws ClosedError; SystemError EACCES.
   */
  get unlinked(): boolean {
    return this.#placed.unlinked;
  }

  /**
   * Removes the segment's name, if the name still stands for this segment.
   * @returns Whether this call removed it. @throws ClosedError; `NamedLocks.unlink` works then.
   */
  unlink(): boolean {
    return this.#placed.unlink();
  }

  /**
   * Closes this handle, and the segment if this handle opened it. Releases what the handle holds,
   * and ends its waits: their calls reject with ClosedError, while functions go on. Does nothing
   * when called again.
   */
  close(): void {
    this.#requests.close();
    this.#placed.close();
    this.#requests.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function clientIdOf(participant: number): string {
  return participant.toString(16).padStart(8, "0");
}
