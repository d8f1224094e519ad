/** An app that is started again by `bun --hot` or `bun --watch` when its text changes. */
import { RingBuffer, Semaphore } from "bun-shm";

const VERSION = 1;
const prefix = process.argv[2]!;

declare global {
  var handles: DisposableStack | undefined;
}

// `bun --hot` keeps globalThis, and all that the text before has open: one producer at a time.
globalThis.handles?.dispose();
const handles = (globalThis.handles = new DisposableStack());

const ring = handles.use(RingBuffer.openOrCreate(`${prefix}-ring`, { capacity: 1 << 16 }));
const producer = handles.use(ring.producer());
const semaphore = handles.use(Semaphore.openOrCreate(`${prefix}-semaphore`));
handles.defer(() => clearInterval(timer));
const timer = setInterval(() => producer.tryClaim(8) >= 0 && producer.commit(), 10);

semaphore.post();
console.log(`version ${VERSION}: ${await semaphore.waitAsync()}`);
