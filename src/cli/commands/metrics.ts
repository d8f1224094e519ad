import { PROMETHEUS_CONTENT_TYPE, metrics as readMetrics, prometheusText } from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT, UsageError } from "../failure.ts";
import { print, printJson } from "../output.ts";
import { untilSignal } from "../signals.ts";

function answer(request: Request): Response {
  const { pathname } = new URL(request.url);
  if (pathname !== "/metrics" && pathname !== "/") {
    return new Response("Try /metrics", { status: 404 });
  }
  return new Response(prometheusText(), { headers: { "content-type": PROMETHEUS_CONTENT_TYPE } });
}

async function serve(text: string, json: boolean): Promise<number> {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  if (!match || Number(match[2]) > 65_535)
    throw new UsageError(`--listen is "${text}", and must be PORT or HOST:PORT`);
  const hostname = match[1] ?? "127.0.0.1";
  const ended = untilSignal();
  const server = Bun.serve({ hostname, port: Number(match[2]), fetch: answer });
  const url = `${server.url}metrics`;
  if (json) printJson({ url }, 0);
  else print(`Serving ${url}`);
  await ended;
  await server.stop(true);
  return EXIT.ok;
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
    if (listen !== undefined) return serve(listen, call.has("json"));
    if (call.has("json")) printJson(readMetrics());
    else print(prometheusText().trimEnd());
    return EXIT.ok;
  },
};
