import {
  RECORD,
  RECORD_LOCK,
  RECORD_SLOT,
  RECORD_WAIT_POINT,
} from "../layout/shared-record-layout.ts";
import { layoutHash } from "../layout/description.ts";
import { SEGMENT_KINDS } from "../layout/segment-header.ts";
import { LayoutError } from "../errors.ts";
import { MUTEX_ABI } from "../libc/pthread.ts";
import { RobustMutex } from "../locks/robust-mutex.ts";
import type { Segment } from "../segment/segment.ts";
import { RecordSlots, recordLength } from "./algorithm/record-slots.ts";
import type { Schema, Struct, StructValue, StructView } from "../struct/struct.ts";
import {
  Structure,
  type StructureCreateOptions,
  type StructureOpenOptions,
} from "../segment/old-structure.ts";
import { textHash } from "../struct/value-type.ts";
import { type AsyncWaitOptions, WaitPoint } from "../waiting/wait-point.ts";

/** How a record is made. */
export interface SharedRecordCreateOptions<S extends Schema> extends StructureCreateOptions {
  /** The value before the first write. Default: none, and `read` answers undefined. */
  readonly initial?: StructValue<S>;
  /**
   * How many versions there is room for; a power of two from 2 to 256. A reader has to copy again
   * only when this many writes, less one, overtake it. Default 8.
   */
  readonly slots?: number;
}

