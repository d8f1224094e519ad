import { shown } from "../arguments.ts";
import { readCounter } from "../atomics/algorithm/split-counter.ts";
import { HEADER_DATA_LENGTH_OFFSET } from "../layout/segment-header.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Placed } from "../segment/placed.ts";
import { takePlace } from "../segment/reload.ts";
import { Segment } from "../segment/segment.ts";
import { StructureHandle } from "../segment/structure-handle.ts";
import { Structure, structureLength } from "../segment/structure.ts";
import type { Stats } from "../segment/stats.ts";
import type { MeterType } from "./algorithm/meter-shape.ts";
import type { MeterSeries } from "./algorithm/meters-directory.ts";
import { LOST_WORD, OVERFLOWS_WORD } from "./algorithm/meters-memory.ts";
import { LabelledMeter } from "./labelled-meter.ts";
import { MeterCounter } from "./meter-counter.ts";
import { MeterGauge } from "./meter-gauge.ts";
import { MeterHistogram } from "./meter-histogram.ts";
import { MetersCore } from "./meters-core.ts";
import { METERS_KIND, metersHeader, sizeFor, usedLength } from "./meters-header.ts";
import {
  type MeterGaugeOptions,
  type MeterHistogramOptions,
  type MeterOptions,
  type MetersCreateOptions,
  type MetersInitOptions,
  type MetersNewOptions,
  type MetersOpenOptions,
  type MetersPlan,
  checkFindOptions,
  checkNewOptions,
  checkPlan,
  shapeOf,
} from "./meters-options.ts";
import type { Metric } from "./metric.ts";
import { collectSteps, drive, driveAsync, textSteps } from "./scrape.ts";

/** A metric without labels itself; with labels, what hands out its children. */
export type MeterOf<M, L extends string> = [L] extends [never] ? M : LabelledMeter<M, L>;

/** What meters hold, and what had no room. */
export interface MetersStats extends Required<Pick<Stats, "depth" | "full" | "lost">> {
  /** Metrics. */
  readonly metrics: number;
  /** Seats: handles that have counted at the same time. */
  readonly seats: number;
  /** Bytes that are in use, of those of the whole. */
  readonly used: number;
}

/**
 * The metrics of a whole cluster: counters, gauges and histograms that any number of processes and
 * Workers update, and that any of them shows for all.
 *
 * Metrics and labels are made at run time, by anybody; the same name is the same metric in every
 * process. Each handle counts in cells of its own, by plain additions, so nobody waits for anybody:
 * only what is new (a metric, a set of labels, the first update in a block of memory) takes a lock,
 * and may block this thread while another process adds something. Memory goes where it is used: a
 * set of labels takes about 100 bytes once, and 10 bytes (a histogram: 10 for each bucket) in each
 * process that updates it, in blocks of 640 bytes. `size` bounds all of it; half goes to names.
 *
 * What a crash leaves: each addition was made as a whole, or not at all, and what a dead process
 * has counted stays in the sums. The next new handle takes its place, and goes on from its values,
 * so nothing is ever moved, reset or counted twice. The gauges of the dead are left out, unless
 * `whenDead` is "keep". A handle that is forgotten and never closed keeps its place until its
 * segment is closed.
 *
 * @example
 * ```ts
 * // in each process of the cluster
 * using meters = Meters.openOrCreate("/meters", { size: 2 ** 20 });
 * const labels = ["route", "status"] as const;
 * const requests = meters.counter("http_requests_total", { help: "Requests.", labels });
 * const seconds = meters.histogram("http_request_seconds", {
 *   help: "How long they took.",
 *   exponential: { start: 0.0001, factor: 1.5, count: 32 },
 * });
 * using server = Bun.serve({
 *   hostname: "127.0.0.1",
 *   port: 0,
 *   fetch(request) {
 *     if (new URL(request.url).pathname === "/metrics") {
 *       const headers = { "content-type": PROMETHEUS_CONTENT_TYPE };
 *       return meters.prometheusTextAsync().then((text) => new Response(text, { headers }));
 *     }
 *     return seconds.time(() => {
 *       requests.labels({ route: "/", status: 200 }).add();
 *       return new Response("hello");
 *     });
 *   },
 * });
 * await fetch(server.url);
 * console.log(await (await fetch(new URL("/metrics", server.url))).text()); // of all processes
 * console.log(seconds.percentile(99));
 * meters.unlink();
 * ```
 */
export class Meters extends StructureHandle {
  readonly #placed: Placed;
  readonly #core: MetersCore;
  /** The metrics that this handle has handed out, by name. */
  readonly #metrics = new Map<string, unknown>();

