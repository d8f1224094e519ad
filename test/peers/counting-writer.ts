/** Counts to its last argument in a structure, at full speed: WHAT NAME COUNT. */
import {
  Meters,
  SharedAtomics,
  SharedMap,
  SharedRecord,
  SharedTable,
  codecs,
  struct,
} from "../../src/index.ts";

const [what, name = "", countText] = process.argv.slice(2);
const COUNT = Number(countText);

function countInRecord(): void {
  const record = SharedRecord.open(name, { codec: struct({ n: "f64" }) });
  const value = { n: 0 };
  while (value.n++ < COUNT) record.write(value);
}

function countInMeters(): void {
  const counter = Meters.open(name).counter("n", { help: "h" });
  for (let n = 1; n <= COUNT; n++) {
    counter.add();
    if (n % 8 === 0 && counter.value !== n) throw new Error(`It is not ${n}`);
    // Otherwise it is done before a reader that has to share its core has seen a thousand.
    if (n % 6000 === 0) Bun.sleepSync(1);
  }
}

function countInTable(): void {
  const table = SharedTable.open(name, { codec: struct({ n: "f64" }) });
  const value = { n: 0 };
  while (value.n++ < COUNT) table.write(0, value);
}

function countInMap(): void {
  const map = SharedMap.open(name, { codec: codecs.number });
  for (let n = 1; n <= COUNT; n++) map.set("n", n);
}

function countInAtomics(): void {
  const { words, counters } = SharedAtomics.open(name, { words: ["n"], counters: ["count"] });
  for (let n = 1; n <= COUNT; n++) {
    words.n.store(n);
    counters.count.add();
  }
}

if (what === "record") countInRecord();
else if (what === "table") countInTable();
else if (what === "map") countInMap();
else if (what === "meters") countInMeters();
else countInAtomics();
