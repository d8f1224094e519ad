/** Semaphores whose bytes somebody changed: a LayoutError, and neither a crash nor a hang. */
import { describe, expect, setDefaultTimeout } from "bun:test";
import { ClosedError, LayoutError, Segment, Semaphore } from "../../src/index.ts";
import { GLIBC_SEM } from "../../src/libc/platform.ts";
import { NEEDS_NO_LIBC } from "../../src/libc/semaphore.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";

// A watchdog, and no limit on speed.
setDefaultTimeout(300_000);

const testWithGlibc = testNeeding("glibc", NEEDS_NO_LIBC);
const { value: VALUE, waiters: WAITERS, sharing: SHARING } = GLIBC_SEM;
const MOST = 2 ** 31 - 1;
const OFFSET = 64;

/** The error that a call throws, or its promise is rejected with. */
async function refusal(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown");
}

interface Subject extends Disposable {
  readonly semaphore: Semaphore;
  /** Its words, in a mapping of somebody else's. */
  readonly words: Int32Array;
  /** Where it starts in its object. */
  readonly offset: number;
}

const PLACES: Readonly<Record<string, (value: number) => Subject>> = {
  "with a name"(value) {
    const name = uniqueName("changed");
    const semaphore = Semaphore.create(name, { value });
    const bytes = Bun.mmap(`/dev/shm/sem.${name.slice(1)}`);
    semaphore.unlink();
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, 8);
    return { semaphore, words, offset: 0, [Symbol.dispose]: () => semaphore.close() };
  },
  "in a segment"(value) {
    const name = uniqueName("changed");
    const segment = Segment.create(name, { size: 4096 });
    const semaphore = Semaphore.init(segment, OFFSET, { value });
    const bytes = Bun.mmap(`/dev/shm${name}`);
    segment.unlink();
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + OFFSET, 8);
    const end = (): void => (semaphore.close(), segment.close());
    return { semaphore, words, offset: OFFSET, [Symbol.dispose]: end };
  },
};

const CALLS: Readonly<Record<string, (semaphore: Semaphore) => unknown>> = {
  post: (semaphore) => semaphore.post(),
  "post of several": (semaphore) => semaphore.post(3),
  tryWait: (semaphore) => semaphore.tryWait(),
  wait: (semaphore) => semaphore.wait({ timeoutMs: 20 }),
  tryAcquire: (semaphore) => semaphore.tryAcquire(),
  acquire: (semaphore) => semaphore.acquire({ timeoutMs: 20 }),
  value: (semaphore) => semaphore.value,
  waitAsync: (semaphore) => semaphore.waitAsync({ timeoutMs: 20 }),
  acquireAsync: (semaphore) => semaphore.acquireAsync({ timeoutMs: 20 }),
};

describe.each(Object.entries(PLACES))("a semaphore %s", (_, make) => {
  for (const [word, values] of [
    // 0 is that of one process alone, and musl's of several; the others let libc call other futexes.
    [SHARING, [0, 1, -1, 0x180, 129, MOST, -(2 ** 31)]],
    [VALUE, [-1, -(2 ** 31), -2]],
  ] as const) {
    testWithGlibc(`refuses ${values.join()} in word ${word}, whatever is called`, async () => {
      using subject = make(0);
      const { semaphore, words, offset } = subject;
      for (const value of values) {
        const sound = words[word]!;
        words[word] = value;
        for (const [name, call] of Object.entries(CALLS)) {
          const error = await refusal(() => call(semaphore));
          expect([name, value, error]).toEqual([name, value, expect.any(LayoutError)]);
          expect((error as LayoutError).offset).toBe(offset + word * 4);
        }
        words[word] = sound;
        semaphore.post();
        expect(await semaphore.waitAsync()).toBe(true);
      }
    });

    testWithGlibc(`tells those who wait of ${values[0]} in word ${word}`, async () => {
      using subject = make(0);
      const { semaphore, words } = subject;
      const waits = [semaphore.waitAsync(), semaphore.acquireAsync({ timeoutMs: 300_000 })];
      await Bun.sleep(20);
      const sound = words[word]!;
      words[word] = values[0];
      for (const wait of waits) expect(await refusal(() => wait)).toBeInstanceOf(LayoutError);
      words[word] = sound;
      expect(await semaphore.waitAsync({ timeoutMs: 5 })).toBe(false);
    });
  }

  testWithGlibc("works whatever the number of waiters says", async () => {
    using subject = make(0);
    const { semaphore, words } = subject;
    for (const value of [1, -1, MOST, -(2 ** 31), 0x01010101]) {
      words[WAITERS] = value;
      expect(semaphore.wait({ timeoutMs: 5 })).toBe(false);
      semaphore.post(2);
      expect(semaphore.wait({ timeoutMs: 5 })).toBe(true);
      expect(await semaphore.waitAsync()).toBe(true);
      expect([semaphore.value, words[WAITERS]]).toEqual([0, value]);
    }
  });

  testWithGlibc("has as many tokens as somebody wrote", () => {
    using subject = make(0);
    const { semaphore, words } = subject;
    words[VALUE] = MOST;
    expect([semaphore.value, semaphore.tryWait(), semaphore.value]).toEqual([MOST, true, MOST - 1]);
    semaphore.post();
    expect(() => semaphore.post()).toThrow("EOVERFLOW");
    expect(semaphore.value).toBe(MOST);
  });

  testWithGlibc("can be closed with waits, whatever its bytes are", async () => {
    using subject = make(0);
    const { semaphore, words } = subject;
    const wait = semaphore.waitAsync();
    words[VALUE] = -1;
    semaphore.close();
    expect(await refusal(() => wait)).toBeInstanceOf(ClosedError);
  });
});
