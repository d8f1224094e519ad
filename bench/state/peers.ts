/** What a SharedMap is compared with, if it is installed: lmdb, lru-cache, bun:sqlite, Redis. */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Lmdb {
  get(key: string): unknown;
  getBinaryFast(key: string): unknown;
  putSync(key: string, value: unknown): unknown;
  transactionSync(call: () => void): void;
  close(): Promise<void>;
}

/** An lmdb store without syncing, on shared memory; undefined when it is not installed. */
export async function openLmdb(): Promise<(Lmdb & { remove(): Promise<void> }) | undefined> {
  try {
    const name = "lmdb";
    const { open } = (await import(name)) as { open: (options: object) => Lmdb };
    const path = mkdtempSync("/dev/shm/bench-lmdb-");
    const store = open({ path, noSync: true, encoding: "binary" });
    const remove = async (): Promise<void> => {
      await store.close();
      rmSync(path, { recursive: true });
    };
    return Object.assign(store, { remove });
  } catch {
    return undefined;
  }
}

export interface Lru {
  get(key: string): unknown;
  set(key: string, value: unknown): unknown;
}

/** A cache of objects in this process alone; undefined when lru-cache is not installed. */
export async function openLru(max: number): Promise<Lru | undefined> {
  try {
    const name = "lru-cache";
    const { LRUCache } = (await import(name)) as { LRUCache: new (options: object) => Lru };
    return new LRUCache({ max, ttl: 60_000 });
  } catch {
    return undefined;
  }
}

export interface Sqlite {
  get(key: string): unknown;
  set(key: string, value: Uint8Array): unknown;
  close(): void;
}

/** A table of keys and values in memory. */
export function openSqlite(): Sqlite {
  const database = new Database(":memory:");
  database.run("CREATE TABLE map (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID");
  const get = database.query("SELECT value FROM map WHERE key = ?");
  const set = database.query("INSERT OR REPLACE INTO map VALUES (?, ?)");
  return {
    get: (key) => get.get(key),
    set: (key, value) => set.run(key, value),
    close: () => database.close(),
  };
}

/** A Redis server of its own on a Unix socket; undefined when it is not installed. */
export async function openRedis(): Promise<
  { client: Bun.RedisClient; close(): Promise<void> } | undefined
> {
  const program = Bun.which("redis-server");
  if (program === null) return undefined;
  const directory = mkdtempSync(join(tmpdir(), "bench-redis-"));
  const socket = join(directory, "redis.sock");
  const options = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"];
  const server = Bun.spawn([program, ...options, "--dir", directory], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const client = new Bun.RedisClient(`redis+unix://${socket}`);
  for (let attempt = 0; ; attempt++) {
    try {
      await client.connect();
      break;
    } catch (error) {
      if (attempt === 100) throw error;
      await Bun.sleep(20);
    }
  }
  const close = async (): Promise<void> => {
    client.close();
    server.kill();
    await server.exited;
    rmSync(directory, { recursive: true });
  };
  return { client, close };
}
