/** A child that reads and writes under a readers-writer lock, and checks a two-word invariant. */
import { RwLock, Segment } from "../../src/index.ts";

const [name, what] = process.argv.slice(2) as [string, string];
const segment = Segment.open(name);
const words = new Int32Array(segment.buffer, RwLock.byteLength({ readers: 4 }), 64);
const [left, right, repairs] = [0, 32, 48];
const onOwnerDied = (): void => {
  words[right] = words[left]!;
  words[repairs] = words[repairs]! + 1;
};
const lock = RwLock.at(segment, 0, what.startsWith("bare") ? {} : { onOwnerDied });

function check(): void {
  if (Atomics.load(words, left) === Atomics.load(words, right)) return;
  console.log(`torn: ${words[left]} ${words[right]}`);
  process.exit(1);
}
function change(): void {
  check();
  words[left] = words[left]! + 1;
  for (let spin = 0; spin < 100; spin++) Atomics.load(words, left);
  words[right] = words[right]! + 1;
}

if (what === "read" || what === "write" || what === "bare-write") {
  if (what === "read") lock.lockRead();
  else lock.lockWrite();
  if (what.endsWith("write")) words[left] = words[left]! + 1;
  console.log("held");
  setInterval(() => {}, 1000);
} else if (what === "want") {
  console.log("wanting");
  lock.lockWrite();
} else if (what === "many-reads") {
  console.log("reading");
  for (;;) {
    lock.lockRead();
    check();
    lock.unlockRead();
  }
} else if (what === "many-writes") {
  console.log("writing");
  for (;;) {
    lock.lockWrite();
    change();
    lock.unlockWrite();
  }
} else if (what === "count") {
  for (let count = Number(process.argv[4]); count > 0; count--) {
    using _ = lock.acquireWrite();
    change();
  }
}
