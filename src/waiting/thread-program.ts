/**
 * The program of the threads in wait-thread.ts, as text, because a separate file would be lost
 * when an app is bundled or compiled. It can import nothing but Bun's own modules, so it gets the C
 * functions that it calls by their addresses, which are the same in every thread of a process.
 */
import { FUTEX_WAIT, FUTEX_WAKE } from "../libc/futex.ts";
import { SEM_LENGTH, type SemaphoreCalls, semaphoreCalls } from "../libc/semaphore.ts";
import { C } from "../libc/platform.ts";
import { POLL_MS, SLICE_MS } from "./limits.ts";
import type { Pages } from "./wait-memory.ts";

/** The states of a wait; wait-thread.ts says who changes them. */
export const PENDING = 0;
export const GRANTED = 1;
export const CANCELLED = 2;
/** The words that both threads share: the state, and whether the thread has taken its pages. */
export const STATE_WORD = 0;
export const TAKEN_WORD = 1;
export const WAIT_WORDS = 2;

/** The id of the answer that says that the thread has begun. */
export const READY_ID = 0;

/** What a thread is asked. */
export interface WaitMessage {
  readonly id: number;
  /** The semaphore's, or that of a word. */
  readonly address: number;
  /** The word's value, for as long as it is to be waited; undefined for a semaphore. */
  readonly key: number | undefined;
  /** Pages that the thread is to unmap at the end, in which the address lies. */
  readonly pages?: Pages | undefined;
  readonly words: Int32Array;
  /** Whether the thread may sleep there, because it has no other wait. */
  readonly alone: boolean;
}

/** What it answers: once it is ready to the id 0; and when it has stopped using the memory. */
export interface WaitAnswer {
  readonly id: number;
  /**
   * 0 for a token or a word that has changed, or a negated errno: -ECANCELED for a wait that was
   * given up, -EBADMSG where the bytes are no semaphore's.
   */
  readonly result: number;
}

/** The program: it answers each `WaitMessage` with a `WaitAnswer`. */
export function threadProgram(calls: SemaphoreCalls = semaphoreCalls()): string {
  const { functions, clock, errors, futex, own, munmap } = calls;
  return `
import { linkSymbols, ptr, read, toArrayBuffer } from "bun:ffi";

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

// Each answers 0 or an errno.
const answer = (result) => (result === 0 ? 0 : read.i32(libc.errno(), 0));
const byLibc = {
  take: ({ address }) => answer(libc.sem_trywait(address)),
  sleepAndTake({ address }) {
    if (libc.sem_clockwait) return answer(libc.sem_clockwait(address, ${clock}, deadline()));
    if (libc.sem_timedwait) return answer(libc.sem_timedwait(address, deadline()));
    return answer(libc.sem_trywait(address));
  },
  post: ({ address }) => void libc.sem_post(address),
};
const isPending = ({ words }) => Atomics.load(words, ${STATE_WORD}) === ${PENDING};
const slice = new ArrayBuffer(16);
new BigInt64Array(slice)[1] = ${SLICE_MS * 1e6}n;
// For a slice, while the word there is the key.
function sleepWhile(address, key) {
  ${futex === undefined ? "" : futexSleep(futex)}
}
${own === undefined ? "const semaphores = byLibc;" : ownTokens(own, futex, errors)}
const changes = {
  take: ({ tokens, key }) => (Atomics.load(tokens, 0) === key ? ${errors.EAGAIN} : 0),
  sleepAndTake(wait) {
    const { address, key } = wait;
    sleepWhile(address, key);
    return changes.take(wait);
  },
  post() {},
};

// Returns undefined while there is nothing to take.
function look(wait, way) {
  const { words, what } = wait;
  if (!isPending(wait)) return -${errors.ECANCELED};
  const error = what[way](wait);
  if (error === 0) {
    const before = Atomics.compareExchange(words, ${STATE_WORD}, ${PENDING}, ${GRANTED});
    if (before === ${PENDING}) return 0;
    what.post(wait);
    return -${errors.ECANCELED};
  }
  const again = [${errors.EAGAIN}, ${errors.ETIMEDOUT}, ${errors.EINTR}].includes(error);
  return again ? undefined : -error;
}

const canSleep = ({ what }) =>
  what === byLibc ? libc.sem_clockwait || libc.sem_timedwait : ${futex !== undefined};

function sleepFor(wait) {
  for (;;) {
    const result = look(wait, "sleepAndTake");
    if (result !== undefined) return result;
    if (!canSleep(wait)) Atomics.wait(wait.words, ${STATE_WORD}, ${PENDING}, ${POLL_MS});
  }
}

const waits = new Map();
let timer;

// The memory belongs to this thread, so it also ends with it, whoever ends the thread.
function begin(wait) {
  const { address, pages, words, key } = wait;
  wait.what = key === undefined ? semaphores : changes;
  wait.memory = pages
    ? toArrayBuffer(pages.address, 0, pages.byteLength, pages.byteLength, ${munmap})
    : toArrayBuffer(address, 0, ${SEM_LENGTH});
  wait.tokens = new Int32Array(wait.memory, pages ? address - pages.address : 0, ${SEM_LENGTH / 4});
  if (pages) Atomics.store(words, ${TAKEN_WORD}, 1);
}

function end({ id, pages, memory }, result) {
  if (pages) memory.transfer(0);
  self.postMessage({ id, result });
}

function lookAtAll() {
  for (const [id, wait] of waits) {
    const result = look(wait, "take");
    if (result === undefined) continue;
    waits.delete(id);
    end(wait, result);
  }
  if (waits.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

self.onmessage = ({ data }) => {
  begin(data);
  if (data.alone) return end(data, sleepFor(data));
  waits.set(data.id, data);
  timer ??= setInterval(lookAtAll, ${POLL_MS});
};
self.postMessage({ id: ${READY_ID}, result: 0 });
`;
}

