/** Rows of the table of errors: meters. */
import { type MeterCounter, type MeterHistogram, Meters } from "../../src/index.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { type ErrorRow, any, closed, keep, poked } from "./provoke.ts";

const help = "h";
const size = 4096;

const meters = (name: string): Meters => keep(Meters.create(name, { size }));
const counter = (name: string): MeterCounter => meters(name).counter("c", { help });
const histogram = (name: string): MeterHistogram =>
  meters(name).histogram("h", { help, bounds: [1] });
const labelled = (name: string, values: object): unknown =>
  meters(name)
    .counter("c", { help, labels: ["route"] })
    .labels(any(values));
const bounded = (name: string, more: object): unknown =>
  meters(name).histogram("h", any({ help, ...more }));
const counted = (name: string, more: object): unknown => meters(name).counter("c", any(more));

/** Meters without the series that a metric begins with, as only scribbling leaves them. */
function cut(name: string): Meters {
  const made = meters(name);
  made.counter("c", { help });
  poked(made.segment, SEGMENT_HEADER_LENGTH + 128, 40);
  return keep(Meters.open(name));
}

export const METERS: readonly ErrorRow[] = [
  {
    provoke: (name) => Meters.create(name, { size: 100 }),
    error: "RangeError",
    text: 'Cannot create meters "NAME": its size must be an integer from 4096 to 1073741824, not 100',
  },
  {
    provoke: (name) => Meters.openOrCreate(meters(name).name, { size: 8192 }),
    error: "LayoutError",
    text: 'Cannot open meters "NAME": it has a different size: expected 8192 at offset 28, found 4096',
  },
  {
    provoke: (name) => Meters.open(poked(meters(name).segment, 28, 64).name),
    error: "LayoutError",
    text: 'Cannot open meters "NAME": its size cannot be that of meters: expected 4096 to 1073741824 bytes at offset 28, found 192',
  },
  {
    provoke: (name) => {
      const made = meters(name);
      poked(made.segment, SEGMENT_HEADER_LENGTH + 132, 99);
      made.collect();
    },
    error: "LayoutError",
    text: 'Cannot read meters "NAME": its count of pages cannot be: expected at most 5 at offset 260, found 99',
  },
  {
    provoke: (name) => cut(name).counter("c", { help }),
    error: "LayoutError",
    text: 'Cannot use "c" of meters "NAME": no series: expected a series behind it at offset 640, found none',
  },
  {
    provoke: (name) => meters(name).counter(any(5), { help }),
    error: "TypeError",
    text: 'Cannot make counter 5 of meters "NAME": its name must be text, not 5',
  },
  {
    provoke: (name) => meters(name).counter("a-b", { help }),
    error: "RangeError",
    text: 'Cannot make counter "a-b" of meters "NAME": its name must consist of letters, digits, "_" and ":", at most 200, no digit first',
  },
  {
    provoke: (name) => counted(name, {}),
    error: "TypeError",
    text: 'Cannot make counter "c" of meters "NAME": its help must be text, not undefined',
  },
  {
    provoke: (name) => counted(name, { help: "x".repeat(1001) }),
    error: "RangeError",
    text: 'Cannot make counter "c" of meters "NAME": its help must have at most 1000 bytes',
  },
  {
    provoke: (name) => counted(name, { help, labels: "route" }),
    error: "TypeError",
    text: 'Cannot make counter "c" of meters "NAME": labels must be an array of names, not "route"',
  },
  {
    provoke: (name) => counted(name, { help, labels: Array.from({ length: 33 }, () => "a") }),
    error: "RangeError",
    text: 'Cannot make counter "c" of meters "NAME": it can have at most 32 labels, not 33',
  },
  {
    provoke: (name) => counted(name, { help, labels: [5] }),
    error: "TypeError",
    text: 'Cannot make counter "c" of meters "NAME": the name of a label must be text, not 5',
  },
  {
    provoke: (name) => counted(name, { help, labels: ["__a"] }),
    error: "RangeError",
    text: 'Cannot make counter "c" of meters "NAME": the name of a label must consist of letters, digits and "_", at most 200, no digit first, and not begin with "__": "__a"',
  },
  {
    provoke: (name) => bounded(name, { bounds: [1], labels: ["le"] }),
    error: "RangeError",
    text: 'Cannot make histogram "h" of meters "NAME": the name of a label must consist of letters, digits and "_", at most 200, no digit first, and not begin with "__", and not be "le": "le"',
  },
  {
    provoke: (name) => counted(name, { help, labels: ["a", "a"] }),
    error: "RangeError",
    text: 'Cannot make counter "c" of meters "NAME": the label "a" is there twice',
  },
  {
    provoke: (name) => bounded(name, {}),
    error: "TypeError",
    text: 'Cannot make histogram "h" of meters "NAME": it needs either bounds or exponential',
  },
  {
    provoke: (name) => bounded(name, { bounds: 5 }),
    error: "TypeError",
    text: 'Cannot make histogram "h" of meters "NAME": bounds must be an array of numbers, not 5',
  },
  {
    provoke: (name) => bounded(name, { bounds: [1, "2"] }),
    error: "TypeError",
    text: 'Cannot make histogram "h" of meters "NAME": a bound must be a number, not "2"',
  },
  {
    provoke: (name) => bounded(name, { bounds: [] }),
    error: "RangeError",
    text: 'Cannot make histogram "h" of meters "NAME": it must have 1 to 1000 bounds, not 0',
  },
  {
    provoke: (name) => bounded(name, { bounds: [2, 1] }),
    error: "RangeError",
    text: 'Cannot make histogram "h" of meters "NAME": its bounds must be finite, and each one larger than the one before; +Inf is added',
  },
  {
    provoke: (name) => bounded(name, { exponential: { start: 1, factor: 1, count: 2 } }),
    error: "RangeError",
    text: 'Cannot make histogram "h" of meters "NAME": exponential: its factor must be a number above 1, not 1',
  },
  {
    provoke: (name) => {
      counter(name);
      keep(Meters.open(name, { access: "read" }))
        .counter("c", { help })
        .add();
    },
    error: "TypeError",
    text: 'Cannot update "c": meters "NAME" was opened for reading only',
  },
  {
    provoke: (name) => {
      const made = meters(name);
      for (let at = 0; ; at++) made.counter(`c${at}`, { help });
    },
    error: "StateError",
    code: "ENOSPC",
    text: 'Cannot make counter "c30" of meters "NAME": its directory has no room left of 3968 bytes. Make larger meters under another name',
  },
  {
    provoke: (name) => {
      histogram(name);
      keep(Meters.open(name)).counter("h_sum", { help });
    },
    error: "LayoutError",
    text: 'Cannot use counter "h_sum" of meters "NAME": its samples have names of histogram "h": expected names of its own at offset 640, found h',
  },
  {
    provoke: (name) => {
      histogram(name);
      keep(Meters.open(name)).histogram("h", { help, bounds: [1, 2] });
    },
    error: "LayoutError",
    text: 'Cannot use histogram "h" of meters "NAME": it exists with other bounds: expected [1,2] at offset 640, found [1]',
  },
  {
    provoke: (name) => labelled(name, {}),
    error: "TypeError",
    text: 'Cannot label counter "c" of meters "NAME": the value of label "route" must be text or a finite number, not undefined',
  },
  {
    provoke: (name) => labelled(name, { route: "/", x: 1 }),
    error: "TypeError",
    text: 'Cannot label counter "c" of meters "NAME": its labels are "route", and not "x"',
  },
  {
    provoke: (name) => labelled(name, { route: "\ud800" }),
    error: "RangeError",
    text: 'Cannot label counter "c" of meters "NAME": the value of label "route" must be well-formed text, and it has a lone surrogate, for which there is no UTF-8: "\\ud800"',
  },
  {
    provoke: (name) => counter(name).add(-1),
    error: "RangeError",
    text: "Cannot add -1: it must be a finite number from 0 on",
  },
  {
    provoke: (name) => meters(name).gauge("g", { help }).set(any("1")),
    error: "TypeError",
    text: 'Cannot set a gauge to "1": it must be a number',
  },
  {
    provoke: (name) => histogram(name).observe(Infinity),
    error: "RangeError",
    text: "Cannot observe Infinity: it must be a finite number",
  },
  {
    provoke: (name) => histogram(name).percentile(101),
    error: "RangeError",
    text: "Cannot tell percentile 101: it must be a number from 0 to 100",
  },
  {
    provoke: (name) => closed(meters(name)).collect(),
    error: "ClosedError",
    text: 'Cannot use meters "NAME": it is closed',
  },
];
