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
/** The index of the word that is 0 while the thread may touch the semaphore, and then 1. */
export const LEFT_WORD = 1;

/**
 * The program: it answers each `{ address, words }` with 0 for a token, or with a negated errno.
 */
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

function waitSlice(address) {
  if (libc.sem_clockwait) return libc.sem_clockwait(address, ${clock}, deadline());
  if (libc.sem_timedwait) return libc.sem_timedwait(address, deadline());
  return libc.sem_trywait(address);
}

function waitForToken({ address, words }) {
  while (Atomics.load(words, ${STATE_WORD}) === ${PENDING}) {
    if (waitSlice(address) === 0) {
      const before = Atomics.compareExchange(words, ${STATE_WORD}, ${PENDING}, ${GRANTED});
      if (before === ${PENDING}) return 0;
      libc.sem_post(address);
    } else {
      const error = read.i32(libc.errno(), 0);
      if (error === ${errors.EAGAIN}) Atomics.wait(words, ${STATE_WORD}, ${PENDING}, ${POLL_MS});
      else if (error !== ${errors.ETIMEDOUT} && error !== ${errors.EINTR}) return -error;
    }
  }
  return -${errors.ECANCELED};
}

self.onmessage = ({ data }) => {
  const answer = waitForToken(data);
  Atomics.store(data.words, ${LEFT_WORD}, 1);
  Atomics.notify(data.words, ${LEFT_WORD});
  self.postMessage(answer);
};
`;
}
