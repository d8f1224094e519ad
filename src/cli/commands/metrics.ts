import { metrics as readMetrics } from "../../operations/metrics.ts";
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from "../../operations/prometheus.ts";
import { type Call, type Command, EXIT, UsageError } from "../command.ts";
import { print, printJson } from "../output.ts";

function answer(request: Request): Response {
  const { pathname } = new URL(request.url);
  if (pathname !== "/metrics" && pathname !== "/")
    return new Response("Try /metrics", { status: 404 });
  return new Response(prometheusText(), { headers: { "content-type": PROMETHEUS_CONTENT_TYPE } });
}

async function serve(text: string): Promise<number> {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  if (!match) throw new UsageError(`--listen is "${text}", and must be PORT or HOST:PORT`);
  const hostname = match[1] ?? "127.0.0.1";
  const server = Bun.serve({ hostname, port: Number(match[2]), fetch: answer });
  print(`Serving ${server.url}metrics`);
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, resolve);
  });
  await server.stop(true);
  return signal === "SIGINT" || signal === "SIGTERM" ? EXIT.ok : EXIT.failed;
}

export const metrics: Command = {
  name: "metrics",
  summary: "Print the counters of all structures in Prometheus's text format, or serve them.",
  count: [0, 0],
  options: {
    listen: {
      value: "PORT",
      text: "Serve them over HTTP on 127.0.0.1 until Ctrl-C; 0 picks a port.",
    },
  },
  examples: [
    ["bun-shm metrics", "the figures of this moment"],
    ["bun-shm metrics --listen 9464", "an endpoint for a scraper"],
  ],
  run(call: Call): number | Promise<number> {
    const listen = call.text("listen");
    if (listen !== undefined) return serve(listen);
    if (call.has("json")) printJson(readMetrics());
    else print(prometheusText().trimEnd());
    return EXIT.ok;
  },
};
