/** How the files of a directory change, out of the events that a watcher of it gives. */
import { type Stats, lstatSync, readdirSync } from "node:fs";

/** One change of one file. */
export interface Change {
  readonly event: "create" | "delete" | "resize";
  /** The file's name, a character for each byte: it need not be UTF-8. */
  readonly file: string;
  /** Bytes; undefined of a file that was gone before anybody could look at it. */
  readonly size: number | undefined;
  /** Bytes before a resize. */
  readonly before?: number;
}

/** glibc makes a semaphore under a name of this form, and gives it its real name afterwards. */
const TEMPORARY = /^sem\.[A-Za-z0-9]{6}$/;

interface Known {
  readonly inode: number;
  readonly size: number;
}

/**
 * Knows the files of a directory, and compares. An event only says which file to look at, since it
 * comes later than what it reports: a name may have gone by then, or belong to another file.
 */
export class DirectoryChanges {
  readonly #directory: string;
  readonly #known: Map<string, Known>;
  /**
   * Names that were told to have come and gone. The watcher gives one event for that or two, and
   * the second one is not another file.
   */
  readonly #passed: Set<string> = new Set();
  /** Files of a temporary name's form, and whether they were written to under that name. */
  readonly #undecided: Map<string, boolean> = new Map();
  /** Names with an event since the last `settle`, and those with their last one before it. */
  #recent: Set<string> = new Set();
  #older: Set<string> = new Set();

  constructor(directory: string) {
    this.#directory = directory;
    this.#known = new Map();
    for (const file of this.#files()) {
      const stats = this.#look(file);
      if (stats !== undefined) this.#keep(file, stats);
    }
  }

  /** Whether there is something for `settle` to look at. */
  get isUndecided(): boolean {
    return this.#recent.size > 0 || this.#older.size > 0;
  }

  /**
   * Yields what an event means.
   *
   * @param named Whether the event is about the name (made, removed, renamed), or the contents.
   */
  *of(file: string, named: boolean): Generator<Change> {
    this.#older.delete(file);
    this.#recent.add(file);
    const stats = this.#look(file);
    if (!this.#known.has(file) && TEMPORARY.test(file)) {
      // Once it was written to under that name, it stays so.
      if (named) this.#undecided.set(file, this.#undecided.get(file) ?? false);
      else if (this.#undecided.has(file)) this.#undecided.set(file, true);
    } else if (stats !== undefined) {
      yield* this.#compare(file, stats);
    } else if (this.#known.has(file)) {
      yield this.#gone(file);
    } else if (named && !this.#passed.delete(file)) {
      this.#passed.add(file);
      yield* cameAndWent(file);
    }
  }

  /** Yields everything that is different from what is known, in no order. */
  *all(): Generator<Change> {
    for (const names of [this.#passed, this.#undecided, this.#recent, this.#older]) names.clear();
    const files = this.#files();
    for (const file of this.#known.keys()) if (!files.has(file)) yield this.#gone(file);
    for (const file of files) {
      const stats = this.#look(file);
      if (stats !== undefined) yield* this.#compare(file, stats);
    }
  }

  /**
   * Looks again at the files whose last event is some time ago: to be called periodically. The
   * watcher leaves out an event that follows a similar one of the same file within milliseconds.
   *
   * It also decides about temporary names. glibc makes the temporary file, writes to it, links it
   * to its real name, and removes it. A semaphore whose real name has six letters stays, or is gone
   * without having been written to under that name.
   */
  *settle(): Generator<Change> {
    for (const file of this.#older) {
      const stats = this.#look(file);
      if (stats !== undefined) yield* this.#compare(file, stats);
      else if (this.#known.has(file)) yield this.#gone(file);
      else if (this.#undecided.get(file) === false) yield* cameAndWent(file);
      this.#undecided.delete(file);
      this.#passed.delete(file);
    }
    this.#older = this.#recent;
    this.#recent = new Set();
  }

  *#compare(file: string, stats: Stats): Generator<Change> {
    const before = this.#known.get(file);
    const { size } = stats;
    if (before !== undefined && before.inode !== stats.ino) {
      yield this.#gone(file);
    } else if (before !== undefined) {
      this.#keep(file, stats);
      if (before.size !== size) yield { event: "resize", file, size, before: before.size };
      return;
    }
    this.#keep(file, stats);
    yield { event: "create", file, size };
  }

  #gone(file: string): Change {
    const { size } = this.#known.get(file)!;
    this.#known.delete(file);
    return { event: "delete", file, size };
  }

  #keep(file: string, { ino, size }: Stats): void {
    this.#known.set(file, { inode: ino, size });
  }

  #files(): Set<string> {
    const names = readdirSync(this.#directory, { encoding: "buffer" });
    return new Set(names.map((name) => name.toString("latin1")));
  }

  #look(file: string): Stats | undefined {
    const path = Buffer.from(`${this.#directory}/${file}`, "latin1");
    return lstatSync(path, { throwIfNoEntry: false });
  }
}

function* cameAndWent(file: string): Generator<Change> {
  yield { event: "create", file, size: undefined };
  yield { event: "delete", file, size: undefined };
}
