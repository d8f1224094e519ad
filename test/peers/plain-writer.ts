/** Writes words at full speed, for readers that load plainly. */
import { parentPort, workerData } from "node:worker_threads";
import { Segment } from "../../src/index.ts";
import { load, release, store } from "../../src/memory/atomics.ts";

const { mode, name } = workerData as { mode: string; name: string };
const [GO, FIRST, SECOND, GUARD, DATA] = [0, 64, 128, 192, 256];

function inOrder(words: Int32Array): void {
  for (let count = 1; ; count++) {
    release(words, FIRST, count);
    release(words, SECOND, count);
  }
}

/** The guard is odd while the data are written, and then what they are. */
function guarded(words: Int32Array): void {
  for (let count = 0; ; count += 2) {
    release(words, GUARD, count + 1);
    words[DATA] = count + 2;
    words[DATA + 16] = count + 2;
    release(words, GUARD, count + 2);
  }
}

function answer(words: Int32Array): void {
  for (let round = 1; ; round += 2) {
    while (load(words, GO) !== round);
    store(words, GO, round + 1);
  }
}

parentPort!.postMessage("begins");
const words = new Int32Array(Segment.open(name).buffer);
if (mode === "order") inOrder(words);
else if (mode === "guarded") guarded(words);
else answer(words);
