/** The algorithms of meters against plain objects, and over bytes that are no meters. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { LayoutError } from "../../src/errors.ts";
import { METERS_HEAD_LENGTH, PAGE_LENGTH } from "../../src/layout/meters-layout.ts";
import { type MeterShape, keyOf } from "../../src/meters/algorithm/meter-shape.ts";
import { MetersDirectory } from "../../src/meters/algorithm/meters-directory.ts";
import { MetersMemory, cellAt } from "../../src/meters/algorithm/meters-memory.ts";
import { MetersPages } from "../../src/meters/algorithm/meters-pages.ts";
import { MetersSeat } from "../../src/meters/algorithm/meters-seats.ts";
import { percentileOf } from "../../src/meters/algorithm/percentile.ts";
import { collectSteps, drive, textSteps } from "../../src/meters/scrape.ts";
import { seededRandom } from "../support/random.ts";

const LENGTH = 2 ** 16;
const OWNERS = 4;

const SHAPES: readonly MeterShape[] = (
  [
    ["counter", "sum", "keep", []],
    ["gauge", "sum", "drop", []],
    ["gauge", "max", "keep", []],
    ["gauge", "min", "drop", []],
    ["histogram", "sum", "keep", [0, 1, 2]],
    ["histogram", "sum", "keep", Array.from({ length: 100 }, (_, at) => at)],
  ] as const
).map(([type, aggregate, whenDead, bounds], at) => ({
  name: `m${at}`,
  help: "h",
  labels: ["a"],
  type,
  aggregate,
  whenDead,
  bounds,
}));

/** Who has which seat, in the place of the kernel. */
class World {
  readonly buffer = new ArrayBuffer(LENGTH);
  readonly owners = new Map<number, object>();
  readonly reader = this.handle();

  handle(): Handle {
    const memory = new MetersMemory(this.buffer, 0, LENGTH, "meters");
    const directory = new MetersDirectory(memory);
    const handle = {};
    const seat = new MetersSeat(
      memory,
      directory,
      { lock: () => undefined, unlock: () => undefined },
      {
        isHeld: (page) => this.owners.has(page),
        tryTake: (page) => !this.owners.has(page) && this.owners.set(page, handle) !== undefined,
        release: (page) => void this.owners.delete(page),
      },
    );
    const pages = new MetersPages(memory, directory, (page) => this.owners.has(page));
    return { memory, directory, seat, pages, handle };
  }

  /** Ends a handle, as the kernel sees a death. */
  kill({ handle }: Handle): void {
    for (const [page, owner] of this.owners) if (owner === handle) this.owners.delete(page);
  }
}

interface Handle {
  readonly memory: MetersMemory;
  readonly directory: MetersDirectory;
  readonly seat: MetersSeat;
  readonly pages: MetersPages;
  readonly handle: object;
}

/** What a seat has counted for a series. */
interface Slot {
  value: number | undefined;
  observed: number[];
}

describe("a model", () => {
  const step = fc.record({
    owner: fc.nat(OWNERS - 1),
    shape: fc.nat(SHAPES.length - 1),
    label: fc.constantFrom("x", "y", "z"),
    value: fc.integer({ min: -3, max: 130 }),
    end: fc.constantFrom("no", "no", "no", "no", "close", "kill"),
  });

  test("counts what the handles did, whoever dies", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const world = new World();
        const handles: (Handle | undefined)[] = [];
        /** Of each seat, by its first page. */
        const seats = new Map<number, Map<string, Slot>>();
        const seatOf = ({ handle }: Handle): number =>
          [...world.owners].find(([, owner]) => owner === handle)![0];
        for (const { owner, shape: at, label, value, end } of steps) {
          const shape = SHAPES[at]!;
          const handle = (handles[owner] ??= world.handle());
          const isNew = !handle.seat.isTaken;
          handle.directory.sync();
          const family = handle.directory.find(shape.name) ?? handle.directory.addFamily(shape)!;
          const series =
            family.byKey.get(keyOf([label])) ?? handle.directory.addSeries(family, [label])!;
          const first = handle.seat.cellsOf(series);
          if (first < 0) throw new Error("There is no room");
          const page = seatOf(handle);
          const slots = seats.get(page) ?? new Map<string, Slot>();
          seats.set(page, slots);
          if (isNew) {
            for (const [key, slot] of slots) {
              const { whenDead } = SHAPES.find(({ name }) => key.startsWith(name))!;
              if (whenDead === "drop") slot.value = undefined;
            }
          }
          const key = `${shape.name} ${label}`;
          const slot = slots.get(key) ?? { value: undefined, observed: [] };
          slots.set(key, slot);
          const { cells } = handle.memory;
          if (shape.type === "counter") {
            cells[first]! += Math.abs(value);
            slot.value = (slot.value ?? 0) + Math.abs(value);
          } else if (shape.type === "gauge") {
            cells[first] = value === 0 ? -0 : value;
            slot.value = value;
          } else {
            const found = shape.bounds.findIndex((bound) => value <= bound);
            const bucket = found < 0 ? shape.bounds.length : found;
            cells[cellAt(first, 2 + bucket)]! += 1;
            cells[first]! += value;
            slot.observed.push(value);
          }
          if (end === "close") handle.seat.leave();
          if (end === "kill") world.kill(handle);
          if (end !== "no") handles[owner] = undefined;
        }
        const { pages, directory } = world.reader;
        pages.refresh();
        for (const { shape, list } of directory.families) {
          for (const series of list) {
            const key = `${shape.name} ${series.values[0]}`;
            const slots = [...seats]
              .filter(([page]) => shape.whenDead === "keep" || world.owners.has(page))
              .flatMap(([, each]) => each.get(key) ?? []);
            const values = slots.flatMap(({ value }) => value ?? []);
            const sum = values.reduce((total, value) => total + value, 0);
            if (shape.type === "counter") expect(pages.counter(series)).toBe(sum);
            else if (shape.type === "histogram") {
              const observed = slots.flatMap((slot) => slot.observed);
              const { count, sum: total, buckets } = pages.histogram(series);
              expect(count).toBe(observed.length);
              expect(total).toBe(observed.reduce((all, value) => all + value, 0));
              const below = observed.filter((value) => value <= shape.bounds[0]!).length;
              expect(buckets[0]).toBe(below);
            } else if (shape.aggregate === "sum") {
              expect(pages.gauge(series)).toBe(sum);
            } else {
              const expected = Math[shape.aggregate as "max" | "min"](...values);
              expect(pages.gauge(series)).toBe(values.length === 0 ? undefined : expected);
            }
          }
        }
        expect(pages.seatCount).toBeLessThanOrEqual(OWNERS);
      }),
      { numRuns: 200 },
    );
  });
});

