/** The one way into an object of shared memory of which nothing but its name is known. */
import { checkInteger, shown } from "../arguments.ts";
import { ClosedError, UnsupportedError } from "../errors.ts";
import { RING_FIRST_SLOT_BYTE, RING_PRODUCER_BYTE } from "../layout/lock-bytes.ts";
import { queueSemaphores } from "../layout/message-queue-layout.ts";
import { PRODUCER_SLOTS } from "../layout/mpsc-layout.ts";
import { type NameKind, nameKind } from "../memory/objects/segment-name.ts";
import { Barrier } from "../locks/barrier.ts";
import { Lease } from "../locks/lease.ts";
import { Mutex } from "../locks/mutex.ts";
import { RwLock } from "../locks/rw-lock.ts";
import { SharedEvent } from "../locks/shared-event.ts";
import { MessageQueue } from "../queue/message-queue.ts";
import { RingBuffer } from "../ring/ring-buffer.ts";
import { PortableSegment } from "../segment/portable-segment.ts";
import { Segment } from "../segment/segment.ts";
import { SharedAtomics } from "../atomics/shared-atomics.ts";
import { SharedMap } from "../map/shared-map.ts";
import { type Codec, codecs } from "../struct/codec.ts";
import { FOR_CREATOR, waitUntil } from "../waiting/patience.ts";
import type { Activity } from "./activity.ts";
import { type InspectedField, readFields } from "./fields.ts";
import { identify } from "./identify.ts";
import { readMapForms } from "./kinds/map.ts";
import { KIND_TEXTS, type ObjectKind, type Structure, type StructureKind } from "./kinds/kind.ts";
import { type ObjectReader, openReader } from "./object-reader.ts";
import { ObjectWords } from "./object-words.ts";
import { type FreshRecords, type Peeker, type SeenRecord, peekerOf } from "./peek.ts";
import { isAlive } from "../memory/processes.ts";

/**
 * An object that was opened to be looked at. It is read with `pread` and never mapped: nothing in
 * it changes, nobody who uses it notices, and no truncation by others ends this process.
 *
 * Nothing blocks, and what is returned is stale at once. Each call reads the object again; what
 * others write meanwhile may be seen half done.
 */
export class InspectedObject implements Disposable {
  readonly #reader: ObjectReader;
  readonly #structure: Structure | undefined;
  readonly #peeker: Peeker | undefined;
  #closed = false;

  /** @internal Use `openObject`. */
  constructor(name: string) {
    this.#reader = openReader(name);
    try {
      this.#structure = identify(new ObjectWords(this.#reader));
      this.#peeker = peekerOf(this.#reader, this.kind);
    } catch (error) {
      this.#reader.close();
      throw error;
    }
  }

  /** The object's name. */
  get name(): string {
    return this.#reader.name;
  }

