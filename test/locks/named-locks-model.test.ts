/** The table of named locks against a model: lists of requests, of which the rules follow. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  REQUEST_HELD,
  REQUEST_STOLEN,
  REQUEST_WAITING,
} from "../../src/layout/named-locks-layout.ts";
import type { Manner } from "../../src/locks/algorithm/named-locks-queues.ts";
import { localTable, lockKey, namesInUse, quietSystem } from "./local-named-locks.ts";
import { namedLocksLength } from "../../src/locks/algorithm/named-locks-memory.ts";

const SHAPE = { names: 3, requests: 8 };
/** Two of them have one bucket. */
const NAMES = ["", "a", "b", "abc"];
const PARTICIPANTS = 4;

interface Modelled {
  readonly name: string;
  readonly isShared: boolean;
  readonly participant: number;
  readonly request: number;
  readonly number: number;
  state: number;
}

type Step =
  | { readonly do: "enter"; name: number; isShared: boolean; manner: Manner; participant: number }
  | { readonly do: "leave"; which: number }
  | { readonly do: "kill"; participant: number }
  | { readonly do: "die at work" };

const participant = fc.integer({ min: 1, max: PARTICIPANTS });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("enter" as const),
      name: fc.constantFrom(0, 1, 1, 1, 1, 2, 3),
      isShared: fc.constantFrom(true, true, false),
      manner: fc.constantFrom<Manner>("wait", "wait", "if-available", "steal"),
      participant,
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("leave" as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("kill" as const), participant }) },
  { weight: 1, arbitrary: fc.constant({ do: "die at work" as const }) },
);

class World {
  readonly #dead = new Set<number>();
  #died = false;
  readonly #buffer = new ArrayBuffer(namedLocksLength(SHAPE));
  readonly #tables = Array.from({ length: PARTICIPANTS + 1 }, (_, of) =>
    localTable(
      SHAPE,
      of,
      {
        ...quietSystem((other) => !this.#dead.has(other)),
        lock: () => {
          const died = this.#died;
          this.#died = false;
          return died;
        },
      },
      this.#buffer,
    ),
  );
  /** In the order of each queue: holders first. */
  #requests: Modelled[] = [];
  readonly refused = { full: 0, unavailable: 0 };

  constructor() {
    this.#tables[0]!.table.create();
  }

  take(one: Step): void {
    if (one.do === "enter") this.#enter(one);
    else if (one.do === "leave") this.#leave(one.which);
    else if (one.do === "kill") this.#kill(one.participant);
    else this.#died = true;
    this.#compare();
  }

