/** Peers of a message queue are killed: at each single step, and at random. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { MessageQueue, type MessageQueueEvent, Semaphore } from "../../src/index.ts";
import { COUNT_WORD, TAIL_WORD } from "../../src/layout/message-queue-layout.ts";
import { uniqueName } from "../support/names.ts";
import { testWithC } from "../support/needs.ts";
import { WATCHDOG_MS, type Child, compileC, finished, spawnBun } from "../support/process.ts";
import { type Random, seededRandom } from "../support/random.ts";

// A watchdog, and no limit on speed; the preload's holds for the first file alone.
setDefaultTimeout(300_000);

const PROCESS = join(import.meta.dir, "../peers");

function spawnKilled(
  name: string,
  operation: string,
  step: number | "trace",
  signal: string = "SIGKILL",
): Child {
  return Bun.spawn(
    [
      process.execPath,
      "--preload",
      join(PROCESS, "kill-at-step.ts"),
      join(PROCESS, "queue-killed.ts"),
      name,
      operation,
      String(step),
    ],
    {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", BUN_SHM_STEP_SIGNAL: signal },
    },
  );
}

/** The functions that one operation calls, in order: step n is the n-th of them. */
async function stepsOf(name: string, operation: string): Promise<string[]> {
  const { stdout, stderr } = await finished(spawnKilled(name, operation, "trace"));
  if (stderr !== "") throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

/** The first step after the longest run of equal ones: after all looks of one that finds nothing. */
function stepAfterLooks(steps: readonly string[]): number {
  let [longest, end, start] = [0, 0, 0];
  steps.forEach((step, at) => {
    if (step !== steps[start]) start = at;
    if (at + 1 - start > longest) [longest, end] = [at + 1 - start, at + 1];
  });
  return end + 1;
}

/**
 * Takes out everything; the queue looks itself over meanwhile. It goes on until the queue is empty
 * and its named semaphores say so too, or the watchdog barks: a loaded machine mends late.
 */
function drain(queue: MessageQueue): string[] {
  const texts: string[] = [];
  const deadline = performance.now() + WATCHDOG_MS;
  const isDrained = (): boolean =>
    queue.size === 0 &&
    (queue.synchronization !== "named" ||
      Bun.deepEquals(values(queue.name), [1, 0, queue.capacity]));
  for (;;) {
    const text = queue.dequeue({ timeoutMs: 150 });
    if (text !== undefined) texts.push(text);
    else if (isDrained() || performance.now() > deadline) return texts;
  }
}

function values(name: string): number[] {
  return ["mutex", "items", "spaces"].map((which) => {
    using semaphore = Semaphore.open(`${name}_${which}`);
    return semaphore.value;
  });
}

describe("a handle killed at each step", () => {
  for (const [operation, filled, synchronization] of [
    ["enqueue", 3, "named"],
    ["dequeue", 3, "named"],
    ["enqueue", 9, "segment"],
    ["dequeue", 10, "polling"],
    // One that finds nothing looks for a while before it sleeps.
    ["dequeue", 0, "named"],
  ] as const) {
    test(`of ${operation} with ${filled} of 10 messages, ${synchronization} tokens`, async () => {
      const events: MessageQueueEvent[] = [];
      const logger = (event: MessageQueueEvent): void => void events.push(event);
      const name = uniqueName("killed");
      const fill = (queue: MessageQueue): string[] => {
        const texts = Array.from({ length: filled }, (_, number) => `m${number}`);
        for (const text of texts) queue.enqueue(text);
        return texts;
      };
      let steps: string[];
      {
        using queue = MessageQueue.create(name, { synchronization });
        fill(queue);
        steps = await stepsOf(name, operation);
        queue.unlink();
      }
      const firstStep = filled === 0 ? stepAfterLooks(steps) : 1;
      let survived = false;
      let repairs = 0;
      let step = firstStep - 1;
      while (!survived) {
        step++;
        using queue = MessageQueue.create(name, { synchronization, logger });
        const before = fill(queue);
        const { stdout, stderr, signal } = await finished(spawnKilled(name, operation, step));
        survived = stdout === "survived\n";
        expect({ killed: signal === "SIGKILL", stderr }).toEqual({ killed: !survived, stderr: "" });

        const texts = drain(queue);
        const victim = texts.at(-1) === "victim";
        const whole =
          operation === "enqueue" ? before : before.slice(texts.length < filled ? 1 : 0);
        expect(texts).toEqual(victim ? [...whole, "victim"] : whole);
        if (synchronization === "named") expect(values(name)).toEqual([1, 0, 10]);
        // And it goes on as if nothing had been.
        for (let number = 0; number < 10; number++) queue.enqueue(`n${number}`);
        expect(queue.tryEnqueue("too many")).toBe(false);
        for (let number = 0; number < 10; number++) expect(queue.dequeue()).toBe(`n${number}`);
        expect(queue.stats().repaired).toBe(events.length);
        // The lock, the mutex, the tokens: each is taken over or mended once at most, after a death.
        const repaired = events.splice(0).filter(({ type }) => type === "repaired").length;
        expect(repaired).toBeLessThanOrEqual(survived ? 0 : 3);
        repairs += repaired;
        queue.unlink();
      }
      const kills = step - firstStep;
      console.log(`${operation} with ${filled}: killed at ${kills} steps, ${repairs} repairs`);
      if (filled > 0) {
        expect(kills).toBe(steps.length);
        expect(repairs).toBeGreaterThan(0);
      } else {
        // How often it sleeps goes by the clock: it died in its first sleep, and after it, at least.
        const sleep = steps.indexOf("futexWait", firstStep - 1) + 1;
        expect(sleep).toBeGreaterThanOrEqual(firstStep);
        expect(step).toBeGreaterThan(sleep);
      }
    });
  }
});

test("one that is stopped inside the mutex is not taken for dead", async () => {
  const name = uniqueName("stopped");
  using queue = MessageQueue.create(name);
  // The stores of an enqueue are those of journal, tail, count and journal: stop before the third.
  const step = (await stepsOf(name, "enqueue")).indexOf("store") + 3;
  expect(queue.dequeue()).toBe("victim");
  for (let number = 0; number < 3; number++) queue.enqueue(`m${number}`);
  const child = spawnKilled(name, "enqueue", step, "SIGSTOP");
  const stat = (): string => readFileSync(`/proc/${child.pid}/stat`, "latin1");
  while (!/\) T /.test(stat())) await Bun.sleep(5);
  // It has moved the tail and not the count yet.
  const words = readFileSync(`/dev/shm${name}`);
  const [tail, count] = [TAIL_WORD, COUNT_WORD].map((word) => words.readUInt32LE(word * 4));
  expect([tail, count]).toEqual([5, 3]);
  expect(queue.dequeue({ timeoutMs: 1500 })).toBeUndefined();
  expect(queue.stats().repaired).toBe(0);
  child.kill("SIGCONT");
  expect((await finished(child)).stdout).toBe("survived\n");
  expect(drain(queue)).toEqual(["m0", "m1", "m2", "victim"]);
  expect(queue.stats().repaired).toBe(0);
  queue.unlink();
});

