/**
 * The program of the threads in semaphore-thread.ts, as text: a file of its own would be lost when
 * an app is bundled or compiled. It has no module but Bun's own, so the C functions that it calls
 * are written into it by their addresses, which are the same in every thread of a process.
 */
import { type SemaphoreCalls, semaphoreCalls } from "../libc/semaphore.ts";
import { POLL_MS, SLICE_MS } from "../waiting/limits.ts";

/** The states of a wait. */
export const WAITING = 0;
export const TAKEN = 1;
export const CANCELLED = 2;
/** Where the state is, in the words that both threads share. */
export const STATE_WORD = 0;
/** 0 while the thread may touch the semaphore, then 1. */
export const LEFT_WORD = 1;

/** The program, which answers each `{ address, words }` with 0 for a token or a negated errno. */
export function semaphoreProgram(calls: SemaphoreCalls = semaphoreCalls()): string {
  const { functions, clock, errors } = calls;
  return `
import { linkSymbols, ptr, read } from "bun:ffi";

const libc = linkSymbols(${JSON.stringify(functions)}).symbols;
// Made as a buffer: the engine may move the storage of an array.
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
  while (Atomics.load(words, ${STATE_WORD}) === ${WAITING}) {
    if (waitSlice(address) === 0) {
      const before = Atomics.compareExchange(words, ${STATE_WORD}, ${WAITING}, ${TAKEN});
      if (before === ${WAITING}) return 0;
      libc.sem_post(address);
    } else {
      const error = read.i32(libc.errno(), 0);
      if (error === ${errors.EAGAIN}) Atomics.wait(words, ${STATE_WORD}, ${WAITING}, ${POLL_MS});
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
