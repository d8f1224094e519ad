import { checkSyncAnswer, checkSyncFunction, checkInteger, shown } from "../arguments.ts";
import { TABLE_WAIT_POINT_OFFSET } from "../layout/table-layout.ts";
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
import { WaitPoint } from "../waiting/wait-point.ts";
import { TableRows } from "./algorithm/table-rows.ts";
import { changesOf } from "./table-changes.ts";
import { TableColumns } from "./table-columns.ts";
import { TABLE_KIND, type TableNumbers, readTable, tableHeader } from "./table-header.ts";
import { TableLocks } from "./table-locks.ts";
import { RowNames } from "./row-names.ts";
import {
  type Column,
  type ColumnName,
  type SharedTableChangesOptions,
  type SharedTableCreateOptions,
  type SharedTableInitOptions,
  type SharedTableNewOptions,
  type SharedTableOpenOptions,
  type SharedTableOptions,
  type SharedTableStats,
  checkFindOptions,
  checkNewOptions,
} from "./table-options.ts";

/**
 * Many rows of one struct in shared memory, each of which readers copy whole without a lock.
 *
 * Any number of processes read and write it. Readers never wait, and hold nobody up. Writers of the
 * same row, or of rows that lie together, take turns by one of up to 64 robust mutexes, each for
 * the length of a copy. What is read was the newest value of its row during the call, and may be
 * stale when it is used; two rows that are read one after the other need not be of one instant. A
 * row takes its struct's bytes twice and 16 more, rounded up to 64.
 *
 * What a crash leaves: a writer killed at any instant leaves the value before its write, or the one
 * after it, and all other rows untouched. Readers notice nothing, watchers see what was published,
 * and the next writer goes on at once.
 *
 * Rows are numbered from 0, and can have names, which are given once and stay. Use a SharedMap when
 * keys come and go, or values have many lengths; a SharedRecord for a single value; a ring when
 * every value matters and not only the newest one.
 *
 * @example
 * ```ts
 * const Quote = struct({ price: "f64", size: "u32" });
 * using quotes = SharedTable.create("/quotes", { codec: Quote, rows: 5000, names: true });
 * quotes.write(quotes.rowOf("AAPL")!, { price: 190.5, size: 3 });
 * // in another process, which watches:
 * using same = SharedTable.open("/quotes", { codec: Quote });
 * for await (const rows of same.changes()) {
 *   for (const row of rows) console.log(same.nameOf(row), same.read(row)?.price); // AAPL 190.5
 *   break;
 * }
 * quotes.unlink();
 * ```
 */
export class SharedTable<S extends Schema> extends StructureHandle {
  /** The struct of which each row holds a value. */
  readonly codec: Struct<S>;
  readonly #form: Struct<S>;
  readonly #placed: Placed;
  readonly #count: number;
  readonly #rows: TableRows;
  readonly #locks: TableLocks;
  readonly #names: RowNames;
  readonly #waitPoint: WaitPoint;
  readonly #columns: TableColumns<S>;
  readonly #guard: WriteGuard;
  /** Where reads decode their copy, where `view` looks, and where writes encode. */
  readonly #readBytes: Uint8Array;
  readonly #readView: DataView;
  readonly #viewBytes: Uint8Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #accessor: StructView<S> | undefined;

