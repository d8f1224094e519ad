/** What the rows of the table of errors are made with: objects in the states that provoke them. */
import { chownSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  type ArrayField,
  type ArrayView,
  Barrier,
  Lease,
  MessageQueue,
  Mutex,
  RingBuffer,
  type RingProducer,
  type RwLock,
  Segment,
  Semaphore,
  SharedAtomics,
  SharedMap,
  SharedRecord,
  SharedTable,
  type Struct,
  type StructField,
  type SystemVSemaphore,
  arrayOf,
  byteArray,
  charArray,
  codecs,
  struct,
} from "../../src/index.ts";
import { MAKER_BYTE } from "../../src/layout/lock-bytes.ts";

/** One error that a user can meet. In its text the object's name is NAME. */
export interface ErrorRow {
  readonly provoke: (name: string) => unknown;
  readonly error:
    | "Error"
    | "RangeError"
    | "TypeError"
    | "StateError"
    | "SystemError"
    | "LayoutError"
    | "ClosedError"
    | "UnsupportedError";
  readonly code?: string;
  readonly text: string;
}

const cleanups: (() => void)[] = [];

/** Gives back what rows made. */
export function cleanUp(): void {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
}

export function keep<T extends { close(): void }>(made: T): T {
  cleanups.push(() => made.close());
  return made;
}

/** For what plain JavaScript could pass, whatever the types say. */
export const any = (value: unknown): never => value as never;

/** A System V key of this process. */
export const key = (): string => `sysv:0x${((process.pid << 12) | 0xeee).toString(16)}`;

type PointSchema = { readonly x: "f64"; readonly label: StructField<string> };
export const Point: Struct<PointSchema> = struct({ x: "f64", label: charArray(4) });

type BytesSchema = { readonly key: StructField<Uint8Array>; readonly counts: ArrayField<number> };
export const Bytes: Struct<BytesSchema> = struct({
  key: byteArray(5),
  counts: arrayOf("u16", 2),
});

/** The array of a struct whose memory is gone. */
export function countsOfClosed(segment: Segment): ArrayView<number> {
  const { counts } = Bytes.at(segment.view);
  segment.close();
  return counts;
}

export const view: DataView = new DataView(new ArrayBuffer(256));

/** Bytes whose memory went elsewhere. */
export function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes.buffer.transfer();
  return bytes;
}

/** A segment of two pages, of zeros. */
export function raw(name: string, options: object = {}, size = 8192): Segment {
  const made = keep(Segment.create(name, { size }));
  return Object.keys(options).length === 0 ? made : keep(Segment.open(name, options));
}

/** A segment in which something is being made. */
export function beingMade(name: string): Segment {
  const segment = raw(name);
  segment.tryLock(MAKER_BYTE);
  return segment;
}

/** A symbolic link, and a `file:` name for it. */
export function linkTo(target: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "bun-shm-link-")), "link");
  symlinkSync(target, path);
  cleanups.push(() => rmSync(dirname(path), { recursive: true }));
  return `file:${path}`;
}

const OTHER_USER = 12_345;

/** The name of a segment that is another user's; only root can do that. */
export function givenAway(name: string): string {
  raw(name);
  chownSync(`/dev/shm${name}`, OTHER_USER, OTHER_USER);
  return name;
}

/** A System V segment for whose locks another user has made the object. */
export function squattedLocks(): Segment {
  const segment = keep(Segment.create("sysv:private", { size: 64 }));
  const path = `/dev/shm/bun-shm.sysv-locks.${segment.name.slice("sysv:#".length)}`;
  writeFileSync(path, "x");
  chownSync(path, OTHER_USER, OTHER_USER);
  cleanups.push(() => Segment.unlink(segment.name));
  return segment;
}

/** The name of a semaphore whose file holds something else. */
export function noSemaphore(name: string): string {
  writeFileSync(`/dev/shm/sem.${name.slice(1)}`, "some text");
  cleanups.push(() => Semaphore.unlink(name));
  return name;
}

/** A segment that begins with these words. */
export function words(name: string, values: readonly number[], size = 8192): Segment {
  const segment = raw(name, {}, size);
  values.forEach((value, at) => segment.view.setUint32(at * 4, value, true));
  return segment;
}

/** A segment that takes next to no memory, however large, and begins with these words. */
export function sparse(name: string, size: number, values: readonly number[]): Segment {
  const segment = keep(Segment.create(name, { size, reserve: false }));
  values.forEach((value, at) => segment.view.setUint32(at * 4, value, true));
  return segment;
}

/** Changes one word of a segment. */
export function poked(segment: Segment, offset: number, value: number): Segment {
  segment.view.setUint32(offset, value, true);
  return segment;
}

export function placed(segment: Segment, init: (segment: Segment) => unknown): Segment {
  init(segment);
  return segment;
}

export function closed<T extends { close(): void }>(handle: T): T {
  handle.close();
  return handle;
}