  #of(name: string): Modelled[] {
    return this.#requests.filter((one) => one.name === name && one.state !== REQUEST_STOLEN);
  }

  #grant(): void {
    for (const name of NAMES) {
      const queue = this.#of(name);
      for (const [at, one] of queue.entries()) {
        const previous = queue[at - 1];
        const fits = previous === undefined || (one.isShared && previous.isShared);
        if (!fits || (previous !== undefined && previous.state !== REQUEST_HELD)) break;
        one.state = REQUEST_HELD;
      }
    }
  }

  #enter({ name: at, isShared, manner, participant: of }: Step & { do: "enter" }): void {
    if (this.#dead.has(of)) return;
    const name = NAMES[at]!;
    const exclusive = manner === "steal" ? false : isShared;
    const { table } = this.#tables[of]!;
    const request = table.enter(lockKey(name), exclusive, manner);
    const queue = this.#of(name);
    const isAvailable = queue.every(
      (one) => exclusive && one.isShared && one.state === REQUEST_HELD,
    );
    if (manner === "if-available" && !isAvailable) {
      this.refused.unavailable++;
      return expect(request).toBe(0);
    }
    const names = new Set(
      this.#requests.filter((one) => one.state !== REQUEST_STOLEN).map((one) => one.name),
    );
    if (
      this.#requests.length === SHAPE.requests ||
      names.size + (names.has(name) ? 0 : 1) > SHAPE.names
    ) {
      this.refused.full++;
      return expect(request).toBeLessThan(0);
    }
    expect(request).toBeGreaterThan(0);
    const entered = {
      name,
      isShared: exclusive,
      participant: of,
      request,
      number: table.numberOf(request),
      state: REQUEST_WAITING,
    };
    if (manner === "steal") {
      for (const one of queue) if (one.state === REQUEST_HELD) one.state = REQUEST_STOLEN;
      entered.state = REQUEST_HELD;
      this.#requests.unshift(entered);
    } else this.#requests.push(entered);
    this.#grant();
  }

  #leave(which: number): void {
    const one = this.#requests[which % this.#requests.length];
    if (one === undefined) return;
    expect(this.#tables[one.participant]!.table.leave(one.request, one.number)).toBe(one.state);
    this.#requests = this.#requests.filter((other) => other !== one);
    this.#grant();
    // What was granted may be a dead one's, which those who wait find out.
    this.#look();
  }

  #kill(of: number): void {
    // Somebody must live, to look.
    if (this.#dead.size === PARTICIPANTS - 1) return;
    this.#dead.add(of);
    this.#requests = this.#requests.filter((one) => one.participant !== of);
    this.#grant();
    this.#look();
  }

  /** Those who wait look unasked, and remove the dead that keep them waiting. */
  #look(): void {
    for (const one of this.#requests) {
      this.#tables[one.participant]!.table.examine(one.request, one.number);
    }
  }

  #compare(): void {
    const living = this.#tables.findIndex((_, of) => of > 0 && !this.#dead.has(of));
    const { table, memory } = this.#tables[living]!;
    const listed = table.list();
    const expected = this.#requests
      .filter((one) => one.state !== REQUEST_STOLEN)
      .toSorted((a, b) => a.number - b.number)
      .map(({ name, isShared, participant: of, state }) => ({
        name,
        isHeld: state === REQUEST_HELD,
        isShared,
        participant: of,
      }));
    expect(listed).toEqual(expected);
    for (const { request, number, state } of this.#requests) {
      expect(table.stateOf(request, number)).toBe(state);
    }
    if (this.#dead.size === 0) {
      expect(namesInUse(memory)).toBe(new Set(expected.map(({ name }) => name)).size);
    }
  }
}

test("the table does what lists do", () => {
  let [full, unavailable] = [0, 0];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const world = new World();
      for (const one of steps) world.take(one);
      full += world.refused.full;
      unavailable += world.refused.unavailable;
    }),
    { numRuns: 1000 },
  );
  expect(full).toBeGreaterThan(0);
  expect(unavailable).toBeGreaterThan(0);
});

test("a request leaves when the system does not say who lives", () => {
  const failure = new RangeError("mine");
  let fails = false;
  const { table } = localTable(
    SHAPE,
    1,
    quietSystem(() => {
      if (fails) throw failure;
      return true;
    }),
  );
  table.create();
  const held = table.enter(lockKey("a"), false, "wait");
  fails = true;
  expect(() => table.enter(lockKey("a"), false, "wait")).toThrow(failure);
  fails = false;
  expect(table.list().length).toBe(1);
  table.leave(held, table.numberOf(held));
  expect(table.list()).toEqual([]);
});

test("bytes of any kind end no process and no loop", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 20, size: "max" }),
      fc.array(fc.record({ word: fc.nat(), value: fc.oneof(fc.nat(9), fc.integer()) }), {
        minLength: 1,
        maxLength: 12,
      }),
      (steps, scribbles) => {
        const { table, memory } = localTable(
          SHAPE,
          1,
          quietSystem((other) => other < 3),
        );
        table.create();
        const entered: number[] = [];
        const attempt = (call: () => void): void => {
          try {
            call();
          } catch (error) {
            expect((error as Error).name).toBe("LayoutError");
            expect((error as Error).message).toStartWith("Cannot use the named locks: their");
          }
        };
        const run = (): void => {
          for (const one of steps) {
            attempt(() => {
              if (one.do === "enter") {
                entered.push(table.enter(lockKey(NAMES[one.name]!), one.isShared, one.manner));
              } else if (one.do === "leave") {
                const request = entered[one.which % entered.length] ?? 0;
                if (request > 0) table.leave(request, table.numberOf(request));
              } else table.list();
            });
          }
        };
        run();
        for (const { word, value } of scribbles)
          memory.words[64 + (word % (memory.words.length - 64))] = value;
        run();
        attempt(() => {
          for (let request = 1; request <= SHAPE.requests; request++) {
            table.leave(request, table.numberOf(request));
          }
        });
      },
    ),
    { numRuns: 2000 },
  );
});
