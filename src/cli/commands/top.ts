import { isatty } from "node:tty";
import { visible } from "../../arguments.ts";
import { type Activity, type StructureActivity, activities, usage } from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT, UsageError } from "../failure.ts";
import { bytesText, countText, cut } from "../format.ts";
import { paint, print, printJson } from "../output.ts";
import { Screen, barText } from "../screen.ts";
import { untilSignal } from "../signals.ts";
import { usersText } from "./ls.ts";

/** What one structure did between two looks. */
interface TopRow {
  readonly name: string;
  readonly kind: string;
  /** Records a second. */
  readonly inRate: number | undefined;
  readonly outRate: number | undefined;
  /** Bytes a second. */
  readonly bytesInRate: number | undefined;
  readonly bytesOutRate: number | undefined;
  readonly activity: Activity;
  readonly users: StructureActivity["object"]["users"];
  readonly holders: StructureActivity["object"]["holders"];
}

interface Look {
  readonly at: number;
  readonly structures: ReadonlyMap<string, StructureActivity>;
}

function look(): Look {
  const found = activities(usage({ sysv: true }));
  const structures = new Map(found.map((one) => [one.object.name, one]));
  return { at: performance.now(), structures };
}

/** @returns How much a counter grew between two looks, a second; undefined for what has none. */
function rate(
  before: number | undefined,
  after: number | undefined,
  seconds: number,
): number | undefined {
  if (after === undefined) return undefined;
  if (before === undefined || seconds <= 0) return 0;
  // A counter that shrank belongs to a new object of the same name, or has wrapped.
  return Math.max(0, after - before) / seconds;
}

function compare(before: Look, after: Look): TopRow[] {
  const seconds = (after.at - before.at) / 1000;
  return [...after.structures.values()].map(({ object, activity }) => {
    const old = before.structures.get(object.name)?.activity;
    return {
      name: object.name,
      kind: object.kind,
      inRate: rate(old?.in, activity.in, seconds),
      outRate: rate(old?.out, activity.out, seconds),
      bytesInRate: rate(old?.bytesIn, activity.bytesIn, seconds),
      bytesOutRate: rate(old?.bytesOut, activity.bytesOut, seconds),
      activity,
      users: object.users,
      holders: object.holders,
    };
  });
}

const fill = ({ depth = 0, capacity = 0 }: Activity): number =>
  capacity > 0 ? depth / capacity : 0;

const traffic = ({ inRate = 0, outRate = 0 }: TopRow): number => inRate + outRate;

const SORT_NAMES = ["rate", "depth", "lost", "name"] as const;
type Sort = (typeof SORT_NAMES)[number];

const SORTS: Readonly<Record<Sort, (a: TopRow, b: TopRow) => number>> = {
  rate: (a, b) => traffic(b) - traffic(a),
  depth: (a, b) => fill(b.activity) - fill(a.activity),
  lost: (a, b) => (b.activity.lost ?? 0) - (a.activity.lost ?? 0),
  name: (a, b) => (a.name < b.name ? -1 : 1),
};
const SORT_KEYS: Readonly<Record<string, Sort>> = { r: "rate", d: "depth", l: "lost", n: "name" };

function levelText(activity: Activity, level: number | undefined): string {
  if (level === undefined) return "-";
  return activity.unit === "bytes" ? bytesText(level) : countText(level);
}

function bytesPerSecond({ bytesInRate, bytesOutRate }: TopRow): string {
  const rateOf = bytesOutRate || bytesInRate;
  return rateOf === undefined ? "-" : bytesText(rateOf);
}

const counted = (value: number | undefined): string =>
  value === undefined ? "-" : countText(value);

const BAR = 12;

/** A column beside the name and the users, which take what is left. */
interface TopColumn {
  readonly head: string;
  readonly width: number;
  readonly left?: true;
  /** Of two columns, the one with the higher number goes first where there is no room. */
  readonly drop: number;
  text(row: TopRow): string;
}

const COLUMNS: readonly TopColumn[] = [
  { head: "KIND", width: 10, left: true, drop: 4, text: ({ kind }) => cut(kind, 10) },
  { head: "IN/s", width: 8, drop: 1, text: ({ inRate }) => counted(inRate) },
  { head: "OUT/s", width: 8, drop: 3, text: ({ outRate }) => counted(outRate) },
  {
    head: "BYTES/s",
    width: 8,
    drop: 7,
    text: bytesPerSecond,
  },
  { head: "DEPTH", width: 6, drop: 2, text: ({ activity }) => levelText(activity, activity.depth) },
  {
    head: "",
    width: BAR,
    left: true,
    drop: 6,
    text: ({ activity: { depth = 0, capacity = 0 } }) => barText(depth, capacity, BAR),
  },
  {
    head: "HIGH",
    width: 6,
    drop: 8,
    text: ({ activity }) => levelText(activity, activity.highWater),
  },
  { head: "WAITS", width: 7, drop: 9, text: ({ activity }) => counted(activity.waits) },
  { head: "LOST", width: 6, drop: 5, text: ({ activity }) => counted(activity.lost) },
];

const NAME_LEAST = 12;
const NAME_USUAL = 22;
const USERS_LEAST = 14;

/** What is drawn: the width of the names, the columns, and the width that is left for the users. */
interface Shape {
  readonly name: number;
  readonly columns: readonly TopColumn[];
  readonly users: number;
}

