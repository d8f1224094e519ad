/**
 * A web server in several processes that share sessions, a cache, limits, flags and metrics.
 *
 * `bun examples/cluster.ts --help` lists its options.
 *
 * Every process listens on the same port (`reusePort`), and the kernel spreads connections over
 * them. A worker that dies is replaced, and what it shared is still there.
 *
 *     curl -c jar -X POST 'http://127.0.0.1:PORT/login?user=ada'
 *     curl -b jar 'http://127.0.0.1:PORT/me'
 *     curl 'http://127.0.0.1:PORT/docs/doc-7'        50 ms the first time; 429 when asked too often
 *     curl -X PUT -d '{"logins":false}' 'http://127.0.0.1:PORT/flags'
 *     curl 'http://127.0.0.1:PORT/metrics'           of all processes
 */
import { join } from "node:path";
import { Meters, RateLimiter, SharedAtomics, SharedMap, SharedRecord } from "bun-shm";
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

const [size, codec] = [2 ** 24, cluster.Document];
// A full map of sessions refuses new ones, so that nobody is logged out; a full cache forgets.
share(SharedMap.create(cluster.sessionsName, { size, codec: cluster.Session }));
share(SharedMap.create(cluster.docsName, { size, codec, whenFull: "evict" }));
share(RateLimiter.create(cluster.limiterName, { ...cluster.limits, keys: 100_000 }));
share(SharedRecord.create(cluster.flagsName, { codec: cluster.Flags, initial: cluster.FLAGS }));
share(Meters.create(cluster.metersName, { size: 2 ** 20 }));
share(SharedAtomics.create(cluster.callsName, cluster.CALLS));

for (let count = 0; count < Number(options.workers); count++) addWorker();
printLine(`cluster on http://127.0.0.1:${port} with ${options.workers} workers`);

const stopped = Promise.withResolvers<void>();
stopSignal.addEventListener("abort", () => stopped.resolve());
if (!stopSignal.aborted) await stopped.promise;
await Promise.all([...workers].map((worker) => (worker.kill(), worker.exited)));