describe("a C program that keeps the bookkeeping", () => {
  const start = (name: string, ...args: string[]): Child =>
    spawn([compileC("test/peers/c/queue_participant.c", ["-std=gnu11"]), name, ...args]);

  testWithC("takes part beside a handle", async () => {
    const name = uniqueName("joined");
    using queue = MessageQueue.create(name);
    const children = ["a", "b"].map((label) => start(name, "500", label));
    const next = { a: 0, b: 0 };
    for (let message = 0; message < 1000; message++) {
      const [label, number] = queue.dequeue({ timeoutMs: 60_000 })!.split(":");
      expect(Number(number)).toBe(next[label as "a" | "b"]++);
    }
    const outcomes = await Promise.all(children.map((child) => finished(child)));
    for (const { stdout, stderr, exitCode } of outcomes) {
      expect([stderr, exitCode]).toEqual(["", 0]);
      // The handle has place 0.
      expect(stdout).toMatch(/^participant [12]\n$/);
    }
    expect([queue.stats().repaired, values(name)]).toEqual([0, [1, 0, 10]]);
    queue.unlink();
  });

  for (const [step, repair, last] of [
    ["outside", "A handle died outside the mutex", undefined],
    ["journal", "A handle died inside the mutex; its message was not enqueued", undefined],
    ["commit", "A handle died inside the mutex; its message was enqueued", "c:2"],
    ["count", "A handle died inside the mutex; its message was enqueued", "c:2"],
  ] as const) {
    testWithC(`is repaired after its death (${step})`, async () => {
      const name = uniqueName("dead");
      const repairs: string[] = [];
      using queue = MessageQueue.create(name, {
        slots: 5,
        slotSize: 16,
        logger: ({ message }) => void repairs.push(message),
      });
      const { signal, stderr } = await finished(start(name, "3", "c", step));
      expect([signal, stderr]).toEqual(["SIGKILL", ""]);
      const texts = ["c:0", "c:1", ...(last === undefined ? [] : [last])];
      expect(drain(queue)).toEqual(texts);
      expect(values(name)).toEqual([1, 0, 5]);
      expect(repairs[0]).toStartWith(repair);
      queue.unlink();
    });
  }
});

/** Reads a child's lines until it ends. A last line without its end was not said. */
async function lines(child: Child, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of child.stdout) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    for (const line of parts) onLine(line);
  }
}

/** One side of the exchange: started again whenever it is killed. */
class Peer {
  child!: Child;
  kills = 0;
  #read!: Promise<void>;
  readonly #start: (generation: number) => Child;
  readonly #onLine: (line: string) => void;

  constructor(start: (generation: number) => Child, onLine: (line: string) => void) {
    this.#start = start;
    this.#onLine = onLine;
    this.start();
  }

  start(): void {
    this.child = this.#start(this.kills);
    this.#read = lines(this.child, this.#onLine);
  }