describe("percentiles", () => {
  const values = fc.array(fc.double({ min: 0.001, max: 100, noNaN: true }), {
    minLength: 1,
    maxLength: 300,
  });

  test("of exponential buckets are wrong by less than the factor", () => {
    const factor = 1.1;
    const bounds = Array.from({ length: 150 }, (_, at) => 0.0011 * factor ** at);
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (observed, share) => {
        const buckets = new Float64Array(bounds.length + 1);
        for (const value of observed) {
          const found = bounds.findIndex((bound) => value <= bound);
          buckets[found < 0 ? bounds.length : found]! += 1;
        }
        const sorted = observed.toSorted((a, b) => a - b);
        const max = sorted.at(-1)!;
        const count = observed.length;
        const answer = percentileOf({ count, sum: 0, max, buckets }, bounds, share)!;
        const exact = sorted[Math.max(0, Math.ceil(share * count) - 1)]!;
        expect(answer).toBeLessThanOrEqual(max);
        // The first bucket begins at 0: below its bound only the width is the limit.
        const error = Math.abs(answer - exact);
        expect(error).toBeLessThanOrEqual(Math.max(bounds[0]!, exact * (factor - 1)) * (1 + 1e-9));
      }),
      { numRuns: 500 },
    );
  });

  test("lie between the bounds, whatever the counts are", () => {
    const odd = fc.constantFrom(0, -1, 1, 5, Infinity, -Infinity, Number.NaN, 1e300);
    fc.assert(
      fc.property(fc.array(odd, { minLength: 4, maxLength: 4 }), odd, (counts, max) => {
        const buckets = Float64Array.from(counts);
        const count = counts.reduce((sum, each) => sum + each, 0);
        const answer = percentileOf({ count, sum: 0, max, buckets }, [1, 2, 3], 0.5);
        expect(answer === undefined || !Number.isNaN(answer)).toBe(true);
      }),
    );
  });
});

describe("bytes that are no meters", () => {
  function sound(): ArrayBuffer {
    const world = new World();
    const { directory, seat, memory } = world.handle();
    for (const shape of SHAPES) {
      const series = directory.addSeries(directory.addFamily(shape)!, ["some value"])!;
      memory.cells[seat.cellsOf(series)] = 1;
    }
    return world.buffer;
  }

  function scrape(buffer: ArrayBuffer): string {
    const memory = new MetersMemory(buffer, 0, buffer.byteLength, "meters");
    const directory = new MetersDirectory(memory);
    const pages = new MetersPages(memory, directory, () => true);
    try {
      drive(collectSteps({ memory, directory, pages }));
      return drive(textSteps({ memory, directory, pages }));
    } catch (error) {
      if (error instanceof LayoutError) return error.message;
      throw error;
    }
  }

  test("are read to the end, or refused as such", () => {
    const whole = sound();
    const random = seededRandom("hostile meters");
    const memory = new MetersMemory(whole, 0, LENGTH, "meters");
    const pages = memory.pageCount();
    const used = METERS_HEAD_LENGTH + memory.directoryLength();
    expect(scrape(whole.slice(0))).toContain("# TYPE m5 histogram");
    const words = [0, 1, 2, 7, 64, 0x7fffffff, -1, 0x80000000, 0xffff, 1 << 16];
    const refused = new Set<string>();
    for (let round = 0; round < 20_000; round++) {
      const buffer = whole.slice(0);
      const view = new DataView(buffer);
      for (let change = 0; change < 1 + random() * 3; change++) {
        const inPages = random() < 0.4;
        const from = inPages ? memory.pageOffset(pages - 1) : 128;
        const length = inPages ? pages * PAGE_LENGTH : used - 128;
        const at = from + Math.floor((random() * length) / 4) * 4;
        const word =
          random() < 0.5 ? words[Math.floor(random() * words.length)]! : random() * 2 ** 32;
        if (random() < 0.7) view.setUint32(at, word, true);
        else view.setUint8(at, word);
      }
      const answer = scrape(buffer);
      if (answer.startsWith("Cannot read meters: "))
        refused.add(answer.split(":")[1]!.slice(0, 12));
    }
    expect(refused.size).toBeGreaterThan(10);
  });

  test("of noise are refused", () => {
    const random = seededRandom("noise");
    for (let round = 0; round < 300; round++) {
      const buffer = new ArrayBuffer(4096 + Math.floor(random() * 1000) * 8);
      const bytes = new Uint8Array(buffer);
      for (let at = 0; at < bytes.length; at++) bytes[at] = random() * 256;
      expect(scrape(buffer)).toContain("Cannot read meters: ");
    }
  });
});
