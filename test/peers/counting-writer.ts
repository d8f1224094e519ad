/** Counts to its last argument in a record, a table, a map or atomics, at full speed: WHAT NAME COUNT. */
import {
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
else countInAtomics();
