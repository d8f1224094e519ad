import { checkInteger, checkSyncAnswer, checkSyncFunction, shown } from "../arguments.ts";
import { StateError } from "../errors.ts";
import { RECORD_LOCK, RECORD_WAIT_POINT } from "../layout/shared-record-layout.ts";
import { RobustMutex } from "../locks/robust-mutex.ts";
import type { Placed } from "../segment/placed.ts";
import { Segment } from "../segment/segment.ts";
import { Structure, structureLength } from "../segment/structure.ts";
import type { Schema, Struct, StructValue, StructView } from "../struct/struct.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  checkWait,
} from "../waiting/wait-options.ts";
import { WaitPoint } from "../waiting/wait-point.ts";
import { RecordSlots } from "./algorithm/record-slots.ts";
import { RECORD_KIND, checkFoundRecord, recordHeader, valueLength } from "./record-header.ts";
import {
  type AsyncWaitChangedOptions,
  type RecordStats,
  type SharedRecordCreateOptions,
  type SharedRecordInitOptions,
  type SharedRecordNewOptions,
  type SharedRecordOpenOptions,
  type SharedRecordOptions,
  type WaitChangedOptions,
  checkRecordOptions,
} from "./record-options.ts";

const SLOTS_DEFAULT = 8;

/**
 * The latest value of a struct, shared: readers copy it whole, and neither wait nor make wait.
 *
 * Any number of processes read, and any number write, one at a time (a robust mutex, held for the
 * length of a copy). What `read` returns was the newest value during the call, and may be old by
 * the time it is used. A value costs its bytes times `slots`.
 *
 * What a crash leaves: a writer killed at any instant leaves the value before its write, or the one
 * after it; readers notice nothing, and the next writer takes over at once.
 *
 * Use a ring instead if every value matters and not only the newest; a SharedMap for many records
 * under keys; a Mutex when several things change together.
 *
 * @example
 * ```ts
 * const Quote = struct({ price: "f64", size: "u32" });
 * using quotes = SharedRecord.create("/quote", { codec: Quote, initial: { price: 1, size: 0 } });
 * quotes.write({ price: 1.5, size: 3 });
 * quotes.update((quote) => ({ ...quote!, size: quote!.size + 1 }));
 * // in another process:
 * using same = SharedRecord.open("/quote", { codec: Quote });
 * console.log(same.read()); // { price: 1.5, size: 4 }
 * quotes.unlink();
 * ```
 */
export class SharedRecord<S extends Schema> implements Disposable {
  /** The struct whose value this is. */
  readonly codec: Struct<S>;
  readonly #placed: Placed;
  readonly #slotCount: number;
  readonly #slots: RecordSlots;
  readonly #lock: RobustMutex;
  readonly #waitPoint: WaitPoint;
  /** Where a reader's copy is decoded, and where a writer's value is put together. */
  readonly #readView: DataView;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #accessor: StructView<S> | undefined;
  /** While a callback of `update` runs, which holds the lock. */
  #updating = false;

