/**
 * The cluster example under HTTP load from outside, while a worker is killed every second. What it
 * promises is asserted from what the clients sent and saw, and from the backend's own count.
 */
import { expect, test } from "bun:test";
import { DOCUMENTS } from "../../examples/support/backend.ts";
import { SharedAtomics, SharedMap, type SharedWord, codecs } from "../../src/index.ts";
import { ClusterClient, mostInWindow } from "../support/cluster-client.ts";
import { SOAK } from "../support/kill.ts";
import { Lines } from "../support/lines.ts";
import { uniqueName } from "../support/names.ts";
import { WATCHDOG_MS, spawnBun } from "../support/process.ts";

const WORKERS = 4;
const KILLS = SOAK ? 60 : 6;
const LIMIT = 20;
const WINDOW_MS = 500;
const MEMBERS = 4;
const READERS = 4;
/** A document that all readers read, and those that are loaded by workers that are to be killed. */
const [HOT = "", ...AIMS] = DOCUMENTS.slice(0, KILLS + 1);
const COLD = DOCUMENTS.slice(KILLS + 1);

/** How often workers had been killed when a document was first asked for, and first there. */
interface Load {
  readonly before: number;
  after: number;
}

/** A cluster, the clients that load it, and what they know. */
class Run {
  readonly client: ClusterClient;
  readonly sessions = new Map<string, string>();
  readonly loads = new Map<string, Load>();
  kills = 0;
  isOver = false;

  constructor(base: string) {
    this.client = new ClusterClient(base);
  }

  /** Logs in, and looks at a session, as often as it may, and oftener. */
  async member(client: string): Promise<void> {
    for (let turn = 0; !this.isOver; turn++) {
      const user = `${client}-${turn}`;
      const login = await this.client.ask({ client, path: `/login?user=${user}`, method: "POST" });
      expect([200, 429]).toContain(login.status);
      if (login.status !== 200) continue;
      const [, session = ""] = /session=([\w-]+)/.exec(login.headers.get("set-cookie")!)!;
      this.sessions.set(session, user);
      const visit = await this.client.ask({ client, path: "/me", session });
      expect([200, 429]).toContain(visit.status);
      if (visit.status === 200) expect(JSON.parse(visit.body)).toEqual({ user });
    }
  }

  /**
   * Reads documents that nobody has read, each by four clients at once, and one that all read; then
   * the same again, which are there.
   */
  async reader(number: number): Promise<void> {
    const documents = COLD.filter((_, at) => at % READERS === number);
    for (let turn = 0; !this.isOver; turn++) {
      const id = documents[turn % documents.length]!;
      const clients = [0, 1, 2, 3].map((at) => `reader-${id}-${at}`);
      await Promise.all(clients.map((client) => this.read(id, client)));
      await this.read(HOT, `reader-${id}-hot`);
    }
  }

  async read(id: string, client: string): Promise<void> {
    const load = this.loads.get(id) ?? { before: this.kills, after: Infinity };
    this.loads.set(id, load);
    const { status, body } = await this.client.ask({
      client,
      path: `/docs/${id}`,
      route: "/docs/:id",
    });
    load.after = Math.min(load.after, this.kills);
    expect([status, JSON.parse(body)]).toEqual([200, { id, text: `The text of ${id}` }]);
  }

  /** Kills a worker while it loads a document, for which clients of the others wait, too. */
  async killLoader(calls: SharedWord): Promise<void> {
    const id = AIMS[this.kills]!;
    const victim = await this.client.beginLoad(`aim-${id}`, id);
    const deadline = performance.now() + WATCHDOG_MS;
    while (calls.load() === 0) {
      if (performance.now() > deadline) throw new Error(`Worker ${victim} does not load ${id}`);
      await Bun.sleep(1);
    }
    const reads = [0, 1, 2, 3].map((at) => this.read(id, `reader-${id}-${at}`));
    this.kills++;
    process.kill(Number(victim), "SIGKILL");
    await Promise.all(reads);
  }

  /** Changes the flags, and asks until every living worker has answered, each by the new ones. */
  async changeFlags(version: number, pids: readonly string[]): Promise<void> {
    const flags = { docTtlMs: 600_000 + version, logins: true };
    const operator = (at: number): string => `operator-${version}-${at}`;
    const [path, body] = ["/flags", JSON.stringify(flags)];
    const put = await this.client.ask({ client: operator(0), path, method: "PUT", body });
    expect(put.status).toBe(200);
    const missing = new Set(pids);
    const deadline = performance.now() + WATCHDOG_MS;
    for (let at = 1; missing.size > 0; at++) {
      if (performance.now() > deadline) throw new Error(`No answer of ${[...missing].join(", ")}`);
      const answer = await this.client.ask({ client: operator(at), path });
      expect(JSON.parse(answer.body)).toEqual(flags);
      missing.delete(answer.headers.get("x-worker")!);
    }
  }