const futexSleep = (futex: number): string =>
  `libc.syscall(${futex}, address, ${FUTEX_WAIT}, key >>> 0, ptr(slice), null, 0);`;

/** The part of the program that own-tokens.ts describes. */
function ownTokens(
  own: NonNullable<SemaphoreCalls["own"]>,
  futex: number | undefined,
  errors: SemaphoreCalls["errors"],
): string {
  const { value, waiters, sharing, shared } = own;
  return `
const isSound = (tokens, found) => found >= 0 && tokens[${sharing}] === ${shared};
const semaphores = {
  take({ tokens }) {
    for (;;) {
      const found = Atomics.load(tokens, ${value});
      if (!isSound(tokens, found)) return ${errors.EBADMSG};
      if (found === 0) return ${errors.EAGAIN};
      if (Atomics.compareExchange(tokens, ${value}, found, found - 1) === found) return 0;
    }
  },
  sleepAndTake(wait) {
    const { address, tokens } = wait;
    Atomics.add(tokens, ${waiters}, 1);
    let taken = semaphores.take(wait);
    if (taken === ${errors.EAGAIN}) {
      sleepWhile(address, 0);
      // A wait that was given up leaves the token, and the wake, to the next sleeper.
      if (isPending(wait)) taken = semaphores.take(wait);
      else libc.syscall(${futex}, address, ${FUTEX_WAKE}, 1, null, null, 0);
    }
    Atomics.sub(tokens, ${waiters}, 1);
    return taken;
  },
  post({ address, tokens }) {
    for (;;) {
      const found = Atomics.load(tokens, ${value});
      if (!isSound(tokens, found) || found === ${C.SEM_VALUE_MAX}) return;
      if (Atomics.compareExchange(tokens, ${value}, found, found + 1) !== found) continue;
      if (Atomics.load(tokens, ${waiters}) !== 0) {
        libc.syscall(${futex}, address, ${FUTEX_WAKE}, 1, null, null, 0);
      }
      return;
    }
  },
};`;
}