  private constructor(structure: Structure, codec: Struct<S>, slotCount: number) {
    Structure.check(structure, "SharedRecord");
    const { placed, segment, dataOffset, what } = structure;
    this.codec = codec;
    this.#placed = placed;
    this.#slotCount = slotCount;
    const length = valueLength(codec);
    this.#slots = new RecordSlots(segment.buffer, dataOffset, length, slotCount);
    const lockName = `the lock of ${what}`;
    const hold = segment.holds.register(this, lockName, segment.mapping);
    this.#lock = new RobustMutex(segment.mapping, dataOffset + RECORD_LOCK, lockName, hold);
    this.#waitPoint = new WaitPoint(segment, dataOffset + RECORD_WAIT_POINT);
    this.#readView = new DataView(this.#slots.copy.buffer);
    this.#bytes = new Uint8Array(new ArrayBuffer(length));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * Makes a record in a segment of its own.
   *
   * @throws SystemError EEXIST, ENOSPC, EACCES; UnsupportedError without robust mutexes (macOS).
   * @throws TypeError, RangeError for bad options, or an initial value that does not fit.
   */
  static create<S extends Schema>(
    name: string,
    options: SharedRecordCreateOptions<S>,
  ): SharedRecord<S> {
    checkRecordOptions(`Cannot create record ${shown(name)}`, "create", options);
    const { header, fill } = SharedRecord.#plan(options);
    return Structure.create(RECORD_KIND, name, header, options, fill);
  }

  /**
   * Finds a record that has a segment of its own.
   *
   * @throws LayoutError when it holds another struct, or something else has the name; SystemError
   *   ENOENT, EACCES; StateError ENODATA.
   */
  static open<S extends Schema>(
    name: string,
    options: SharedRecordOpenOptions<S>,
  ): SharedRecord<S> {
    checkRecordOptions(`Cannot open record ${shown(name)}`, "open", options);
    return Structure.open(RECORD_KIND, name, options, SharedRecord.#finder(options));
  }

  /**
   * Finds a record, or makes it: exactly one of those that come at once makes it. `initial` is for
   * a new one. @throws As `create` and `open`; LayoutError when there is one with other slots.
   */
  static openOrCreate<S extends Schema>(
    name: string,
    options: SharedRecordCreateOptions<S>,
  ): SharedRecord<S> {
    checkRecordOptions(`Cannot open or create record ${shown(name)}`, "create", options);
    const { header, fill } = SharedRecord.#plan(options);
    return Structure.openOrCreate(
      RECORD_KIND,
      name,
      header,
      options,
      fill,
      SharedRecord.#finder(options),
    );
  }

  /** Removes a record's name; who has it open keeps it. @returns Whether there was one. */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /**
   * Makes a record inside a segment of the user's.
   *
   * @param offset A multiple of 128, in bytes.
   * @throws StateError EEXIST when one is there; RangeError, TypeError for bad options or a place
   *   that cannot be.
   */
  static init<S extends Schema>(
    segment: Segment,
    offset: number,
    options: SharedRecordInitOptions<S>,
  ): SharedRecord<S> {
    checkRecordOptions("Cannot make a record", "init", options);
    const { header, fill } = SharedRecord.#plan(options);
    return Structure.init(RECORD_KIND, segment, offset, header, options, fill);
  }

  /** Finds a record inside a segment of the user's. @throws As `open`. */
  static at<S extends Schema>(
    segment: Segment,
    offset: number,
    options: SharedRecordOptions<S>,
  ): SharedRecord<S> {
    checkRecordOptions("Cannot find a record", "at", options);
    return Structure.at(RECORD_KIND, segment, offset, SharedRecord.#finder(options));
  }

  /** Bytes that a record takes. */
  static byteLength<S extends Schema>(options: SharedRecordInitOptions<S>): number {
    checkRecordOptions("Cannot measure a record", "init", options);
    return structureLength(recordHeader(options.codec, options.slots ?? SLOTS_DEFAULT));
  }

  /** A new record's header, and how it is filled. */
  static #plan<S extends Schema>({
    codec,
    initial,
    slots = SLOTS_DEFAULT,
  }: SharedRecordNewOptions<S>) {
    const fill = (structure: Structure): SharedRecord<S> => {
      const record = new SharedRecord(structure, codec, slots);
      record.#lock.init();
      if (initial !== undefined) record.write(initial);
      return record;
    };
    return { header: recordHeader(codec, slots), fill };
  }

  /** How a record is taken that was found. */
  static #finder<S extends Schema>({ codec, slots }: SharedRecordNewOptions<S>) {
    return (structure: Structure): SharedRecord<S> =>
      new SharedRecord(structure, codec, checkFoundRecord(structure, codec, slots));
  }

  /** The name of its segment. */
  get name(): string {
    return this.#placed.name;
  }

  /** The segment in which it lies. */
  get segment(): Segment {
    return this.#placed.segment;
  }

  /** Where it lies in the segment, in bytes. */
  get offset(): number {
    return this.#placed.offset;
  }

  /** Whether this handle made it. */
  get created(): boolean {
    return this.#placed.created;
  }

  /** Whether this handle, or its segment, was closed. */
  get closed(): boolean {
    return this.#placed.closed;
  }

  /**
   * Counts the writes, mod 2^32 and without 0, which means never written. Stale the moment it
   * returns; never blocks. @throws ClosedError.
   */
  get version(): number {
    this.#placed.checkOpen();
    return this.#slots.version >>> 0;
  }

