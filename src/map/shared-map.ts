import { shown } from "../arguments.ts";
import { WriteGuard } from "../locks/write-guard.ts";
import { bootClock } from "../memory/boot.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import { Segment } from "../segment/segment.ts";
import { Structure } from "../segment/structure.ts";
import { type Codec, codecs } from "../struct/codec.ts";
import { HashedKey } from "../struct/hashed-key.ts";
import { scratchForm } from "../struct/scratch-codec.ts";
import { Scratch } from "../struct/scratch.ts";
import { formOf, missingFields } from "../struct/struct.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import { MapMemory } from "./algorithm/map-memory.ts";
import { MapReader } from "./algorithm/map-reader.ts";
import { rebuild } from "./algorithm/map-repair.ts";
import { MapDraft } from "./algorithm/map-units.ts";
import { MapWriter } from "./algorithm/map-writer.ts";
import { MapChanges, type SharedMapChange, type SharedMapChangesOptions } from "./map-changes.ts";
import { MapFlights } from "./map-flights.ts";
import { MAP_KIND, checkFoundMap, mapHeader, readMap } from "./map-header.ts";
import type { SharedMapLoadOptions, SharedMapLoader } from "./map-load-options.ts";
import { MapLocal } from "./map-local.ts";
import {
  type SharedMapCreateOptions,
  type SharedMapInitOptions,
  type SharedMapKey,
  type SharedMapNewOptions,
  type SharedMapOpenOptions,
  type SharedMapOptions,
  checkFindOptions,
  checkNewOptions,
} from "./map-options.ts";
import type { MapParts } from "./map-parts.ts";
import { restoreSteps } from "./map-restore.ts";
import { type SharedMapRestored, atOnce, inTurns, snapshotSteps } from "./map-snapshot.ts";
import { SegmentMapSystem } from "./map-system.ts";
import { MapWrites } from "./map-writes.ts";

/** @returns The form of a codec in which the values of a map are: an older one of a struct. */
function formIn<V>({ header }: Structure, codec: Codec<V>): Codec<V> {
  return formOf(codec, header.codec ?? "") ?? codec;
}

/** @returns What a new handle works with. */
function partsOf<V, K extends SharedMapKey>(
  structure: Structure,
  options: SharedMapOptions<V, K>,
): MapParts<V> {
  Structure.check(structure, "SharedMap");
  const codec = formIn(structure, options.codec);
  const { placed, segment, dataOffset, what } = structure;
  const { shape, seeds, evicts, hasBytesKeys } = readMap(structure);
  const memory = new MapMemory(segment.buffer, dataOffset, shape, bootClock());
  // The memory stands for the handle, and lives as long.
  const hold = segment.holds.register(memory, `a lock of ${what}`, segment.mapping);
  const system = new SegmentMapSystem(structure, memory);
  const found = new Scratch(4096);
  const newKey = (): HashedKey => new HashedKey(seeds[0] | 0, seeds[1] | 0, !hasBytesKeys);
  return {
    placed,
    segment,
    memory,
    system,
    codec: scratchForm(codec),
    codecId: codec.id,
    bytesKeys: hasBytesKeys || (options.key as unknown) === codecs.raw,
    key: newKey(),
    lockedKey: newKey(),
    found,
    draft: new MapDraft(new Scratch(4096)),
    reader: new MapReader(memory, found, evicts && segment.access !== "read"),
    writer: new MapWriter(memory, system, evicts),
    guard: new WriteGuard(placed, hold),
  };
}

/**
 * A hash map in shared memory, which any number of processes read and write.
 *
 * Reads never block: they take no lock, store only a hint, and return a copy of a value that was
 * there during the call and may be stale after it. Writers of one of up to 64 stripes take turns by
 * a robust mutex, so a write blocks while another one copies or updates in the same stripe. The
 * memory is fixed when the map is made. An entry takes its key and value plus 40 bytes, rounded up
 * to units, and about 8 bytes of index.
 *
 * What a crash leaves: a writer killed at any instant leaves the old or the new value of its key,
 * and every other entry as it was. The next writer of the stripe repairs the rest; readers notice
 * nothing.
 *
 * Entries expire by the time since the machine's start, which no setting of its clock moves; in a
 * map in a file, one with a `ttlMs` from before that start has expired. Use a database when data
 * must outlive a restart of the machine or need queries; Redis when several machines share them.
 *
 * @example
 * ```ts
 * const codec = codecs.json<{ user: string }>();
 * using sessions = SharedMap.create("/sessions", { size: 2 ** 24, codec });
 * sessions.set("s1", { user: "ada" }, { ttlMs: 60_000 });
 * // in another process:
 * using same = SharedMap.open("/sessions", { codec });
 * console.log(same.get("s1")?.user, same.size); // ada 1
 * console.log(await same.getOrSet("s2", async () => ({ user: "eve" }), { ttlMs: 60_000 }));
 * sessions.unlink();
 * ```
 */
