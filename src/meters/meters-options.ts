/** The options of meters and of metrics, and their checks. */
import { checkInteger, checkOneOf, checkOptions, checkWellFormed, shown } from "../arguments.ts";
import {
  MAX_BOUNDS,
  MAX_HELP_LENGTH,
  MAX_LABELS,
  MAX_METERS_SIZE,
  MAX_METER_NAME_LENGTH,
  MIN_METERS_SIZE,
} from "../layout/meters-layout.ts";
import {
  type PlacedInitOptions,
  type StructureCreateOptions,
  type StructureOpenOptions,
  structureOptions,
} from "../segment/placed-options.ts";
import {
  AGGREGATES,
  type MeterAggregate,
  type MeterShape,
  type MeterType,
  type MeterWhenDead,
  areBounds,
  isLabelName,
  isMeterName,
} from "./algorithm/meter-shape.ts";

/** How large meters are. */
export interface MetersNewOptions {
  /** Bytes of the whole, which never grows: from 4 KiB to 1 GiB. `Meters.byteLength` plans it. */
  readonly size: number;
}

/** How to make meters in a segment of their own. */
export interface MetersCreateOptions extends StructureCreateOptions, MetersNewOptions {}

/** How to make meters inside the caller's segment. */
export interface MetersInitOptions extends PlacedInitOptions, MetersNewOptions {}

/** How to find meters that have a segment of their own. */
export interface MetersOpenOptions extends StructureOpenOptions {}

/** How much meters are to hold. */
export interface MetersPlan {
  /** Sets of label values, over all metrics; one for each metric without labels. */
  readonly series: number;
  /** Handles that count at the same time: processes and Workers. */
  readonly processes: number;
  /** Bounds of the buckets of each series, if they are histograms. Default 0: none is one. */
  readonly buckets?: number | undefined;
}

/** What every metric has. */
export interface MeterOptions<L extends string = never> {
  /** What it measures, for people. That of whoever makes the metric first stays. */
  readonly help: string;
  /** The names of its labels. Default: none. */
  readonly labels?: readonly L[] | undefined;
}

/** What a gauge has. */
export interface MeterGaugeOptions<L extends string = never> extends MeterOptions<L> {
  /**
   * How the values that processes have set make one: their sum (the default), the largest, the
   * smallest, or the one that was set last.
   */
  readonly aggregate?: MeterAggregate | undefined;
  /**
   * What becomes of the value of a process that has ended or closed its handle: "drop" (the
   * default) leaves it out; "keep" counts it on, until a process that takes its place sets another.
   */
  readonly whenDead?: MeterWhenDead | undefined;
}

/** Bounds that grow by a factor, so that the relative error of percentiles is bounded by it. */
export interface ExponentialBounds {
  /** The first bound, above 0. */
  readonly start: number;
  /** Each bound is this many times the one before; above 1. */
  readonly factor: number;
  /** How many bounds. */
  readonly count: number;
}

/** What a histogram has: its bounds, or how they grow. */
export type MeterHistogramOptions<L extends string = never> = MeterOptions<L> &
  (
    | { readonly bounds: readonly number[]; readonly exponential?: undefined }
    | { readonly exponential: ExponentialBounds; readonly bounds?: undefined }
  );

const OPTIONS = structureOptions(["size"], []);

const METER_OPTIONS: Readonly<Record<MeterType, readonly string[]>> = {
  counter: ["help", "labels"],
  gauge: ["help", "labels", "aggregate", "whenDead"],
  histogram: ["help", "labels", "bounds", "exponential"],
};

/** Checks the options of a call that finds meters. @throws TypeError. */
export function checkFindOptions(action: string, call: "open" | "at", options: unknown): void {
  checkOptions(action, options, OPTIONS[call]);
}

/** Checks the options of a call that makes meters. @throws TypeError, RangeError. */
export function checkNewOptions(
  action: string,
  call: "create" | "openOrCreate" | "init",
  options: unknown,
): void {
  checkOptions(action, options, OPTIONS[call]);
  const { size } = Object(options) as Partial<MetersNewOptions>;
  checkInteger(action, "its size", size, MIN_METERS_SIZE, MAX_METERS_SIZE);
}

/** Checks what meters are to hold. @throws TypeError, RangeError. */
export function checkPlan(
  action: string,
  plan: MetersPlan,
): Readonly<Record<keyof MetersPlan, number>> {
  checkOptions(action, plan, ["series", "processes", "buckets"]);
  const { series, processes, buckets = 0 } = Object(plan) as Partial<MetersPlan>;
  const most = MAX_METERS_SIZE;
  return {
    series: checkInteger(action, "series", series, 1, most),
    processes: checkInteger(action, "processes", processes, 1, most),
    buckets: checkInteger(action, "buckets", buckets, 0, MAX_BOUNDS),
  };
}

/**
 * Checks a metric's name and options.
 * @returns Its shape. @throws TypeError, RangeError that name what is wrong.
 */
