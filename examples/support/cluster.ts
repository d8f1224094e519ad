/** What the cluster's processes agree on: options, names, and the types of what they share. */
import { type Codec, type Struct, codecs, struct } from "bun-shm";
import { DOCUMENTS, type Doc } from "./backend.ts";
import { type ClusterOptions, readClusterOptions } from "./cluster-options.ts";

/** The command line, which is passed on to the workers. */
export const options: ClusterOptions = readClusterOptions();

export const sessionsName: string = `${options.name}-sessions`;
export const docsName: string = `${options.name}-docs`;
export const limiterName: string = `${options.name}-limiter`;
export const flagsName: string = `${options.name}-flags`;
export const metersName: string = `${options.name}-meters`;
export const callsName: string = `${options.name}-calls`;

export const Session: Codec<{ readonly user: string }> = codecs.json<{ readonly user: string }>();
/** null: there is no such document. That is remembered too, so that nobody asks again and again. */
export const Document: Codec<Doc | null> = codecs.json<Doc | null>();
export const Flags: Struct<{ docTtlMs: "u32"; logins: "bool" }> = struct({
  docTtlMs: "u32",
  logins: "bool",
});
export type Flags = { readonly docTtlMs: number; readonly logins: boolean };
export const FLAGS: Flags = { docTtlMs: 10 * 60_000, logins: true };
/** How often the backend was asked for each document. */
export const CALLS: { readonly words: readonly string[] } = { words: DOCUMENTS };

/** How often each client may ask. */
export const limits: { algorithm: "sliding-window"; limit: number; windowMs: number } = {
  algorithm: "sliding-window",
  limit: Number(options.limit),
  windowMs: Number(options.window),
};

/** A port that nobody listens on now; somebody else may take it before the workers do. */
export function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  void server.stop(true);
  return port!;
}
