/**
 * Exports without annotations, as a library that is built on the package would have them: a
 * compiler with `declaration` must be able to name every type that it infers.
 */
import {
  MessageQueue,
  Mutex,
  RingBuffer,
  RwLock,
  Segment,
  Semaphore,
  SharedAtomics,
  SharedMap,
  SharedRecord,
  arrayOf,
  byteArray,
  charArray,
  codecs,
  struct,
} from "bun-shm";

export const Level = struct({ price: "f64", size: "u32" });
export const Quote = struct({
  id: "u64",
  live: "bool",
  symbol: charArray(8),
  hash: byteArray(3),
  levels: arrayOf("f32", 4),
  best: Level,
  book: arrayOf(Level, 2),
});
export const levels = arrayOf(Level, 2);
export const fields = Quote.fields;
export const view = Quote.at(new DataView(new ArrayBuffer(Quote.byteLength)));
export const book = view.book;
export const Session = codecs.json<{ user: string }>();

export const openRing = (name: string) => RingBuffer.openOrCreate(name, { codec: Session });
export const openProducer = (name: string) => openRing(name).producer();
export const openConsumer = (name: string) => openRing(name).consumer();
export const claim = (name: string) => openProducer(name).claim(8);
export const ringStats = (name: string) => openRing(name).stats();
export const openQueue = (name: string) => MessageQueue.open(name);
export const openQuotes = (name: string) => SharedRecord.open(name, { codec: Quote });
export const openSessions = (name: string) => SharedMap.open(name, { codec: Session });
export const mapStats = (name: string) => openSessions(name).stats();
export const openCounters = (name: string) =>
  SharedAtomics.open(name, { words: ["paused"], counters: ["requests"] });
export const guardOf = (name: string) => Mutex.at(Segment.open(name), 0).acquireAsync();
export const readOf = (name: string) => RwLock.at(Segment.open(name), 0).acquireRead();
export const tokenOf = (name: string) => Semaphore.open(name).acquire();

export class Feed {
  readonly ring = openRing("/feed");
  readonly producer = this.ring.producer();
  latest = openQuotes("/quotes").read();
}