  private constructor(structure: Structure, codec: Struct<S>, numbers: TableNumbers<S>) {
    Structure.check(structure, "SharedTable");
    super(structure.placed);
    const { placed, segment, dataOffset, what } = structure;
    const { form, shape, seeds } = numbers;
    this.codec = codec;
    this.#form = form;
    this.#placed = placed;
    this.#count = shape.rows;
    this.#rows = new TableRows(segment.buffer, dataOffset, shape);
    this.#locks = new TableLocks(structure, this.#rows);
    this.#names = new RowNames(structure, this.#rows, seeds);
    this.#waitPoint = new WaitPoint(segment, dataOffset + TABLE_WAIT_POINT_OFFSET);
    this.#columns = new TableColumns(this.#rows, codec, form);
    this.#guard = new WriteGuard(
      placed,
      segment.holds.register(this, `a lock of ${what}`, segment.mapping),
    );
    const length = shape.valueLength;
    this.#readBytes = new Uint8Array(new ArrayBuffer(length));
    this.#readView = new DataView(this.#readBytes.buffer);
    this.#viewBytes = new Uint8Array(new ArrayBuffer(length));
    this.#bytes = new Uint8Array(new ArrayBuffer(length));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * Makes a table in a segment of its own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
   * @throws TypeError, RangeError for a bad name or bad options, or more than 4 GiB.
   */
  static create<S extends Schema>(
    name: string,
    options: SharedTableCreateOptions<S>,
  ): SharedTable<S> {
    const action = `Cannot create table ${shown(name)}`;
    checkNewOptions(action, "create", options);
    const header = tableHeader(action, options);
    return Structure.create(TABLE_KIND, name, header, options, SharedTable.#filler(options));
  }

  /**
   * Finds a table that has a segment of its own. Blocks for `waitMs` while there is no such name,
   * and while its creator is at work, which `waitMs` bounds too (half a minute without it).
   *
   * @returns A handle to close.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when the table holds another struct (it names the first field that differs), or
   *   something else has the name; StateError ENODATA when it is unfinished, and nobody makes it.
   * @throws TypeError, RangeError for a bad name or bad options.
   */
  static open<S extends Schema>(name: string, options: SharedTableOpenOptions<S>): SharedTable<S> {
    checkFindOptions(`Cannot open table ${shown(name)}`, "open", options);
    return Structure.open(TABLE_KIND, name, options, SharedTable.#finder(options));
  }

  /**
   * Finds a table, or makes it: exactly one of several callers at the same time makes it, and
   * `created` says which. Blocks like `open` while another caller is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT; LayoutError also when the
   *   table differs in an option that is given.
   */
  static openOrCreate<S extends Schema>(
    name: string,
    options: SharedTableCreateOptions<S> & OwnerOptions,
  ): SharedTable<S> {
    const action = `Cannot open or create table ${shown(name)}`;
    checkNewOptions(action, "openOrCreate", options);
    const header = tableHeader(action, options);
    const [fill, find] = [SharedTable.#filler(options), SharedTable.#finder(options)];
    return Structure.openOrCreate(TABLE_KIND, name, header, options, fill, find);
  }

  /**
   * Makes a table inside the caller's segment. Blocks for half a minute at most, while another
   * process makes one there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when a table is there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static init<S extends Schema>(
    segment: Segment,
    offset: number,
    options: SharedTableInitOptions<S>,
  ): SharedTable<S> {
    const action = "Cannot make a table";
    checkNewOptions(action, "init", options);
    const header = tableHeader(action, options);
    const fill = SharedTable.#filler(options);
    return Structure.init(TABLE_KIND, segment, offset, header, options, fill);
  }

  /**
   * Finds a table inside the caller's segment. Blocks while its maker lives and is at work, for
   * half a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when the table holds another struct, or something else is there; StateError
   *   ENODATA when nothing is there, or its maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at<S extends Schema>(
    segment: Segment,
    offset: number,
    options: SharedTableOptions<S>,
  ): SharedTable<S> {
    checkFindOptions("Cannot find a table", "at", options);
    return Structure.at(TABLE_KIND, segment, offset, SharedTable.#finder(options));
  }

  /** @returns The bytes that a table takes in a segment. @throws RangeError, TypeError. */
  static byteLength<S extends Schema>(options: SharedTableInitOptions<S>): number {
    const action = "Cannot measure a table";
    checkNewOptions(action, "init", options);
    return structureLength(tableHeader(action, options));
  }

  /** @returns The function that fills a new table, whose memory is zeros. */
  static #filler<S extends Schema>({ codec }: SharedTableNewOptions<S>) {
    return (structure: Structure): SharedTable<S> => {
      writeDeclaration(structure, structure.header.dataLength - declarationLength(codec), codec);
      return new SharedTable(structure, codec, readTable(structure, { codec }));
    };
  }

  /** @returns The function that makes a handle of a table that was found. */
  static #finder<S extends Schema>(
    options: Partial<SharedTableNewOptions<S>> & SharedTableOptions<S>,
  ) {
    return (structure: Structure): SharedTable<S> =>
      new SharedTable(structure, options.codec, readTable(structure, options));
  }

  /** How many rows there are. */
  get rows(): number {
    return this.#count;
  }

  /**
   * The fields that the table does not hold, since it was made before the struct had them: they
   * read as their defaults, and take no other value. Mostly none.
   */
  get missingFields(): readonly string[] {
    return missingFields(this.codec, this.#form);
  }

  /**
   * Reads the newest value of a row. Never blocks; the value is stale the moment it is returned.
   *
   * @param row From 0 up.
   * @returns A new object; undefined before the row's first write.
   * @throws RangeError, TypeError for a row that there is not; LayoutError when the bytes are no
   *   row; ClosedError.
   */
  read(row: number): StructValue<S> | undefined {
    this.#check(row, "read");
    if (this.#rows.read(row, this.#readBytes) === 0) return undefined;
    return this.#form.read(this.#readView, 0);
  }

  /**
   * Reads the newest value of a row into an object of the caller's; allocates nothing for scalar
   * fields. Never blocks.
   *
   * @returns true when there was a value; false before the first write, which leaves `target`.
   * @throws The errors of `read`.
   */
  readInto(row: number, target: StructValue<S>): boolean {
    this.#check(row, "read");
    if (this.#rows.read(row, this.#readBytes) === 0) return false;
    this.#form.readInto(this.#readView, 0, target);
    return true;
  }

  /**
   * Copies the newest value of a row to this handle's own memory, and returns an accessor over the
   * copy: the fastest way to look at a few fields, all of one version. Never blocks.
   *
   * @returns Always the same accessor; the next `view` of this handle changes what it shows, and
   *   nothing else does. undefined before the row's first write.
   * @throws The errors of `read`.
   */
  view(row: number): StructView<S> | undefined {
    this.#check(row, "view");
    if (this.#rows.read(row, this.#viewBytes) === 0) return undefined;
    return (this.#accessor ??= this.#form.at(new DataView(this.#viewBytes.buffer), 0));
  }

  /**
   * The number of writes to a row mod 2^32; 0 means never written, and later counts leave 0 and 1
   * out. Never blocks; stale the moment it is returned.
   *
   * @returns The version of the row. @throws The errors of `read`.
   */
  version(row: number): number {
    this.#check(row, "look at");
    return this.#rows.version(row) >>> 0;
  }

  /**
   * Publishes a value of a row. Blocks this thread while another writer copies or updates in a row
   * that shares the lock, and never for readers.
   *
   * @returns The version of the value.
   * @throws RangeError, TypeError for a value that does not fit, or a row that there is not;
   *   nothing is published then.
   * @throws StateError EDEADLK in a callback of this handle's `update`; ClosedError.
   */
  write(row: number, value: StructValue<S>): number {
    this.#guard.check("write to");
    if (typeof row !== "number" || row >>> 0 !== row || row >= this.#count)
      this.#refuseRow(row, "write to");
    // Encoded outside the lock: what throws here has touched nothing. A getter of the value may
    // have closed this handle. To encode in place would save a copy of 64 bytes, 4 ns, and would
    // run the getters under the lock.
    this.#form.write(this.#view, 0, value);
    this.#placed.checkOpen();
    const stripe = this.#rows.stripeOf(row);
    this.#locks.lock(stripe);
    const version = this.#rows.write(row, this.#bytes);
    this.#locks.unlock(stripe);
    this.#waitPoint.wake();
    return version >>> 0;
  }

  /**
   * Replaces the newest value of a row by what `fn` makes of it, with no other write to the row in
   * between. Blocks like `write`.
   *
   * @param fn A synchronous function. It holds up the writers of all rows that share the lock. It
   *   may read this table; writes and `close` are refused meanwhile. If it throws, nothing changes.
   *   It gets undefined before the first write.
   * @returns The version of the new value.
   * @throws The errors of `write`; what `fn` throws; TypeError when `fn` returns a promise.
   */
  update(row: number, fn: (value: StructValue<S> | undefined) => StructValue<S>): number {
    this.#guard.check("update");
    if (typeof row !== "number" || row >>> 0 !== row || row >= this.#count)
      this.#refuseRow(row, "update");
    const action = `Cannot update ${this.#placed.what}`;
    checkSyncFunction(action, "its callback", fn);
    const stripe = this.#rows.stripeOf(row);
    this.#locks.lock(stripe);
    this.#guard.begin();
    let version: number;
    try {
      const value = fn(this.read(row));
      checkSyncAnswer(action, value);
      this.#form.write(this.#view, 0, value);
      version = this.#rows.write(row, this.#bytes);
    } finally {
      this.#guard.end();
      this.#locks.unlock(stripe);
    }
    this.#waitPoint.wake();
    return version >>> 0;
  }

  /**
   * Reads all rows that were written, one after the other: each value is whole, and those of
   * different rows need not be of one instant. Never blocks.
   *
   * @returns New objects by row. @throws LayoutError; ClosedError.
   */
  snapshot(): Map<number, StructValue<S>> {
    this.#placed.checkOpen();
    const values = new Map<number, StructValue<S>>();
    for (let row = 0; row < this.#count; row++) {
      if (this.#rows.read(row, this.#readBytes) === 0) continue;
      values.set(row, this.#form.read(this.#readView, 0));
    }
    return values;
  }

  /**
   * Reads one scalar field of all rows. Each element is of one complete version of its row, and is
   * 0 before the row's first write. Never blocks.
   *
   * @param name The field.
   * @returns A new typed array of the field's type, with an element for each row; of 0 and 1 for a
   *   bool. @throws TypeError for a field that is none, or no scalar; LayoutError; ClosedError.
   */
  column<K extends ColumnName<S>>(name: K): Column<S[K]> {
    this.#placed.checkOpen();
    const target = this.#columns.make(`Cannot read a column of ${this.#placed.what}`, name);
    this.#columns.fill(name, target);
    return target as Column<S[K]>;
  }

  /**
   * Reads one scalar field of all rows like `column`, into an array of the caller's.
   *
   * @param target Of the field's type, with an element for each row at least.
   * @returns The array. @throws The errors of `column`; RangeError when it is too short.
   */
  columnInto<K extends ColumnName<S>>(name: K, target: Column<S[K]>): Column<S[K]> {
    this.#placed.checkOpen();
    this.#columns.check(`Cannot read a column of ${this.#placed.what}`, name, target);
    this.#columns.fill(name, target);
    return target;
  }

  /**
   * Finds the row of a name, and gives the next free row to a name that has none. Blocks this
   * thread while another process names a row; a name that is known is found without a lock.
   *
   * Rows are given in their order from 0, each once: names are never taken away, and exactly one of
   * several callers at the same time gives a name its row. A process killed meanwhile leaves the
   * name with its row or without, and no row is lost.
   *
   * @param name Text with a UTF-8 of 1 byte to the bound that the table was made with.
   * @returns The row; undefined when every row has another name, or when this handle only reads and
   *   the name has no row.
   * @throws RangeError, TypeError for a bad name; TypeError when the table was made without names;
   *   StateError EDEADLK in a callback of this handle's `update`; LayoutError; ClosedError.
   */
  rowOf(name: string): number | undefined {
    this.#placed.checkOpen();
    const row = this.#names.find(name);
    if (row !== undefined || this.segment.access === "read") return row;
    this.#guard.check("name a row of");
    return this.#names.assign();
  }

  /**
   * Finds the row of a name like `rowOf`, and never names one. Never blocks.
   * @returns The row; undefined when no row has the name. @throws The errors of `rowOf`.
   */
  findRow(name: string): number | undefined {
    this.#placed.checkOpen();
    return this.#names.find(name);
  }

  /**
   * Reads the name of a row. Never blocks.
   * @returns The name; undefined when the row has none. @throws The errors of `read` and `rowOf`.
   */
  nameOf(row: number): string | undefined {
    this.#check(row, "look at");
    return this.#names.nameOf(row);
  }

  /**
   * Reads all names. Never blocks; stale the moment it is returned.
   * @returns The names by row: that of row 0 comes first. @throws The errors of `rowOf`.
   */
  names(): string[] {
    this.#placed.checkOpen();
    return this.#names.all();
  }

  /** @returns What the table has counted since it was made. Never blocks. @throws ClosedError. */
  stats(): SharedTableStats {
    this.#placed.checkOpen();
    const { writes, repairs } = this.#rows.stats();
    return { in: writes, capacity: this.#count, repaired: repairs };
  }

  /**
   * Yields the rows that changed, and waits in the event loop for more: in batches of up to some
   * four thousand, without order, each row once however often it was written. The first batches
   * have all rows that were written before. Any number of processes may watch; none of them costs a
   * writer more than a load while it is awake.
   *
   * What a step finds costs a look at the counters of up to 64 groups of rows, at the blocks of
   * those that were written, and at the rows of those blocks. A watcher takes 4 bytes a row.
   *
   * @returns An iterator over arrays of row numbers; read the values with `read`. `break` ends it,
   *   and so does the signal, whose reason it then throws.
   * @throws ClosedError, also when the table is closed meanwhile; TypeError for bad options; the
   *   signal's reason when it is aborted already.
   */
  changes(options: SharedTableChangesOptions = {}): AsyncGenerator<number[], void, void> {
    this.#placed.checkOpen();
    return changesOf(
      { placed: this.#placed, rows: this.#rows, waitPoint: this.#waitPoint },
      options,
    );
  }

  /** Every read of a row begins with it. */
  #check(row: number, verb: string): void {
    this.#placed.checkOpen();
    if (typeof row !== "number" || row >>> 0 !== row || row >= this.#count)
      this.#refuseRow(row, verb);
  }

  #refuseRow(row: unknown, verb: string): void {
    const action = `Cannot ${verb} a row of ${this.#placed.what}`;
    checkInteger(action, "its number", row, 0, this.#count - 1);
  }

  /**
   * Closes this handle, and the segment if this handle opened it. The rows stay; iterators of this
   * handle end with ClosedError. Does nothing when called again.
   * @throws StateError EBUSY in a callback of `update`.
   */
  close(): void {
    this.#guard.mayClose();
    if (!this.closed) this.#waitPoint.endWaits();
    this.#placed.close();
  }
}
