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
  readonly inRate: number;
  readonly outRate: number;
  /** Bytes a second. */
  readonly bytesInRate: number;
  readonly bytesOutRate: number;
  readonly activity: Activity;
  readonly users: StructureActivity["object"]["users"];
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

/** @returns How much a counter grew between two looks, a second. */
function rate(before: number | undefined, after: number | undefined, seconds: number): number {
  if (before === undefined || after === undefined || seconds <= 0) return 0;
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
    };
  });
}

const fill = ({ depth = 0, capacity = 0 }: Activity): number =>
  capacity > 0 ? depth / capacity : 0;

const SORT_NAMES = ["rate", "depth", "lost", "name"] as const;
type Sort = (typeof SORT_NAMES)[number];

const SORTS: Readonly<Record<Sort, (a: TopRow, b: TopRow) => number>> = {
  rate: (a, b) => b.inRate + b.outRate - a.inRate - a.outRate,
  depth: (a, b) => fill(b.activity) - fill(a.activity),
  lost: (a, b) => (b.activity.lost ?? 0) - (a.activity.lost ?? 0),
  name: (a, b) => (a.name < b.name ? -1 : 1),
};
const SORT_KEYS: Readonly<Record<string, Sort>> = { r: "rate", d: "depth", l: "lost", n: "name" };

const BAR = 12;
const headText = (width: number): string =>
  `${"NAME".padEnd(width)} ${"KIND".padEnd(10)} ${"IN/s".padStart(8)} ${"OUT/s".padStart(8)} ` +
  `${"BYTES/s".padStart(8)}  ${"DEPTH".padEnd(BAR + 6)} ${"HIGH".padStart(7)} ` +
  `${"WAITS".padStart(7)} ${"LOST".padStart(6)}  USERS`;

function levelText(activity: Activity, level: number | undefined): string {
  if (level === undefined) return "-";
  return activity.unit === "bytes" ? bytesText(level) : countText(level);
}

function rowText(row: TopRow, columns: number, width: number): string {
  const { activity } = row;
  const { depth, capacity = 0, highWater, waits, lost } = activity;
  const count = (value: number | undefined): string =>
    value === undefined ? "-" : countText(value);
  const bar = depth === undefined ? " ".repeat(BAR) : barText(depth, capacity, BAR);
  const lostText = count(lost).padStart(6);
  const users = usersText(row);
  return (
    `${paint("cyan", cut(visible(row.name), width).padEnd(width))} ` +
    `${cut(row.kind, 10).padEnd(10)} ${countText(row.inRate).padStart(8)} ` +
    `${countText(row.outRate).padStart(8)} ` +
    `${bytesText(row.bytesOutRate || row.bytesInRate).padStart(8)}  ` +
    `${bar} ${levelText(activity, depth).padStart(5)} ` +
    `${levelText(activity, highWater).padStart(7)} ${count(waits).padStart(7)} ` +
    `${(lost ?? 0) > 0 ? paint("red", lostText) : lostText}  ` +
    cut(visible(users), Math.max(0, columns - headText(width).length + 5))
  );
}

function frame(rows: readonly TopRow[], sort: Sort, columns: number): string[] {
  const time = new Date().toTimeString().slice(0, 8);
  const title = `bun-shm top  ${time}  ${rows.length} structures  sorted by ${sort}`;
  // The names take the width that the other columns leave.
  const longest = Math.max(22, ...rows.map(({ name }) => name.length));
  const width = Math.min(longest, Math.max(22, columns - 105), 60);
  const keys = "q quit  s next sort  r rate  d depth  l lost  n name";
  const body = rows.map((row) => rowText(row, columns, width));
  if (rows.length === 0) body.push("There is no structure; raw memory is in `bun-shm ls`");
  return [
    paint("bold", cut(title, columns)),
    paint("inverse", cut(headText(width), columns)),
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
  else for (const line of frame(rows, sort, Number.POSITIVE_INFINITY).slice(1, -2)) print(line);
  return EXIT.ok;
}

async function live(intervalMs: number, firstSort: Sort): Promise<number> {
  let sort = firstSort;
  let before = look();
  let rows: TopRow[] = [];
  const ended = Promise.withResolvers<void>();
  const draw = (): void => screen.draw(frame(rows.sort(SORTS[sort]), sort, screen.columns));
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
