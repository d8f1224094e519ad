/** The thread that waits for a semaphore, on every sort of libc, alone with its task. */
import { afterEach, describe, expect, test } from "bun:test";
import { Segment, Semaphore } from "../../src/index.ts";
import { E } from "../../src/libc/errno.ts";
import { C } from "../../src/libc/platform.ts";
import { type SemaphoreCalls, semaphoreCalls } from "../../src/libc/semaphore.ts";
import { compareExchange, load } from "../../src/memory/atomics.ts";
import {
  CANCELLED,
  LEFT_WORD,
  STATE_WORD,
  GRANTED,
  PENDING,
  semaphoreProgram,
} from "../../src/semaphore/semaphore-program.ts";
import { uniqueName } from "../support/names.ts";

/** What a libc without some of the waits would give. */
function without(...missing: string[]): SemaphoreCalls {
  const { functions, errors } = semaphoreCalls();
  const kept = Object.entries(functions).filter(([name]) => !missing.includes(name));
  return { functions: Object.fromEntries(kept), clock: C.CLOCK_REALTIME, errors };
}

let worker: Worker | undefined;
afterEach(() => worker?.terminate());

function start(calls: SemaphoreCalls): (address: number, words: Int32Array) => Promise<number> {
  const thread = new Worker(`data:text/javascript,${encodeURIComponent(semaphoreProgram(calls))}`);
  worker = thread;
  return (address, words) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const once = { once: true };
    thread.addEventListener("message", ({ data }) => resolve(data as number), once);
    thread.addEventListener("error", ({ message }) => reject(new Error(message)), once);
    thread.postMessage({ address, words }, []);
    return promise;
  };
}

const newWords = (): Int32Array => new Int32Array(new SharedArrayBuffer(8));

const libcs: [string, SemaphoreCalls][] = [
  ["sem_clockwait", semaphoreCalls()],
  ["sem_timedwait", without("sem_clockwait")],
  ["sem_trywait", without("sem_clockwait", "sem_timedwait")],
];

describe.each(libcs)("a thread that waits with %s", (_, calls) => {
  test("takes a token that is there, and one that is posted while it waits", async () => {
    using segment = Segment.create(uniqueName(), { size: 4096 });
    using semaphore = Semaphore.init(segment, 0, { value: 1 });
    const wait = start(calls);
    const words = newWords();
    expect(await wait(semaphore.address, words)).toBe(0);
    expect([load(words, STATE_WORD), load(words, LEFT_WORD)]).toEqual([GRANTED, 1]);
    expect(semaphore.value).toBe(0);

    const later = newWords();
    const waiting = wait(semaphore.address, later);
    // Longer than a slice: it goes to sleep again.
    await Bun.sleep(80);
    semaphore.post();
    expect(await waiting).toBe(0);
    expect([load(later, STATE_WORD), load(later, LEFT_WORD)]).toEqual([GRANTED, 1]);
    expect(semaphore.value).toBe(0);
    segment.unlink();
  });

  test("leaves when it is cancelled, and the token stays", async () => {
    using segment = Segment.create(uniqueName(), { size: 4096 });
    using semaphore = Semaphore.init(segment, 0);
    const words = newWords();
    const waiting = start(calls)(semaphore.address, words);
    await Bun.sleep(20);
    expect(compareExchange(words, STATE_WORD, PENDING, CANCELLED)).toBe(PENDING);
    semaphore.post();
    expect(await waiting).toBe(-E.ECANCELED);
    expect(load(words, LEFT_WORD)).toBe(1);
    expect(semaphore.value).toBe(1);
    segment.unlink();
  });
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
