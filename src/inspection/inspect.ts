/** Looks into objects of which only the name is known, and opens them. */
import { checkInteger, checkOptions, shown } from "../arguments.ts";
import { ClosedError, UnsupportedError } from "../errors.ts";
import { queueSemaphores } from "../layout/message-queue-layout.ts";
import { NUMBER_SHIFT } from "../layout/lock-layout.ts";
import { SEMAPHORE_FILE_PREFIX } from "../memory/objects/object-name.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import { type NameKind, nameKind } from "../memory/objects/segment-name.ts";
import { Barrier } from "../locks/barrier.ts";
import { Lease } from "../locks/lease.ts";
import { Mutex } from "../locks/mutex.ts";
import { NamedLocks } from "../locks/named-locks.ts";
import { RwLock } from "../locks/rw-lock.ts";
import { SharedEvent } from "../locks/shared-event.ts";
import { Meters } from "../meters/meters.ts";
import type { Metric } from "../meters/metric.ts";
import { MessageQueue } from "../queue/message-queue.ts";
import { RingBuffer } from "../ring/ring-buffer.ts";
import { PortableSegment } from "../segment/portable-segment.ts";
import { Segment } from "../segment/segment.ts";
import { SharedAtomics } from "../atomics/shared-atomics.ts";
import { RateLimiter } from "../limiter/rate-limiter.ts";
import { SharedMap } from "../map/shared-map.ts";
import { type Codec, codecs } from "../struct/codec.ts";
import { FOR_CREATOR, waitUntil } from "../waiting/patience.ts";
import type { Activity } from "./activity.ts";
import { type InspectedField, readFields } from "./fields.ts";
import { type Holder, holdersOf } from "./holders.ts";
import { identify, structuresIn } from "./identify.ts";
import { readMapForms } from "./kinds/map.ts";
import {
  KIND_TEXTS,
  type InspectedKind,
  type Inspector,
  type NamedValue,
  type ObjectKind,
} from "./kinds/kind.ts";
import { type ObjectReader, openReader } from "./object-reader.ts";
import { ObjectWords } from "./object-words.ts";
import { type FreshRecords, type Peeker, type SeenRecord, peekerOf } from "./peek.ts";
import { isAlive, isBlind } from "../memory/processes.ts";
import { findUsers } from "../memory/user-table.ts";
import { spelled } from "../libc/name-spelling.ts";
import { pathText } from "../libc/path-bytes.ts";

/** Bytes of raw memory that are searched for locks. */
const SEARCHED_LENGTH = 2 ** 20;

/**
 * An object that was opened only to look into it. It is read with `pread` and never mapped: nothing
 * in it changes, its users notice nothing, and a truncation by others does not end this process.
 *
 * No method blocks, and what they return is stale at once. Each call reads the object again, and
 * may see a write of another process half done. Any number of processes may look at the same time.
 */
export class InspectedObject implements Disposable {
  readonly #reader: ObjectReader;
  readonly #inspector: Inspector | undefined;
  readonly #peeker: Peeker | undefined;
  #closed = false;

  /** @internal Use `openObject`. */
  constructor(name: string) {
    this.#reader = openReader(name);
    try {
      this.#inspector = identify(new ObjectWords(this.#reader));
      this.#peeker = peekerOf(this.#reader, this.kind);
    } catch (error) {
      this.#reader.close();
      throw error;
    }
  }

  /** The name that it was opened by. */
  get name(): string {
    return this.#reader.name;
  }

