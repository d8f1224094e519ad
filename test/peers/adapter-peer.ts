/**
 * Another process of an app that uses an adapter: reads what the test wrote, and adds to it. Prints
 * what it saw as JSON. Arguments: which adapter, and the name of its map or limiter.
 */
import session, { type SessionData } from "express-session";
import { Hono } from "hono";
import { Keyv } from "keyv";
import { createStorage } from "unstorage";
import { RateLimitStore } from "../../adapters/express-rate-limit.ts";
import { SessionStore } from "../../adapters/express-session.ts";
import { rateLimiter } from "../../adapters/hono.ts";
import { KeyvSharedMap } from "../../adapters/keyv.ts";
import { RateLimiterSharedMap } from "../../adapters/rate-limiter-flexible.ts";
import { sharedMapDriver } from "../../adapters/unstorage.ts";
import { RateLimiter, SharedMap, codecs } from "../../src/index.ts";
import { visits } from "../support/adapter-apps.ts";

const [adapter, name] = process.argv.slice(2) as [string, string];

async function keyv(): Promise<unknown> {
  using map = SharedMap.open(name, { codec: codecs.utf8 });
  const users = new Keyv({ store: new KeyvSharedMap(map), namespace: "users" });
  const seen = await users.get("ada");
  await users.set("eve", { from: "another process" });
  return seen;
}

async function unstorage(): Promise<unknown> {
  using map = SharedMap.open(name, { codec: codecs.clone<unknown>() });
  const storage = createStorage({ driver: sharedMapDriver({ map, base: "app" }) });
  const seen = await storage.getItem("users:ada");
  await storage.setItem("users:eve", { from: "another process" });
  await storage.removeItem("users:ada");
  return seen;
}

/** Counts 50 requests of one client. @returns The count after the last. */
async function expressRateLimit(): Promise<unknown> {
  using map = SharedMap.open(name, { codec: codecs.number });
  const store = new RateLimitStore({ map });
  let last = 0;
  for (let turn = 0; turn < 50; turn++) last = (await store.increment("client")).totalHits;
  return last;
}

/** Consumes 50 points of one key. @returns How many were allowed. */
async function rateLimiterFlexible(): Promise<unknown> {
  using map = SharedMap.open(name, { codec: codecs.number });
  const limiter = new RateLimiterSharedMap({ storeClient: map, points: 60, duration: 600 });
  let allowed = 0;
  for (let turn = 0; turn < 50; turn++) {
    const isAllowed = await limiter.consume("key").then(
      () => true,
      () => false,
    );
    if (isAllowed) allowed++;
  }
  return allowed;
}

/** Asks an app 50 times. @returns How many requests were answered. */
async function hono(): Promise<unknown> {
  using limiter = RateLimiter.open(name);
  const app = new Hono();
  app.use(rateLimiter(limiter, { key: () => "client" }));
  app.get("/", (context) => context.text("Hello"));
  let allowed = 0;
  for (let turn = 0; turn < 50; turn++) if ((await app.request("/")).ok) allowed++;
  return allowed;
}

/** Answers requests of a browser, whose cookie comes on the command line. */
async function expressSession(): Promise<unknown> {
  using map = SharedMap.open(name, { codec: codecs.json<SessionData>() });
  const [cookie] = process.argv.slice(4) as [string];
  const app = visits(session, new SessionStore({ map }));
  try {
    return await (await fetch(app.url, { headers: { cookie } })).json();
  } finally {
    await app.close();
  }
}

const programs: Readonly<Record<string, () => Promise<unknown>>> = {
  keyv,
  unstorage,
  hono,
  "express-rate-limit": expressRateLimit,
  "express-session": expressSession,
  "rate-limiter-flexible": rateLimiterFlexible,
};
console.log(JSON.stringify(await programs[adapter]!()));
