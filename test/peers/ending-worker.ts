/** A Worker that takes what takes descriptors, says so, and then does what it is told. */
import { Worker, parentPort, workerData } from "node:worker_threads";
import { Mutex, RingBuffer, Segment, Semaphore, SharedEvent } from "../../src/index.ts";

const { name, how } = workerData as { name: string; how: string };
const segment = Segment.open(name);

const TASKS: Readonly<Record<string, () => void>> = {
  idle: () => void setInterval(() => {}, 1000),
  loop() {
    while (Math.random() >= 0);
  },
  block: () => void Semaphore.at(segment, 0).wait(),
  sleep: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  throw() {
    throw new Error("its end");
  },
  exit: () => process.exit(),
};

if (how === "parent") {
  const child = new Worker(import.meta.path, { workerData: { name, how: "idle" } });
  child.once("message", () => parentPort!.postMessage("all is taken"));
} else {
  const kept = [
    segment.tryLock(7),
    Mutex.at(segment, 2048).lock(),
    RingBuffer.open(`${name}-ring`).consumer(),
  ];
  SharedEvent.at(segment, 1024).set();
  parentPort!.postMessage("all is taken");
  setTimeout(() => TASKS[how]!(), kept.length);
}
