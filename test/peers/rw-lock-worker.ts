/** A Worker that reads or writes until it is terminated. */
import { parentPort, workerData } from "node:worker_threads";
import { RwLock, Segment } from "../../src/index.ts";

const { name, what } = workerData as { name: string; what: "read" | "write" };
const lock = RwLock.at(Segment.open(name), 0);
if (what === "read") lock.lockRead();
else lock.lockWrite();
parentPort!.postMessage("held");
parentPort!.on("message", () => {});