export function closedSegmentOf<T>(segment: Segment, init: (segment: Segment) => T): T {
  const made = init(segment);
  segment.close();
  return made;
}

export function cutOff<T>(segment: Segment, init: (segment: Segment) => T): T {
  const made = init(segment);
  segment.resize(4096, { force: true });
  return made;
}

export function held(segment: Segment): Segment {
  cleanups.push(segment.hold("the thing at 0"));
  return segment;
}

/** Removes its name at once. */
export function scratch(segment: Segment): Segment {
  segment.unlink();
  return keep(segment);
}

export function removed(semaphore: SystemVSemaphore): SystemVSemaphore {
  semaphore.unlink();
  return semaphore;
}

export function semaphore(name: string, value = 0): Semaphore {
  cleanups.push(() => Semaphore.unlink(name));
  return keep(Semaphore.create(name, { value }));
}

export function queue(name: string): MessageQueue {
  const made = keep(MessageQueue.create(name));
  cleanups.push(() => void (made.closed || made.unlink()));
  cleanups.push(() => MessageQueue.removeLeftovers(name));
  return made;
}

/** As many handles of a queue as there can be, and one more. */
export function many(name: string): void {
  queue(name);
  for (let handle = 1; handle < 65; handle++) keep(MessageQueue.open(name));
}

export function ring(name: string): RingBuffer {
  return keep(RingBuffer.create(name, { capacity: 1024 }));
}

/** With a record in it. */
export function written(one: RingBuffer): RingBuffer {
  one.producer().tryWrite("x");
  return one;
}

export function twice<T>(one: RingBuffer, take: (ring: RingBuffer) => T): void {
  take(one);
  take(one);
}

export function claimed(one: RingBuffer): RingProducer {
  const producer = one.producer();
  producer.tryClaim(4);
  return producer;
}

export function ended<T extends { commit(): void }>(claim: T): T {
  claim.commit();
  return claim;
}

export function locked(mutex: Mutex): Mutex {
  mutex.lock();
  cleanups.push(() => mutex.unlock());
  return mutex;
}

export function reading(lock: RwLock): RwLock {
  lock.lockRead();
  cleanups.push(() => lock.unlockRead());
  return lock;
}

export function writing(lock: RwLock): RwLock {
  lock.lockWrite();
  cleanups.push(() => lock.unlockWrite());
  return lock;
}

/** A barrier for one, whose seat is taken, as another handle sees it. */
export function crowded(segment: Segment): Barrier {
  keep(Barrier.init(segment, 0, { parties: 1 })).wait();
  return Barrier.at(segment, 0);
}

/** A lease whose name was removed. */
export function nameless(name: string): Lease {
  const lease = keep(Lease.create(name));
  Segment.unlink(name);
  return lease;
}

export function record(name: string): SharedRecord<PointSchema> {
  return keep(SharedRecord.create(name, { codec: Point }));
}

export function table(name: string): SharedTable<PointSchema> {
  return keep(SharedTable.create(name, { codec: Point, rows: 4, names: 8 }));
}

export function map(name: string): SharedMap<string> {
  return keep(SharedMap.create(name, { size: 1 << 16, codec: codecs.utf8 }));
}

/** Writes to a map in its own update. */
export function nested(one: SharedMap<string>): void {
  one.update("k", () => {
    one.set("j", "x");
    return "x";
  });
}

/** A map of text, taken for one of numbers. */
export function filled(one: SharedMap<string>): SharedMap<number> {
  one.set("k", "x");
  return any(one);
}

export function atomics(name: string): SharedAtomics<"a", "n"> {
  return keep(SharedAtomics.create(name, { words: ["a"], counters: ["n"] }));
}

/** Waits at a barrier twice at once. */
export async function waitingTwice(segment: Segment): Promise<void> {
  const barrier = keep(Barrier.init(segment, 0, { parties: 2 }));
  void barrier.waitAsync().catch(() => undefined);
  await barrier.waitAsync();
}

/** An object larger than one mapping can be, of which no page exists. */
export function huge(name: string): string {
  writeFileSync(`/dev/shm${name}`, "");
  truncateSync(`/dev/shm${name}`, 5 * 2 ** 30);
  return name;
}

/** An object that its creator left without a size. */
export function empty(name: string): string {
  writeFileSync(`/dev/shm${name}`, "");
  return name;
}

/** A pipe where an object would be. */
export function fifo(name: string): string {
  Bun.spawnSync(["mkfifo", `/dev/shm${name}`]);
  return name;
}

/** A queue whose head, or count, somebody overwrote. */
export function scribbled(one: MessageQueue, word: number): MessageQueue {
  using segment = Segment.open(one.name);
  segment.view.setUint32(word * 4, 99, true);
  return one;
}

/** More producers of a ring than there can be. */
export function crowd(name: string): void {
  const one = keep(RingBuffer.create(name, { capacity: 1024, kind: "mpsc" }));
  for (;;) keep(one.producer());
}
