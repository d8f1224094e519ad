/** The cluster example under HTTP load from outside, with a worker killed in the middle. */
import { describe, expect, test } from "bun:test";
import { leftovers, uniqueName } from "../support/names.ts";
import { type Child, WATCHDOG_MS, runBun, spawnBun } from "../support/process.ts";

const WORKERS = 3;
const BURST = 40;
const CLIENTS = 12;

/** The lines that a child prints, by what to look for in them. */
class Lines {
  #text = "";
  readonly #done: Promise<void>;

  constructor(child: Child) {
    this.#done = (async () => {
      for await (const chunk of child.stdout) this.#text += Buffer.from(chunk).toString();
    })();
  }

  /** Waits until the pattern was seen `count` times; its first groups. */
  async seen(pattern: RegExp, count = 1): Promise<string[]> {
    const deadline = performance.now() + WATCHDOG_MS;
    for (;;) {
      const found = [...this.#text.matchAll(pattern)].map((match) => match[1]!);
      if (found.length >= count) return found;
      if (performance.now() > deadline) throw new Error(`No ${pattern} in:\n${this.#text}`);
      await Bun.sleep(5);
    }
  }

  get ended(): Promise<void> {
    return this.#done;
  }
}

describe("cluster example", () => {
  test("counts, limits and remembers, while a worker is killed", async () => {
    const options = ["--workers", String(WORKERS), "--burst", String(BURST), "--rate", "0"];
    const child = spawnBun("examples/cluster.ts", "--name", uniqueName(), ...options);
    const lines = new Lines(child);
    let [answered, failed] = [0, 0];
    const ask = async (
      base: string,
      path: string,
      method = "GET",
    ): Promise<Response | undefined> => {
      try {
        // Each request its own connection, so that the kernel spreads them over the workers.
        const headers = { connection: "close" };
        const response = await fetch(base + path, { method, headers, keepalive: false });
        await response.clone().text();
        answered++;
        return response;
      } catch {
        failed++;
        return undefined;
      }
    };
    try {
      const [base = ""] = await lines.seen(/cluster on (\S+)/g);
      const pids = await lines.seen(/worker (\d+) is ready/g, WORKERS);

      /** What was acknowledged: visits of each session, admissions of each client. */
      const sessions = new Map<string, { user: string; visits: number; unsure: number }>();
      const admitted = new Map<string, { yes: number; no: number; unsure: number }>();
      const servers = new Set<number>();
      let killed = false;

      const load = async (client: string): Promise<void> => {
        const tally = { yes: 0, no: 0, unsure: 0 };
        admitted.set(client, tally);
        for (let turn = 0; turn < 20; turn++) {
          const login = await ask(base, `/login?user=${client}-${turn}`, "POST");
          if (login !== undefined) {
            const { session } = (await login.json()) as { session: string };
            const known = { user: `${client}-${turn}`, visits: 0, unsure: 0 };
            sessions.set(session, known);
            const visit = await ask(base, `/me?session=${session}`);
            if (visit === undefined) known.unsure++;
            else {
              expect(visit.status).toBe(200);
              known.visits++;
            }
          }
          for (let request = 0; request < 4; request++) {
            const limited = await ask(base, `/limited?client=${client}`);
            if (limited === undefined) tally.unsure++;
            else if (limited.status === 200) tally.yes++;
            else tally.no++;
          }
          const stats = await ask(base, "/stats");
          if (stats !== undefined) servers.add(((await stats.json()) as { pid: number }).pid);
          if (turn === 7 && !killed) {
            killed = true;
            process.kill(Number(pids[0]), "SIGKILL");
          }
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, (_, at) => load(`c${at}`)));
      await lines.seen(/worker (\d+) ended \(SIGKILL\), and is replaced/g);
      await lines.seen(/worker (\d+) is ready/g, WORKERS + 1);

      // No session is lost, and no acknowledged visit.
      for (const [id, { user, visits, unsure }] of sessions) {
        const response = await ask(base, `/me?session=${id}`);
        const found = (await response!.json()) as { user: string; visits: number };
        expect(found.user).toBe(user);
        expect(found.visits - 1).toBeGreaterThanOrEqual(visits);
        expect(found.visits - 1).toBeLessThanOrEqual(visits + unsure);
      }
      // 80 requests or a little less for 40 tokens: never more than 40, and fewer only by as many
      // as were taken for requests whose answer the killed worker did not give any more.
      for (const { yes, no, unsure } of admitted.values()) {
        expect(yes).toBeLessThanOrEqual(BURST);
        expect(yes + unsure).toBeGreaterThanOrEqual(BURST);
        expect(yes + no + unsure).toBe(80);
      }
      // Every answer was counted before it was given; what failed may have been counted.
      const stats = await ask(base, "/stats");
      const { requests } = (await stats!.json()) as { requests: number };
      expect(requests).toBeGreaterThanOrEqual(answered);
      expect(requests).toBeLessThanOrEqual(answered + failed);
      expect(servers.size).toBeGreaterThan(1);
      console.log(
        `${answered} answered, ${failed} failed, ${requests} counted, ${servers.size} pids`,
      );
    } finally {
      child.kill("SIGTERM");
      await child.exited;
      await lines.ended;
    }
    expect(await child.stderr.text()).toBe("");
    expect(child.exitCode).toBe(0);
  });

  test("two signals at once leave nothing", async () => {
    for (const signal of ["SIGINT", "SIGHUP"] as const) {
      const name = uniqueName("twice");
      const child = spawnBun("examples/cluster.ts", "--name", name);
      const lines = new Lines(child);
      await lines.seen(/worker (\d+) is ready/g, 2);
      child.kill(signal);
      child.kill(signal);
      await child.exited;
      await lines.ended;
      expect(leftovers().filter((file) => file.includes(name.slice(1)))).toEqual([]);
    }
  });

  test("has help, and answers nonsense without a stack", async () => {
    const help = await runBun("examples/cluster.ts", "--help");
    expect([help.exitCode, help.stderr]).toEqual([0, ""]);
    for (const option of ["--workers", "--port", "--burst", "--rate", "--name"]) {
      expect(help.stdout).toContain(option);
    }
    for (const option of ["--nonsense", "--workers=0", "--port=70000", "--rate=much"]) {
      const { exitCode, stdout, stderr } = await runBun("examples/cluster.ts", option);
      expect([option, exitCode, stdout]).toEqual([option, 2, ""]);
      expect(stderr).toMatch(/^cluster: .+\nTry: .+ --help\n$/);
    }
    const soak = await runBun("scripts/soak.ts", "--help");
    expect([soak.exitCode, soak.stderr]).toEqual([0, ""]);
    expect(soak.stdout).toContain("--kills");
    expect((await runBun("scripts/soak.ts", "--nonsense")).stderr).not.toContain("at ");
  });
});
