/** A child that locks, keeps a two-word invariant under the lock, and reports what it finds. */
import { Mutex, Segment } from "../../src/index.ts";
import { beInterrupted } from "../support/interrupted.ts";

const [name, what] = process.argv.slice(2) as [string, string];
const segment = Segment.open(name);
const words = new Int32Array(segment.buffer, Mutex.byteLength(), 4);
const repair = (): void => {
  // The first word is written first, and the second follows it.
  words[1] = words[0]!;
};
const mutex = Mutex.at(segment, 0, { onOwnerDied: repair });

if (what === "hold-interrupted") {
  beInterrupted();
  console.log("ready");
}
if (what === "hold" || what === "hold-interrupted") {
  mutex.lock();
  console.log("held");
  setInterval(() => {}, 1000);
} else if (what === "exit-held" || what === "throw-held" || what === "end-held") {
  mutex.lock();
  if (what === "exit-held") process.exit(0);
  if (what === "throw-held") throw new Error("thrown while held");
} else if (what === "count") {
  for (let left = Number(process.argv[4]); left > 0; left--) {
    mutex.lock();
    words[0] = words[0]! + 1;
    words[1] = words[1]! + 1;
    mutex.unlock();
  }
  segment.close();
} else if (what === "load") {
  let ready = false;
  // Every other child waits in its event loop.
  const waitsAsync = process.pid % 2 === 0;
  for (;;) {
    using guard = waitsAsync ? (await mutex.acquireAsync())! : mutex.acquire();
    if (words[0] !== words[1]) {
      console.log(`torn: ${words[0]} ${words[1]}, owner died: ${guard.ownerDied}`);
      process.exit(1);
    }
    words[0] = words[0]! + 1;
    for (let spin = 0; spin < 50; spin++) words[2] = spin;
    words[1] = words[1]! + 1;
    // It prints this only now, so that each child that is killed has held the mutex before.
    if (!ready) console.log("ready");
    ready = true;
  }
}
