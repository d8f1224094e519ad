/** One of the processes that write a map; it prints how many sets a second it did. */
import { SharedMap, codecs } from "../../src/index.ts";

const [name = "", first = "0", milliseconds = "500"] = process.argv.slice(2);
const map = SharedMap.open(name, { codec: codecs.bytes });
const keys = Array.from({ length: 5000 }, (_, at) => `user:${Number(first) + at}`);
const value = new Uint8Array(64).fill(7);

const run = (forMs: number): number => {
  const end = performance.now() + forMs;
  let count = 0;
  while (performance.now() < end) {
    for (const key of keys) map.set(key, value);
    count += keys.length;
  }
  return count;
};

run(200);
console.log("ready");
for await (const _ of Bun.stdin.stream()) break;
const start = performance.now();
const count = run(Number(milliseconds));
console.log(count / (performance.now() - start) / 1000);
process.exit(0);