/** @returns The shape that fits a width: the columns that matter least are dropped first. */
function shapeOf(rows: readonly TopRow[], width: number): Shape {
  const longest = Math.max(NAME_USUAL, ...rows.map(({ name }) => Bun.stringWidth(visible(name))));
  let columns = [...COLUMNS];
  const taken = (): number => columns.reduce((sum, column) => sum + column.width + 1, 0);
  const least = width < 60 ? NAME_LEAST : NAME_USUAL;
  while (columns.length > 0 && least + taken() > width) {
    const drop = Math.max(...columns.map((column) => column.drop));
    columns = columns.filter((column) => column.drop !== drop);
  }
  const left = width - taken();
  // Users get some room before a name gets more than usual, and none that is too small.
  const name = Math.min(longest, Math.max(Math.min(left, NAME_USUAL), left - USERS_LEAST - 2));
  const users = left - name - 2;
  return users < USERS_LEAST
    ? { name: Math.min(longest, left), columns, users: 0 }
    : { name, columns, users };
}

function lineOf({ name, columns, users }: Shape, row?: TopRow): string {
  const pad = (text: string, width: number, left: boolean | undefined): string => {
    const space = " ".repeat(Math.max(0, width - Bun.stringWidth(text)));
    return left ? text + space : space + text;
  };
  const named = pad(cut(row === undefined ? "NAME" : visible(row.name), name), name, true);
  const cells = columns.map((column) => {
    const cell = pad(row === undefined ? column.head : column.text(row), column.width, column.left);
    return column.head === "LOST" && (row?.activity.lost ?? 0) > 0 ? paint("red", cell) : cell;
  });
  const last = cut(row === undefined ? "USERS" : visible(usersText(row)), users);
  const first = row === undefined ? named : paint("cyan", named);
  return [first, ...cells].join(" ") + (last === "" ? "" : `  ${last}`);
}

/** The rows of the screen that are no structure's: title, heads, an empty one, and the keys. */
const FRAME_ROWS = 4;

function frame(rows: readonly TopRow[], sort: Sort, columns: number, height: number): string[] {
  const time = new Date().toTimeString().slice(0, 8);
  const title = `bun-shm top  ${time}  ${rows.length} structures  sorted by ${sort}`;
  const keys = "q quit  s next sort  r rate  d depth  l lost  n name";
  const shape = shapeOf(rows, columns);
  const body = rows.slice(0, Math.max(1, height - FRAME_ROWS)).map((row) => lineOf(shape, row));
  if (rows.length === 0) {
    body.push(cut("There is no structure; raw memory is in `bun-shm ls`", columns));
  }
  return [
    paint("bold", cut(title, columns)),
    paint("inverse", lineOf(shape)),
    ...body,
    "",
    paint("dim", cut(keys, columns)),
  ];
}

async function once(intervalMs: number, sort: Sort, json: boolean): Promise<number> {
  const before = look();
  await Bun.sleep(intervalMs);
  const rows = compare(before, look()).sort(SORTS[sort]);
  if (json) printJson(rows);
  else {
    const endless = Number.POSITIVE_INFINITY;
    for (const line of frame(rows, sort, endless, endless).slice(1, -2)) print(line);
  }
  return EXIT.ok;
}

async function live(intervalMs: number, firstSort: Sort): Promise<number> {
  let sort = firstSort;
  let before = look();
  let rows: TopRow[] = [];
  const ended = Promise.withResolvers<void>();
  const draw = (): void =>
    screen.draw(frame(rows.sort(SORTS[sort]), sort, screen.columns, screen.rows));
  const onKey = (key: string): void => {
    if (key === "q" || key === "\x03" || key === "\x04") ended.resolve();
    if (key === "s") sort = SORT_NAMES[(SORT_NAMES.indexOf(sort) + 1) % SORT_NAMES.length]!;
    sort = SORT_KEYS[key] ?? sort;
    draw();
  };
  using screen = new Screen(onKey, () => draw());
  const refresh = (): void => {
    const after = look();
    rows = compare(before, after);
    before = after;
    draw();
  };
  refresh();
  const timer = setInterval(refresh, intervalMs);
  await Promise.race([ended.promise, untilSignal()]);
  clearInterval(timer);
  return EXIT.ok;
}

export const top: Command = {
  name: "top",
  summary:
    "Watch every structure live. Shows rate in and out, depth as a bar, high-water mark, waits, " +
    "lost records and users; q quits, s changes the order.",
  count: [0, 0],
  options: {
    interval: { value: "SECONDS", text: "Between two looks; default 1." },
    sort: { value: "KEY", text: "By rate (default), depth, lost or name." },
    once: { text: "Look twice, print once, and end." },
  },
  examples: [
    ["bun-shm top", "the live screen"],
    ["bun-shm top --once --json", "one measurement, for a script"],
  ],
  run(call: Call): Promise<number> {
    const intervalMs = call.milliseconds("interval", 0.05) ?? 1000;
    const sort = call.oneOf("sort", SORT_NAMES);
    if (call.has("once") || call.has("json")) return once(intervalMs, sort, call.has("json"));
    if (!isatty(0) || !isatty(1)) {
      throw new UsageError("top needs a terminal; without one, --once prints a measurement");
    }
    return live(intervalMs, sort);
  },
};
