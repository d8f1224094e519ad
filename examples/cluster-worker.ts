/** One process of cluster.ts: answers requests from what all of them share. */
import { SharedAtomics, SharedMap, codecs } from "bun-shm";
import * as cluster from "./support/cluster.ts";

const SESSION_TTL_MS = 30 * 60_000;
const port = Number(cluster.options.port);
const [burst, rate] = [Number(cluster.options.burst), Number(cluster.options.rate)];
// After this time without a request, a bucket is full again, and need not be kept.
const bucketTtlMs = rate > 0 ? (burst / rate) * 1000 + 1000 : SESSION_TTL_MS;

const { requests } = SharedAtomics.open(cluster.statsName, cluster.NAMES).counters;
const sessions = SharedMap.open(cluster.sessionsName, { codec: codecs.json<cluster.Session>() });
const buckets = SharedMap.open(cluster.bucketsName, { codec: cluster.Bucket });

/** A token bucket: `burst` at once, `rate` a second. The look and the taking are one step. */
function admit(client: string): Response {
  let admitted = false;
  const take = (bucket: { tokens: number; atMs: number } | undefined) => {
    const now = Date.now();
    const { tokens, atMs } = bucket ?? { tokens: burst, atMs: now };
    const filled = Math.min(burst, tokens + (Math.max(0, now - atMs) * rate) / 1000);
    admitted = filled >= 1;
    return { tokens: admitted ? filled - 1 : filled, atMs: now };
  };
  const stored = buckets.update(client, take, { ttlMs: bucketTtlMs });
  return stored && admitted ? new Response("ok") : new Response("slow", { status: 429 });
}

function login(user: string): Response {
  const session = crypto.randomUUID();
  const stored = sessions.set(session, { user, visits: 0 }, { ttlMs: SESSION_TTL_MS });
  return stored ? Response.json({ session }) : new Response("Too many sessions", { status: 503 });
}

function visit(id: string): Response {
  let session: cluster.Session | undefined;
  const count = (old: cluster.Session | undefined) =>
    (session = old && { ...old, visits: old.visits + 1 });
  sessions.update(id, count, { ttlMs: SESSION_TTL_MS });
  return session ? Response.json(session) : new Response("No such session", { status: 404 });
}

function answer({ pathname, searchParams }: URL): Response {
  if (pathname === "/login") return login(searchParams.get("user") ?? "");
  if (pathname === "/me") return visit(searchParams.get("session") ?? "");
  if (pathname === "/limited") return admit(searchParams.get("client") ?? "");
  if (pathname !== "/stats") return new Response("Not found", { status: 404 });
  const { size } = sessions;
  return Response.json({ requests: requests.value, sessions: size, pid: process.pid });
}

// A request is counted before it is answered, so every answer that arrived was counted.
const fetch = ({ url }: Request): Response => (requests.add(), answer(new URL(url)));
Bun.serve({ port, hostname: "127.0.0.1", reusePort: true, fetch });
console.log(`worker ${process.pid} is ready`);
// It ends when its parent's end of the pipe closes, so no worker outlives the parent.
for await (const _ of Bun.stdin.stream());
process.exit(0);
