/** A Worker that waits for each change of a record, and counts that it saw it: NAME COUNTER-NAME. */
import { SharedAtomics, SharedRecord, struct } from "../../src/index.ts";

const [name = "", counters = ""] = process.argv.slice(2);
const record = SharedRecord.open(name, { codec: struct({ n: "f64" }) });
const seen = SharedAtomics.open(counters, { counters: ["ready", "seen"] });
let isFirst = true;
for await (const _ of record) {
  if (isFirst) seen.counters.ready.add();
  else seen.counters.seen.add();
  isFirst = false;
}
