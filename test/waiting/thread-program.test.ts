/** The thread that waits for a semaphore, on every sort of libc, alone with its task. */
import { afterEach, describe, expect, test } from "bun:test";
import { Segment, Semaphore } from "../../src/index.ts";
import { E } from "../../src/libc/errno.ts";
import { C } from "../../src/libc/platform.ts";
import { type SemaphoreCalls, semaphoreCalls } from "../../src/libc/semaphore.ts";
import { compareExchange, load } from "../../src/memory/atomics.ts";
import {
  CANCELLED,
  STATE_WORD,
  GRANTED,
  PENDING,
  READY_ID,
  type WaitAnswer,
  threadProgram,
} from "../../src/waiting/thread-program.ts";
import { uniqueName } from "../support/names.ts";

/** What a libc without some of the waits would give. */
function without(...missing: string[]): SemaphoreCalls {
  const { functions, errors, munmap } = semaphoreCalls();
  const kept = Object.entries(functions).filter(([name]) => !missing.includes(name));
  return { functions: Object.fromEntries(kept), clock: C.CLOCK_REALTIME, errors, munmap };
}

let worker: Worker | undefined;
afterEach(() => worker?.terminate());

function start(
  calls: SemaphoreCalls,
  alone: boolean,
): (address: number, words: Int32Array) => Promise<number> {
  const thread = new Worker(`data:text/javascript,${encodeURIComponent(threadProgram(calls))}`);
  worker = thread;
  const waits = new Map<number, (result: number) => void>();
  thread.addEventListener("message", ({ data }) => {
    const { id, result } = data as WaitAnswer;
    waits.get(id)?.(result);
  });
  return (address, words) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const id = READY_ID + 1 + waits.size;
    waits.set(id, resolve);
    thread.addEventListener("error", ({ message }) => reject(new Error(message)), { once: true });
    thread.postMessage({ id, address, words, alone }, []);
    return promise;
  };
}

const newWords = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));

const libcs: [string, SemaphoreCalls][] = [
  ["what this libc has", semaphoreCalls()],
  ["sem_clockwait", without()],
  ["sem_timedwait", without("sem_clockwait")],
  ["sem_trywait", without("sem_clockwait", "sem_timedwait")],
];

const manners: [string, SemaphoreCalls, boolean][] = libcs.flatMap(([title, calls]) => [
  [`${title}, alone`, calls, true],
  [`${title}, among others`, calls, false],
]);

describe.each(manners)("a thread that waits with %s", (_, calls, alone) => {
  test("takes a token that is there, and one that is posted while it waits", async () => {
    using segment = Segment.create(uniqueName(), { size: 4096 });
    using semaphore = Semaphore.init(segment, 0, { value: 1 });
    const wait = start(calls, alone);
    const words = newWords();
    expect(await wait(semaphore.address, words)).toBe(0);
    expect(load(words, STATE_WORD)).toBe(GRANTED);
    expect(semaphore.value).toBe(0);

    const later = newWords();
    const waiting = wait(semaphore.address, later);
    // Longer than a slice: it goes to sleep again.
    await Bun.sleep(80);
    semaphore.post();
    expect(await waiting).toBe(0);
    expect(load(later, STATE_WORD)).toBe(GRANTED);
    expect(semaphore.value).toBe(0);
    segment.unlink();
  });

  test("leaves when it is cancelled, and the token stays", async () => {
    using segment = Segment.create(uniqueName(), { size: 4096 });
    using semaphore = Semaphore.init(segment, 0);
    const words = newWords();
    const waiting = start(calls, alone)(semaphore.address, words);
    await Bun.sleep(20);
    expect(compareExchange(words, STATE_WORD, PENDING, CANCELLED)).toBe(PENDING);
    semaphore.post();
    expect(await waiting).toBe(-E.ECANCELED);
    expect(semaphore.value).toBe(1);
    segment.unlink();
  });
});

test("one thread waits for many semaphores", async () => {
  using segment = Segment.create(uniqueName(), { size: 4096 });
  const semaphores = Array.from({ length: 40 }, (_, at) => Semaphore.init(segment, at * 32));
  const wait = start(semaphoreCalls(), false);
  const answers: number[] = [];
  const waits = semaphores.map(async ({ address }, at) => {
    const result = await wait(address, newWords());
    answers.push(result === 0 ? at : result);
  });
  for (const at of [7, 0, 39]) {
    semaphores[at]!.post();
    await waits[at];
  }
  expect(answers).toEqual([7, 0, 39]);
  for (const [at, semaphore] of semaphores.entries()) if (!answers.includes(at)) semaphore.post();
  await Promise.all(waits);
  expect(answers.toSorted((a, b) => a - b)).toEqual(semaphores.map((_, at) => at));
  segment.unlink();
});

test("a Worker waits in its own event loop", async () => {
  using segment = Segment.create(uniqueName(), { size: 4096 });
  using semaphore = Semaphore.init(segment, 0);
  const program = `
    import { Segment, Semaphore } from "${import.meta.dir}/../../src/index.ts";
    self.onmessage = async ({ data }) => {
      using segment = Segment.open(data);
      using semaphore = Semaphore.at(segment, 0);
      self.postMessage("ready");
      self.postMessage(await semaphore.waitAsync({ timeoutMs: 60000 }));
    };`;
  const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const thread = new Worker(url);
  worker = thread;
  const answer = await new Promise((resolve, reject) => {
    thread.addEventListener("error", ({ message }) => reject(new Error(message)));
    thread.addEventListener("message", ({ data }) => {
      if (data === "ready") semaphore.post();
      else resolve(data);
    });
    thread.postMessage(segment.name);
  });
  URL.revokeObjectURL(url);
  expect(answer).toBe(true);
  expect(semaphore.value).toBe(0);
  segment.unlink();
});
