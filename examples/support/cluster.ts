/** What the cluster's processes agree on: options, names, and the types of what they share. */
import { type Struct, struct } from "bun-shm";
import { type ClusterOptions, readClusterOptions } from "./cluster-options.ts";

/** The command line, which is passed on to the workers. */
export const options: ClusterOptions = readClusterOptions();

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
