/** What cluster-worker.ts does around each of its routes: it limits clients, and measures. */
import { Meters, PROMETHEUS_CONTENT_TYPE, RateLimiter } from "bun-shm";
import * as cluster from "./support/cluster.ts";

const limiter = RateLimiter.open(cluster.limiterName);
const meters = Meters.open(cluster.metersName);
const requests = meters.counter("http_requests_total", {
  help: "Requests by their answers.",
  labels: ["route", "status"],
});
const seconds = meters.histogram("http_request_seconds", {
  help: "How long requests take.",
  exponential: { start: 0.0001, factor: 1.5, count: 32 },
});

type Answer<Path extends string> = (request: Bun.BunRequest<Path>) => Response | Promise<Response>;

function failed(error: unknown): Response {
  console.error(error);
  return new Response("That failed", { status: 500 });
}

/** @returns What `Bun.serve` calls for a route. */
export function route<Path extends string>(path: Path, answer: Answer<Path>) {
  return (request: Bun.BunRequest<Path>, server: Bun.Server<unknown>): Promise<Response> =>
    seconds.time(async () => {
      // Only a proxy of yours may set this field. Without one, take the address.
      const address = request.headers.get("x-real-ip") ?? server.requestIP(request)?.address ?? "";
      const limit = limiter.consume(address);
      const response = limit.allowed
        ? await Promise.try(answer, request).catch(failed)
        : new Response("Too many requests", { status: 429 });
      for (const field of Object.entries(limiter.headers(limit))) response.headers.set(...field);
      response.headers.set("x-worker", String(process.pid));
      // Counted before it is sent, so every answer that arrives was counted.
      requests.labels({ route: path, status: response.status }).add();
      return response;
    });
}

/** The metrics of all workers, also of those that have died. */
export async function metrics(): Promise<Response> {
  const headers = { "content-type": PROMETHEUS_CONTENT_TYPE };
  return new Response(await meters.prometheusTextAsync(), { headers });
}
