/**
 * A web server in several processes that share state: a request counter, a rate limiter, sessions.
 *
 *     bun examples/cluster.ts [--workers 2] [--port 0] [--burst 20] [--rate 5] [--name /x]
 *
 * Every process listens on the same port (`reusePort`), and the kernel spreads connections over
 * them. A worker that dies is replaced, and what it shared is still there.
 *
 *     curl -X POST 'http://127.0.0.1:PORT/login?user=ada'       {"session":"…"}
 *     curl 'http://127.0.0.1:PORT/me?session=…'                 {"user":"ada","visits":1}
 *     curl 'http://127.0.0.1:PORT/limited?client=me'            200, or 429 when the bucket is empty
 *     curl 'http://127.0.0.1:PORT/stats'                        {"requests":4,"sessions":1, …}
 */
import { parseArgs } from "node:util";
import { Segment, SharedAtomics, SharedMap, json, struct } from "../src/index.ts";

const { values } = parseArgs({
  options: {
    worker: { type: "boolean", default: false },
    workers: { type: "string", default: "2" },
    port: { type: "string", default: "0" },
    burst: { type: "string", default: "20" },
    rate: { type: "string", default: "5" },
    name: { type: "string", default: `/example-cluster-${process.pid}` },
  },
});
const port = Number(values.port);

interface Session {
  user: string;
  visits: number;
}

/** Tokens in a bucket, and when that was. */
const Bucket = struct({ tokens: "f64", atMs: "f64" });
const NAMES = { counters: ["requests"] } as const;
const SESSION_TTL_MS = 30 * 60_000;

const statsName = `${values.name}-stats`;
const sessionsName = `${values.name}-sessions`;
const bucketsName = `${values.name}-buckets`;

function serve(): void {
  const { requests } = SharedAtomics.open(statsName, NAMES).counters;
  const sessions = SharedMap.open(sessionsName, json<Session>());
  const buckets = SharedMap.open(bucketsName, Bucket);
  const [burst, rate] = [Number(values.burst), Number(values.rate)];

  /** A token bucket: `burst` at once, `rate` a second. The look and the taking are one step. */
  function admit(client: string): boolean {
    let admitted = false;
    const stored = buckets.update(
      client,
      (bucket) => {
        const now = Date.now();
        const { tokens, atMs } = bucket ?? { tokens: burst, atMs: now };
        const filled = Math.min(burst, tokens + (Math.max(0, now - atMs) * rate) / 1000);
        admitted = filled >= 1;
        return { tokens: admitted ? filled - 1 : filled, atMs: now };
      },
      // A bucket that is left alone for so long is full again.
      { ttlMs: rate > 0 ? (burst / rate) * 1000 + 1000 : SESSION_TTL_MS },
    );
    return stored && admitted;
  }

  function login(user: string): Response {
    const session = crypto.randomUUID();
    const stored = sessions.set(session, { user, visits: 0 }, { ttlMs: SESSION_TTL_MS });
    return stored ? Response.json({ session }) : new Response("Too many sessions", { status: 503 });
  }

  function visit(id: string): Response {
    let session: Session | undefined;
    sessions.update(id, (old) => (session = old && { ...old, visits: old.visits + 1 }), {
      ttlMs: SESSION_TTL_MS,
    });
    return session ? Response.json(session) : new Response("No such session", { status: 404 });
  }

  Bun.serve({
    port,
    hostname: "127.0.0.1",
    reusePort: true,
    fetch(request) {
      // Counted before it is answered: an answer that arrived was counted, whatever happens here.
      requests.add();
      const { pathname, searchParams } = new URL(request.url);
      const get = (parameter: string): string => searchParams.get(parameter) ?? "";
      if (pathname === "/login") return login(get("user"));
      if (pathname === "/me") return visit(get("session"));
      if (pathname === "/limited") {
        return admit(get("client")) ? new Response("ok") : new Response("slow", { status: 429 });
      }
      if (pathname === "/stats") {
        const { size } = sessions;
        return Response.json({ requests: requests.value, sessions: size, pid: process.pid });
      }
      return new Response("Not found", { status: 404 });
    },
  });
  console.log(`worker ${process.pid} is ready`);
}

async function start(): Promise<void> {
  using cleanup = new DisposableStack();
  cleanup.use(SharedAtomics.create(statsName, NAMES));
  cleanup.defer(() => Segment.unlink(statsName));
  const size = 2 ** 24;
  const value = json<Session>();
  cleanup.use(SharedMap.create(sessionsName, { size, value, whenFull: "evict" }));
  cleanup.defer(() => Segment.unlink(sessionsName));
  cleanup.use(SharedMap.create(bucketsName, { size, value: Bucket, whenFull: "evict" }));
  cleanup.defer(() => Segment.unlink(bucketsName));

  const shared = port === 0 ? freePort() : port;
  const workers = new Set<Bun.Subprocess>();
  let stopping = false;
  const add = (): void => {
    const options = Object.entries({ ...values, port: String(shared), worker: undefined });
    const args = options.flatMap(([key, each]) =>
      typeof each === "string" ? [`--${key}`, each] : [],
    );
    const worker = Bun.spawn([process.execPath, import.meta.path, "--worker", ...args], {
      // A worker ends when this pipe does, so none outlives its parent.
      stdio: ["pipe", "inherit", "inherit"],
      onExit(ended, code, signal) {
        workers.delete(ended);
        if (stopping) return;
        console.log(`worker ${ended.pid} ended (${signal ?? code}), and is replaced`);
        add();
      },
    });
    workers.add(worker);
  };
  for (let count = 0; count < Number(values.workers); count++) add();
  console.log(`cluster on http://127.0.0.1:${shared} with ${values.workers} workers`);

  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  stopping = true;
  const ended = [...workers].map((worker) => {
    worker.kill();
    return worker.exited;
  });
  await Promise.all(ended);
}

/** A port that nobody listens on; somebody might before the workers do. */
function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port: found } = server;
  void server.stop(true);
  return found!;
}

if (values.worker) {
  serve();
  for await (const _ of Bun.stdin.stream());
  process.exit(0);
} else {
  await start();
}
