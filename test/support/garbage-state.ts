/** Records, maps, words and counters, ready to be called. */
import {
  RateLimiter,
  Meters,
  Segment,
  SharedAtomics,
  SharedCounter,
  SharedMap,
  SharedRecord,
  SharedTable,
  SharedWord,
  codecs,
} from "../../src/index.ts";
import {
  OFFSET,
  WAIT,
  WAITS,
  ASYNC,
  Quote,
  quote,
  end,
  placed,
  type Target,
} from "./garbage-target.ts";

const HELP = { help: "h" } as const;

/** A metric of meters. */
function metered(make: (meters: Meters) => object, sound: Target["sound"]): () => Target {
  return () => {
    const segment = Segment.create("memfd:garbage", { size: 1 << 15 });
    const meters = Meters.init(segment, OFFSET, { size: 16384 });
    return { on: make(meters), segment, sound: sound!, end: end(meters, segment) };
  };
}

/** Those, by name. */
export function stateTargets(): Record<string, () => Target> {
  const Q = Quote as never;
  const update = (old: unknown): unknown => old ?? quote();
  const targets: Record<string, () => Target> = {
    record: placed(
      (segment) => SharedRecord.init(segment, OFFSET, { codec: Q, initial: quote() as never }),
      {
        sound: {
          readInto: [{}],
          peek: [() => undefined],
          write: [quote()],
          update: [update],
          waitChanged: [WAIT],
          waitChangedAsync: [WAIT],
          values: [{}],
        },
        options: {
          waitChanged: ["since", ...ASYNC],
          waitChangedAsync: ["since", ...ASYNC],
          values: WAITS,
          write: ["price", "size", "on", "big", "label", "key", "levels", "inner"],
        },
      },
    ),
    table: placed(
      (segment) => {
        const table = SharedTable.init(segment, OFFSET, { codec: Q, rows: 3, names: true });
        table.write(1, quote() as never);
        table.rowOf("b");
        return table;
      },
      {
        sound: {
          read: [1],
          readInto: [1, {}],
          view: [1],
          version: [1],
          write: [1, quote()],
          update: [1, update],
          column: ["price"],
          columnInto: ["price", new Float64Array(3)],
          rowOf: ["a"],
          findRow: ["a"],
          nameOf: [0],
          changes: [{}],
        },
        options: {
          changes: [...WAITS, "from"],
          write: ["price", "size", "on", "big", "label", "key", "levels", "inner"],
        },
      },
    ),
    atomics: placed((segment) => SharedAtomics.init(segment, OFFSET, { words: ["a"] }), {}),
    meters: placed((segment) => Meters.init(segment, OFFSET, { size: 16384 }), {
      sound: {
        counter: ["c_total", { help: "h", labels: ["route"] }],
        gauge: ["g", { help: "h", aggregate: "max", whenDead: "keep" }],
        histogram: ["h", { help: "h", bounds: [1, 2] }],
      },
      options: {
        counter: ["labels"],
        gauge: ["labels", "aggregate", "whenDead"],
        histogram: ["labels", "bounds", "exponential"],
      },
    }),
    "meters' counter": metered((meters) => meters.counter("c", HELP), { add: [1] }),
    "meters' gauge": metered((meters) => meters.gauge("g", HELP), {
      add: [1],
      sub: [1],
      set: [1],
    }),
    "meters' histogram": metered((meters) => meters.histogram("h", { ...HELP, bounds: [1] }), {
      observe: [1],
      time: [() => 1],
      percentile: [50],
    }),
    "meters' labels": metered((meters) => meters.counter("c", { ...HELP, labels: ["route"] }), {
      labels: [{ route: "/" }],
    }),
    word: () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      const on = SharedWord.at(segment, 4);
      return {
        on,
        segment,
        sound: { store: [1], add: [1], and: [1], or: [1], exchange: [1], compareExchange: [0, 1] },
        end: end(segment),
      };
    },
    counter: () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      return { on: SharedCounter.at(segment, 8), segment, sound: { add: [1] }, end: end(segment) };
    },
    "static word": () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      return {
        on: SharedWord,
        segment,
        isClass: true,
        skip: ["of"],
        sound: { at: [segment, 4] },
        end: end(segment),
      };
    },
    "static counter": () => {
      const segment = Segment.create("memfd:garbage", { size: 4096 });
      return {
        on: SharedCounter,
        segment,
        isClass: true,
        skip: ["of"],
        sound: { at: [segment, 8] },
        end: end(segment),
      };
    },
  };
  for (const algorithm of ["gcra", "sliding-window", "fixed-window"] as const) {
    targets[`limiter by ${algorithm}`] = placed(
      (segment) => {
        const options = { algorithm, limit: 10, windowMs: 1000, keys: 20 };
        const limiter = RateLimiter.init(segment, OFFSET, options);
        limiter.consume("k");
        return limiter;
      },
      {
        marks: [],
        sound: {
          consume: ["k", 1],
          tryConsume: ["k", 1],
          penalize: ["k", 1],
          reward: ["k", 1],
          peek: ["k", 1],
          reset: ["k"],
          headers: [{ allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 0 }],
        },
      },
    );
  }
  const maps: Record<string, [object, unknown]> = {
    utf8: [codecs.utf8, "v"],
    bytes: [codecs.bytes, new Uint8Array(2)],
    number: [codecs.number, 5],
    json: [codecs.json(), { a: 1 }],
    struct: [Quote, quote()],
  };
  for (const [form, [codec, value]] of Object.entries(maps)) {
    for (const key of [codecs.utf8, codecs.bytes] as readonly { id: string }[]) {
      if (key === codecs.bytes && form !== "utf8") continue;
      const k = key === codecs.bytes ? new Uint8Array(3) : "k";
      targets[`map of ${form} by ${key.id}`] = placed(
        (segment) => {
          const map = SharedMap.init(segment, OFFSET, { codec, key, size: 16384 } as never);
          map.set(k as never, value as never);
          return map;
        },
        {
          marks: ["increment", "getInto", "update"],
          sound: {
            get: [k],
            getInto: [k, new Uint8Array(1000)],
            has: [k],
            set: [k, value, { ttlMs: 5000 }],
            setIfAbsent: ["other", value, { ttlMs: 5000 }],
            replace: [k, value, { ttlMs: 5000, staleMs: 5 }],
            compareAndSet: [k, 1, value, { ttlMs: 5000 }],
            setMany: [[[k, value]], { ttlMs: 5000 }],
            getMany: [[k]],
            deleteMany: [[k]],
            getAndDelete: [k],
            getWithVersion: [k],
            getStale: [k],
            getOrSet: [k, () => value, { ttlMs: 5000, staleMs: 5, errorTtlMs: 5, timeoutMs: 5 }],
            ttl: [k],
            touch: [k, 5000],
            flushExpired: [5],
            keys: [{ prefix: k }],
            entries: [{ prefix: k }],
            changes: [{ keys: [k], prefix: k }],
            pushLeft: ["list", value],
            pushRight: ["list", value],
            popLeft: ["list"],
            popRight: ["list"],
            listLength: ["list"],
            delete: [k],
            update: [k, () => value, { ttlMs: 5000 }],
            increment: [k, 1, { initial: 5, initialTtlMs: 5000, ttlMs: 5000 }],
          },
        },
      );
    }
  }
  return targets;
}
