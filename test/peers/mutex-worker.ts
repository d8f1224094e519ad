/** A Worker that locks and then ends, or is ended. */
import { parentPort, workerData } from "node:worker_threads";
import { Mutex, Segment } from "../../src/index.ts";

const { name, what } = workerData as { name: string; what: string };
const segment = Segment.open(name);
const mutex = Mutex.at(segment, 0);

mutex.lock();
if (what === "exit") parentPort!.on("message", () => process.exit(0));
if (what === "throw") {
  parentPort!.on("message", () => {
    throw new Error("thrown while held");
  });
}
if (what === "end") parentPort!.on("message", () => parentPort!.close());
if (what === "unlock") {
  parentPort!.on("message", () => {
    mutex.unlock();
    segment.close();
    parentPort!.close();
  });
}
parentPort!.postMessage("held");
if (what === "busy") for (;;) Math.random();
