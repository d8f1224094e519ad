/** One side of a ping-pong over a wait point: NAME MODE SIDE ROUNDS; or what a MODE says. */
import { closeSync, openSync } from "node:fs";
import { BELL_COUNT, FIRST_BELL_WORD } from "../../src/layout/wait-point-layout.ts";
import { WAIT_POINT_LENGTH } from "../../src/layout/wait-point-layout.ts";
import { load, store } from "../../src/memory/atomics.ts";
import { Segment } from "../../src/segment/segment.ts";
import { MAX_TIMER_MS } from "../../src/waiting/limits.ts";
import { WaitPoint } from "../../src/waiting/wait-point.ts";
import { beInterrupted } from "../support/interrupted.ts";

const [name, mode, side, rounds] = process.argv.slice(2) as [string, string, string, string];
const segment = Segment.open(name);
const words = new Int32Array(segment.buffer);
const point = new WaitPoint(segment, 0);
const DATA = WAIT_POINT_LENGTH / 4;

/** From now on nobody looks unasked: a wait that nobody wakes lasts for ever. */
function lookNoMore(): void {
  const { setInterval } = globalThis;
  const never = ((call: () => void, ms: number) =>
    setInterval(call, ms > 10 ? MAX_TIMER_MS : ms)) as typeof setInterval;
  Object.assign(globalThis, { setInterval: never });
}

if (mode === "crowd") {
  lookNoMore();
  const waits = Array.from({ length: Number(side) }, () =>
    new WaitPoint(segment, 0).waitAsync(() => load(words, DATA) === -1),
  );
  console.log((await Promise.all(waits)).filter(Boolean).length);
} else if (mode === "far") {
  // Its bell is taken for that of a dead thread, as it finds out when it looks unasked.
  await point.waitAsync(() => load(words, DATA) === 1);
  lookNoMore();
  console.log("woken once");
  for (let round = 2; round < 6; round++) await point.waitAsync(() => load(words, DATA) >= round);
  console.log("woken again");
} else if (mode === "ref" || mode === "unref") {
  void point
    .waitAsync(() => load(words, DATA) === -1, { ref: mode === "ref" })
    .then(() => console.log("woken"));
} else if (mode === "interrupted") {
  beInterrupted();
  let looks = 0;
  const isReady = (unasked?: boolean): boolean => ++looks > 0 && unasked === true;
  console.log(point.wait(isReady, { strategy: "block" }), looks);
} else if (mode === "starved") {
  // Waits without a descriptor for the bell, and again when there are some.
  const bells = (): number => {
    const ids = words.subarray(FIRST_BELL_WORD, FIRST_BELL_WORD + BELL_COUNT);
    return ids.filter((id) => id !== 0).length;
  };
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(openSync("/dev/null", "r"));
    } catch {
      break;
    }
  }
  const first = point.waitAsync(() => load(words, DATA) === -1);
  console.log(await point.waitAsync(() => false, { timeoutMs: 5 }), bells());
  for (const descriptor of taken) closeSync(descriptor);
  // The wait that began without a bell gets one too.
  while (bells() === 0) await Bun.sleep(1);
  store(words, DATA, -1);
  point.wake();
  console.log(await first, bells());
} else {
  for (let round = 0; round < Number(rounds); round++) {
    const turn = round * 2 + Number(side);
    const ready = (): boolean => load(words, DATA) === turn;
    if (mode === "async") await point.waitAsync(ready);
    else point.wait(ready, { strategy: mode as "block" });
    store(words, DATA, turn + 1);
    point.wake();
  }
}
