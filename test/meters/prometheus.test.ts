/** A real Prometheus server scrapes what processes count together. */
import { expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Meters, PROMETHEUS_CONTENT_TYPE } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { WATCHDOG_MS } from "../support/process.ts";

const PROMETHEUS = Bun.which("prometheus");

/** A port that nobody has now. */
function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const { port } = server;
  server.stop();
  return port;
}

interface Answer {
  readonly data: {
    readonly result: { readonly metric: object; readonly value: [number, string] }[];
  };
}

testNeeding("prometheus", PROMETHEUS !== null)(
  "a server scrapes counters, gauges and histograms of several handles",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "bun-shm-test-"));
    const name = uniqueName("prometheus");
    using meters = Meters.create(name, { size: 2 ** 20 });
    using second = Meters.open(name);
    const odd = 'a "quoted" \\ path\nof two lines';
    for (const each of [meters, second]) {
      each.counter("jobs_total", { help: "Jobs." }).add(21);
      const paths = each.counter("paths_total", { help: "By path.", labels: ["path"] });
      paths.labels({ path: odd }).add(2);
      each.gauge("waiting", { help: "Who waits." }).set(3);
      const seconds = each.histogram("seconds", { help: "How long.", bounds: [0.1, 1, 10] });
      for (const value of [0.05, 0.5, 5, 50]) seconds.observe(value);
    }
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        new Response(meters.prometheusText(), {
          headers: { "content-type": PROMETHEUS_CONTENT_TYPE },
        }),
    });
    const config = join(directory, "prometheus.yml");
    const target = `127.0.0.1:${server.port}`;
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: "1s" },
        scrape_configs: [{ job_name: "app", static_configs: [{ targets: [target] }] }],
      }),
    );
    const port = freePort();
    const child = Bun.spawn(
      [
        PROMETHEUS!,
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(directory, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdout: "ignore", stderr: "pipe" },
    );
    const query = async (text: string): Promise<Answer["data"]["result"]> => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`;
      try {
        return ((await (await fetch(url)).json()) as Answer).data.result;
      } catch {
        // It is not ready yet.
        return [];
      }
    };
    try {
      const deadline = performance.now() + WATCHDOG_MS;
      let found: Awaited<ReturnType<typeof query>> = [];
      while (found.length === 0) {
        if (performance.now() > deadline || child.exitCode !== null) {
          child.kill("SIGKILL");
          throw new Error(`Prometheus scrapes nothing: ${await child.stderr.text()}`);
        }
        await Bun.sleep(100);
        found = await query("jobs_total");
      }
      const value = async (text: string): Promise<number[]> =>
        (await query(text)).map((each) => Number(each.value[1]));
      expect(await value("jobs_total")).toEqual([42]);
      expect((await query("paths_total"))[0]).toMatchObject({ metric: { path: odd } });
      expect(await value("sum(paths_total)")).toEqual([4]);
      expect(await value("waiting")).toEqual([6]);
      expect(await value("seconds_count")).toEqual([8]);
      expect(await value("seconds_sum")).toEqual([111.1]);
      expect((await value("seconds_bucket")).sort((a, b) => a - b)).toEqual([2, 4, 6, 8]);
      expect(await value("histogram_quantile(0.5, seconds_bucket)")).toEqual([1]);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(directory, { recursive: true });
      meters.unlink();
    }
  },
  2 * WATCHDOG_MS,
);
