/**
 * Doorbells: how one process wakes the event loop of another.
 *
 * Each JavaScript thread that waits has one: a Unix socket that its event loop listens on, found by
 * a random 32-bit id that the waiter leaves in the wait point. To ring is to send a byte. On Linux
 * the socket lives in the abstract namespace: the kernel removes it with its process, nothing is
 * left in any directory, and a refused connection is how the kernel says that the waiter is dead.
 * The namespace goes with the network namespace: across containers that share memory and no
 * network, nobody is rung, and the re-check below finds what was published.
 *
 * Of the ways into Bun's event loop without a thread or a poll timer, a socket measured fastest (a
 * FIFO read through `Bun.file(fd).stream()` comes next), and only it can be `unref`'d.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { E } from "../libc/errno.ts";
import { close } from "../libc/fcntl.ts";
import { connectUnix, sendByte } from "../libc/socket.ts";
import { RECHECK_MS } from "./limits.ts";

/** One wait of this thread. @returns Whether it is over. */
export type PendingWait = () => boolean;

function bellPath(id: number): string {
  const name = `bun-shm-bell-${(id >>> 0).toString(16).padStart(8, "0")}`;
  return process.platform === "linux" ? `\0${name}` : join(tmpdir(), name);
}

let ownId = 0;
let recheck: Timer | undefined;
/** What this thread waits for, and whether that keeps the process alive. */
const pending: Map<PendingWait, boolean> = new Map();

function lookAtAll(): void {
  for (const wait of pending.keys()) {
    if (wait()) stopWaiting(wait);
  }
}

/** This thread's doorbell, hung up at first use. @returns Its id, never 0. */
export function ownBell(): number {
  while (ownId === 0) {
    const id = crypto.getRandomValues(new Int32Array(1))[0]!;
    if (id === 0) continue;
    try {
      const socket = { open: (caller: Bun.Socket) => caller.unref(), data: lookAtAll };
      // Never what keeps the process alive: the re-check timer does that.
      Bun.listen({ unix: bellPath(id), socket }).unref();
    } catch (error) {
      // The id is taken, by chance: the next one is not.
      if ((error as { code?: string }).code === "EADDRINUSE") continue;
      throw error;
    }
    ownId = id;
  }
  return ownId;
}

/** Looks whenever the bell rings, and now and then, until the wait is over or stopped. */
export function startWaiting(wait: PendingWait, keepsAlive: boolean): void {
  pending.set(wait, keepsAlive);
  recheck ??= setInterval(lookAtAll, RECHECK_MS);
  adjustTimer();
}

/** Ends a wait; again is harmless. */
export function stopWaiting(wait: PendingWait): void {
  if (pending.delete(wait)) adjustTimer();
}

function adjustTimer(): void {
  if (pending.size === 0) {
    clearInterval(recheck);
    recheck = undefined;
  } else if ([...pending.values()].includes(true)) {
    recheck?.ref();
  } else {
    recheck?.unref();
  }
}

/** Most connections to others' doorbells that this thread keeps; the oldest is let go. */
const MAX_CONNECTIONS = 64;
const connections: Map<number, number> = new Map();

/**
 * Rings a doorbell, at once. A bell that has not been answered yet counts as rung.
 * @returns false when its owner is dead.
 */
export function ring(id: number): boolean {
  const open = connections.get(id);
  const descriptor = open ?? connectUnix(bellPath(id));
  // The listener is behind with accepting: it will wake for the connections that it has.
  if (descriptor === -E.EAGAIN) return true;
  if (descriptor < 0) return descriptor !== -E.ECONNREFUSED && descriptor !== -E.ENOENT;
  const sent = sendByte(descriptor);
  if (sent < 0 && sent !== -E.EAGAIN) {
    close(descriptor);
    connections.delete(id);
    return false;
  }
  if (open === undefined) keepConnection(id, descriptor);
  return true;
}

function keepConnection(id: number, descriptor: number): void {
  connections.set(id, descriptor);
  if (connections.size <= MAX_CONNECTIONS) return;
  const [oldest, itsDescriptor] = connections.entries().next().value!;
  connections.delete(oldest);
  close(itsDescriptor);
}
