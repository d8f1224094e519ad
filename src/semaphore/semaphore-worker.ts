/** The program of the threads in semaphore-thread.ts. */
import { E } from "../libc/errno.ts";
import { semPost, semWaitSlice } from "../libc/semaphore.ts";
import { compareExchange, load, notify, store } from "../memory/atomics.ts";
import {
  LEFT_WORD,
  STATE_WORD,
  TAKEN,
  type ThreadAnswer,
  type ThreadTask,
  WAITING,
} from "./semaphore-thread.ts";

declare const self: Worker;

/** How soon a cancelled wait is noticed, and the thread can be terminated, in ms. */
const SLICE_MS = 50;

function waitForToken({ address, words }: ThreadTask): ThreadAnswer {
  while (load(words, STATE_WORD) === WAITING) {
    const result = semWaitSlice(address, SLICE_MS);
    if (result === -E.ETIMEDOUT || result === -E.EINTR) continue;
    if (result < 0) return result;
    if (compareExchange(words, STATE_WORD, WAITING, TAKEN) === WAITING) return 0;
    semPost(address);
  }
  return -E.ECANCELED;
}

self.addEventListener("message", ({ data }: MessageEvent<ThreadTask>): void => {
  const answer = waitForToken(data);
  store(data.words, LEFT_WORD, 1);
  notify(data.words, LEFT_WORD);
  self.postMessage(answer, []);
});