  async kill(): Promise<void> {
    this.kills++;
    this.child.kill("SIGKILL");
    await Promise.all([this.child.exited, this.#read]);
    const { signalCode, stderr } = this.child;
    if (signalCode !== "SIGKILL") throw new Error(`It ended by itself: ${await stderr.text()}`);
  }
}

/** What a consumer said, checked against what producers put in. */
class Ledger {
  received = 0;
  lost = 0;
  readonly wrong: string[] = [];
  readonly #next = new Map<string, number>();

  /** @param text "LABEL:NUMBER". */
  receive(text: string): void {
    this.received++;
    const [label, digits] = text.split(":") as [string, string];
    const number = Number(digits);
    const expected = this.#next.get(label) ?? 0;
    if (!(number >= expected)) this.wrong.push(`${text} came after ${label}:${expected - 1}`);
    this.lost += number - expected;
    this.#next.set(label, number + 1);
  }
}

/** How many messages come through after a kill before the next one. */
const MESSAGES_PER_KILL = 20;

async function killAtRandom(
  name: string,
  kills: number,
  random: Random,
  start: { producer: (generation: number) => Child; consumer: () => Child },
  textOf: (line: string) => string | undefined,
): Promise<void> {
  const ledger = new Ledger();
  let heard = (): void => {};
  const producer = new Peer(start.producer, () => {});
  const consumer = new Peer(start.consumer, (line) => {
    const text = textOf(line);
    if (text === undefined) return;
    ledger.receive(text);
    heard();
  });
  /** Until some more messages went through both; the watchdog barks long after a second. */
  const progress = async (): Promise<number> => {
    const since = performance.now();
    for (let message = 0; message < MESSAGES_PER_KILL; message++) {
      const next = new Promise<"heard">((resolve) => (heard = () => resolve("heard")));
      const outcome = await Promise.race([next, Bun.sleep(20_000)]);
      if (outcome !== "heard") throw new Error(`${name}: nothing came for 20 s`);
    }
    return performance.now() - since;
  };
  let longest = 0;
  try {
    await progress();
    for (let kill = 0; kill < kills; kill++) {
      await Bun.sleep(random() * 10);
      const victim = random() < 0.5 ? producer : consumer;
      await victim.kill();
      victim.start();
      longest = Math.max(longest, await progress());
    }
  } finally {
    await producer.kill();
    await consumer.kill();
  }
  const summary = `${kills} kills, ${ledger.received} messages, ${ledger.lost} lost, longest pause`;
  console.log(`${summary} with the start of a process ${longest.toFixed(0)} ms`);
  expect(ledger.wrong).toEqual([]);
  // Both that were left were killed too; some messages went through after each kill but these.
  expect(producer.kills + consumer.kills).toBe(kills + 2);
  expect(ledger.received).toBeGreaterThanOrEqual(MESSAGES_PER_KILL * (kills + 1));
  // A consumer that is killed may take with it what it was in the middle of, and nothing more.
  expect(ledger.lost).toBeLessThanOrEqual(consumer.kills);
}

const KILLS = Number(process.env["BUN_SHM_KILLS"] ?? 200);

describe("peers killed at random", () => {
  test("both from Bun", async () => {
    const name = uniqueName("random");
    using queue = MessageQueue.create(name);
    const consumerLine = (line: string): string | undefined =>
      line === "ready" ? undefined : line;
    await killAtRandom(
      name,
      KILLS,
      seededRandom("kill Bun's peers"),
      {
        producer: (generation) => spawnBun("test/peers/queue-producer.ts", name, `p${generation}`),
        consumer: () => spawnBun("test/peers/queue-consumer.ts", name),
      },
      consumerLine,
    );
    drain(queue);
    expect(values(name)).toEqual([1, 0, 10]);
    const { repaired } = queue.stats();
    expect(repaired).toBeGreaterThan(0);
    expect(repaired).toBeLessThanOrEqual(3 * (KILLS + 2));
    queue.unlink();
  });

  const pairs = [
    ["a C producer and a Bun consumer", true],
    ["a Bun producer and a C consumer", false],
  ] as const;
  for (const [title, cProduces] of pairs) {
    testWithC(title, async () => {
      const name = uniqueName("random");
      using queue = MessageQueue.create(name);
      const names = [name, `${name}_mutex`, `${name}_items`, `${name}_spaces`];
      const programs = {
        producer: (generation: number): Child =>
          cProduces
            ? spawn([compileC("test/peers/c/producer.c"), ...names, "-1", "0", `p${generation}`])
            : spawnBun("test/peers/queue-producer.ts", name, `p${generation}`),
        consumer: (): Child =>
          cProduces
            ? spawnBun("test/peers/queue-consumer.ts", name)
            : spawn([compileC("test/peers/c/consumer.c"), ...names, "-1"]),
      };
      const textOf = (line: string): string | undefined =>
        /^(?:Consumed: )?(p\d+:\d+)/.exec(line)?.[1];
      await killAtRandom(name, KILLS >> 2, seededRandom(title), programs, textOf);
      drain(queue);
      expect(values(name)).toEqual([1, 0, 10]);
      queue.unlink();
    });
  }
});

function spawn(command: string[]): Child {
  return Bun.spawn(command, { stdio: ["pipe", "pipe", "pipe"] });
}
