/**
 * What a cache of a cluster costs when a key is there: `getOrSet` beside `get`, with and without
 * `local`, and beside what one would use instead.
 *
 *     bun bench/state/cache.bench.ts [--json]
 *
 * lru-cache takes part when it is installed, Redis when `redis-server` is, over a Unix socket.
 */
import { type Codec, RateLimiter, SharedMap, codecs } from "../../src/index.ts";
import { type Target, showTargets } from "../support/targets.ts";
import { type AsyncVariant, measureInTurnsAsync } from "../support/turns.ts";
import { compare, finish, heading, reportSpread } from "./measure.ts";
import { openLru, openRedis } from "./peers.ts";

/** Short rounds and many, so that what else runs on the machine falls into few of them. */
const TURNS = 31;
const COUNT = 10_000;
const keys: string[] = Array.from({ length: COUNT }, (_, at) => `user:${at}`);
const bytes: Uint8Array = new Uint8Array(64).fill(7);
const user = { id: 7, name: "Ada Lovelace", roles: ["admin", "author"], active: true };
const skipped: string[] = [];
const targets: Target[] = [];

function mapOf<V>(codec: Codec<V>, value: V, isLocal: boolean): SharedMap<V> {
  const local = isLocal ? { entries: COUNT * 4 } : undefined;
  const map = SharedMap.create("memfd:cache", { size: 2 ** 23, codec, local });
  for (const key of keys) map.set(key, value);
  return map;
}

/** The ways in which a key that is there is read. */
function reads<V>(
  map: SharedMap<V>,
  value: V,
): Record<"get" | "awaited" | "getOrSet" | "first", AsyncVariant> {
  const load = (): V => value;
  return {
    get: {
      count: COUNT,
      run(count) {
        for (let at = 0; at < count; at++) map.get(keys[at % COUNT]!);
      },
    },
    awaited: {
      count: COUNT,
      async run(count) {
        for (let at = 0; at < count; at++) await map.get(keys[at % COUNT]!);
      },
    },
    getOrSet: {
      count: COUNT,
      async run(count) {
        for (let at = 0; at < count; at++) await map.getOrSet(keys[at % COUNT]!, load);
      },
    },
    first: {
      count: COUNT,
      async run(count) {
        for (let at = 0; at < count; at++) {
          const key = keys[at % COUNT]!;
          void (map.get(key) ?? (await map.getOrSet(key, load)));
        }
      },
    },
  };
}

async function hits<V>(what: string, codec: Codec<V>, value: V, isLocal: boolean): Promise<void> {
  const label = isLocal ? `${what}, local` : what;
  using map = mapOf(codec, value, isLocal);
  const { times, ratios } = await measureInTurnsAsync(reads(map, value), TURNS);
  reportSpread(`${label}: get`, "ns", times.get);
  reportSpread(`${label}: get, whose value is awaited`, "ns", times.awaited);
  reportSpread(`${label}: getOrSet, awaited`, "ns", times.getOrSet);
  reportSpread(`${label}: get ?? await getOrSet`, "ns", times.first);
  reportSpread(`${label}: awaited get / get`, "ratio", ratios.awaited);
  reportSpread(`${label}: getOrSet / get`, "ratio", ratios.getOrSet);
  reportSpread(`${label}: (get ?? await getOrSet) / get`, "ratio", ratios.first);
  // No promise can reach it beside a local get, which the awaited get shows.
  if (isLocal) return;
  targets.push({
    what: `getOrSet of a key that is there / get, ${what}`,
    least: "≤ 1.5",
    aim: "1.2",
    measured: ratios.getOrSet,
  });
}

/** An object under a key, as processes of one machine would have it. */
async function peers(): Promise<void> {
  heading("An object as JSON, beside others");
  using map = mapOf(codecs.json<typeof user>(), user, false);
  using local = mapOf(codecs.json<typeof user>(), user, true);
  using limiter = RateLimiter.create("memfd:cache", {
    algorithm: "fixed-window",
    limit: 1000,
    windowMs: 1000,
    keys: COUNT,
  });
  const sync = (call: (key: string) => unknown): AsyncVariant => ({
    count: COUNT,
    run(count) {
      for (let at = 0; at < count; at++) call(keys[at % COUNT]!);
    },
  });
  const lru = await openLru(COUNT);
  for (const key of keys) lru?.set(key, user);
  if (lru === undefined) skipped.push("lru-cache (npm install --no-save lru-cache)");
  const here = await measureInTurnsAsync(
    {
      get: sync((key) => map.get(key)),
      local: sync((key) => local.get(key)),
      set: sync((key) => map.set(key, user)),
      tryConsume: sync((key) => limiter.tryConsume(key)),
      lru: sync((key) => lru?.get(key)),
    },
    TURNS,
  );
  const get = reportSpread("SharedMap.get", "ns", here.times.get);
  reportSpread("SharedMap.get, local", "ns", here.times.local);
  reportSpread("SharedMap.set", "ns", here.times.set);
  const tryConsume = reportSpread("RateLimiter.tryConsume", "ns", here.times.tryConsume);
  if (lru) reportSpread("lru-cache get, with a ttl, of one process", "ns", here.times.lru);

  const redis = await openRedis();
  if (redis === undefined) {
    skipped.push("Redis (redis-server is not installed)");
    return;
  }
  const { client } = redis;
  const text = JSON.stringify(user);
  await Promise.all(keys.map((key) => client.set(key, text)));
  const each = (call: (key: string) => Promise<unknown>): AsyncVariant => ({
    count: 500,
    async run(count) {
      for (let at = 0; at < count; at++) await call(keys[at]!);
    },
  });
  const there = await measureInTurnsAsync(
    {
      get: each(async (key) => JSON.parse((await client.get(key))!) as unknown),
      set: each((key) => client.set(key, JSON.stringify(user))),
      limit: each(async (key) => {
        const count = client.incr(`limit:${key}`);
        const expiry = client.send("PEXPIRE", [`limit:${key}`, "1000", "NX"]);
        return (await Promise.all([count, expiry]))[0] <= 1000;
      }),
      many: {
        count: 500,
        async run(count) {
          await Promise.all(keys.slice(0, count).map((key) => client.get(key)));
        },
      },
    },
    TURNS,
  );
  const redisGet = reportSpread("Redis GET and JSON.parse, one by one", "ns", there.times.get);
  reportSpread("Redis GET, 500 at once, each", "ns", there.times.many);
  reportSpread("Redis SET, one by one", "ns", there.times.set);
  const redisLimit = reportSpread("Redis INCR and PEXPIRE NX, one by one", "ns", there.times.limit);
  compare("get, × faster than Redis, one by one", redisGet, get);
  compare("tryConsume, × faster than Redis, one by one", redisLimit, tryConsume);
  await redis.close();
}

heading(`A key that is there, of ${COUNT} short keys`);
for (const isLocal of [false, true]) {
  await hits("64 bytes", codecs.bytes, bytes, isLocal);
  await hits("JSON", codecs.json<typeof user>(), user, isLocal);
}
await peers();
finish(skipped, TURNS);
showTargets(targets, !process.argv.includes("--json"));
