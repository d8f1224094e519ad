/** What the functions of memory/atomics.ts cost beside plain `Atomics`, which must be nothing. */
import { bench, do_not_optimize, run, summary } from "mitata";
import { Segment } from "../../src/index.ts";
import * as atomics from "../../src/memory/atomics.ts";

using segment = Segment.create(`/bench-atomics-${process.pid}`, { size: 4096 });
segment.unlink();
const words = new Int32Array(segment.buffer);

summary(() => {
  bench("Atomics.load", () => do_not_optimize(Atomics.load(words, 0)));
  bench("load, through the seam", () => do_not_optimize(atomics.load(words, 0)));
});
summary(() => {
  bench("Atomics.store", () => Atomics.store(words, 0, 1));
  bench("store, through the seam", () => atomics.store(words, 0, 1));
});
summary(() => {
  bench("Atomics.compareExchange", () => Atomics.compareExchange(words, 0, 1, 1));
  bench("compareExchange, through the seam", () => atomics.compareExchange(words, 0, 1, 1));
});

await run({ format: process.argv.includes("--json") ? "json" : "mitata" });
