/** A child that uses an event, a condition, a barrier or a lease. */
import { Barrier, Condition, Lease, Mutex, Segment, SharedEvent } from "../../src/index.ts";

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

if (what === "named") named();
if (what === "meet") meet();
if (what.startsWith("event")) event();
if (what.startsWith("condition")) condition();
if (what.startsWith("barrier")) barrier();
if (what.startsWith("lease")) await lease();