  private constructor(structure: Structure) {
    Structure.check(structure, "Meters");
    super(structure.placed);
    this.#placed = structure.placed;
    this.#core = new MetersCore(structure);
  }

  /**
   * Makes meters in a segment of their own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static create(name: string, options: MetersCreateOptions): Meters {
    checkNewOptions(`Cannot create meters ${shown(name)}`, "create", options);
    const header = metersHeader(options.size);
    return Structure.create(METERS_KIND, name, header, options, Meters.#of);
  }

  /**
   * Finds meters that have a segment of their own. Blocks for `waitMs` while there is no such name,
   * and while their creator is at work, which `waitMs` bounds too (half a minute without it).
   *
   * @returns A handle to close. With `access: "read"` it shows what others count, and takes the
   *   metrics that exist.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when they are another user's (see
   *   `owner`); LayoutError when something else has the name; StateError ENODATA when they are
   *   unfinished.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static open(name: string, options: MetersOpenOptions = {}): Meters {
    checkFindOptions(`Cannot open meters ${shown(name)}`, "open", options);
    return Structure.open(METERS_KIND, name, options, Meters.#of);
  }

  /**
   * Finds meters, or makes them: exactly one of several callers at the same time makes them, and
   * `created` says which. Blocks like `open` while another caller is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT; LayoutError also when the
   *   meters have another size.
   */
  static openOrCreate(name: string, options: MetersCreateOptions & OwnerOptions): Meters {
    checkNewOptions(`Cannot open or create meters ${shown(name)}`, "openOrCreate", options);
    const header = metersHeader(options.size);
    const find = (structure: Structure): Meters => {
      structure.mustHave(
        "size",
        HEADER_DATA_LENGTH_OFFSET,
        structureLength(structure.header),
        options.size,
      );
      return Meters.#of(structure);
    };
    return Structure.openOrCreate(METERS_KIND, name, header, options, Meters.#of, find);
  }

  /**
   * Makes meters inside the caller's segment. Blocks for half a minute at most, while another
   * process makes some there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when meters are there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static init(segment: Segment, offset: number, options: MetersInitOptions): Meters {
    checkNewOptions("Cannot make meters", "init", options);
    const header = metersHeader(options.size);
    return Structure.init(METERS_KIND, segment, offset, header, options, Meters.#of);
  }

  /**
   * Finds meters inside the caller's segment. Blocks while their maker lives and is at work, for
   * half a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when something else is there; StateError ENODATA when nothing is there, or
   *   their maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at(segment: Segment, offset: number, options?: Record<never, never>): Meters {
    checkFindOptions("Cannot find meters", "at", options);
    return Structure.at(METERS_KIND, segment, offset, Meters.#of);
  }

  /**
   * Plans the size of meters, in bytes.
   *
   * @param options What they are to hold, with names and labels of usual lengths (about 100 bytes
   *   for each series); or their size.
   * @returns The bytes that they take in a segment, to be passed as `size`.
   * @throws RangeError, TypeError.
   */
  static byteLength(options: MetersPlan | MetersInitOptions): number {
    const action = "Cannot measure meters";
    if (Object.hasOwn(Object(options), "size")) {
      checkNewOptions(action, "init", options);
      return (options as MetersNewOptions).size;
    }
    const { series, processes, buckets } = checkPlan(action, options as MetersPlan);
    const size = sizeFor(series, processes, buckets);
    checkNewOptions(action, "init", { size });
    return size;
  }

  static #of(this: void, structure: Structure): Meters {
    const { segment, placed } = structure;
    if (segment.access === "read") return new Meters(structure);
    // The gauges of an older load would go on as those of a process that lives.
    return takePlace(segment, `meters at ${placed.offset}`, () => new Meters(structure));
  }

  /**
   * Finds a counter, or makes it. Blocks only while another process adds something.
   *
   * @param name As Prometheus wants it; it should end in `_total`.
   * @param options Its help, and the names of its labels.
   * @returns The counter; with labels, what hands out its children. The same one for the same name.
   * @throws LayoutError that names the difference when the name has another shape, or the directory
   *   is corrupt; StateError ENOSPC when it has no room; ClosedError; RangeError, TypeError.
   */
  counter<const L extends string = never>(
    name: string,
    options: MeterOptions<L>,
  ): MeterOf<MeterCounter, L> {
    return this.#metric("counter", name, options, (series) => new MeterCounter(this.#core, series));
  }

