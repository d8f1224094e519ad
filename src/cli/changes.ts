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
  /** Names that came, and were gone before they could be looked at; a second event ends them. */
  readonly #passing: Set<string> = new Set();
  /** Files of a temporary name's form, and whether they were written to under that name. */
  readonly #undecided: Map<string, boolean> = new Map();

  constructor(directory: string) {
    this.#directory = directory;
    this.#known = new Map();
    for (const file of this.#files()) {
      const stats = this.#look(file);
      if (stats !== undefined) this.#keep(file, stats);
    }
  }

  /** Whether a name may be one of glibc's temporary ones: `settle` decides. */
  get isUndecided(): boolean {
    return this.#undecided.size > 0;
  }

  /**
   * Yields what an event means.
   *
   * @param named Whether the event is about the name (made, removed, renamed), or the contents.
   */
  *of(file: string, named: boolean): Generator<Change> {
    const stats = this.#look(file);
    if (!this.#known.has(file) && TEMPORARY.test(file)) {
      yield* this.#ofTemporary(file, named, stats);
    } else if (stats !== undefined) {
      this.#passing.delete(file);
      yield* this.#compare(file, stats);
    } else if (this.#known.has(file)) {
      yield this.#gone(file);
    } else if (named) {
      // It came and went since the last look. Of its two events, the second one is reported.
      if (this.#passing.delete(file)) yield* cameAndWent(file);
      else this.#passing.add(file);
    }
  }

  /** Yields everything that is different from what is known, in no order. */
  *all(): Generator<Change> {
    this.#passing.clear();
    this.#undecided.clear();
    const files = this.#files();
    for (const file of this.#known.keys()) if (!files.has(file)) yield this.#gone(file);
    for (const file of files) {
      const stats = this.#look(file);
      if (stats !== undefined) yield* this.#compare(file, stats);
    }
  }

  /** Yields the files with a temporary name's form that have stayed. */
  *settle(): Generator<Change> {
    for (const file of this.#undecided.keys()) {
      const stats = this.#look(file);
      // Another event will tell that it has gone.
      if (stats === undefined) continue;
      this.#undecided.delete(file);
      yield* this.#compare(file, stats);
    }
  }

  /**
   * glibc makes the temporary file, writes to it, links it to its real name, and removes it. So a
   * temporary name is written to and goes, and a semaphore whose real name has six letters is never
   * written to.
   */
  *#ofTemporary(file: string, named: boolean, stats: Stats | undefined): Generator<Change> {
    const written = this.#undecided.get(file);
    if (!named) {
      if (written !== undefined) this.#undecided.set(file, true);
    } else if (written === undefined) {
      this.#undecided.set(file, false);
    } else if (stats === undefined) {
      this.#undecided.delete(file);
      if (!written) yield* cameAndWent(file);
    }
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
