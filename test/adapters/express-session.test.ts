/** The store for express-session, in express apps, and beside express-session's MemoryStore. */
import { afterAll, describe, expect, test } from "bun:test";
import session, { type SessionData, type Store } from "express-session";
import { SessionStore } from "../../adapters/express-session.ts";
import { type SharedMap as AnyMap, SharedMap, codecs } from "../../src/index.ts";
import { type App, inAnotherProcess, visits } from "../support/adapter-apps.ts";
import { uniqueName } from "../support/names.ts";

function sessionMap(size: number = 2 ** 20): AnyMap<SessionData> {
  const codec = codecs.json<SessionData>();
  const map = SharedMap.create(uniqueName("sessions"), { size, codec });
  afterAll(() => {
    map.unlink();
    map.close();
  });
  return map;
}

/** A browser, as far as an app's cookie goes. */
class Browser {
  cookie = "";

  async get(app: App, path = "/"): Promise<{ status: number; body: Record<string, unknown> }> {
    const answer = await fetch(app.url + path, { headers: { cookie: this.cookie } });
    const [made] = answer.headers.getSetCookie();
    if (made !== undefined) this.cookie = made.split(";")[0]!;
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }
}

async function withApps(
  stores: readonly Store[],
  options: Partial<session.SessionOptions>,
  use: (...apps: App[]) => Promise<void>,
): Promise<void> {
  const apps = stores.map((store) => visits(session, store, options));
  try {
    await use(...apps);
  } finally {
    for (const app of apps) await app.close();
  }
}

/** A method of a store as a promise: of what its callback gets, without the error. */
function call<T>(start: (callback: (error?: unknown, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error as Error) : resolve(value as T)));
  });
}

const dataOf = (cookie: Partial<SessionData["cookie"]> = {}): SessionData => ({
  cookie: { originalMaxAge: null, ...cookie },
  visits: 1,
});

describe("a store, as express-session uses it", () => {
  const kinds: readonly [string, () => Store][] = [
    ["MemoryStore", () => new session.MemoryStore()],
    ["SessionStore", () => new SessionStore({ map: sessionMap() })],
  ];
  for (const [name, make] of kinds) {
    describe(name, () => {
      test("an app counts the visits of each browser", async () => {
        await withApps([make()], {}, async (app) => {
          const [ada, eve] = [new Browser(), new Browser()];
          for (let turn = 1; turn <= 3; turn++)
            expect((await ada.get(app)).body["visits"]).toBe(turn);
          expect((await eve.get(app)).body["visits"]).toBe(1);
        });
      });

      test("a session ends at logout, and gets another id when it is renewed", async () => {
        const store = make();
        await withApps([store], {}, async (app) => {
          const browser = new Browser();
          await browser.get(app);
          expect((await browser.get(app, "/renew")).body).toEqual({ renewed: true });
          expect((await browser.get(app)).body["visits"]).toBe(1);
          expect((await browser.get(app)).body["visits"]).toBe(2);
          await browser.get(app, "/logout");
          expect((await browser.get(app, "/look")).body).toEqual({ visits: 0 });
          expect(await call<number>((done) => store.length!(done))).toBe(0);
        });
      });

      test("a session expires with its cookie, unless it is touched", async () => {
        const cookie = { maxAge: 400 };
        await withApps([make()], { cookie }, async (app) => {
          const [touched, left] = [new Browser(), new Browser()];
          await left.get(app);
          let since = performance.now();
          await touched.get(app);
          for (let turn = 0; turn < 5; turn++) {
            await Bun.sleep(120);
            const now = performance.now();
            const { body } = await touched.get(app, "/look");
            // On a machine that is held up it may be too late for the touch.
            if (performance.now() - since < 400) expect(body).toEqual({ visits: 1 });
            since = now;
          }
          expect((await left.get(app, "/look")).body).toEqual({ visits: 0 });
          await Bun.sleep(450);
          expect((await touched.get(app, "/look")).body).toEqual({ visits: 0 });
        });
      });

      test("its methods, one by one", async () => {
        const store = make();
        expect(await call((done) => store.get("a", done))).toBeUndefined();
        await call((done) => store.set("a", dataOf(), done));
        await call((done) => store.set("b", dataOf(), done));
        expect(await call<SessionData>((done) => store.get("a", done as never))).toMatchObject({
          visits: 1,
        });
        const all = await call<Record<string, SessionData>>((done) => store.all!(done as never));
        expect(Object.keys(all).sort()).toEqual(["a", "b"]);
        expect(await call<number>((done) => store.length!(done))).toBe(2);
        const expires = new Date(Date.now() + 60_000);
        const newer = { ...dataOf({ expires }), visits: 9 };
        await call((done) => store.touch!("a", newer, done as never));
        // Only the cookie is the newer one.
        const touched = await call<SessionData>((done) => store.get("a", done as never));
        expect(touched.visits).toBe(1);
        expect(new Date(touched.cookie.expires!)).toEqual(expires);
        await call((done) => store.touch!("nobody", dataOf(), done as never));
        expect(await call((done) => store.get("nobody", done))).toBeUndefined();
        await call((done) => store.destroy("a", done));
        expect(await call<number>((done) => store.length!(done))).toBe(1);
        await call((done) => store.clear!(done));
        expect(await call<number>((done) => store.length!(done))).toBe(0);
        store.set("c", dataOf());
        store.destroy("c");
        const loaded = await call((done) => store.load("c", done));
        expect(loaded).toBeUndefined();
      });
    });
  }
});

