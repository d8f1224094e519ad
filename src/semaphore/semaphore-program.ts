/**
 * The program of the threads in semaphore-thread.ts, as text, because a separate file would be lost
 * when an app is bundled or compiled. It can import nothing but Bun's own modules, so it gets the C
 * functions that it calls by their addresses, which are the same in every thread of a process.
 */
import { type SemaphoreCalls, semaphoreCalls } from "../libc/semaphore.ts";
import { POLL_MS, SLICE_MS } from "../waiting/limits.ts";

/** The states of a wait; semaphore-thread.ts says who changes them. */
export const PENDING = 0;
export const GRANTED = 1;
export const CANCELLED = 2;
/** The index of the state in the words that both threads share. */
export const STATE_WORD = 0;

/** What a thread is asked. */
export interface WaitMessage {
  readonly id: number;
  readonly address: number;
  readonly words: Int32Array;
  /** Whether the thread may sleep in the semaphore, because it has no other wait. */
  readonly alone: boolean;
}

/** What it answers, when it has stopped using the semaphore. */
export interface WaitAnswer {
  readonly id: number;
  /** 0 for a token, or a negated errno: -ECANCELED for a wait that was given up. */
  readonly result: number;
}

/** The program: it answers each `WaitMessage` with a `WaitAnswer`. */
export function semaphoreProgram(calls: SemaphoreCalls = semaphoreCalls()): string {
  const { functions, clock, errors } = calls;
  return `
import { linkSymbols, ptr, read } from "bun:ffi";

const libc = linkSymbols(${JSON.stringify(functions)}).symbols;
// An ArrayBuffer, because the engine may move the storage of a small typed array.
const until = new ArrayBuffer(16);
const [seconds, nanoseconds] = [new BigInt64Array(until, 0, 1), new BigInt64Array(until, 8, 1)];

function deadline() {
  libc.clock_gettime(${clock}, ptr(until));
  const end = nanoseconds[0] + ${SLICE_MS * 1e6}n;
  seconds[0] += end / 1000000000n;
  nanoseconds[0] = end % 1000000000n;
  return ptr(until);
}

function sleepAndTake(address) {
  if (libc.sem_clockwait) return libc.sem_clockwait(address, ${clock}, deadline());
  if (libc.sem_timedwait) return libc.sem_timedwait(address, deadline());
  return libc.sem_trywait(address);
}

// Returns undefined while there is no token.
function look({ address, words }, take) {
  if (Atomics.load(words, ${STATE_WORD}) !== ${PENDING}) return -${errors.ECANCELED};
  if (take(address) === 0) {
    const before = Atomics.compareExchange(words, ${STATE_WORD}, ${PENDING}, ${GRANTED});
    if (before === ${PENDING}) return 0;
    libc.sem_post(address);
    return -${errors.ECANCELED};
  }
  const error = read.i32(libc.errno(), 0);
  const again = [${errors.EAGAIN}, ${errors.ETIMEDOUT}, ${errors.EINTR}].includes(error);
  return again ? undefined : -error;
}

function sleepFor(wait) {
  for (;;) {
    const result = look(wait, sleepAndTake);
    if (result !== undefined) return result;
    if (!libc.sem_clockwait && !libc.sem_timedwait) {
      Atomics.wait(wait.words, ${STATE_WORD}, ${PENDING}, ${POLL_MS});
    }
  }
}

const waits = new Map();
let timer;

function lookAtAll() {
  for (const [id, wait] of waits) {
    const result = look(wait, libc.sem_trywait);
    if (result === undefined) continue;
    waits.delete(id);
    self.postMessage({ id, result });
  }
  if (waits.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

self.onmessage = ({ data }) => {
  const { id, alone } = data;
  if (alone) return self.postMessage({ id, result: sleepFor(data) });
  waits.set(id, data);
  timer ??= setInterval(lookAtAll, ${POLL_MS});
};
`;
}
