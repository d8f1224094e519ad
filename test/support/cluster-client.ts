/** An HTTP client of the cluster example, which keeps account of what it sent and what it saw. */

/** One answer. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** When it was asked for and when it was there, as `performance.now` counts. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

/** What is asked. */
export interface Question {
  /** Whom the server takes the client for. */
  readonly client: string;
  readonly path: string;
  /** The path as the metrics name it. Default: the path without its query. */
  readonly route?: string;
  readonly method?: string;
  readonly body?: string;
  readonly session?: string;
}

/** How often a request is sent again, which fails each time, before that is a fault. */
const MOST_FAILURES = 1000;

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

export class ClusterClient {
  readonly #base: string;
  /** Requests by route, and answers by route and status. */
  readonly sent: Map<string, number> = new Map();
  readonly answered: Map<string, number> = new Map();
  /** The answers that were not 429, by client. */
  readonly admitted: Map<string, Answer[]> = new Map();
  /** Requests without an answer, which were sent again. */
  failed = 0;

  constructor(base: string) {
    this.#base = base;
  }

  /** Asks until there is an answer: a worker that is killed gives none. */
  async ask({ client, path, route, method, body, session }: Question): Promise<Answer> {
    const name = route ?? path.replace(/\?.*/, "");
    // Each request has a connection of its own, so that the kernel spreads them over the workers.
    const headers: Record<string, string> = { connection: "close", "x-real-ip": client };
    if (session !== undefined) headers["cookie"] = `session=${session}`;
    const init = { method: method ?? "GET", headers, keepalive: false };
    for (let failures = 0; ; failures++) {
      add(this.sent, name);
      const sentMs = performance.now();
      try {
        const response = await fetch(
          this.#base + path,
          body === undefined ? init : { ...init, body },
        );
        const text = await response.text();
        const receivedMs = performance.now();
        const { status } = response;
        const answer = { status, body: text, headers: response.headers, sentMs, receivedMs };
        add(this.answered, `${name} ${status}`);
        if (status !== 429) this.#admit(client, answer);
        return answer;
      } catch (error) {
        this.failed++;
        if (failures === MOST_FAILURES) throw error;
      }
    }
  }

  /**
   * Has one worker answer, whichever the kernel chose, and then begin to load a document: over one
   * connection, whose last answer nobody waits for.
   *
   * @returns The worker's process id.
   */
  async beginLoad(client: string, id: string): Promise<string> {
    const { hostname, port } = new URL(this.#base);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let text = "";
    const socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data(_, bytes) {
          text += bytes.toString();
          const pid = /^x-worker: (\d+)/im.exec(text)?.[1];
          if (pid !== undefined) resolve(pid);
        },
        close: () => reject(new Error(`The connection was closed after: ${text}`)),
      },
    });
    const ask = (path: string): unknown =>
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\nx-real-ip: ${client}\r\n\r\n`);
    add(this.sent, "/flags");
    ask("/flags");
    const worker = await promise;
    add(this.answered, "/flags 200");
    add(this.sent, "/docs/:id");
    ask(`/docs/${id}`);
    return worker;
  }

  #admit(client: string, answer: Answer): void {
    const list = this.admitted.get(client) ?? [];
    list.push(answer);
    this.admitted.set(client, list);
  }
}

/**
 * Looks for a span in which a client was certainly admitted too often: what was sent in it, and
 * answered in it, was decided in it.
 *
 * @returns The most admissions that certainly were within one window.
 */
export function mostInWindow(admitted: readonly Answer[], windowMs: number): number {
  const inOrder = [...admitted].sort((a, b) => a.sentMs - b.sentMs);
  let most = 0;
  for (let first = 0; first < inOrder.length; first++) {
    const endMs = inOrder[first]!.sentMs + windowMs;
    let count = 0;
    for (let at = first; at < inOrder.length && inOrder[at]!.sentMs < endMs; at++) {
      if (inOrder[at]!.receivedMs < endMs) count++;
    }
    most = Math.max(most, count);
  }
  return most;
}