export class SharedMap<V, K extends SharedMapKey = string> extends MapWrites<V, K> {
  /**
   * The fields of the struct that the map's values do not hold, since the map was made before the
   * struct had them: they read as their defaults, and take no other value. Mostly none.
   */
  readonly missingFields: readonly string[];
  readonly #parts: MapParts<V>;
  readonly #local: MapLocal<V> | undefined;
  #flights: MapFlights<V, K> | undefined;

  private constructor(structure: Structure, options: SharedMapOptions<V, K>) {
    const parts = partsOf(structure, options);
    const local = options.local && new MapLocal(parts, options.local);
    super(parts, local);
    this.missingFields = missingFields(options.codec, formIn(structure, options.codec));
    this.#parts = parts;
    this.#local = local;
  }

  /**
   * Makes a map in a segment of its own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static create<V, K extends SharedMapKey = string>(
    name: string,
    options: SharedMapCreateOptions<V, K>,
  ): SharedMap<V, K> {
    checkNewOptions(`Cannot create map ${shown(name)}`, "create", options);
    const fill = SharedMap.#filler(options);
    return Structure.create(MAP_KIND, name, mapHeader(options), options, fill);
  }

  /**
   * Finds a map that has a segment of its own. Blocks for `waitMs` while there is no such name, and
   * while its creator is at work, which `waitMs` bounds too (half a minute without it).
   *
   * @returns A handle to close.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when the map has another codec or another form of keys, or something else has the
   *   name; StateError ENODATA when it is unfinished.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static open<V, K extends SharedMapKey = string>(
    name: string,
    options: SharedMapOpenOptions<V, K>,
  ): SharedMap<V, K> {
    checkFindOptions(`Cannot open map ${shown(name)}`, "open", options);
    return Structure.open(MAP_KIND, name, options, SharedMap.#finder(options));
  }

  /**
   * Finds a map, or makes it: exactly one of several callers at the same time makes it, and
   * `created` says which. Blocks like `open` while another caller is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT; LayoutError also when the
   *   map differs in an option that is given.
   */
  static openOrCreate<V, K extends SharedMapKey = string>(
    name: string,
    options: SharedMapCreateOptions<V, K> & OwnerOptions,
  ): SharedMap<V, K> {
    checkNewOptions(`Cannot open or create map ${shown(name)}`, "openOrCreate", options);
    const [fill, find] = [SharedMap.#filler(options), SharedMap.#finder(options)];
    return Structure.openOrCreate(MAP_KIND, name, mapHeader(options), options, fill, find);
  }

  /**
   * Makes a map inside the caller's segment. Blocks for half a minute at most, while another
   * process makes one there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when a map is there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static init<V, K extends SharedMapKey = string>(
    segment: Segment,
    offset: number,
    options: SharedMapInitOptions<V, K>,
  ): SharedMap<V, K> {
    checkNewOptions("Cannot make a map", "init", options);
    const fill = SharedMap.#filler(options);
    return Structure.init(MAP_KIND, segment, offset, mapHeader(options), options, fill);
  }

  /**
   * Finds a map inside the caller's segment. Blocks while its maker lives and is at work, for half
   * a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when the map has another codec or another form of keys, or something else
   *   is there; StateError ENODATA when nothing is there, or its maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at<V, K extends SharedMapKey = string>(
    segment: Segment,
    offset: number,
    options: SharedMapOptions<V, K>,
  ): SharedMap<V, K> {
    checkFindOptions("Cannot find a map", "at", options);
    return Structure.at(MAP_KIND, segment, offset, SharedMap.#finder(options));
  }

  /** @returns The bytes that a map takes in a segment: its size. @throws RangeError, TypeError. */
  static byteLength<V, K extends SharedMapKey = string>(
    options: SharedMapInitOptions<V, K>,
  ): number {
    checkNewOptions("Cannot measure a map", "init", options);
    return options.size;
  }

  /** @returns The function that fills a new map. */
  static #filler<V, K extends SharedMapKey>(options: SharedMapNewOptions<V, K>) {
    return (structure: Structure): SharedMap<V, K> => {
      const map = new SharedMap(structure, options);
      const { memory } = map.#parts;
      for (let stripe = 0; stripe <= memory.stripeMask; stripe++) {
        rebuild(memory, memory.stripeOf(stripe));
      }
      return map;
    };
  }

