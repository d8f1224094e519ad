import { checkInteger, checkSyncAnswer, checkSyncFunction, shown } from "../arguments.ts";
import {
  SHARED_RECORD_LOCK_OFFSET,
  SHARED_RECORD_WAIT_POINT_OFFSET,
} from "../layout/shared-record-layout.ts";
import { OwnedLock } from "../locks/owned-lock.ts";
import { WriteGuard } from "../locks/write-guard.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Placed } from "../segment/placed.ts";
import { Segment } from "../segment/segment.ts";
import { StructureHandle } from "../segment/structure-handle.ts";
import { Structure, structureLength } from "../segment/structure.ts";
import { declarationLength, writeDeclaration } from "../struct/stored-struct.ts";
import {
  type Schema,
  type Struct,
  type StructValue,
  type StructView,
  missingFields,
} from "../struct/struct.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
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
  type SharedRecordStats,
  type SharedRecordCreateOptions,
  type SharedRecordInitOptions,
  type SharedRecordNewOptions,
  type SharedRecordOpenOptions,
  type SharedRecordOptions,
  type WaitChangedOptions,
  checkRecordOptions,
} from "./record-options.ts";

const DEFAULT_SLOT_COUNT = 8;

/**
 * The latest value of a struct in shared memory, which readers copy whole without a lock.
 *
 * Any number of processes read and write it. Readers never wait, and hold nobody up. Writers take
 * turns by a robust mutex, each for the length of a copy, so a write blocks for that long. What
 * `read` returns was the newest value during the call, and may be stale when it is used. A record
 * takes the bytes of its struct once for each of its `slots`.
 *
 * What a crash leaves: a writer killed at any instant leaves the value before its write, or the one
 * after it. Readers notice nothing, and the next writer goes on at once.
 *
 * Use a ring instead if every value matters and not only the newest one; a SharedMap for many
 * records under keys; a Mutex when several things change together.
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
export class SharedRecord<S extends Schema> extends StructureHandle {
  /** The struct whose value the record holds. */
  readonly codec: Struct<S>;
  /** The form of the struct for the values that lie here. */
  readonly #form: Struct<S>;
  readonly #placed: Placed;
  readonly #slotCount: number;
  readonly #slots: RecordSlots;
  readonly #lock: OwnedLock;
  readonly #waitPoint: WaitPoint;
  /** Where reads decode their copy; and, in the two fields after it, where writes encode. */
  readonly #readView: DataView;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #accessor: StructView<S> | undefined;
  readonly #guard: WriteGuard;

  private constructor(structure: Structure, codec: Struct<S>, form: Struct<S>, slotCount: number) {
    Structure.check(structure, "SharedRecord");
    super(structure.placed);
    const { placed, segment, dataOffset, what } = structure;
    this.codec = codec;
    this.#form = form;
    this.#placed = placed;
    this.#slotCount = slotCount;
    const length = valueLength(form);
    this.#slots = new RecordSlots(segment.buffer, dataOffset, length, slotCount);
    const lockName = `the lock of ${what}`;
    const hold = segment.holds.register(this, lockName, segment.mapping);
    this.#guard = new WriteGuard(placed, hold);
    this.#lock = new OwnedLock(segment, dataOffset + SHARED_RECORD_LOCK_OFFSET, lockName);
    this.#waitPoint = new WaitPoint(segment, dataOffset + SHARED_RECORD_WAIT_POINT_OFFSET);
    this.#readView = new DataView(this.#slots.copy.buffer);
    this.#bytes = new Uint8Array(new ArrayBuffer(length));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * Makes a record in a segment of its own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
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
   * Finds a record that has a segment of its own. Blocks for `waitMs` while there is no such name,
   * and while its creator is at work, which `waitMs` bounds too (half a minute without it).
   *
   * @returns A handle to close.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when the record holds another struct, or something else has the name; StateError
   *   ENODATA when it is unfinished, and nobody makes it.
   * @throws TypeError, RangeError for a bad name or bad options.
   */
  static open<S extends Schema>(
    name: string,
    options: SharedRecordOpenOptions<S>,
  ): SharedRecord<S> {
    checkRecordOptions(`Cannot open record ${shown(name)}`, "open", options);
    return Structure.open(RECORD_KIND, name, options, SharedRecord.#finder(options));
  }

  /**
   * Finds a record, or makes it: exactly one of several callers at the same time makes it, and
   * `created` says which. Only a new record gets the value `initial`. Blocks like `open` while
   * another caller is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT; LayoutError also when the
   *   record has another count of slots.
   */
  static openOrCreate<S extends Schema>(
    name: string,
    options: SharedRecordCreateOptions<S> & OwnerOptions,
  ): SharedRecord<S> {
    checkRecordOptions(`Cannot open or create record ${shown(name)}`, "openOrCreate", options);
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

  /**
   * Makes a record inside the caller's segment. Blocks for half a minute at most, while another
   * process makes one there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when a record is there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
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

  /**
   * Finds a record inside the caller's segment. Blocks while its maker lives and is at work, for
   * half a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when the record holds another struct, or something else is there;
   *   StateError ENODATA when nothing is there, or its maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at<S extends Schema>(
    segment: Segment,
    offset: number,
    options: SharedRecordOptions<S>,
  ): SharedRecord<S> {
    checkRecordOptions("Cannot find a record", "at", options);
    return Structure.at(RECORD_KIND, segment, offset, SharedRecord.#finder(options));
  }

  /** @returns The bytes that a record takes in a segment. @throws RangeError, TypeError. */
  static byteLength<S extends Schema>(options: SharedRecordInitOptions<S>): number {
    checkRecordOptions("Cannot measure a record", "init", options);
    return structureLength(recordHeader(options.codec, options.slots ?? DEFAULT_SLOT_COUNT));
  }

  /** @returns The header of a new record, and the function that fills it. */
  static #plan<S extends Schema>({
    codec,
    initial,
    slots = DEFAULT_SLOT_COUNT,
  }: SharedRecordNewOptions<S>) {
    // Encoded before anything is made: what throws here has touched nothing.
    const first = initial === undefined ? undefined : codec.encode(initial);
    const fill = (structure: Structure): SharedRecord<S> => {
      writeDeclaration(structure, structure.header.dataLength - declarationLength(codec), codec);
      const record = new SharedRecord(structure, codec, codec, slots);
      if (first !== undefined) record.#publish(first);
      return record;
    };
    return { header: recordHeader(codec, slots), fill };
  }

  /** @returns The function that makes a handle of a record that was found. */
  static #finder<S extends Schema>({ codec, slots }: SharedRecordNewOptions<S>) {
    return (structure: Structure): SharedRecord<S> => {
      const found = checkFoundRecord(structure, codec, slots);
      return new SharedRecord(structure, codec, found.form, found.slots);
    };
  }

  /**
   * The fields that the record does not hold, since it was made before the struct had them: they
   * read as their defaults, and take no other value. Mostly none.
   */
  get missingFields(): readonly string[] {
    return missingFields(this.codec, this.#form);
  }

  /**
   * The number of writes mod 2^32; 0 means never written, and later counts leave 0 out. Never
   * blocks; stale the moment it is returned. @throws ClosedError.
   */
  get version(): number {
    this.#placed.checkOpen();
    return this.#slots.version >>> 0;
  }

  /** @returns What the record has counted since it was made. Never blocks. @throws ClosedError. */
  stats(): SharedRecordStats {
    return { in: this.version, capacity: this.#slotCount };
  }

  /**
   * Reads the newest value. Never blocks; the value is stale the moment it is returned.
   *
   * @returns A new object; undefined before the first write.
   * @throws LayoutError when the bytes are no record; ClosedError.
   */
  read(): StructValue<S> | undefined {
    this.#placed.checkOpen();
    return this.#slots.read() === 0 ? undefined : this.#form.read(this.#readView, 0);
  }

  /**
   * Reads the newest value into an object of the caller's; allocates nothing for scalar fields.
   * Never blocks.
   *
   * @returns true when there was a value; false before the first write, which leaves `target`.
   * @throws The errors of `read`.
   */
  readInto(target: StructValue<S>): boolean {
    this.#placed.checkOpen();
    if (this.#slots.read() === 0) return false;
    this.#form.readInto(this.#readView, 0, target);
    return true;
  }

  /**
   * Copies the newest value to this handle's own memory, and returns an accessor over the copy. The
   * fastest way to look at a few fields. Never blocks.
   *
   * @returns Always the same accessor; the next read of this handle changes what it shows, and
   *   `close` does not. undefined before the first write.
   * @throws The errors of `read`.
   */
  peek(): StructView<S> | undefined {
    this.#placed.checkOpen();
    if (this.#slots.read() === 0) return undefined;
    return (this.#accessor ??= this.#form.at(this.#readView, 0));
  }

  /**
   * Publishes a value. Blocks this thread while another writer copies or updates, and never for
   * readers.
   *
   * @returns The version of the value.
   * @throws RangeError, TypeError for a value that does not fit; nothing is published then.
   * @throws StateError EDEADLK in a callback of this handle's `update`; ClosedError.
   */
  write(value: StructValue<S>): number {
    this.#guard.check("write to");
    // Encoded outside the lock: what throws here has touched nothing. A getter of the value may
    // have closed this handle.
    this.#form.write(this.#view, 0, value);
    this.#placed.checkOpen();
    return this.#publish(this.#bytes);
  }

  #publish(encoded: Uint8Array): number {
    this.#lock.lock();
    const version = this.#slots.write(encoded);
    this.#lock.unlock();
    this.#waitPoint.wake();
    return version >>> 0;
  }

  /**
   * Replaces the newest value by what `fn` makes of it, with no other write in between. Blocks this
   * thread while another writer copies or updates.
   *
   * @param fn A synchronous function. It holds all writers up, and must not write to this record.
   *   If it throws, nothing changes. It gets undefined before the first write.
   * @returns The version of the new value.
   * @throws The errors of `write`; what `fn` throws; TypeError when `fn` returns a promise.
   */
  update(fn: (value: StructValue<S> | undefined) => StructValue<S>): number {
    this.#guard.check("update");
    const action = `Cannot update ${this.#placed.what}`;
    checkSyncFunction(action, "its callback", fn);
    const lock = this.#lock;
    lock.lock();
    this.#guard.begin();
    let version: number;
    try {
      const value = fn(this.read());
      checkSyncAnswer(action, value);
      this.#form.write(this.#view, 0, value);
      version = this.#slots.write(this.#bytes);
    } finally {
      this.#guard.end();
      lock.unlock();
    }
    this.#waitPoint.wake();
    return version >>> 0;
  }

  /**
   * Blocks this thread until the version differs from `since`.
   *
   * @returns true when it differs; false when it did not within `timeoutMs`.
   * @throws The signal's reason when it is aborted already; ClosedError; TypeError, RangeError.
   */
  waitChanged(options?: WaitChangedOptions): boolean {
    const since = this.#sinceOf(options, WAIT_OPTIONS);
    return this.#waitPoint.wait(() => this.version !== since, { timeoutMs: options?.timeoutMs });
  }

  /**
   * Waits in the event loop until the version differs from `since`.
   *
   * @returns true when it differs; false when it did not within `timeoutMs`.
   * @throws The signal's reason; ClosedError, also when this handle is closed during the wait;
   *   TypeError, RangeError for bad options.
   */
  async waitChangedAsync(options?: AsyncWaitChangedOptions): Promise<boolean> {
    const since = this.#sinceOf(options, ASYNC_WAIT_OPTIONS);
    let changed: boolean;
    try {
      changed = await this.#waitPoint.waitAsync(() => this.version !== since, options);
    } finally {
      // However the wait ended: if the memory is gone, the caller learns only that it is closed.
      this.#placed.checkOpen();
    }
    if (isTurnDue()) await takeTurn();
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
   * Yields the newest value, and then a newer one each time the loop comes back for it: a slow loop
   * skips the values in between. `break` ends it, and so does a signal of `values({ signal })`.
   * @throws ClosedError.
   */
  [Symbol.asyncIterator](): AsyncGenerator<StructValue<S>, void, void> {
    return this.values();
  }

  /**
   * Yields the newest value, and waits in the event loop for newer ones, like `for await`.
   *
   * @returns An iterator. It throws the signal's reason, and ClosedError once the record is closed.
   * @throws ClosedError; TypeError for bad options; the signal's reason when it is aborted already.
   */
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
      else if (isTurnDue()) await takeTurn();
      options.signal?.throwIfAborted();
      this.#placed.checkOpen();
      const version = this.#slots.read();
      since = version >>> 0;
      if (version !== 0) yield this.#form.read(this.#readView, 0);
    }
  }

  /**
   * Closes this handle, and the segment if this handle opened it. The value stays; async waits of
   * this handle end with ClosedError. Does nothing when called again.
   * @throws StateError EBUSY in a callback of `update`.
   */
  close(): void {
    this.#guard.mayClose();
    if (!this.closed) this.#waitPoint.endWaits();
    this.#placed.close();
  }
}
