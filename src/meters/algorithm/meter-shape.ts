/** What a metric is like, and which names it and its labels may have. */
import {
  COUNTER_ENTRY,
  FIRST_BUCKET_CELL,
  GAUGE_ENTRY,
  HISTOGRAM_ENTRY,
} from "../../layout/meters-layout.ts";

/** What a metric is, in Prometheus's words. */
export type MeterType = "counter" | "gauge" | "histogram";

/** How the values that processes have set make one. */
export type MeterAggregate = "sum" | "max" | "min" | "last";

/** What becomes of a gauge's value when the process that set it ends. */
export type MeterWhenDead = "keep" | "drop";

export const METER_TYPES: ReadonlyMap<number, MeterType> = new Map([
  [COUNTER_ENTRY, "counter"],
  [GAUGE_ENTRY, "gauge"],
  [HISTOGRAM_ENTRY, "histogram"],
]);
export const AGGREGATES: readonly MeterAggregate[] = ["sum", "max", "min", "last"];

/** The shape of a metric. Two of the same name must be equal in all but the help. */
export interface MeterShape {
  readonly name: string;
  readonly help: string;
  readonly type: MeterType;
  readonly aggregate: MeterAggregate;
  readonly whenDead: MeterWhenDead;
  readonly labels: readonly string[];
  /** The upper bounds of a histogram's buckets, without +Inf. */
  readonly bounds: readonly number[];
}

/** The label value of the series that counts what has no room. */
export const OTHER = "other";

/** How many cells a series of this shape has. */
export function cellCountOf({ type, aggregate, bounds }: MeterShape): number {
  if (type === "histogram") return FIRST_BUCKET_CELL + bounds.length + 1;
  return type === "gauge" && aggregate === "last" ? 2 : 1;
}

/** Whether values end with their owner. */
export function isDropping({ type, whenDead }: MeterShape): boolean {
  return type === "gauge" && whenDead === "drop";
}

export const isMeterName = (name: string): boolean => /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);

/** Names that begin with two underscores are Prometheus's own, and `le` is that of a bucket. */
export function isLabelName(name: string, type: MeterType): boolean {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || name.startsWith("__")) return false;
  return name !== "le" || type !== "histogram";
}

/** Whether bounds are finite and grow. */
export function areBounds(bounds: readonly number[]): boolean {
  return bounds.every(
    (bound, at) => Number.isFinite(bound) && (at === 0 || bound > bounds[at - 1]!),
  );
}

const SUFFIXES = ["_bucket", "_sum", "_count"];

/** The names that a metric's samples have in the text. */
export function sampleNames({ name, type }: Pick<MeterShape, "name" | "type">): string[] {
  return type === "histogram" ? [name, ...SUFFIXES.map((suffix) => name + suffix)] : [name];
}

/** One thing in which two shapes differ; undefined when they are the same. */
export function difference(
  found: MeterShape,
  asked: MeterShape,
): { readonly field: string; readonly found: string; readonly asked: string } | undefined {
  const fields = ["type", "labels", "bounds", "aggregate", "whenDead"] as const;
  for (const field of fields) {
    const [there, wanted] = [JSON.stringify(found[field]), JSON.stringify(asked[field])];
    if (there !== wanted) return { field, found: cut(there), asked: cut(wanted) };
  }
  return undefined;
}

/** As much of a list as a message shows. */
function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** A key that different lists of well-formed texts never share: no text has half a character. */
export function keyOf(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : values.join("\ud800");
}