  /** The clients' accounts against the metrics of all workers, dead and living. */
  checkMetrics(text: string): number {
    let all = 0;
    const counted = new Map<string, number>();
    const line = /^http_requests_total\{route="(.+)",status="(\d+)"\} (\d+)$/gm;
    for (const [, route, status, count] of text.matchAll(line)) {
      all += Number(count);
      counted.set(route!, (counted.get(route!) ?? 0) + Number(count));
      const answered = this.client.answered.get(`${route} ${status}`) ?? 0;
      expect([route, status, Number(count) >= answered]).toEqual([route, status, true]);
    }
    for (const [route, sent] of this.client.sent) {
      expect([route, counted.get(route)! <= sent]).toEqual([route, true]);
    }
    const [, timed] = /^http_request_seconds_count (\d+)$/m.exec(text)!;
    expect(Number(timed)).toBeGreaterThanOrEqual(sum(this.client.answered.values()));
    // A worker that is killed between the two has counted, and not timed.
    expect(Number(timed)).toBeLessThanOrEqual(all);
    return all;
  }
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}

test("a cluster keeps its promises while its workers are killed", async () => {
  const name = uniqueName("cluster");
  const child = spawnBun(
    "examples/cluster.ts",
    `--name=${name}`,
    `--workers=${WORKERS}`,
    `--limit=${LIMIT}`,
    `--window=${WINDOW_MS}`,
  );
  const lines = new Lines(child);
  try {
    const [base = ""] = await lines.seen(/cluster on (\S+)/g);
    await lines.seen(/worker (\d+) is ready/g, WORKERS);
    const run = new Run(base);
    using backend = SharedAtomics.open(`${name}-calls`, { words: DOCUMENTS });
    const load = Promise.all([
      ...Array.from({ length: MEMBERS }, (_, at) => run.member(`member-${at}`)),
      ...Array.from({ length: READERS }, (_, at) => run.reader(at)),
    ]);
    const chaos = async (): Promise<void> => {
      while (run.kills < KILLS) {
        const next = Bun.sleep(1000);
        await run.killLoader(backend.words[AIMS[run.kills]!]!);
        const dead = await lines.seen(/worker (\d+) ended \(SIGKILL\)/g, run.kills);
        const ready = await lines.seen(/worker (\d+) is ready/g, WORKERS + run.kills);
        const living = ready.filter((pid) => !dead.includes(pid));
        await run.changeFlags(run.kills, living);
        await next;
      }
    };
    try {
      await Promise.race([chaos(), load]);
      expect(run.kills).toBe(KILLS);
    } finally {
      run.isOver = true;
    }
    await load;

    const { client, sessions, loads } = run;
    // No session that was answered as made is lost.
    for (const [session, user] of sessions) {
      const { status, body } = await client.ask({ client: session, path: "/me", session });
      expect([status, body]).toEqual([200, JSON.stringify({ user })]);
    }
    // Each document was loaded once, and once more at most for each kill while it was loaded.
    using docs = SharedMap.open(`${name}-docs`, { codec: codecs.raw });
    expect(docs.stats().lost).toBe(0);
    let again = 0;
    for (const [id, { before, after }] of loads) {
      const calls = backend.words[id]!.load();
      again += calls - 1;
      expect([id, calls >= 1 && calls <= 1 + after - before]).toEqual([id, true]);
    }
    expect(again).toBeGreaterThan(0);
    // No client was admitted oftener than its limit, and those who asked oftener were refused.
    for (const [who, admitted] of client.admitted) {
      expect([who, mostInWindow(admitted, WINDOW_MS) <= LIMIT]).toEqual([who, true]);
    }
    const refused = client.answered.get("/login 429")! + (client.answered.get("/me 429") ?? 0);
    for (let at = 0; at < MEMBERS; at++) {
      expect(client.admitted.get(`member-${at}`)!.length).toBeGreaterThanOrEqual(LIMIT);
    }
    expect(refused).toBeGreaterThan(0);

    const metrics = run.checkMetrics(await (await fetch(`${base}/metrics`)).text());
    console.log(
      `${run.kills} killed; ${sum(client.answered.values())} answered, ${client.failed} failed, ` +
        `${metrics} counted; ${sessions.size} sessions; ${loads.size} documents, ${again} loads ` +
        `again; ${refused} refused`,
    );
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    await lines.ended;
  }
  expect(await child.stderr.text()).toBe("");
  expect(child.exitCode).toBe(0);
}, 600_000);
