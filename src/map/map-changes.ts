/** What changed in a map, for one that watches it. */
import { checkIterable, checkOptions } from "../arguments.ts";
import { LOG_DELETED, LOG_EVICTED, LOG_EXPIRED } from "../layout/map-layout.ts";
import { Scratch } from "../struct/scratch.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import { checkWait } from "../waiting/wait-options.ts";
import { type LogSink, MapLogReader } from "./algorithm/map-log.ts";
import { ABSENT, MapReader } from "./algorithm/map-reader.ts";
import { bytesOf } from "./map-key-bytes.ts";
import type { SharedMapKey } from "./map-options.ts";
import type { MapParts } from "./map-parts.ts";

/** What changed: one key, or more than can be told one by one. */
export type SharedMapChange<V, K extends SharedMapKey = string> =
  | {
      readonly type: "set";
      readonly key: K;
      /** The value that the key has now, and its version. */
      readonly value: V;
      readonly version: number;
    }
  | {
      /** Why the key is not there any more. */
      readonly type: "deleted" | "expired" | "evicted";
      readonly key: K;
    }
  /** Changes of any keys are not told: look again at all that you keep. */
  | { readonly type: "skipped" };

/** Which changes are told. */
export interface SharedMapChangesOptions<K extends SharedMapKey = string> {
  /** Ends the iteration, which then throws the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
  /** Whether waiting for changes keeps the process alive. Default true. */
  readonly ref?: boolean | undefined;
  /** Only changes of these keys. */
  readonly keys?: Iterable<K | string> | undefined;
  /** Only changes of keys that begin with this. */
  readonly prefix?: K | string | undefined;
}

const CHANGES_OPTIONS: readonly string[] = ["signal", "ref", "keys", "prefix"];

const REASONS: Readonly<Record<number, "deleted" | "expired" | "evicted">> = {
  [LOG_DELETED]: "deleted",
  [LOG_EXPIRED]: "expired",
  [LOG_EVICTED]: "evicted",
};

/** One that watches a map. It begins when it is made. */
export class MapChanges<V, K extends SharedMapKey> implements LogSink {
  readonly #parts: MapParts<V>;
  readonly #options: SharedMapChangesOptions<K>;
  readonly #log: MapLogReader;
  /** A reader of its own, which does not mark what it reads: only users' reads keep entries. */
  readonly #reader: MapReader;
  readonly #found: Scratch = new Scratch(256);
  readonly #keys: ReadonlySet<string> | undefined;
  readonly #prefix: string;
  /** What was found and not told yet: each key, as its bytes, once, and what was logged last. */
  readonly #pending = new Map<string, number>();
  #hasSkipped = false;
  readonly #most: number;

  constructor(parts: MapParts<V>, options: SharedMapChangesOptions<K>) {
    const action = `Cannot watch ${parts.placed.what}`;
    checkOptions(action, options, CHANGES_OPTIONS);
    const { keys, prefix, signal, ref } = options;
    checkWait(action, { signal, ref }, CHANGES_OPTIONS);
    const idOf = (what: string, key: unknown): string =>
      bytesOf(action, what, key).toString("latin1");
    if (keys !== undefined) {
      checkIterable(action, "its keys", keys);
      this.#keys = new Set(Array.from(keys, (key) => idOf("each key", key)));
    }
    this.#prefix = prefix === undefined ? "" : idOf("its prefix", prefix);
    parts.guard.check("watch");
    this.#parts = parts;
    this.#options = { signal, ref };
    this.#log = new MapLogReader(parts.memory);
    this.#reader = new MapReader(parts.memory, this.#found, false);
    // A record takes two words, or more.
    this.#most = (parts.memory.logWords >> 1) * (parts.memory.stripeMask + 1);
    for (let index = 0; index <= parts.memory.stripeMask; index++) this.#begin(index);
  }

  #begin(index: number): void {
    const { writer } = this.#parts;
    writer.lock(index);
    try {
      this.#log.begin(index);
    } finally {
      writer.unlock(index);
    }
  }

  changed(what: number, start: number, length: number): void {
    const id = this.#log.copy.node.toString("latin1", start, start + length);
    if (this.#keys?.has(id) === false || !id.startsWith(this.#prefix)) return;
    // The key goes to the end, so that none is told before an older change of another key.
    this.#pending.delete(id);
    this.#pending.set(id, what);
    // As many as all logs hold: a loop that is further behind has to look at everything again.
    if (this.#pending.size > this.#most) this.skipped();
  }

  skipped(): void {
    this.#hasSkipped = true;
    this.#pending.clear();
  }

  /** Looks at all logs. @returns Whether there is anything to tell. */
  #look(unasked = false): boolean {
    const { memory } = this.#parts;
    for (let index = 0; index <= memory.stripeMask; index++) {
      if (this.#log.read(index, this)) {
        this.#begin(index);
        this.skipped();
      } else if (unasked && this.#log.isUnfinished(index)) {
        // Its writer may be dead: then whoever takes the lock says so in the log.
        this.#parts.writer.unlock(this.#lockOf(index));
        this.#log.read(index, this);
      }
    }
    return this.#hasSkipped || this.#pending.size > 0;
  }

  #lockOf(index: number): number {
    this.#parts.writer.lock(index);
    return index;
  }

  async *tell(): AsyncGenerator<SharedMapChange<V, K>, void, void> {
    const { placed, system } = this.#parts;
    const { signal } = this.#options;
    const ready = (unasked?: boolean): boolean => {
      placed.checkOpen();
      return this.#look(unasked);
    };
    for (;;) {
      signal?.throwIfAborted();
      placed.checkOpen();
      if (!this.#look()) await system.changes.waitAsync(ready, this.#options);
      else if (isTurnDue()) await takeTurn();
      placed.checkOpen();
      if (this.#hasSkipped) {
        this.#hasSkipped = false;
        yield { type: "skipped" };
        continue;
      }
      const [first] = this.#pending;
      if (first === undefined) continue;
      this.#pending.delete(first[0]);
      const change = this.#changeOf(...first);
      if (change !== undefined) yield change;
    }
  }

  /** @returns What to tell of a key as it is now; undefined if the log is about to say more. */
  #changeOf(id: string, what: number): SharedMapChange<V, K> | undefined {
    const { codec, key: hashed, bytesKeys } = this.#parts;
    const reader = this.#reader;
    const bytes = Buffer.from(id, "latin1");
    const key = (bytesKeys ? new Uint8Array(bytes) : bytes.toString()) as K;
    hashed.set(bytes);
    const length = reader.readExpired(hashed);
    if (length === ABSENT) {
      const type = REASONS[what];
      return type === undefined ? undefined : { type, key };
    }
    if (reader.hasExpired) return { type: "expired", key };
    const { version } = reader;
    return { type: "set", key, value: codec.decode(this.#found, 0, length), version };
  }
}