  /** What it was when it was opened: "ring", "map" …; "raw" when no known structure starts it. */
  get kind(): ObjectKind {
    return this.#inspector?.kind ?? "raw";
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The object's size now, in bytes. @throws ClosedError. */
  get size(): number {
    return this.#open.size();
  }

  /**
   * Reads bytes of the object.
   *
   * @param offset Bytes from the object's start.
   * @param length The number of bytes.
   * @returns A copy of the bytes; shorter when the object ends early.
   * @throws ClosedError; RangeError, TypeError for a bad offset or length.
   */
  read(offset: number, length: number): Uint8Array {
    const action = `Cannot read ${shown(this.name)}`;
    checkInteger(action, "its offset", offset, 0);
    checkInteger(action, "its length", length, 0);
    return this.#open.read(offset, length);
  }

  /**
   * @returns Every field of the known layout, in order; none in raw memory.
   * @throws ClosedError.
   */
  fields(): InspectedField[] {
    const words = this.#words();
    return readFields(this.#inspector?.parts(words) ?? [], words);
  }

  /** @returns What the structure has counted; nothing in raw memory. @throws ClosedError. */
  activity(): Activity {
    const words = this.#words();
    return this.#inspector?.activity(words) ?? {};
  }

  /**
   * Asks the kernel which roles live processes hold.
   *
   * @returns The roles: "producer", "participant 3" …; undefined when the structure has no roles,
   *   or this system does not show byte locks.
   * @throws ClosedError.
   */
  roles(): string[] | undefined {
    const reader = this.#open;
    const inspector = this.#inspector;
    const words = new ObjectWords(reader);
    const locks = inspector?.locks?.(words).filter(({ isRole }) => isRole) ?? [];
    const bytes = inspector?.roleBytes ?? [];
    if (locks.length + bytes.length === 0) return undefined;
    const held: string[] = [];
    for (const { role, offset } of locks) {
      const number = words.u32(offset) >>> NUMBER_SHIFT;
      const isAlive = number !== 0 && reader.isAlive(number);
      if (isAlive === undefined) return undefined;
      if (isAlive) held.push(role);
    }
    for (const [byte, role] of bytes) {
      const isLocked = reader.isLocked(byte);
      if (isLocked === undefined) return undefined;
      if (isLocked) held.push(role);
    }
    return held;
  }

  /**
   * Finds who holds a mutex, a lease, a stripe of a map, a ring's role …, also in raw memory, whose
   * first MiB is searched for locks. Reads /proc once.
   *
   * @returns An entry for each lock and role that is held; those of dead holders too.
   * @throws ClosedError.
   */
  holders(): Holder[] {
    const reader = this.#open;
    const table = findUsers(reader.device);
    return holdersOf({ reader, table }, structuresIn(this.#words(), SEARCHED_LENGTH));
  }

  /**
   * @returns The named words and counters of a set of atomics, or the series of meters; else none.
   * @throws ClosedError.
   */
  values(): readonly NamedValue[] {
    const words = this.#words();
    return this.#inspector?.values?.(words) ?? [];
  }

  /** @returns The metrics of meters; else none. @throws ClosedError. */
  metrics(): readonly Metric[] {
    const words = this.#words();
    return this.#inspector?.metrics?.(words) ?? [];
  }

  /** @returns What cannot be right in it, in words; undefined when all is. @throws ClosedError. */
  damage(): string | undefined {
    const words = this.#words();
    return this.#inspector?.damage(words);
  }

  /**
   * Reads the process id that the object's creator noted; ids are reused.
   *
   * @returns The id, and whether a process of that id lives; `alive` is undefined where processes
   *   may be out of sight, such as in a container. Undefined when none was noted.
   * @throws ClosedError.
   */
  creator(): { readonly pid: number; readonly alive: boolean | undefined } | undefined {
    const field = this.fields().find(({ name }) => name === "creator_pid");
    const pid = Number(field?.value ?? 0);
    return pid > 0 ? { pid, alive: isBlind() ? undefined : isAlive(pid) } : undefined;
  }

  /** @returns The names that a message queue's semaphores have by default; none for other kinds. */
  semaphores(): readonly string[] {
    return this.kind === "queue" ? queueSemaphores(this.name) : [];
  }

  /**
   * Reads what is in a ring with one consumer, or in a queue, and takes nothing. A ring is copied
   * first, and the copy is read: the ring's consumer notices nothing.
   *
   * @returns The records, oldest first.
   * @throws UnsupportedError when the object has no such records, or is a ring of over 256 MiB.
   * @throws LayoutError when the ring is corrupt; ClosedError.
   */
  peek(): readonly SeenRecord[] {
    return this.#records().records();
  }

  /**
   * Reads what came into a ring or queue since the last call, and takes nothing.
   *
   * @returns The new records, oldest first; none at the first call.
   * @throws The errors of `peek`.
   */
  fresh(): FreshRecords {
    return this.#records().fresh();
  }

  /** Closes the object. Does nothing when called again. */
  close(): void {
    this.#closed = true;
    this.#reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #open(): ObjectReader {
    if (this.#closed) throw new ClosedError(`the look into ${shown(this.name)}`);
    return this.#reader;
  }

  #words(): ObjectWords {
    return new ObjectWords(this.#open);
  }

  #records(): Peeker {
    const { name } = this.#open;
    if (this.#peeker !== undefined) return this.#peeker;
    throw new UnsupportedError(
      `Cannot look for records in ${shown(name)}: it is ${kindText(this.kind)}, and neither a ` +
        "queue nor a ring with one consumer",
    );
  }
}

/**
 * Opens an object only to look into it, whatever it is and whoever made it. Does not block.
 *
 * @param name The object's name, as `Segment.open` takes it.
 * @returns The object, to be closed.
 * @throws SystemError ENOENT, EACCES; UnsupportedError for `memfd:`, which has no name.
 * @throws RangeError, TypeError for a bad name.
 *
 * @example
 * ```ts
 * using ring = RingBuffer.create("/orders");
 * using object = openObject("/orders");
 * console.log(object.kind, object.size, object.activity(), object.damage());
 * for (const { name, value } of object.fields()) console.log(name, value);
 * ring.unlink();
 * ```
 */
export function openObject(name: string): InspectedObject {
  return new InspectedObject(name);
}

/**
 * What `openAny` opened: `kind` says what the object is, and `handle` is a handle of that kind. A
 * map's `codec` is the id of its codec: bytes, text, numbers and JSON are decoded, and values of
 * other codecs are read as bytes.
 */
export type AnyObject =
  | { readonly kind: "queue"; readonly handle: MessageQueue }
  | {
      readonly kind: "map";
      readonly handle: SharedMap<unknown, string | Uint8Array>;
      readonly codec: string;
    }
  | { readonly kind: "atomics"; readonly handle: SharedAtomics<string, string> }
  | { readonly kind: "limiter"; readonly handle: RateLimiter }
  | { readonly kind: "meters"; readonly handle: Meters }
  | { readonly kind: "portable"; readonly handle: PortableSegment }
  | { readonly kind: "mutex"; readonly handle: Mutex }
  | { readonly kind: "rw-lock"; readonly handle: RwLock }
  | { readonly kind: "event"; readonly handle: SharedEvent }
  | { readonly kind: "barrier"; readonly handle: Barrier }
  | { readonly kind: "lease"; readonly handle: Lease }
  | { readonly kind: "named-locks"; readonly handle: NamedLocks }
  | {
      readonly kind: "ring" | "mpsc-ring" | "broadcast" | "broadcast-block";
      readonly handle: RingBuffer;
    }
  | {
      readonly kind: "raw" | "record" | "table" | "condition" | "unknown";
      readonly handle: Segment;
    };

/**
 * Finds out what an object is, and opens it as that: as a ring, a queue, a map, a lock … Raw memory
 * is opened as a `Segment`, and so are the kinds that take more than a name to open: a record
 * and a table (their struct), and a condition (its mutex). Blocks for about a second while the
 * object begins with zeros, since another process may be making a structure there.
 *
 * @param name The object's name, as `Segment.open` takes it.
 * @returns The kind, and a handle to close.
 * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's; LayoutError when
 *   it is corrupt, or another build made it.
 * @throws RangeError, TypeError for a bad name; UnsupportedError for `memfd:`.
 *
 * @example
 * ```ts
 * RingBuffer.create("/orders").close();
 * const { kind, handle } = openAny("/orders");
 * if (handle instanceof RingBuffer) console.log(kind, handle.capacity); // ring 1048576
 * handle.close();
 * RingBuffer.unlink("/orders");
 * ```
 */
export function openAny(name: string, options: OwnerOptions = {}): AnyObject {
  checkOptions(`Cannot open ${shown(name)}`, options, ["owner"]);
  const { owner } = options;
  const kind = finishedKind(name);
  switch (kind) {
    case "ring":
    case "mpsc-ring":
    case "broadcast":
    case "broadcast-block":
      return { kind, handle: RingBuffer.open(name, { codec: codecs.raw, owner }) };
    case "queue":
      return { kind, handle: MessageQueue.open(name, { owner }) };
    case "map":
      return openMap(name, options);
    case "atomics":
      return { kind, handle: SharedAtomics.open(name, { owner }) };
    case "limiter":
      return { kind, handle: RateLimiter.open(name, { owner }) };
    case "meters":
      return { kind, handle: Meters.open(name, { owner }) };
    case "portable":
      return { kind, handle: PortableSegment.open(name, { owner }) };
    case "mutex":
      return { kind, handle: Mutex.open(name, { owner }) };
    case "rw-lock":
      return { kind, handle: RwLock.open(name, { owner }) };
    case "event":
      return { kind, handle: SharedEvent.open(name, { owner }) };
    case "barrier":
      return { kind, handle: Barrier.open(name, { owner }) };
    case "lease":
      return { kind, handle: Lease.open(name, { owner }) };
    case "named-locks":
      return { kind, handle: NamedLocks.open(name, { owner }) };
    default:
      return { kind, handle: Segment.open(name, { owner }) };
  }
}

/** @returns The kind of an object. Waits while it begins with 0, since makers write that last. */
function finishedKind(name: string): InspectedKind | "raw" {
  using reader = openReader(name);
  const look = (): InspectedKind | "raw" | undefined => {
    const words = new ObjectWords(reader);
    return identify(words)?.kind ?? (words.u32(0) === 0 ? undefined : "raw");
  };
  return waitUntil(look, FOR_CREATOR) ?? "raw";
}

/** The codecs of which every program knows the values' type; others are opened as bytes. */
const CODECS: readonly Codec<unknown>[] = [
  codecs.bytes as Codec<unknown>,
  codecs.utf8 as Codec<unknown>,
  codecs.number as Codec<unknown>,
  codecs.json(),
];

function openMap(name: string, { owner }: OwnerOptions): AnyObject {
  using reader = openReader(name);
  const { codec: id, bytesKeys } = readMapForms(new ObjectWords(reader));
  const codec = CODECS.find((each) => each.id === id) ?? (codecs.raw as Codec<unknown>);
  const key = (bytesKeys ? codecs.bytes : codecs.utf8) as Codec<string | Uint8Array>;
  return { kind: "map", codec: id, handle: SharedMap.open(name, { codec, key, owner }) };
}

/** @returns What a sentence calls a kind: "mpsc-ring" is "a ring of many producers". */
export function kindText(kind: ObjectKind): string {
  return KIND_TEXTS[kind];
}

/**
 * @param file The file's name: its bytes, or a text in which a byte that is not UTF-8 is a lone
 *   surrogate.
 * @returns What a file in the directory of the objects holds, and its name for `open`.
 */
export function objectOfFile(file: string | Uint8Array): {
  readonly type: "segment" | "semaphore";
  readonly name: string;
} {
  const text = typeof file === "string" ? file : pathText(file);
  return text.startsWith(SEMAPHORE_FILE_PREFIX)
    ? { type: "semaphore", name: spelled(`/${text.slice(SEMAPHORE_FILE_PREFIX.length)}`) }
    : { type: "segment", name: spelled(`/${text}`) };
}

/** @returns The kind of memory that a name stands for, by its form. */
export function backingOf(name: string): NameKind {
  return nameKind(name);
}
