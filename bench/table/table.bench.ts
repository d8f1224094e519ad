/**
 * What a table's rows cost, beside a table written by hand over a DataView, which protects nothing,
 * and a SharedRecord for a single row.
 *
 *     bun bench/table/table.bench.ts [--json]
 */
import { Segment, SharedRecord, SharedTable, struct } from "../../src/index.ts";
import { type Spread, machine, show, table } from "../support/report.ts";
import { type Target, showTargets } from "../support/targets.ts";
import { type Variant, measureInTurns } from "../support/turns.ts";

const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 15);
const COUNT = 200_000;
const ROWS = 5000;
const MANY_ROWS = 1_000_000;
const isJson = process.argv.includes("--json");

/** 64 bytes. */
const Quote = struct({
  bid: "f64",
  ask: "f64",
  last: "f64",
  open: "f64",
  high: "f64",
  low: "f64",
  bidSize: "u32",
  askSize: "u32",
  volume: "u32",
  flags: "u32",
});
type QuoteTable = SharedTable<(typeof Quote)["schema"]>;
type QuoteValue = NonNullable<ReturnType<QuoteTable["read"]>>;

const quote: QuoteValue = {
  bid: 190.5,
  ask: 190.6,
  last: 190.55,
  open: 189,
  high: 191,
  low: 188.5,
  bidSize: 300,
  askSize: 200,
  volume: 1_000_000,
  flags: 3,
};

/** Rows in an order that no prefetcher knows. */
const order = Uint16Array.from({ length: 2 ** 16 }, (_, at) => (at * 40503) % ROWS);

function writeByHand(view: DataView, row: number, value: QuoteValue): void {
  const at = row * 64;
  view.setFloat64(at, value.bid, true);
  view.setFloat64(at + 8, value.ask, true);
  view.setFloat64(at + 16, value.last, true);
  view.setFloat64(at + 24, value.open, true);
  view.setFloat64(at + 32, value.high, true);
  view.setFloat64(at + 40, value.low, true);
  view.setUint32(at + 48, value.bidSize, true);
  view.setUint32(at + 52, value.askSize, true);
  view.setUint32(at + 56, value.volume, true);
  view.setUint32(at + 60, value.flags, true);
}

function readByHand(view: DataView, row: number, target: QuoteValue): void {
  const at = row * 64;
  target.bid = view.getFloat64(at, true);
  target.ask = view.getFloat64(at + 8, true);
  target.last = view.getFloat64(at + 16, true);
  target.open = view.getFloat64(at + 24, true);
  target.high = view.getFloat64(at + 32, true);
  target.low = view.getFloat64(at + 40, true);
  target.bidSize = view.getUint32(at + 48, true);
  target.askSize = view.getUint32(at + 52, true);
  target.volume = view.getUint32(at + 56, true);
  target.flags = view.getUint32(at + 60, true);
}

/** A variant that calls `body` with a row each time. */
function overRows(body: (row: number) => void): Variant {
  return {
    count: COUNT,
    run(count) {
      for (let at = 0; at < count; at++) {
        quote.volume = at;
        body(order[at & 0xffff]!);
      }
    },
  };
}

function over(count: number, body: () => void): Variant {
  return {
    count,
    run(times) {
      for (let at = 0; at < times; at++) body();
    },
  };
}

interface Figure {
  readonly name: string;
  readonly spread: Spread;
  readonly ratio: Spread;
}

function measure(variants: Readonly<Record<string, Variant>>): Figure[] {
  const { times, ratios } = measureInTurns(variants, ROUNDS);
  return Object.keys(variants).map((name) => {
    return { name, spread: times[name]!, ratio: ratios[name]! };
  });
}

using byHand = Segment.create("memfd:by-hand", { size: ROWS * 64 });
using quotes: QuoteTable = SharedTable.create("memfd:table", { codec: Quote, rows: ROWS });
using single = SharedRecord.create("memfd:record", { codec: Quote, initial: quote });
using many = SharedTable.create("memfd:many", { codec: struct({ n: "u32" }), rows: MANY_ROWS });

const { view } = byHand;
const target = { ...quote };
const prices = quotes.column("last");
for (let row = 0; row < ROWS; row++) quotes.write(row, quote);

const writes = measure({
  "by hand": overRows((row) => writeByHand(view, row, quote)),
  "SharedRecord, one row": overRows(() => single.write(quote)),
  SharedTable: overRows((row) => quotes.write(row, quote)),
});
const reads = measure({
  "by hand": overRows((row) => readByHand(view, row, target)),
  "SharedRecord, one row": overRows(() => single.readInto(target)),
  SharedTable: overRows((row) => quotes.readInto(row, target)),
  "SharedTable, view": overRows((row) => void quotes.view(row)!.last),
});
const columns = measure({
  "by hand": over(20, () => {
    for (let row = 0; row < ROWS; row++) prices[row] = view.getFloat64(row * 64 + 16, true);
  }),
  columnInto: over(20, () => quotes.columnInto("last", prices)),
});

/** From a write to the step of a watcher in the same thread that has it. */
async function measureChanges(): Promise<Spread> {
  const changes = many.changes({ from: "now" });
  const times: number[] = [];
  for (let at = 0; at < 2000; at++) {
    many.write((at * 7919) % MANY_ROWS, { n: at });
    const start = Bun.nanoseconds();
    await changes.next();
    times.push(Bun.nanoseconds() - start);
  }
  await changes.return();
  times.sort((a, b) => a - b);
  const part = (share: number): number => times[Math.floor(times.length * share)]! / 1000;
  return { median: part(0.5), min: part(0), max: part(0.99) };
}
const change = await measureChanges();

const figures = { writes, reads, columns, change };
if (isJson) console.log(JSON.stringify({ machine: machine(), figures }, null, 2));
else {
  const print = (title: string, rows: readonly Figure[], scale: number, unit: string): void => {
    const scaled = ({ median, min, max }: Spread): Spread => {
      return { median: median / scale, min: min / scale, max: max / scale };
    };
    const cells = rows.map(({ name, spread, ratio }) => [name, show(scaled(spread)), show(ratio)]);
    console.log(`\n${table([[title, unit, "times as long"], ...cells])}`);
  };
  print("Write of 64 bytes", writes, 1, "ns");
  print("Read of 64 bytes", reads, 1, "ns");
  print(`A column of ${ROWS} rows`, columns, 1000, "µs");
  console.log(`\nA change among ${MANY_ROWS} rows, found in ${show(change)} µs (p99)`);
  console.log(`\n${machine()}; median (least–most) of ${ROUNDS} rounds`);
}
const targets: Target[] = [
  {
    what: "row writes of 64 bytes, ns",
    least: "100",
    aim: "50",
    measured: writes.at(-1)!.spread,
  },
  {
    what: "row reads of 64 bytes, ns",
    least: "50",
    aim: "25",
    measured: reads[2]!.spread,
  },
];
showTargets(targets, !isJson);
