/**
 * The peers in Bun of the ring's benchmarks: TRANSPORT KIND SIZE COUNT. A transport is `ipc`
 * (Bun.spawn, bytes) or `ipc-json`, `socket` (Unix) or `worker` (postMessage); a kind is `rtt`, `oneway`, or `paused`,
 * which is a round trip after a pause. Prints figures as JSON.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { bunProgram, percentile } from "../support/report.ts";

const [transport = "", kind = "", ...numbers] = process.argv.slice(2);
const [size = 0, count = 0] = numbers.map(Number);
/** How long a paused sender waits, in ms; side.ts has the same. */
const PAUSE_MS = 5;
const PROGRAM = "bench/ring/peers.ts";
/** Rounds before those that count: for a paused sender, as many as side.ts has. */
const warm = kind === "paused" ? 2 * count : Math.ceil(count / 5);
const payload = new Uint8Array(size);

/** One end of a connection, as the benchmarks use it. */
interface End {
  send(message: Uint8Array): void;
  /** Set by the listener. */
  received: (bytes: number) => void;
}

async function ping(end: End): Promise<void> {
  const each = new Float64Array(count);
  let done: () => void;
  let rest = size;
  end.received = (bytes) => {
    rest -= bytes;
    if (rest > 0) return;
    rest += size;
    done();
  };
  for (let round = -warm; round < count; round++) {
    if (kind === "paused") await Bun.sleep(PAUSE_MS);
    const sent = Bun.nanoseconds();
    const { promise, resolve } = Promise.withResolvers<void>();
    done = resolve;
    end.send(payload);
    await promise;
    if (round >= 0) each[round] = Bun.nanoseconds() - sent;
  }
  const mean = each.reduce((sum, value) => sum + value, 0) / count;
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentile(each, share));
  console.log(JSON.stringify({ mean, p50, p99, p999 }));
}

function pong(end: End): void {
  let rest = size;
  end.received = (bytes) => {
    for (rest -= bytes; rest <= 0; rest += size) end.send(payload);
  };
}

async function receiveAll(end: End, start: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let received = 0;
  let began = 0;
  end.received = (bytes) => {
    received += bytes;
    if (began === 0 && received >= warm * size) began = Bun.nanoseconds();
    if (received >= (warm + count) * size) resolve();
  };
  start();
  await promise;
  console.log(JSON.stringify({ perSecond: (count / (Bun.nanoseconds() - began)) * 1e9 }));
}

async function sendAll(end: End): Promise<void> {
  for (let sent = 0; sent < warm + count; sent++) {
    end.send(payload);
    // Lets the runtime write what it has queued.
    if (sent % 64 === 63) await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function lead(end: End, start: () => void): Promise<void> {
  if (kind === "oneway") return receiveAll(end, start);
  start();
  return ping(end);
}

function follow(end: End): void {
  if (kind === "oneway") void sendAll(end);
  else pong(end);
}

/** Text as long as the payload, for the channel that carries JSON. */
const text = "x".repeat(size);

/** A child that speaks over the IPC channel of Bun.spawn, which carries bytes or JSON. */
async function leadIpc(serialization: "advanced" | "json"): Promise<void> {
  const end: End = { send: () => undefined, received: () => undefined };
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const child = Bun.spawn(bunProgram(1, PROGRAM, "ipc-child", kind, String(size), String(count)), {
    stdio: ["ignore", "inherit", "inherit"],
    serialization,
    ipc: (message) => (message === "ready" ? resolve() : end.received(size)),
  });
  end.send = (message) => child.send(serialization === "json" ? text : message);
  await ready;
  await lead(end, () => child.send("go"));
  child.kill();
}

function followIpc(): void {
  let isJson = false;
  const send = (message: Uint8Array): void => void process.send!(isJson ? text : message);
  const end: End = { send, received: () => undefined };
  process.on("message", (message) => {
    if (message === "go") return follow(end);
    isJson = typeof message === "string";
    return end.received(size);
  });
  process.send!("ready");
}

/** A child on a Unix socket; what does not fit is sent when the socket drains. */
function socketEnd(): {
  end: End;
  handlers: Bun.SocketHandler<undefined>;
  attach(s: Bun.Socket<undefined>): void;
} {
  let socket: Bun.Socket<undefined> | undefined;
  const queued: Uint8Array[] = [];
  const flush = (): void => {
    while (queued.length > 0) {
      const written = socket!.write(queued[0]!);
      if (written < queued[0]!.length) {
        queued[0] = queued[0]!.subarray(Math.max(written, 0));
        return;
      }
      queued.shift();
    }
  };
  const end: End = {
    send(message) {
      queued.push(message);
      if (queued.length === 1) flush();
    },
    received: () => undefined,
  };
  const handlers: Bun.SocketHandler<undefined> = {
    data: (_socket, data) => end.received(data.length),
    drain: flush,
  };
  return { end, handlers, attach: (opened) => (socket = opened) };
}

async function leadSocket(): Promise<void> {
  const path = join(tmpdir(), `bun-shm-bench-${process.pid}.sock`);
  const { end, handlers, attach } = socketEnd();
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const open = (socket: Bun.Socket<undefined>): void => {
    attach(socket);
    resolve();
  };
  const listener = Bun.listen({ unix: path, socket: { ...handlers, open } });
  const command = bunProgram(1, PROGRAM, "socket-child", kind, String(size), String(count), path);
  const child = Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"] });
  await connected;
  await lead(end, () => undefined);
  child.kill();
  listener.stop(true);
}

async function followSocket(path: string): Promise<void> {
  const { end, handlers, attach } = socketEnd();
  const socket = await Bun.connect({ unix: path, socket: handlers });
  attach(socket);
  follow(end);
}

async function leadWorker(): Promise<void> {
  const end: End = { send: () => undefined, received: () => undefined };
  const argv = ["worker-thread", kind, String(size), String(count)];
  const worker = new Worker(import.meta.path, { argv });
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  worker.addEventListener("message", ({ data }) =>
    data === "ready" ? resolve() : end.received(size),
  );
  end.send = (message) => worker.postMessage(message);
  await ready;
  await lead(end, () => worker.postMessage("go"));
  worker.terminate();
}

function followWorker(): void {
  const end: End = { send: (message) => postMessage(message), received: () => undefined };
  addEventListener("message", ({ data }) => (data === "go" ? follow(end) : end.received(size)));
  postMessage("ready");
}

if (transport === "ipc") await leadIpc("advanced");
else if (transport === "ipc-json") await leadIpc("json");
else if (transport === "ipc-child") followIpc();
else if (transport === "socket") await leadSocket();
else if (transport === "socket-child") await followSocket(process.argv.at(-1)!);
else if (transport === "worker") await leadWorker();
else if (transport === "worker-thread" && !isMainThread) followWorker();
