/** A driver for unstorage: `bun-shm/unstorage`. */
import type { Driver } from "unstorage";
import { ClosedError, type SharedMap } from "../src/index.ts";
import { checkMap, checkNames, checkPrefix, checkTime, refusal, removeAll } from "./checks.ts";

/** Where the items are. */
export interface SharedMapDriverOptions {
  /** A map of `codecs.clone()`; one of `codecs.utf8` is enough without raw items. */
  readonly map: SharedMap<unknown>;
  /** What its keys begin with, and a colon. Default: nothing. */
  readonly base?: string | undefined;
  /** Seconds after which items expire; `setItem` can say it of one. Default: never. */
  readonly ttl?: number | undefined;
}

/** The options of a call, of which this driver knows one. */
interface ItemOptions {
  readonly ttl?: unknown;
}

/**
 * A driver for unstorage, whose items all processes share that open the same map. Raw items come
 * back as what they were: bytes, a Map, a Date, whatever the map's codec takes. `watch` tells of
 * the changes of all processes, also of items that expire; of more changes at once than the map's
 * log holds it tells only some.
 *
 * An item that a full map refuses makes `setItem` fail. The map stays the caller's: `dispose` ends
 * what watches it, and leaves it open.
 *
 * @example
 * ```ts
 * import { createStorage } from "unstorage";
 * import { SharedMap, codecs } from "bun-shm";
 * import { sharedMapDriver } from "bun-shm/unstorage";
 *
 * using map = SharedMap.openOrCreate("/items", { size: 2 ** 24, codec: codecs.clone<unknown>() });
 * const storage = createStorage({ driver: sharedMapDriver({ map, base: "app" }) });
 * await storage.setItem("users:ada", { born: 1815 }, { ttl: 60 });
 * console.log(await storage.getItem("users:ada"), await storage.getKeys("users"));
 * map.unlink();
 * ```
 */
export function sharedMapDriver(
  options: SharedMapDriverOptions,
): Driver<SharedMapDriverOptions, SharedMap<unknown>> {
  const action = "Cannot make a driver for unstorage";
  checkNames(action, options, ["map", "base", "ttl"]);
  const { map, base = "", ttl } = options;
  checkMap(action, map);
  checkPrefix(action, "base", base);
  if (ttl !== undefined) checkTime(action, "ttl", ttl);
  const prefix = base === "" || base.endsWith(":") ? base : `${base}:`;
  const watchers = new Set<AbortController>();

  const store = (key: string, value: unknown, item: ItemOptions | undefined): void => {
    const seconds = item?.ttl ?? ttl;
    if (seconds !== undefined) checkTime("Cannot store an item", "ttl", seconds);
    const times = seconds === undefined ? {} : { ttlMs: Number(seconds) * 1000 };
    if (!map.set(prefix + key, value, times)) throw refusal(map, `item ${JSON.stringify(key)}`);
  };
  const find = (key: string): any => map.get(prefix + key) ?? null;

  return {
    name: "bun-shm",
    flags: { ttl: true },
    options,
    getInstance: () => map,
    hasItem: (key) => map.has(prefix + key),
    getItem: find,
    getItemRaw: find,
    getItems: (items) => items.map(({ key }) => ({ key, value: find(key) })),
    setItem: store,
    setItemRaw: store,
    setItems(items, common) {
      for (const { key, value, options: own } of items) store(key, value, { ...common, ...own });
    },
    removeItem: (key) => void map.delete(prefix + key),
    getKeys: (inner = "") =>
      Array.from(map.keys({ prefix: prefix + inner }), (key) => key.slice(prefix.length)),
    clear: (inner = "") => removeAll(map, prefix + inner),
    watch(callback) {
      const watcher = new AbortController();
      const changes = map.changes({ prefix, signal: watcher.signal });
      watchers.add(watcher);
      const tell = async (): Promise<void> => {
        try {
          for await (const change of changes) {
            if (change.type === "skipped") continue;
            callback(change.type === "set" ? "update" : "remove", change.key.slice(prefix.length));
          }
        } catch (error) {
          if (!watcher.signal.aborted && !(error instanceof ClosedError)) throw error;
        } finally {
          watchers.delete(watcher);
        }
      };
      void tell();
      return () => watcher.abort();
    },
    dispose() {
      for (const watcher of watchers) watcher.abort();
    },
  };
}