export function shapeOf(type: MeterType, name: string, options: unknown, what: string): MeterShape {
  const action = `Cannot make ${type} ${shown(name)} of ${what}`;
  checkName(action, name);
  checkOptions(action, options, METER_OPTIONS[type]);
  const given = Object(options) as Record<string, unknown>;
  const { aggregate = "sum", whenDead = type === "gauge" ? "drop" : "keep" } = given;
  return {
    name,
    type,
    help: checkHelp(action, given["help"]),
    labels: checkLabels(action, type, given["labels"]),
    aggregate: checkOneOf(action, "aggregate", aggregate, AGGREGATES),
    whenDead: checkOneOf<MeterWhenDead>(action, "whenDead", whenDead, ["keep", "drop"]),
    bounds: type === "histogram" ? checkBounds(action, given) : [],
  };
}

function checkName(action: string, name: unknown): void {
  if (typeof name !== "string")
    throw new TypeError(`${action}: its name must be text, not ${shown(name)}`);
  if (isMeterName(name) && name.length <= MAX_METER_NAME_LENGTH) return;
  const rule = `letters, digits, "_" and ":", at most ${MAX_METER_NAME_LENGTH}, no digit first`;
  throw new RangeError(`${action}: its name must consist of ${rule}`);
}

function checkHelp(action: string, help: unknown): string {
  if (typeof help !== "string") {
    throw new TypeError(`${action}: its help must be text, not ${shown(help)}`);
  }
  checkWellFormed(action, "its help", help);
  if (Buffer.byteLength(help) <= MAX_HELP_LENGTH) return help;
  throw new RangeError(`${action}: its help must have at most ${MAX_HELP_LENGTH} bytes`);
}

function checkLabels(action: string, type: MeterType, labels: unknown = []): string[] {
  if (!Array.isArray(labels)) {
    throw new TypeError(`${action}: labels must be an array of names, not ${shown(labels)}`);
  }
  if (labels.length > MAX_LABELS) {
    const rule = `at most ${MAX_LABELS} labels, not ${labels.length}`;
    throw new RangeError(`${action}: it can have ${rule}`);
  }
  const names = labels.map((name: unknown) => {
    if (typeof name !== "string") {
      throw new TypeError(`${action}: the name of a label must be text, not ${shown(name)}`);
    }
    if (isLabelName(name, type) && name.length <= MAX_METER_NAME_LENGTH) return name;
    const rule = `letters, digits and "_", at most ${MAX_METER_NAME_LENGTH}, no digit first`;
    const own = `not begin with "__"${type === "histogram" ? `, and not be "le"` : ""}`;
    throw new RangeError(
      `${action}: the name of a label must consist of ${rule}, and ${own}: ${shown(name)}`,
    );
  });
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return names;
  throw new RangeError(`${action}: the label ${shown(twice)} is there twice`);
}

function checkBounds(action: string, given: Record<string, unknown>): number[] {
  const { bounds, exponential } = given;
  if ((bounds === undefined) === (exponential === undefined)) {
    throw new TypeError(`${action}: it needs either bounds or exponential`);
  }
  const list = bounds === undefined ? exponentialBounds(action, exponential) : bounds;
  if (!Array.isArray(list)) {
    throw new TypeError(`${action}: bounds must be an array of numbers, not ${shown(list)}`);
  }
  const strange = list.find((bound) => typeof bound !== "number");
  if (list.length > 0 && strange !== undefined) {
    throw new TypeError(`${action}: a bound must be a number, not ${shown(strange)}`);
  }
  const numbers = Array.from(list as number[], (bound) => bound + 0);
  if (numbers.length < 1 || numbers.length > MAX_BOUNDS) {
    const rule = `1 to ${MAX_BOUNDS} bounds, not ${numbers.length}`;
    throw new RangeError(`${action}: it must have ${rule}`);
  }
  if (areBounds(numbers)) return numbers;
  const why = "finite, and each one larger than the one before; +Inf is added";
  throw new RangeError(`${action}: its bounds must be ${why}`);
}

function exponentialBounds(action: string, options: unknown): number[] {
  const what = `${action}: exponential`;
  checkOptions(what, options, ["start", "factor", "count"]);
  const { start, factor, count } = Object(options) as Partial<ExponentialBounds>;
  const above = (name: string, value: unknown, least: number): number => {
    if (typeof value === "number" && value > least && value < Infinity) return value;
    const wrong = typeof value === "number" ? RangeError : TypeError;
    const rule = `must be a number above ${least}, not ${shown(value)}`;
    throw new wrong(`${what}: its ${name} ${rule}`);
  };
  const first = above("start", start, 0);
  const step = above("factor", factor, 1);
  checkInteger(what, "its count", count, 1, MAX_BOUNDS);
  const list = [first];
  // One multiplication after the other, as prom-client does it, so that the bounds are the same.
  for (let at = 1; at < count!; at++) list.push(list[at - 1]! * step);
  return list;
}