describe("SessionStore", () => {
  test("two apps share their sessions", async () => {
    const map = sessionMap();
    const stores = [new SessionStore({ map }), new SessionStore({ map })];
    await withApps(stores, {}, async (first, second) => {
      const browser = new Browser();
      expect((await browser.get(first!)).body["visits"]).toBe(1);
      expect((await browser.get(second!)).body["visits"]).toBe(2);
      expect((await browser.get(first!)).body["visits"]).toBe(3);
    });
  });

  test("another process answers for a session that was made here", async () => {
    const map = sessionMap();
    await withApps([new SessionStore({ map })], {}, async (app) => {
      const browser = new Browser();
      const { body } = await browser.get(app);
      const other = await inAnotherProcess("express-session", map.name, browser.cookie);
      expect(other).toEqual({ visits: 2, id: body["id"] });
      expect((await browser.get(app)).body["visits"]).toBe(3);
    });
  });

  test("sessions expire in the map: with their cookie, or after ttlMs", async () => {
    const map = sessionMap();
    const store = new SessionStore({ map, ttlMs: 5000 });
    const expires = new Date(Date.now() + 60_000);
    await call((done) => store.set("cookie", dataOf({ expires }), done));
    await call((done) => store.set("none", dataOf(), done));
    expect(map.ttl("sess:cookie")).toBeGreaterThan(5000);
    expect(map.ttl("sess:cookie")).toBeLessThanOrEqual(60_010);
    expect(map.ttl("sess:none")).toBeLessThanOrEqual(5000);
    await call((done) => store.touch("none", dataOf({ expires }), done as never));
    expect(map.ttl("sess:none")).toBeGreaterThan(5000);
    await call((done) => store.set("cookie", dataOf({ expires: new Date(1) }), done));
    expect(map.has("sess:cookie")).toBe(false);
    await call((done) => store.touch("none", dataOf({ expires: new Date(1) }), done as never));
    expect(map.size).toBe(0);
  });

  test("clear, all and length keep to their prefix", async () => {
    const map = sessionMap();
    const [one, two] = ["one:", "two:"].map((prefix) => new SessionStore({ map, prefix }));
    await call((done) => one!.set("a", dataOf(), done));
    await call((done) => two!.set("b", dataOf(), done));
    expect(Object.keys(await call<object>((done) => one!.all(done as never)))).toEqual(["a"]);
    await call((done) => one!.clear(done));
    expect(await call<number>((done) => one!.length(done))).toBe(0);
    expect(await call<number>((done) => two!.length(done))).toBe(1);
  });

  test("over codecs.clone, sessions keep what is not JSON", async () => {
    const codec = codecs.clone<SessionData>();
    using map = SharedMap.create(uniqueName("sessions"), { size: 2 ** 20, codec });
    const store = new SessionStore({ map });
    const kept = { at: new Date(5), cart: new Map([["tea", 2]]) };
    await withApps([store], { cookie: { maxAge: 60_000 } }, async (app) => {
      const browser = new Browser();
      await browser.get(app);
      const [[key, found]] = [...map] as [[string, SessionData]];
      map.set(key, { ...found, ...kept });
      expect((await browser.get(app)).body["visits"]).toBe(2);
      expect(map.get(key)).toMatchObject({ ...kept, visits: 2 });
      expect(map.get(key)!.cookie).toMatchObject({ originalMaxAge: 60_000, path: "/" });
    });
    map.unlink();
  });

  test("a full map is an error of the request", async () => {
    const map = sessionMap(2 ** 14);
    for (let at = 0; map.set(`fill ${at}`, dataOf()); at++);
    await withApps([new SessionStore({ map })], {}, async (app) => {
      // express-session ends the answer, and then tells the app of the error.
      const store = new SessionStore({ map });
      await expect(call((done) => store.set("a", dataOf(), done))).rejects.toThrow(
        /^Cannot store a session: map .* is full, and refuses; make it larger/,
      );
      expect(() => store.set("a", dataOf())).toThrow("is full, and refuses");
      expect((await new Browser().get(app, "/look")).status).toBe(200);
    });
  });

  test("bad options are refused by name", () => {
    const map = sessionMap();
    for (const [options, words] of [
      [undefined, "its options must be an object"],
      [{}, "its map must be a SharedMap, not undefined"],
      [{ map, prefix: null }, "its prefix must be a string, not object"],
      [{ map, ttlMs: 0 }, "its ttlMs must be a number above 0, not 0"],
      [{ map, ttl: 5 }, 'there is no option "ttl"; there are map, prefix, ttlMs'],
    ] as const) {
      expect(() => new SessionStore(options as never)).toThrow(words);
    }
  });
});