  /** What it was when it was opened: "ring", "map" …; "raw" where no known structure starts it. */
  get kind(): ObjectKind {
    return this.#structure?.kind ?? "raw";
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes now. @throws ClosedError. */
  get size(): number {
    return this.#open.size();
  }

  /**
   * Reads bytes.
   *
   * @param offset First byte.
   * @param length How many bytes.
   * @returns A copy; shorter where the object ends before.
   * @throws ClosedError; RangeError, TypeError.
   */
  read(offset: number, length: number): Uint8Array {
    const action = `Cannot read ${shown(this.name)}`;
    checkInteger(action, "its offset", offset, 0);
    checkInteger(action, "its length", length, 0);
    return this.#open.read(offset, length);
  }

  /** Every field of the known layout, in order; none in raw memory. @throws ClosedError. */
  fields(): InspectedField[] {
    const words = this.#words();
    return readFields(this.#structure?.parts(words) ?? [], words);
  }

  /** What the structure counts; nothing in raw memory. @throws ClosedError. */
  activity(): Activity {
    const words = this.#words();
    return this.#structure?.activity(words) ?? {};
  }

  /**
   * The roles that live processes hold, by the kernel's word: "producer", "participant 3" …
   *
   * @returns undefined where a structure has no roles, or byte locks cannot be seen.
   * @throws ClosedError.
   */
  roles(): string[] | undefined {
    const reader = this.#open;
    const roles = this.#structure?.roles ?? [];
    if (roles.length === 0) return undefined;
    const held: string[] = [];
    for (const [byte, role] of roles) {
      const locked = reader.isLocked(byte);
      if (locked === undefined) return undefined;
      if (locked) held.push(role);
    }
    return held;
  }

  /** What is impossible in it, in words; undefined when it looks sound. @throws ClosedError. */
  damage(): string | undefined {
    const words = this.#words();
    return this.#structure?.damage(words);
  }

  /**
   * The process that made it, as it noted itself, and whether a process of that id lives here; ids
   * are reused. @returns undefined where nobody noted it. @throws ClosedError.
   */
  creator(): { readonly pid: number; readonly alive: boolean } | undefined {
    const field = this.fields().find(({ name }) => name === "creator_pid");
    const pid = Number(field?.value ?? 0);
    return pid > 0 ? { pid, alive: isAlive(pid) } : undefined;
  }

  /** The names of the semaphores that belong to a message queue by default; none for others. */
  semaphores(): readonly string[] {
    return this.kind === "queue" ? queueSemaphores(this.name) : [];
  }

  /**
   * What is in a ring with one consumer, or in a queue, oldest first. A ring is copied for the
   * look, and the copy is read: its consumer notices nothing.
   *
   * @throws UnsupportedError for what has no such records, or is a ring of over 256 MiB.
   * @throws LayoutError when the ring is corrupt; ClosedError.
   */
  peek(): readonly SeenRecord[] {
    return this.#records().records();
  }

  /**
   * What came into a ring or queue since the call before; nothing at the first call.
   * @throws As `peek`.
   */
  fresh(): FreshRecords {
    return this.#records().fresh();
  }

  /** Ends the look. Again is harmless. */
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
 * Opens an object to look at it, whatever it is and whoever made it. Does not block.
 *
 * @param name As `Segment.open` takes it.
 * @throws SystemError ENOENT, EACCES; UnsupportedError for `memfd:`, which has no name.
 * @throws RangeError, TypeError for a name that cannot be.
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
 * What `openAny` opened: `kind` says what it is, and `handle` is its own. A map's `codec` is the id
 * of its values' form: bytes, text, numbers and JSON are read as such, all else as bytes.
 */
export type AnyObject =
  | { readonly kind: "queue"; readonly handle: MessageQueue }
  | {
      readonly kind: "map";
      readonly handle: SharedMap<unknown, string | Uint8Array>;
      readonly codec: string;
    }
  | { readonly kind: "atomics"; readonly handle: SharedAtomics<string, string> }
  | { readonly kind: "portable"; readonly handle: PortableSegment }
  | { readonly kind: "mutex"; readonly handle: Mutex }
  | { readonly kind: "rw-lock"; readonly handle: RwLock }
  | { readonly kind: "event"; readonly handle: SharedEvent }
  | { readonly kind: "barrier"; readonly handle: Barrier }
  | { readonly kind: "lease"; readonly handle: Lease }
  | {
      readonly kind: "ring" | "mpsc-ring" | "broadcast" | "broadcast-block";
      readonly handle: RingBuffer;
    }
  | { readonly kind: "raw" | "record" | "condition" | "unknown"; readonly handle: Segment };

/**
 * Finds out what an object is, and opens it as that: a ring, a queue, a map, a lock … Raw memory
 * comes as a `Segment`, and so does what takes more to open than its name: a record (its struct), a
 * condition (its mutex). Blocks for a second at most, while only zeros are there: somebody may be
 * making a structure.
 *
 * @param name As `Segment.open` takes it.
 * @returns The kind, and a handle to close.
 * @throws SystemError ENOENT, EACCES; LayoutError when it is corrupt, or of another build.
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
export function openAny(name: string): AnyObject {
  const kind = finishedKind(name);
  switch (kind) {
    case "ring":
    case "mpsc-ring":
    case "broadcast":
    case "broadcast-block":
      return { kind, handle: RingBuffer.open(name, { codec: codecs.raw }) };
    case "queue":
      return { kind, handle: MessageQueue.open(name) };
    case "map":
      return openMap(name);
    case "atomics":
      return { kind, handle: SharedAtomics.open(name) };
    case "portable":
      return { kind, handle: PortableSegment.open(name) };
    case "mutex":
      return { kind, handle: Mutex.open(name) };
    case "rw-lock":
      return { kind, handle: RwLock.open(name) };
    case "event":
      return { kind, handle: SharedEvent.open(name) };
    case "barrier":
      return { kind, handle: Barrier.open(name) };
    case "lease":
      return { kind, handle: Lease.open(name) };
    default:
      return { kind, handle: Segment.open(name) };
  }
}

/** The kind of an object; one that is still zeros is waited for, since its magic comes last. */
function finishedKind(name: string): StructureKind | "raw" {
  using reader = openReader(name);
  const look = (): StructureKind | "raw" | undefined => {
    const words = new ObjectWords(reader);
    return identify(words)?.kind ?? (words.u32(0) === 0 ? undefined : "raw");
  };
  return waitUntil(look, FOR_CREATOR) ?? "raw";
}

/** The codecs that convert values of any program; others are opened as bytes. */
const CODECS: readonly Codec<unknown>[] = [
  codecs.bytes as Codec<unknown>,
  codecs.utf8 as Codec<unknown>,
  codecs.number as Codec<unknown>,
  codecs.json(),
];

function openMap(name: string): AnyObject {
  using reader = openReader(name);
  const { codec: id, bytesKeys } = readMapForms(new ObjectWords(reader));
  const codec = CODECS.find((each) => each.id === id) ?? (codecs.raw as Codec<unknown>);
  const key = (bytesKeys ? codecs.bytes : codecs.utf8) as Codec<string | Uint8Array>;
  return { kind: "map", codec: id, handle: SharedMap.open(name, { codec, key }) };
}

/** A kind as a sentence calls it: "mpsc-ring" is "a ring of many producers". */
export function kindText(kind: ObjectKind): string {
  return KIND_TEXTS[kind];
}

/** Whether a live process has a producer's role of a ring, by the kernel's word. */
export function hasProducer({ kind, segment }: RingBuffer): boolean {
  const [first, count] =
    kind === "mpsc" ? [RING_FIRST_SLOT_BYTE, PRODUCER_SLOTS] : [RING_PRODUCER_BYTE, 1];
  for (let at = 0; at < count; at++) if (segment.isLocked(first + at)) return true;
  return false;
}

/** Which memory a name stands for, by its form. */
export function backingOf(name: string): NameKind {
  return nameKind(name);
}
