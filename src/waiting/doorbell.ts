/**
 * Doorbells: how one process wakes the event loop of another.
 *
 * Each JavaScript thread that waits has one. It is a Unix socket that its event loop listens on,
 * and it is found by a random 32-bit id that the waiter writes into the wait point. Ringing it
 * sends one byte. On Linux the socket is in the abstract namespace: the kernel removes it with its
 * process, it leaves nothing in any directory, and a refused connection means that the waiter is
 * dead. That namespace belongs to the network namespace. Between containers that share memory but
 * no network no bell can be rung: a thread sleeps in place of it (see wait-point.ts).
 *
 * Of all ways into Bun's event loop that need neither a thread nor a poll timer, a socket was
 * measured to be the fastest (a FIFO read through `Bun.file(fd).stream()` comes next), and it is
 * the only one that can be `unref`'d.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hex } from "../arguments.ts";
import { E } from "../libc/errno.ts";
import { connectUnix, sendByte } from "../libc/socket.ts";
import { Descriptor } from "../memory/descriptor.ts";

/**
 * One wait of this thread; it is called to look. @param unasked Whether no bell called for that.
 * @returns Whether the wait is over.
 */
export type PendingWait = (unasked: boolean) => boolean;

function bellPath(id: number): string {
  const name = `bun-shm-bell-${hex(id).slice("0x".length)}`;
  return process.platform === "linux" ? `\0${name}` : join(tmpdir(), name);
}

/**
 * How many may be connected to this thread's bell. Everybody can read its name, and would use up
 * the descriptors of this process: so the one that came first is closed, and connects again when it
 * rings next.
 */
const MAX_CALLERS = 64;
const callers: Set<Bun.Socket> = new Set();

/** Somebody who connects rings, whatever becomes of the connection. */
function admit(caller: Bun.Socket): void {
  caller.unref();
  lookAtAll(false);
  callers.add(caller);
  if (callers.size <= MAX_CALLERS) return;
  const [first] = callers;
  callers.delete(first!);
  first!.terminate();
}

let ownId = 0;
/** How a wait is kept up. */
interface Upkeep {
  readonly keepsAlive: boolean;
  /** How often it looks unasked, in ms. */
  readonly recheckMs: number;
}

let recheck: Timer | undefined;
let recheckMs = Number.POSITIVE_INFINITY;
/** The waits of this thread. */
const pending: Map<PendingWait, Upkeep> = new Map();

function lookAtAll(unasked: boolean): void {
  for (const wait of pending.keys()) {
    if (wait(unasked)) stopWaiting(wait);
  }
}

const lookUnasked = (): void => lookAtAll(true);

/**
 * Makes this thread's doorbell at its first use.
 * @returns Its id; 0 while none can be made, as where no descriptor is left.
 */
export function ownBell(): number {
  while (ownId === 0) {
    const id = crypto.getRandomValues(new Int32Array(1))[0]!;
    if (id === 0) continue;
    try {
      const socket = {
        open: admit,
        data: () => lookAtAll(false),
        close: (caller: Bun.Socket) => void callers.delete(caller),
      };
      // The socket never keeps the process alive; the timer does, if a wait wants that.
      Bun.listen({ unix: bellPath(id), socket }).unref();
    } catch (error) {
      // The random id was taken: try another one.
      if ((error as { code?: string }).code === "EADDRINUSE") continue;
      return 0;
    }
    ownId = id;
  }
  return ownId;
}

/** Looks whenever the bell rings, and periodically, until the wait is over or stopped. */
export function startWaiting(wait: PendingWait, keepsAlive: boolean, everyMs: number): void {
  pending.set(wait, { keepsAlive, recheckMs: everyMs });
  adjustTimer();
}

/** Ends a wait. Calling it again does nothing. */
export function stopWaiting(wait: PendingWait): void {
  if (pending.delete(wait)) adjustTimer();
}

/** One timer looks at all waits, as often as the most impatient one wants. */
function adjustTimer(): void {
  let [keepsAlive, everyMs] = [false, Number.POSITIVE_INFINITY];
  for (const wait of pending.values()) {
    keepsAlive ||= wait.keepsAlive;
    everyMs = Math.min(everyMs, wait.recheckMs);
  }
  if (everyMs !== recheckMs) {
    clearInterval(recheck);
    recheck = pending.size === 0 ? undefined : setInterval(lookUnasked, everyMs);
    recheckMs = everyMs;
  }
  if (keepsAlive) recheck?.ref();
  else recheck?.unref();
}

/**
 * How many connections to others' doorbells this thread keeps; beyond that, it closes the oldest.
 */
const MAX_CONNECTIONS = 64;
const connections: Map<number, Descriptor> = new Map();

/**
 * Rings a doorbell; does not block. A bell that was rung before and not answered yet counts as
 * rung.
 * @returns Whether its owner may be alive: false when it is dead.
 */
export function ring(id: number): boolean {
  const kept = connections.get(id);
  if (kept !== undefined) {
    const sent = sendByte(kept.number);
    if (sent >= 0 || sent === -E.EAGAIN) return true;
    // Its owner is dead, or has closed it to make room for others.
    kept.close();
    connections.delete(id);
  }
  const descriptor = connectUnix(bellPath(id));
  // The listener has connections that it has not accepted yet, and will wake for those.
  if (descriptor === -E.EAGAIN) return true;
  if (descriptor < 0) return descriptor !== -E.ECONNREFUSED && descriptor !== -E.ENOENT;
  // To connect has rung it already; the next ring is a byte on this connection.
  keepConnection(id, new Descriptor("a doorbell", descriptor));
  return true;
}

function keepConnection(id: number, descriptor: Descriptor): void {
  connections.set(id, descriptor);
  if (connections.size <= MAX_CONNECTIONS) return;
  const [oldest, itsDescriptor] = connections.entries().next().value!;
  connections.delete(oldest);
  itsDescriptor.close();
}