const HASH = layoutHash(RECORD, RECORD_SLOT);
const KINDS = { [SEGMENT_KINDS.record]: { layoutHash: HASH } };

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
 * using quotes = SharedRecord.create("/quote", Quote, { initial: { price: 1, size: 0 } });
 * quotes.write({ price: 1.5, size: 3 });
 * quotes.update((quote) => ({ ...quote!, size: quote!.size + 1 }));
 * // in another process:
 * using same = SharedRecord.open("/quote", Quote);
 * console.log(same.read()); // { price: 1.5, size: 4 }
 * quotes.unlink();
 * ```
 */
export class SharedRecord<S extends Schema> implements Disposable {
  /** The struct whose value this is. */
  readonly type: Struct<S>;
  readonly #structure: Structure;
  readonly #slots: RecordSlots;
  readonly #lock: RobustMutex;
  readonly #waitPoint: WaitPoint;
  /** Where a reader's copy is decoded, and where a writer's value is put together. */
  readonly #readView: DataView;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  private constructor(structure: Structure, type: Struct<S>, slotCount: number) {
    const { segment, dataOffset } = structure;
    this.type = type;
    this.#structure = structure;
    const length = paddedLength(type);
    this.#slots = new RecordSlots(segment.buffer, dataOffset, length, slotCount);
    const what = `the lock of ${structure.what}`;
    const hold = segment.holds.register(this, what, segment.mapping);
    this.#lock = new RobustMutex(segment.mapping, dataOffset + RECORD_LOCK, what, hold);
    this.#waitPoint = new WaitPoint(segment, dataOffset + RECORD_WAIT_POINT);
    this.#readView = new DataView(this.#slots.copy.buffer);
    this.#bytes = new Uint8Array(new ArrayBuffer(length));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * Makes a record in a new segment, or in one that is given.
   *
   * @throws SystemError EEXIST, ENOSPC, EACCES; UnsupportedError without robust mutexes (macOS).
   * @throws RangeError for a bad count of slots, or an initial value that does not fit.
   */
  static create<S extends Schema>(
    target: string | Segment,
    type: Struct<S>,
    options: SharedRecordCreateOptions<S> = {},
  ): SharedRecord<S> {
    const plan = SharedRecord.#plan(type, options);
    Structure.create("record", target, plan.header, options, plan.fill);
    return plan.made()!;
  }

  /**
   * Attaches to a record, or makes it: exactly one of those that come at once makes it. The options
   * of the others count for nothing. @throws As `create` and `open`.
   */
  static openOrCreate<S extends Schema>(
    target: string | Segment,
    type: Struct<S>,
    options: SharedRecordCreateOptions<S> = {},
  ): SharedRecord<S> {
    const { header, fill, made } = SharedRecord.#plan(type, options);
    const structure = Structure.openOrCreate("record", target, KINDS, header, options, fill);
    return made() ?? SharedRecord.#attach(structure, type);
  }

  /**
   * Attaches to a record.
   *
   * @throws LayoutError when it holds another struct, or something else lies there; SystemError
   *   ENOENT, EACCES.
   */
  static open<S extends Schema>(
    target: string | Segment,
    type: Struct<S>,
    options: StructureOpenOptions = {},
  ): SharedRecord<S> {
    return SharedRecord.#attach(Structure.open("record", target, KINDS, options), type);
  }

  /** A new record's header, and how it is filled. */
  static #plan<S extends Schema>(type: Struct<S>, options: SharedRecordCreateOptions<S>) {
    const { slots = 8, initial } = options;
    if (!isSlotCount(slots)) {
      throw new RangeError(
        `Cannot make a record with ${String(slots)} slots: it must be a power of two, 2 to 256`,
      );
    }
    const header = {
      kind: SEGMENT_KINDS.record,
      layoutHash: HASH,
      dataLength: recordLength(paddedLength(type), slots),
      parameters: [slots, type.byteLength, textHash(type.signature), MUTEX_ABI],
    };
    let record: SharedRecord<S> | undefined;
    const fill = (structure: Structure): void => {
      record = new SharedRecord(structure, type, slots);
      record.#lock.init();
      if (initial !== undefined) record.write(initial);
    };
    return { header, fill, made: () => record };
  }

  /** A handle of a record that was found. @throws LayoutError when it holds another struct. */
  static #attach<S extends Schema>(structure: Structure, type: Struct<S>): SharedRecord<S> {
    try {
      const { dataLength, parameters = [] } = structure.header;
      const [slots = 0, byteLength, signature, abi] = parameters;
      check(structure.what, "struct", textHash(type.signature), signature, 40);
      check(structure.what, "length of the struct", type.byteLength, byteLength, 36);
      check(structure.what, "libc", MUTEX_ABI, abi, 44);
      const expected = isSlotCount(slots) ? recordLength(paddedLength(type), slots) : -1;
      check(structure.what, "length of its slots", expected, dataLength, 28);
      return new SharedRecord(structure, type, slots);
    } catch (error) {
      structure.close();
      throw error;
    }
  }

  /** The segment in which it lies. */
  get segment(): Segment {
    return this.#structure.segment;
  }

  /**
   * Counts the writes, mod 2^32 and without 0, which means never written. Stale the moment it
   * returns; never blocks.
   */
  get version(): number {
    return this.#slots.version >>> 0;
  }

  /** The newest value, or undefined before the first write. Never blocks. @throws LayoutError. */
  read(): StructValue<S> | undefined {
    return this.#slots.read() === 0 ? undefined : this.type.read(this.#readView, 0);
  }

  /**
   * As `read`, into an object that is there: allocates nothing for scalar fields.
   * @returns Whether there was a value.
   */
  readInto(target: StructValue<S>): boolean {
    if (this.#slots.read() === 0) return false;
    this.type.readInto(this.#readView, 0, target);
    return true;
  }

  /**
   * Copies the newest value to this handle's own memory, and returns an accessor over it: always
   * the same one, changed by the next read of this handle alone. The fastest way to look at a
   * few fields; undefined before the first write.
   */
  peek(): StructView<S> | undefined {
    if (this.#slots.read() === 0) return undefined;
    return (this.#accessor ??= this.type.at(this.#readView, 0));
  }
  #accessor: StructView<S> | undefined;

  /**
   * Publishes a value. Waits for other writers, each for the length of a copy; never for readers.
   * @returns Its version.
   * @throws RangeError, TypeError for a value that does not fit; nothing is published then.
   */
  write(value: StructValue<S>): number {
    // Encoded outside the lock: what throws here has touched nothing.
    this.type.write(this.#view, 0, value);
    this.#lock.lock();
    const version = this.#slots.write(this.#bytes);
    this.#lock.unlock();
    this.#waitPoint.wake();
    return version >>> 0;
  }

  /**
   * Replaces the newest value by what `fn` makes of it, with no other write in between. `fn` is
   * synchronous, holds up all writers, and must not write to this record (SystemError EDEADLK). If
   * it throws, nothing changes.
   *
   * @returns The version written.
   */
  update(fn: (value: StructValue<S> | undefined) => StructValue<S>): number {
    const lock = this.#lock;
    lock.lock();
    let version: number;
    try {
      version = lock.holding(() => {
        const value = fn(this.read());
        if (isPromise(value)) {
          throw new TypeError("Cannot update a record with a promise: the lock is held meanwhile");
        }
        this.type.write(this.#view, 0, value);
        return this.#slots.write(this.#bytes);
      });
    } finally {
      lock.unlock();
    }
    this.#waitPoint.wake();
    return version >>> 0;
  }

  /**
   * Waits, in the event loop, until the version is another than `since`.
   *
   * @param options `timeoutMs`, `signal`; `since` is by default the version at the call.
   * @returns false when the time was over. Rejects with the signal's reason.
   */
  changed(options: AsyncWaitOptions & { readonly since?: number } = {}): Promise<boolean> {
    const { since = this.version } = options;
    return this.#waitPoint.waitAsync(() => this.version !== since, options);
  }

  /** As `changed`, blocking this thread. */
  waitChanged(options: { readonly timeoutMs?: number; readonly since?: number } = {}): boolean {
    const { since = this.version } = options;
    return this.#waitPoint.wait(() => this.version !== since, options);
  }

  /**
   * The newest value now, and each newer one that is there when the loop comes back: a slow loop
   * skips what was overwritten meanwhile. Ends by `break`, or with `values({ signal })`.
   */
  [Symbol.asyncIterator](): AsyncGenerator<StructValue<S>, void, void> {
    return this.values();
  }

  /** As `for await (… of record)`; the loop throws the signal's reason when it is aborted. */
  async *values(
    options: Pick<AsyncWaitOptions, "signal" | "ref"> = {},
  ): AsyncGenerator<StructValue<S>, void, void> {
    let since = 0;
    for (;;) {
      if (this.version === since) await this.changed({ ...options, since });
      options.signal?.throwIfAborted();
      const version = this.#slots.read();
      since = version >>> 0;
      if (version !== 0) yield this.type.read(this.#readView, 0);
    }
  }

  /** Removes the segment's name; who has it open keeps it. @returns Whether this call did. */
  unlink(): boolean {
    return this.segment.unlink();
  }

  /** Ends this handle's use, and its segment's if this handle opened it. The value stays. */
  close(): void {
    this.#structure.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const isPromise = (value: unknown): boolean =>
  typeof (value as { then?: unknown } | undefined)?.then === "function";

const paddedLength = ({ byteLength }: Struct<Schema>): number => (byteLength + 7) & ~7;

const isSlotCount = (count: number): boolean =>
  Number.isInteger(count) && count >= 2 && count <= 256 && (count & (count - 1)) === 0;

/** @throws LayoutError when a number in the header is another than this process would write. */
function check(
  what: string,
  field: string,
  expected: number,
  found: number | undefined,
  offset: number,
): void {
  if (found === expected) return;
  throw new LayoutError(`Cannot open ${what}: it has another ${field}`, {
    expected: `0x${(expected >>> 0).toString(16)}`,
    found: `0x${((found ?? 0) >>> 0).toString(16)}`,
    offset,
  });
}
