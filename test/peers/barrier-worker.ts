/** A Worker that waits at a barrier until it is terminated. */
import { workerData } from "node:worker_threads";
import { Barrier, Segment } from "../../src/index.ts";

Barrier.at(Segment.open(workerData as string), 0).wait();