  /** @returns The function that makes a handle of a map that was found. */
  static #finder<V, K extends SharedMapKey>(options: SharedMapOptions<V, K>) {
    return (structure: Structure): SharedMap<V, K> => {
      checkFoundMap(structure, options);
      return new SharedMap(structure, options);
    };
  }

  /**
   * Gets a key's value, and loads it if it is not there: one loader runs for a key at a time, over
   * all processes, and the others wait for its value. Other keys are not held up. Waits in the
   * event loop.
   *
   * A value that expired no longer than `staleMs` ago is returned at once, while one process loads
   * it again; if that fails, the old value serves until its time is over. A loader that fails
   * rejects the calls of its process, and with `errorTtlMs` those of all; without it, the next
   * process that waits loads. If a process dies while it loads, another one loads within a tenth of
   * a second. Whoever writes or removes the key meanwhile is right: what is loaded is returned, and
   * not stored. So it is if the map is full and refuses. A loader must not ask for its own key.
   *
   * Where the value is mostly there, `map.get(key) ?? (await map.getOrSet(key, load))` spares the
   * `await`, which costs more than a `get`.
   *
   * @param load Returns the value, or a promise of it. It gets the key, and a context: `signal` is
   *   aborted when all calls of this handle have given up, and the load with them; `stale` is the
   *   expired value, if there is one.
   * @returns The value as the codec decodes it, also to the caller that loaded it. All calls of one
   *   handle that wait together get the same object.
   * @throws What `load` throws; RemoteError for what another process's loader threw; the signal's
   *   reason; StateError ETIMEDOUT after `timeoutMs`; the errors of `set`, for a handle that only
   *   reads too, if the value is not there.
   */
  async getOrSet(
    key: K | string,
    load: SharedMapLoader<V, K>,
    options?: SharedMapLoadOptions,
  ): Promise<V> {
    const value = this.get(key);
    // Without an `await` in it, this costs little more than that of the caller.
    if (value === undefined) return this.#load(key, load, options);
    return isTurnDue() ? afterTurn(value) : value;
  }

  #load(
    key: K | string,
    load: SharedMapLoader<V, K>,
    options: SharedMapLoadOptions | undefined,
  ): Promise<V> {
    this.#flights ??= new MapFlights(this.#parts);
    return this.#flights.loadAsync(key, load, options);
  }

  /**
   * Tells which keys change from now on, in any process. A key that changes several times before it
   * is told of is told once, with its newest value; a slow loop so skips values, and never the last
   * one. Changes of different keys may come in another order than they were made. Waits in the
   * event loop. Writers log their changes only while somebody watches.
   *
   * If more changed than the log holds before the loop came to it, or everything was cleared, or a
   * writer was killed half way, `skipped` is told: look again at all that you keep.
   *
   * @param options Which keys. Waiting keeps the process alive unless `ref` is false.
   * @returns An iterator. It throws the signal's reason, and ClosedError once the map is closed.
   * @throws TypeError for bad options, or a handle that only reads; the signal's reason when it is
   *   aborted already; ClosedError.
   */
  changes(
    options: SharedMapChangesOptions<K> = {},
  ): AsyncGenerator<SharedMapChange<V, K>, void, void> {
    return new MapChanges<V, K>(this.#parts, options).tell();
  }

  /**
   * Writes all valid entries to a file, while others use the map: each one is whole, and one that
   * comes, goes or changes meanwhile may be in it or not. The file replaces one of that name when
   * it is whole and on the disk; only this user may read it. Blocks this thread.
   *
   * @param path The file's path.
   * @returns How many entries it holds.
   * @throws SystemError for what the file system says; TypeError, RangeError for a bad path;
   *   ClosedError; LayoutError when the bytes are no map.
   */
  snapshot(path: string): number {
    return atOnce(this.#snapshotSteps(path));
  }

  /** Writes a snapshot like `snapshot`, and lets the event loop turn meanwhile. */
  async snapshotAsync(path: string): Promise<number> {
    return inTurns(this.#snapshotSteps(path));
  }

  #snapshotSteps(path: string): Generator<void, number, void> {
    this.#parts.placed.checkOpen();
    return snapshotSteps(this.#parts, path);
  }

  /**
   * Stores the entries of a snapshot, while others use the map: one after the other, in the place
   * of those that have the same keys. The file is checked whole before the first one is stored.
   * Entries go on expiring as if they had never left memory. Blocks this thread.
   *
   * @param path The file's path.
   * @returns How many were stored, found the map full, or had expired.
   * @throws LayoutError when it is no whole snapshot, or one of another codec or form of keys; the
   *   errors of `set`; SystemError for what the file system says.
   */
  restore(path: string): SharedMapRestored {
    return atOnce(this.#restoreSteps(path));
  }

  /** Stores the entries of a snapshot like `restore`, and lets the event loop turn meanwhile. */
  async restoreAsync(path: string): Promise<SharedMapRestored> {
    return inTurns(this.#restoreSteps(path));
  }

  #restoreSteps(path: string): Generator<void, SharedMapRestored, void> {
    this.#parts.guard.check("write to");
    return restoreSteps(this.#parts, path);
  }

  /**
   * Closes this handle, and the segment if this handle opened it. The entries stay; calls that wait
   * are rejected with ClosedError, and loads are given up. Does nothing when called again.
   * @throws StateError EBUSY in a callback of `update`.
   */
  close(): void {
    const { guard, placed, system } = this.#parts;
    guard.mayClose();
    if (!placed.closed) {
      this.#flights?.close();
      system.close();
    }
    placed.close();
    this.#local?.clear();
  }
}

/** Lets the event loop turn. @returns The value. */
async function afterTurn<V>(value: V): Promise<V> {
  await takeTurn();
  return value;
}