  /**
   * Finds a gauge, or makes it. Blocks only while another process adds something.
   *
   * @param options Its help, labels, `aggregate` and `whenDead`.
   * @returns The gauge; with labels, what hands out its children. The same one for the same name.
   * @throws The errors of `counter`.
   */
  gauge<const L extends string = never>(
    name: string,
    options: MeterGaugeOptions<L>,
  ): MeterOf<MeterGauge, L> {
    return this.#metric("gauge", name, options, (series) => new MeterGauge(this.#core, series));
  }

  /**
   * Finds a histogram, or makes it. Blocks only while another process adds something.
   *
   * @param options Its help, labels, and `bounds` (finite, growing, at most 1000; +Inf is added) or
   *   how they grow.
   * @returns The histogram; with labels, what hands out its children. The same one for the same
   *   name.
   * @throws The errors of `counter`.
   */
  histogram<const L extends string = never>(
    name: string,
    options: MeterHistogramOptions<L>,
  ): MeterOf<MeterHistogram, L> {
    const make = (series: MeterSeries): MeterHistogram => new MeterHistogram(this.#core, series);
    return this.#metric("histogram", name, options, make);
  }

  #metric<M, L extends string>(
    type: MeterType,
    name: string,
    options: unknown,
    make: (series: MeterSeries) => M,
  ): MeterOf<M, L> {
    this.#placed.checkOpen();
    const family = this.#core.family(shapeOf(type, name, options, this.#core.what));
    const known = this.#metrics.get(name);
    if (known !== undefined) return known as MeterOf<M, L>;
    const metric =
      family.shape.labels.length > 0
        ? new LabelledMeter<M, L>(this.#core, family, make)
        : make(this.#core.firstOf(family));
    this.#metrics.set(name, metric);
    return metric as MeterOf<M, L>;
  }

  /**
   * Reads all metrics of all processes. Does not block; stale at once. Each value is one that was
   * there during the call; a histogram's count is the sum of its buckets, and its `_sum` may lack
   * the values that were being observed.
   *
   * @returns The families in the order in which they were made, which `prometheusText` takes too. A
   *   family's series "other" is left out until it is used.
   * @throws ClosedError; LayoutError when the bytes are no meters.
   */
  collect(): Metric[] {
    this.#placed.checkOpen();
    return drive(collectSteps(this.#core));
  }

  /**
   * Reads all metrics like `collect`, and lets the event loop turn after each millisecond.
   * @returns The families. @throws The errors of `collect`.
   */
  async collectAsync(): Promise<Metric[]> {
    this.#placed.checkOpen();
    return driveAsync(collectSteps(this.#core), () => this.#placed.checkOpen());
  }

  /**
   * Writes all metrics of all processes in Prometheus's text format, version 0.0.4, as prom-client
   * does. Does not block. Label values are UTF-8 in which quotes, backslashes and line ends are
   * escaped.
   *
   * @returns The text, which ends with a line end, for `PROMETHEUS_CONTENT_TYPE`.
   * @throws The errors of `collect`.
   */
  prometheusText(): string {
    this.#placed.checkOpen();
    return drive(textSteps(this.#core));
  }

  /**
   * Writes the text of `prometheusText`, and lets the event loop turn after each millisecond.
   * @returns The text. @throws The errors of `collect`.
   */
  async prometheusTextAsync(): Promise<string> {
    this.#placed.checkOpen();
    return driveAsync(textSteps(this.#core), () => this.#placed.checkOpen());
  }

  /**
   * Counts what the meters hold: `depth` series; `full`, how often labels got the child "other";
   * `lost`, updates for which there was no memory. Does not block; stale at once.
   * @returns The counts. @throws ClosedError; LayoutError.
   */
  stats(): MetersStats {
    this.#placed.checkOpen();
    const { memory, directory, pages, isReadOnly } = this.#core;
    pages.refresh();
    let depth = 0;
    for (const { list } of directory.families) depth += list.length;
    return {
      depth,
      full: readCounter(memory.words, OVERFLOWS_WORD, isReadOnly),
      lost: readCounter(memory.words, LOST_WORD, isReadOnly),
      metrics: directory.familyCount,
      seats: pages.seatCount,
      used: usedLength(directory.length, pages.pageCount),
    };
  }

  /**
   * Closes this handle with its metrics, and the segment if this handle opened it. What it counted
   * stays, and the next new handle goes on from it; its gauges go or stay like those of the dead.
   * Does nothing when called again.
   */
  close(): void {
    this.#core.close();
    this.#placed.close();
  }
}
