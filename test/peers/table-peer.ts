/**
 * Another process of a table, until it is killed: ACTION NAME SEED. "write" writes rows, and counts
 * in row 0; "name" names rows; "watch" reads what changed until the last row has the seed LAST, and
 * prints what it has read.
 */
import { SharedAtomics, SharedTable } from "../../src/index.ts";
import { Mark, Row, checkRow, rowOf } from "./state-values.ts";

const [action, name = "", seedText] = process.argv.slice(2);
let state = Number(seedText) | 0;
const next = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return state >>> 8;
};
const sayReady = (): void => void process.stdout.write("ready\n");
const { acks } = SharedAtomics.open(`${name}-acks`, { words: ["acks"] }).words;

/** Seeds of the last row by which a watcher knows that all is written. */
const LAST = [1_000_001, 1_000_002];

function write(): void {
  const table = SharedTable.open(name, { codec: Row });
  // The first half of the rows is for writers.
  const half = table.rows / 2;
  const count = (old: ReturnType<typeof rowOf> = rowOf(0, 0)): ReturnType<typeof rowOf> => {
    checkRow(0, old);
    return rowOf(0, old.seed + 1);
  };
  for (let turn = 0; ; turn++) {
    const row = 1 + (next() % (half - 1));
    table.write(row, rowOf(row, next()));
    table.update(0, count);
    acks.add(1);
    if (turn === 0) sayReady();
    const other = next() % half;
    const value = table.read(other);
    if (value !== undefined) checkRow(other, value);
  }
}

function nameRows(): void {
  const table = SharedTable.open(name, { codec: Mark });
  const known = new Map<string, number>();
  for (let turn = 0; ; turn++) {
    // Mostly one that has a row, so that rows are left until the end.
    const text = `n${next() % (turn % 64 === 0 ? table.rows : 1000)}`;
    const row = table.rowOf(text);
    if (row === undefined) throw new Error(`There is no row for ${text}`);
    const before = known.get(text) ?? row;
    if (before !== row) throw new Error(`${text} had row ${before}, and has ${row}`);
    if (table.nameOf(row) !== text) throw new Error(`Row ${row} is ${table.nameOf(row)}`);
    known.set(text, row);
    acks.add(1);
    if (turn === 0) sayReady();
  }
}

async function watch(): Promise<void> {
  const table = SharedTable.open(name, { codec: Row });
  const seeds = Array.from({ length: table.rows }, () => 0);
  const versions = Array.from({ length: table.rows }, () => 0);
  let steps = 0;
  for await (const rows of table.changes()) {
    if (steps++ === 0) sayReady();
    for (const row of rows) {
      const version = table.version(row);
      if (version < versions[row]!) throw new Error(`Row ${row} went back to ${version}`);
      versions[row] = version;
      const value = table.read(row)!;
      checkRow(row, value);
      seeds[row] = value.seed;
    }
    const last = seeds.at(-1)!;
    if (last === LAST[0]) sayReady();
    if (last === LAST[1]) break;
  }
  console.log(JSON.stringify({ seeds, steps }));
  process.exit(0);
}

if (action === "write") write();
else if (action === "name") nameRows();
else if (action === "watch") await watch();
else throw new Error(`Cannot ${action}`);
