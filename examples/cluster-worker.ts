/** One process of cluster.ts: answers requests from what all of them share. */
import { SharedAtomics, SharedMap, SharedRecord } from "bun-shm";
import { metrics, route } from "./cluster-route.ts";
import { backendOf } from "./support/backend.ts";
import * as cluster from "./support/cluster.ts";

const SESSION_TTL_MS = 30 * 60_000;
const sessions = SharedMap.open(cluster.sessionsName, { codec: cluster.Session });
const local = { entries: 1000 }; // what this process has decoded, until the entry changes
const docs = SharedMap.open(cluster.docsName, { codec: cluster.Document, local });
// A record, since the flags are few and known, and each request reads the newest. A map with
// `changes()` is for keys that come and go, and for what must be done when one changes.
const flags = SharedRecord.open(cluster.flagsName, { codec: cluster.Flags });
const calls = SharedAtomics.open(cluster.callsName, cluster.CALLS).words;
const load = backendOf((id) => calls[id]!.add(1));

function login(request: Bun.BunRequest): Response {
  if (!flags.read()!.logins) return new Response("No logins now", { status: 503 });
  const [id, user] = [crypto.randomUUID(), new URL(request.url).searchParams.get("user") ?? ""];
  const isStored = sessions.set(id, { user }, { ttlMs: SESSION_TTL_MS });
  if (!isStored) return new Response("Too many sessions", { status: 503 });
  request.cookies.set("session", id, { httpOnly: true });
  return Response.json({ user });
}

/** A session lives for half an hour after its last request. */
function me({ cookies }: Bun.BunRequest): Response {
  const id = cookies.get("session") ?? "";
  const session = sessions.touch(id, SESSION_TTL_MS) ? sessions.get(id) : undefined;
  return session ? Response.json(session) : new Response("No such session", { status: 404 });
}

/** One process loads a document, and all wait for it; an old one serves while one loads it. */
async function doc({ params }: Bun.BunRequest<"/docs/:id">): Promise<Response> {
  const times = { ttlMs: flags.read()!.docTtlMs, staleMs: 60_000, errorTtlMs: 1000 };
  const found = await docs.getOrSet(params.id, load, { ...times, timeoutMs: 10_000 });
  return found ? Response.json(found) : new Response("No such document", { status: 404 });
}

/** Only for operators, as /metrics is. The next request of any worker sees what is written. */
async function setFlags(request: Bun.BunRequest): Promise<Response> {
  const given = (await request.json()) as Partial<cluster.Flags>;
  return Response.json(flags.update((old) => ({ ...old!, ...given })));
}

const routes = {
  "/login": { POST: route("/login", login) },
  "/me": route("/me", me),
  "/docs/:id": route("/docs/:id", doc),
  "/flags": {
    GET: route("/flags", () => Response.json(flags.read())),
    PUT: route("/flags", setFlags),
  },
  "/metrics": metrics,
};
Bun.serve({ port: Number(cluster.options.port), hostname: "127.0.0.1", reusePort: true, routes });
console.log(`worker ${process.pid} is ready`);
// It ends when its parent's end of the pipe closes, so no worker outlives the parent.
for await (const _ of Bun.stdin.stream());
process.exit(0);