  /** What was counted since it was made. @throws ClosedError. */
  stats(): RecordStats {
    return { in: this.version, capacity: this.#slotCount };
  }

  /**
   * The newest value, or undefined before the first write. Never blocks.
   * @throws LayoutError when the bytes are no record; ClosedError.
   */
  read(): StructValue<S> | undefined {
    this.#placed.checkOpen();
    return this.#slots.read() === 0 ? undefined : this.codec.read(this.#readView, 0);
  }

  /**
   * As `read`, into an object that is there: allocates nothing for scalar fields.
   * @returns Whether there was a value.
   */
  readInto(target: StructValue<S>): boolean {
    this.#placed.checkOpen();
    if (this.#slots.read() === 0) return false;
    this.codec.readInto(this.#readView, 0, target);
    return true;
  }

  /**
   * Copies the newest value to this handle's own memory, and returns an accessor over it: always
   * the same one, changed only by the next read of this handle. The fastest way to look at a few
   * fields. The copy stays readable after `close`, as it was.
   *
   * @returns undefined before the first write.
   * @throws As `read`.
   */
  peek(): StructView<S> | undefined {
    this.#placed.checkOpen();
    if (this.#slots.read() === 0) return undefined;
    return (this.#accessor ??= this.codec.at(this.#readView, 0));
  }

  /**
   * Publishes a value. Waits for other writers, each for the length of a copy; never for readers.
   *
   * @returns Its version.
   * @throws RangeError, TypeError for a value that does not fit; nothing is published then.
   * @throws StateError EDEADLK in a callback of `update`; ClosedError.
   */
  write(value: StructValue<S>): number {
    this.#mustBeFree("write to");
    // Encoded outside the lock: what throws here has touched nothing.
    this.codec.write(this.#view, 0, value);
    this.#lock.lock();
    const version = this.#slots.write(this.#bytes);
    this.#lock.unlock();
    this.#waitPoint.wake();
    return version >>> 0;
  }

  /**
   * Replaces the newest value by what `fn` makes of it, with no other write in between. `fn` is
   * synchronous, holds up all writers, and must not write to this record. If it throws, nothing
   * changes.
   *
   * @returns The version written.
   * @throws As `write`; TypeError when `fn` returns a promise.
   */
  update(fn: (value: StructValue<S> | undefined) => StructValue<S>): number {
    this.#mustBeFree("update");
    const action = `Cannot update ${this.#placed.what}`;
    checkSyncFunction(action, "its callback", fn);
    const lock = this.#lock;
    lock.lock();
    let version: number;
    this.#updating = true;
    try {
      version = lock.holding(() => {
        const value = fn(this.read());
        checkSyncAnswer(action, value);
        this.codec.write(this.#view, 0, value);
        return this.#slots.write(this.#bytes);
      });
    } finally {
      this.#updating = false;
      lock.unlock();
    }
    this.#waitPoint.wake();
    return version >>> 0;
  }

  /**
   * Blocks this thread until the version is another than `since`.
   *
   * @returns false when the time was over.
   * @throws The reason of a signal that is aborted; ClosedError.
   */
  waitChanged(options?: WaitChangedOptions): boolean {
    const since = this.#sinceOf(options, WAIT_OPTIONS);
    return this.#waitPoint.wait(() => this.version !== since, { timeoutMs: options?.timeoutMs });
  }

  /**
   * As `waitChanged`, in the event loop.
   *
   * @returns false when the time was over. Rejects with the signal's reason, and with ClosedError
   *   when this handle is closed meanwhile.
   */
  async waitChangedAsync(options?: AsyncWaitChangedOptions): Promise<boolean> {
    const since = this.#sinceOf(options, ASYNC_WAIT_OPTIONS);
    let changed: boolean;
    try {
      changed = await this.#waitPoint.waitAsync(() => this.version !== since, options);
    } finally {
      // However it ended: memory that is gone meanwhile is closed, and nothing else.
      this.#placed.checkOpen();
    }
    return changed;
  }

  #sinceOf(options: AsyncWaitChangedOptions | undefined, known: readonly string[]): number {
    const { version } = this;
    const action = `Cannot wait for a change of ${this.#placed.what}`;
    checkWait(action, options, [...known, "since"]);
    const since = options?.since;
    return since === undefined ? version : checkInteger(action, "since", since, 0, 2 ** 32 - 1);
  }

  /**
   * The newest value now, and each newer one that is there when the loop comes back: a slow loop
   * skips what was overwritten meanwhile. Ends by `break`, or with `values({ signal })`.
   */
  [Symbol.asyncIterator](): AsyncGenerator<StructValue<S>, void, void> {
    return this.values();
  }

  /** As `for await (… of record)`; the loop throws the signal's reason when it is aborted. */
  values(
    options: Pick<AsyncWaitOptions, "signal" | "ref"> = {},
  ): AsyncGenerator<StructValue<S>, void, void> {
    this.#placed.checkOpen();
    checkWait(`Cannot iterate over ${this.#placed.what}`, options, ["signal", "ref"]);
    return this.#values(options);
  }

  async *#values(
    options: Pick<AsyncWaitOptions, "signal" | "ref">,
  ): AsyncGenerator<StructValue<S>, void, void> {
    let since = 0;
    for (;;) {
      if (this.version === since) await this.waitChangedAsync({ ...options, since });
      options.signal?.throwIfAborted();
      this.#placed.checkOpen();
      const version = this.#slots.read();
      since = version >>> 0;
      if (version !== 0) yield this.codec.read(this.#readView, 0);
    }
  }

  /** Removes the segment's name; who has it open keeps it. @returns Whether this call did. */
  unlink(): boolean {
    return this.#placed.unlink();
  }

  /**
   * Ends this handle's use, and its segment's if that was opened for it. The value stays; waits of
   * this handle end with ClosedError. @throws StateError EBUSY in a callback of `update`.
   */
  close(): void {
    if (this.#updating) {
      throw new StateError(
        "EBUSY",
        `Cannot close ${this.#placed.what}: its lock is held by update`,
      );
    }
    if (!this.closed) this.#waitPoint.endWaits();
    this.#placed.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mustBeFree(verb: string): void {
    this.#placed.checkOpen();
    if (!this.#updating) return;
    const why = "a callback of its own update is running, and holds the lock";
    throw new StateError("EDEADLK", `Cannot ${verb} ${this.#placed.what}: ${why}`);
  }
}
