import { checkWellFormed, shown } from "../arguments.ts";
import { MAX_LABEL_VALUE_LENGTH } from "../layout/meters-layout.ts";
import { keyOf } from "./algorithm/meter-shape.ts";
import type { MeterFamily, MeterSeries } from "./algorithm/meters-directory.ts";
import type { MetersCore } from "./meters-core.ts";

/** A metric with labels: each set of their values has a child of its own. */
export class LabelledMeter<M, L extends string> {
  readonly #core: MetersCore;
  readonly #family: MeterFamily;
  readonly #make: (series: MeterSeries) => M;
  readonly #children = new Map<string, M>();
  #other: M | undefined;

  /** @internal */
  constructor(core: MetersCore, family: MeterFamily, make: (series: MeterSeries) => M) {
    this.#core = core;
    this.#family = family;
    this.#make = make;
  }

  /**
   * Finds the child for a set of label values, or makes it, for all processes. Keep the child where
   * values are few: its updates look nothing up. Blocks only when it makes one, while another
   * process adds something.
   *
   * When the directory is full, or a value has more than 1000 bytes of UTF-8, the answer is the
   * child whose labels are all "other", which has room from the beginning: a service goes on, its
   * totals stay right, and `stats().full` counts these calls.
   *
   * @param values A value for each label: text, or a finite number.
   * @returns The child; the same one for the same values.
   * @throws TypeError for a missing or unknown label, a value that is neither text nor number, and
   *   new values when the meters were opened for reading only; RangeError for text with a lone
   *   surrogate; ClosedError; LayoutError.
   */
  labels(values: Readonly<Record<L, string | number>>): M {
    const names = this.#family.shape.labels;
    const texts: string[] = [];
    for (let at = 0; at < names.length; at++) {
      const value = (values as Readonly<Record<string, unknown>> | undefined)?.[names[at]!];
      texts.push(typeof value === "string" ? value : this.#textOf(names[at]!, value));
    }
    if (Object.keys(values).length !== names.length) this.#failUnknown(values);
    return this.#children.get(keyOf(texts)) ?? this.#child(texts);
  }

  #child(texts: readonly string[]): M {
    let tooLong = false;
    for (const [at, text] of texts.entries()) {
      const name = this.#family.shape.labels[at]!;
      checkWellFormed(this.#action, `the value of label ${shown(name)}`, text);
      tooLong ||= Buffer.byteLength(text) > MAX_LABEL_VALUE_LENGTH;
    }
    const series = this.#core.series(this.#family, texts, tooLong);
    if (series === undefined) {
      return (this.#other ??= this.#make(this.#core.firstOf(this.#family)));
    }
    const child = this.#make(series);
    this.#children.set(keyOf(texts), child);
    return child;
  }

  #textOf(name: string, value: unknown): string {
    if (typeof value === "number" && Number.isFinite(value)) return String(value);
    const rule = `the value of label ${shown(name)} must be text or a finite number`;
    throw new TypeError(`${this.#action}: ${rule}, not ${shown(value)}`);
  }

  #failUnknown(values: object): never {
    const names = this.#family.shape.labels;
    const unknown = Object.keys(values).find((name) => !names.includes(name));
    const known = names.map((name) => shown(name)).join(", ");
    const found = unknown === undefined ? "they are inherited" : `not ${shown(unknown)}`;
    throw new TypeError(`${this.#action}: its labels are ${known}, and ${found}`);
  }

  get #action(): string {
    const { type, name } = this.#family.shape;
    return `Cannot label ${type} ${shown(name)} of ${this.#core.what}`;
  }
}
