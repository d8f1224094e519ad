/** What the cluster's processes agree on: options, names, and the types of what they share. */
import { parseArgs } from "node:util";
import { type Struct, struct } from "bun-shm";

/** The command line, which is passed on to the workers. */
export interface ClusterOptions {
  readonly workers: string;
  readonly port: string;
  readonly burst: string;
  readonly rate: string;
  readonly name: string;
}

export const options: ClusterOptions = parseArgs({
  options: {
    workers: { type: "string", default: "2" },
    port: { type: "string", default: "0" },
    burst: { type: "string", default: "20" },
    rate: { type: "string", default: "5" },
    name: { type: "string", default: `/example-cluster-${process.pid}` },
  },
}).values;

export const statsName: string = `${options.name}-stats`;
export const sessionsName: string = `${options.name}-sessions`;
export const bucketsName: string = `${options.name}-buckets`;

export interface Session {
  user: string;
  visits: number;
}

/** A client's bucket: how many tokens were in it, and when. */
export const Bucket: Struct<{ tokens: "f64"; atMs: "f64" }> = struct({
  tokens: "f64",
  atMs: "f64",
});

export const NAMES: { readonly counters: readonly ["requests"] } = { counters: ["requests"] };

/** A port that nobody listens on now; somebody else may take it before the workers do. */
export function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  void server.stop(true);
  return port!;
}
