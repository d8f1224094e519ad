/** A child that uses an event, a condition, a barrier or a lease. */
import { readFileSync } from "node:fs";
import { Barrier, Condition, Lease, Mutex, Segment, SharedEvent } from "../../src/index.ts";

/** Where `event-load` counts its sets and the waits that were let through. */
const EVENT_COUNTS_OFFSET = 512;
/** `barrier-load` counts these, in this order, in words behind the barrier. */
const BARRIER_OUTCOMES = ["last", "passed", "broken", "timedOut"];

const [name, what, argument = ""] = process.argv.slice(2) as [string, string, string?];
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function event(): void {
  const segment = Segment.open(name);
  const [ask, answer] = [SharedEvent.at(segment, 0), SharedEvent.at(segment, 256)];
  if (what === "event-set") ask.set();
  if (what === "event-wait") {
    say("waiting");
    say(String(ask.wait()));
  }
  if (what === "event-echo") {
    for (let left = Number(argument); left > 0; left--) {
      ask.wait();
      answer.set();
    }
  }
  if (what === "event-load") {
    const words = new Int32Array(segment.buffer, EVENT_COUNTS_OFFSET, 2);
    for (let turn = 0; ; turn++) {
      if (turn === 2) say("ready");
      if (turn % 2 === 0) {
        // This counts before the set, and below after the pass, so there are never fewer sets.
        Atomics.add(words, 0, 1);
        ask.set();
      } else if (ask.wait({ timeoutMs: 1 })) {
        Atomics.add(words, 1, 1);
      }
    }
  }
}

function condition(): void {
  const segment = Segment.open(name);
  const words = new Int32Array(segment.buffer, Mutex.byteLength() + Condition.byteLength(), 4);
  const mutex = Mutex.at(segment, 0, { onOwnerDied: () => void (words[1] = words[0]!) });
  const changed = Condition.at(segment, Mutex.byteLength(), { mutex });
  if (what === "condition-consume") {
    say("ready");
    for (let left = Number(argument); left > 0; left--) {
      mutex.lock();
      changed.waitFor(() => words[0]! > 0);
      words[0] = words[0]! - 1;
      mutex.unlock();
    }
  }
  if (what === "condition-load") {
    for (let turn = process.pid; ; turn++) {
      // It prints this only now, so that each child that is killed has held the mutex before.
      if (turn === process.pid + 1) say("ready");
      using _ = mutex.acquire();
      if (words[0] !== words[1]) {
        say(`torn: ${words[0]} ${words[1]}`);
        process.exit(1);
      }
      words[0] = words[0]! + 1;
      words[1] = words[1]! + 1;
      if (turn % 2 === 0) changed.notifyOne();
      else if (turn % 5 === 0) changed.notifyAll();
      else changed.wait({ timeoutMs: 2 });
    }
  }
}

function barrier(): void {
  const segment = Segment.open(name);
  using barrier = Barrier.at(segment, 0);
  const words = new Int32Array(segment.buffer, Barrier.byteLength({ parties: 3 }), 64);
  if (what === "barrier-rounds") {
    const me = Number(argument) * 16;
    for (let round = 1; round <= 2000; round++) {
      Atomics.store(words, me, round);
      const outcome = barrier.wait();
      if (outcome !== "last" && outcome !== "passed") return say(`round ${round}: ${outcome}`);
      for (const other of [0, 16, 32]) {
        const found = Atomics.load(words, other);
        if (found !== round && found !== round + 1) return say(`round ${round}: saw ${found}`);
      }
    }
    say("done");
  }
  if (what === "barrier-wait") {
    say("arriving");
    say(barrier.wait());
  }
  if (what === "barrier-load") {
    for (let turn = 0; ; turn++) {
      if (turn === 1) say("ready");
      const outcome = barrier.wait({ timeoutMs: 200 });
      Atomics.add(words, BARRIER_OUTCOMES.indexOf(outcome), 1);
      if (outcome === "broken" || outcome === "timedOut") barrier.reset();
    }
  }
}

async function lease(): Promise<void> {
  const lease = Lease.openOrCreate(name);
  if (what === "lease-hold") {
    const term = await lease.acquireAsync({ text: argument });
    say(String(term!.token));
    process.stdin.on("data", () => {
      term!.release();
      say("released");
    });
    setInterval(() => {}, 1000);
  }
  if (what === "lease-load") {
    const segment = Segment.open(argument);
    const words = new Int32Array(segment.buffer, 0, 64);
    for (let ready = false; ; ready = true) {
      const term = await lease.acquireAsync();
      if (term === undefined) throw new Error("no term");
      // It prints this only now, so that each child that is killed has held the lease before.
      if (!ready) say("ready");
      // If it finds another's mark, two hold the lease, unless the other one was killed with it.
      const before = Atomics.exchange(words, 0, process.pid);
      Atomics.add(words, 32, 1);
      if (before !== 0 && isAlive(before)) {
        say(`two holders: ${before} and ${process.pid}`);
        process.exit(1);
      }
      const last = new Float64Array(segment.buffer, 64, 1);
      if (term.token <= last[0]!) {
        say(`token ${term.token} after ${last[0]}`);
        process.exit(1);
      }
      last[0] = term.token;
      if (term.token % 2 === 0) await Bun.sleep(0);
      if (Atomics.exchange(words, 0, 0) !== process.pid) {
        say("another took it meanwhile");
        process.exit(1);
      }
      term.release();
    }
  }
}

/** Tries a mutex by name, and takes a lease by name without releasing it. */
function named(): void {
  const mutex = Mutex.open(name);
  const lease = Lease.open(argument);
  const term = lease.acquire({ text: "child" })!;
  say([mutex.tryLock(), lease.acquire({ timeoutMs: 1 }), term.held].join(" "));
}

/** Makes or finds a barrier by name with the others, and passes it once. */
function meet(): void {
  using barrier = Barrier.openOrCreate(name, { parties: Number(argument) });
  say(`${barrier.created} ${barrier.wait()}`);
}

/** Whether a process lives; a killed one releases its locks a moment before it disappears. */
function isAlive(pid: number): boolean {
  for (let tries = 0; tries < 1000; tries++) {
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    } catch {
      return false;
    }
    if (/\) [ZX] /.test(stat)) return false;
    Bun.sleepSync(1);
  }
  return true;
}

if (what === "named") named();
if (what === "meet") meet();
if (what.startsWith("event")) event();
if (what.startsWith("condition")) condition();
if (what.startsWith("barrier")) barrier();
if (what.startsWith("lease")) await lease();
