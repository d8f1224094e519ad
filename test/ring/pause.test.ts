import { describe, expect, test } from "bun:test";
import { RingBuffer } from "../../src/index.ts";
import { Pause } from "../../src/ring/algorithm/spsc/pause.ts";

const TURN_NS = 1.2;
const LONGEST_TURNS = 4096;
/** How long a request and its answer take, on cores near to each other. */
const ROUND_TRIP_NS = 150;

/** Looks of a consumer at a producer that writes a record each so many ns. */
class Stream {
  readonly pause = new Pause();
  readonly #everyNs: number;
  records = 0;
  #nowNs = 0;
  #lastTurns = 0;

  constructor(everyNs: number) {
    this.#everyNs = everyNs;
  }

  /** One look that finds nothing more: the time passes until the next record, and its pause. */
  look(): number {
    const before = this.records;
    this.#nowNs = (this.records + 1) * this.#everyNs + this.#lastTurns * TURN_NS;
    this.records = Math.floor(this.#nowNs / this.#everyNs);
    this.#lastTurns = this.pause.next(this.records - before);
    return this.#lastTurns;
  }
}

describe("the pause of a consumer that has caught up", () => {
  test.each([
    ["ten million records a second and more", 30, LONGEST_TURNS],
    ["a fast producer", 80, 2048],
    ["five million a second", 200, 512],
    ["three million a second", 330, 0],
    ["a slow producer", 2000, 0],
  ])("finds its length within two thousand records: %s", (_, everyNs, least) => {
    const stream = new Stream(everyNs);
    while (stream.records < 2000) stream.look();
    const turns = Array.from({ length: 100 }, () => stream.look());
    expect(Math.max(...turns)).toBeGreaterThanOrEqual(least);
    if (least === 0) expect(turns.filter((each) => each > 0).length).toBeLessThanOrEqual(1);
  });

  test("costs an exchange of requests and answers less than 3 % of its round trips", () => {
    const pause = new Pause();
    let turns = 0;
    const trips = 1_000_000;
    for (let trip = 0; trip < trips; trip++) turns += pause.next(1);
    expect(turns).toBeGreaterThan(0);
    expect((turns * TURN_NS) / (trips * ROUND_TRIP_NS)).toBeLessThan(0.03);
  });

  test("ends with the stream, after a few looks", () => {
    const stream = new Stream(30);
    while (stream.records < 5000) stream.look();
    const turns = Array.from({ length: 10 }, () => stream.pause.next(1));
    expect(turns.slice(0, 6)).toEqual([2048, 1024, 512, 256, 0, 0]);
  });

  test("is learned again after a lull", () => {
    const stream = new Stream(30);
    while (stream.records < 5000) stream.look();
    for (let trip = 0; trip < 100; trip++) stream.pause.next(1);
    const from = stream.records;
    while (stream.records < from + 3000) stream.look();
    expect(stream.look()).toBe(LONGEST_TURNS);
  });

  test("can be switched off, and is checked", () => {
    using ring = RingBuffer.create("memfd:pause", { capacity: 4096 });
    using producer = ring.producer();
    for (const options of [{ pause: false }, { pause: true }, { strategy: "block" }] as const) {
      using consumer = ring.consumer(options);
      producer.tryWrite("one");
      expect([consumer.tryTake()?.length, consumer.tryTake()]).toEqual([3, undefined]);
    }
    expect(() => ring.consumer({ pause: 1 as never })).toThrow("pause must be true or false");
  });
});
