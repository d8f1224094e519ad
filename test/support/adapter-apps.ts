/** Apps that use adapters, and the processes that use them too. */
import type { AddressInfo } from "node:net";
import express from "express";
import type session from "express-session";
import { runBun } from "./process.ts";

declare module "express-session" {
  interface SessionData {
    visits?: number;
  }
}

/** An app that counts the visits of each session. */
export interface App {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts an express app with a store for its sessions. */
export function visits(
  middleware: typeof session,
  store: session.Store,
  options: Partial<session.SessionOptions> = {},
): App {
  const app = express();
  app.use(middleware({ store, secret: "s", resave: false, saveUninitialized: false, ...options }));
  app.get("/", (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.json({ visits: request.session.visits, id: request.sessionID });
  });
  app.get("/look", (request, response) => {
    response.json({ visits: request.session.visits ?? 0 });
  });
  app.get("/logout", (request, response, next) => {
    request.session.destroy((error: unknown) => {
      if (error) next(error);
      else response.json({});
    });
  });
  app.get("/renew", (request, response, next) => {
    const old = request.sessionID;
    request.session.regenerate((error: unknown) => {
      if (error) next(error);
      else response.json({ renewed: request.sessionID !== old });
    });
  });
  const failed: express.ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(500).json({ code: (error as { code?: string }).code });
  };
  app.use(failed);
  const server = app.listen(0, "127.0.0.1");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Runs another process that uses an adapter. @returns What it saw. */
export async function inAnotherProcess(...args: string[]): Promise<unknown> {
  const { exitCode, stdout, stderr } = await runBun("test/peers/adapter-peer.ts", ...args);
  if (exitCode !== 0) throw new Error(`${stdout}${stderr}`);
  return JSON.parse(stdout);
}
