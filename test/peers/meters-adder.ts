/**
 * Counts in meters until it is killed, and says in words that only it writes what it has begun and
 * what it has done: NAME LEDGER NUMBER.
 */
import { Meters, Segment } from "../../src/index.ts";

const [name = "", ledgerName = "", number = ""] = process.argv.slice(2);
const meters = Meters.open(name);
const ledger = Segment.open(ledgerName);
const words = new Int32Array(ledger.buffer, Number(number) * 128, 2);

const help = "h";
const requests = meters.counter("requests_total", { help, labels: ["kind"] });
const [odd, even] = ["odd", "even"].map((kind) => requests.labels({ kind }));
const seconds = meters.histogram("seconds", { help, bounds: [1, 2, 3] });
const wide = meters.histogram("wide", {
  help,
  bounds: Array.from({ length: 90 }, (_, at) => at),
});
meters.gauge("living", { help }).set(1);
meters.gauge("ever", { help, whenDead: "keep" }).set(1);

function work(): void {
  const start = Atomics.load(words, 1);
  for (let n = start; n < start + 500; n++) {
    Atomics.store(words, 0, n + 1);
    (n % 2 === 0 ? even! : odd!).add();
    seconds.observe(n % 4);
    wide.observe(n % 100);
    Atomics.store(words, 1, n + 1);
  }
}

work();
console.log("counting");
for (;;) {
  work();
  Bun.sleepSync(0.5);
}
