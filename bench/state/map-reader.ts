/** Reads one key of a map from "read" on until "stop", lines of its input: NAME. */
import { SharedMap, codecs } from "../../src/index.ts";

const map = SharedMap.open(process.argv[2]!, { codec: codecs.bytes });
const target = new Uint8Array(64);
let reads = false;

function readFor(count: number): void {
  for (let at = 0; at < count; at++) map.getInto("one", target);
}

/** Lets input in between, every few ms. */
function go(): void {
  if (!reads) return;
  readFor(20_000);
  setImmediate(go);
}

for await (const line of console) {
  const before = reads;
  reads = line === "read";
  if (reads && !before) {
    readFor(500_000);
    go();
  }
  console.log(line);
}
