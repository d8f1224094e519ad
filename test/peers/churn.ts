/** Makes and removes objects as fast as it can until standard input ends: churn.ts PREFIX */
import { Segment } from "../../src/index.ts";

const [prefix = ""] = process.argv.slice(2);
const ended = { yet: false };
process.stdin.on("end", () => (ended.yet = true)).resume();

// How many names vanished while this process had the object open.
let lost = 0;
console.log("ready");
for (let round = 0; !ended.yet; round++) {
  using segment = Segment.create(`${prefix}-${round % 8}`, { size: 64 });
  if (round % 16 === 0) await Bun.sleep(0);
  if (!segment.unlink()) lost++;
}
console.log(`lost ${lost}`);
