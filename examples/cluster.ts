/**
 * A web server in several processes that share state: a request counter, a rate limiter, sessions.
 *
 * `bun examples/cluster.ts --help` lists its options.
 *
 * Every process listens on the same port (`reusePort`), and the kernel spreads connections over
 * them. A worker that dies is replaced, and what it shared is still there.
 *
 *     curl -X POST 'http://127.0.0.1:PORT/login?user=ada'       {"session":"…"}
 *     curl 'http://127.0.0.1:PORT/me?session=…'                 {"user":"ada","visits":1}
 *     curl 'http://127.0.0.1:PORT/limited?client=me'            200, or 429 when the bucket is empty
 *     curl 'http://127.0.0.1:PORT/stats'                        {"requests":4,"sessions":1, …}
 */
import { join } from "node:path";
import { SharedAtomics, SharedMap, codecs } from "bun-shm";
import * as cluster from "./support/cluster.ts";
import { atExit, printLine, stopSignal } from "./support/stop.ts";

const { options } = cluster;
const port = options.port === "0" ? cluster.freePort() : Number(options.port);
const workers = new Set<Bun.Subprocess>();

/** Starts a worker, and another one when it ends. */
function addWorker(): void {
  const args = Object.entries({ ...options, port }).map(([key, value]) => `--${key}=${value}`);
  const program = join(import.meta.dir, "cluster-worker.ts");
  const worker = Bun.spawn([process.execPath, program, ...args], {
    stdio: ["pipe", "inherit", "inherit"],
    onExit(ended, code, signal) {
      workers.delete(ended);
      if (stopSignal.aborted) return;
      printLine(`worker ${ended.pid} ended (${signal ?? code}), and is replaced`);
      addWorker();
    },
  });
  workers.add(worker);
}

/** Makes what the workers share; it goes when this process ends. */
function share(made: { unlink(): boolean }): void {
  atExit(() => made.unlink());
}

const map = { size: 2 ** 24, whenFull: "evict" } as const;
const codec = codecs.json<cluster.Session>();
share(SharedAtomics.create(cluster.statsName, cluster.NAMES));
share(SharedMap.create(cluster.sessionsName, { ...map, codec }));
share(SharedMap.create(cluster.bucketsName, { ...map, codec: cluster.Bucket }));

for (let count = 0; count < Number(options.workers); count++) addWorker();
printLine(`cluster on http://127.0.0.1:${port} with ${options.workers} workers`);

const stopped = Promise.withResolvers<void>();
stopSignal.addEventListener("abort", () => stopped.resolve());
if (!stopSignal.aborted) await stopped.promise;
await Promise.all([...workers].map((worker) => (worker.kill(), worker.exited)));
