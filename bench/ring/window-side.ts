/**
 * One side of a row's windows: SIDE NAME LIBRARY WINDOWS TREES. Both sides run the same windows, and
 * meet before and after each. Side 0 prints what it measured in each, as JSON.
 */
import { dlopen, ptr } from "bun:ffi";
import { type RingBuffer, type RingConsumer, type RingProducer, Segment } from "../../src/index.ts";
import type { Window } from "./windows.ts";

const [sideText = "", name = "", library = "", windowsText = "", treesText = ""] =
  process.argv.slice(2);
const SIDE = Number(sideText);
const windows = JSON.parse(windowsText) as readonly Window[];
const trees = JSON.parse(treesText) as Readonly<Record<string, string>>;

const native = dlopen(library, {
  words_ping: { args: ["ptr", "i32", "i32"], returns: "f64" },
  words_pong: { args: ["ptr", "i32", "i32"], returns: "void" },
  ring_init: { args: ["ptr", "u32"], returns: "void" },
  ring_produce: { args: ["ptr", "ptr", "u32", "i32", "i32", "i32"], returns: "void" },
  ring_consume: { args: ["ptr", "ptr", "u32", "i32", "i32", "i32"], returns: "f64" },
  ring_ping: { args: ["ptr", "ptr", "ptr", "ptr", "u32", "i32", "i32"], returns: "f64" },
  ring_pong: { args: ["ptr", "ptr", "ptr", "ptr", "u32", "i32", "i32"], returns: "void" },
  copy: { args: ["ptr", "u32", "i32", "i32"], returns: "f64" },
}).symbols;

/** Records before those that count. */
const warmOf = (count: number): number => count >> 2;
/** Where the rings of C keep their data, in bytes from the start of their memory. */
const NATIVE_DATA = 4096;

const segments: Record<string, Segment> = {};
function segmentOf(what: string, size: number): Segment {
  return (segments[what] ??= Segment.openOrCreate(`${name}-${what}`, { size }));
}

const phases = new Int32Array(segmentOf("phases", 4096).buffer);
let phase = 0;
/** Waits for the other side. */
function meet(): void {
  Atomics.store(phases, SIDE * 64, ++phase);
  while (Atomics.load(phases, (1 - SIDE) * 64) < phase);
}

function measureWords(count: number): number {
  const address = ptr(segmentOf("words", 4096).buffer);
  let best = Number.POSITIVE_INFINITY;
  for (const pauses of [0, 1]) {
    if (SIDE === 0) best = Math.min(best, native.words_ping(address, count, pauses));
    else native.words_pong(address, count, pauses);
    meet();
  }
  return best;
}

/** A ring in C, as one side has it. */
class NativeRing {
  readonly memory: ArrayBuffer;
  readonly #capacity: number;
  /** What this side keeps from window to window. */
  readonly state = new ArrayBuffer(64);

  constructor(what: string, capacity: number) {
    this.memory = segmentOf(what, NATIVE_DATA + capacity).buffer;
    this.#capacity = capacity;
    native.ring_init(ptr(this.state), capacity);
  }

  /** For the measuring side, ns a record. */
  stream({ variant, count, size, batch }: Window): number {
    const [memory, state] = [ptr(this.memory), ptr(this.state)];
    const warm = warmOf(count);
    if (SIDE === 0) {
      const isModern = variant === "c-modern" ? 1 : 0;
      return native.ring_consume(memory, state, this.#capacity, warm, count, isModern);
    }
    native.ring_produce(memory, state, this.#capacity, warm + count, size, batch);
    return 0;
  }
}

const nativeRings: Record<string, NativeRing> = {};
const nativeRing = (what: string, capacity: number): NativeRing =>
  (nativeRings[what] ??= new NativeRing(what, capacity));

function runNative(window: Window): number {
  const { kind, variant, size, batch, count, capacity } = window;
  const what = `${variant}-${kind}-${size}-${batch}`;
  if (kind === "oneway") return nativeRing(what, capacity).stream(window);
  const there = nativeRing(`${what}-there`, capacity);
  const back = nativeRing(`${what}-back`, capacity);
  const [out, incoming] = SIDE === 0 ? [there, back] : [back, there];
  const memories = [ptr(there.memory), ptr(back.memory)] as const;
  const states = [ptr(out.state), ptr(incoming.state)] as const;
  if (SIDE === 0) return native.ring_ping(...memories, ...states, capacity, count, size);
  native.ring_pong(...memories, ...states, capacity, count, size);
  return 0;
}

type Package = typeof import("../../src/index.ts");
type Loops = typeof import("./window-loops.ts");

/** The package, or another tree of it, with loops of its own. */
class Tree {
  readonly #variant: string;
  readonly #package: Package;
  readonly #loops: Loops;
  readonly #producers: Record<string, RingProducer> = {};
  readonly #consumers: Record<string, RingConsumer> = {};
  readonly rings: Record<string, RingBuffer> = {};

  private constructor(variant: string, code: Package, loops: Loops) {
    this.#variant = variant;
    this.#package = code;
    this.#loops = loops;
  }

  static async load(variant: string): Promise<Tree> {
    const path = trees[variant] === undefined ? "../.." : trees[variant];
    // The engine compiles a loop for all that it has met, so each tree has a copy.
    const loops = await import(`./window-loops.ts?${variant}`);
    return new Tree(variant, await import(`${path}/src/index.ts`), loops);
  }

  #ring(what: string, capacity: number): RingBuffer {
    const { RingBuffer } = this.#package;
    const open = (): RingBuffer =>
      RingBuffer.openOrCreate(`${name}-${this.#variant}-${what}`, { capacity });
    return (this.rings[what] ??= open());
  }

  #producer(what: string, capacity: number, batch: number): RingProducer {
    return (this.#producers[what] ??= this.#ring(what, capacity).producer({ batch }));
  }

  #consumer(what: string, capacity: number): RingConsumer {
    return (this.#consumers[what] ??= this.#ring(what, capacity).consumer());
  }

  run({ kind, size, batch, count, capacity }: Window): number {
    const what = `${kind}-${size}-${batch}`;
    const warm = warmOf(count);
    if (kind === "oneway") {
      if (SIDE === 0) return this.#loops.consume(this.#consumer(what, capacity), warm, count);
      this.#loops.produce(this.#producer(what, capacity, batch), size, warm + count);
      return 0;
    }
    const [out, incoming] = SIDE === 0 ? ["there", "back"] : ["back", "there"];
    const producer = this.#producer(`${what}-${out}`, capacity, 1);
    const consumer = this.#consumer(`${what}-${incoming}`, capacity);
    if (SIDE === 0) return this.#loops.ping(producer, consumer, size, count);
    this.#loops.pong(producer, consumer, size, count);
    return 0;
  }
}

const loaded: Record<string, Tree> = {};
for (const { variant } of windows) {
  if (variant.startsWith("bun")) loaded[variant] ??= await Tree.load(variant);
}

function run(window: Window): number {
  const { kind, variant, count, capacity, size } = window;
  if (kind === "words") return measureWords(count);
  const tree = loaded[variant];
  if (tree !== undefined) return tree.run(window);
  if (kind !== "copy") return runNative(window);
  if (SIDE === 1) return 0;
  return native.copy(ptr(segmentOf("copy", NATIVE_DATA + capacity).buffer), capacity, count, size);
}

const figures: number[] = [];
meet();
for (const window of windows) {
  // What a window needs is made before both begin.
  loaded[window.variant]?.run({ ...window, count: 0 });
  meet();
  figures.push(run(window));
  meet();
}
if (SIDE === 0) {
  console.log(JSON.stringify(figures));
  for (const segment of Object.values(segments)) segment.unlink();
  for (const tree of Object.values(loaded)) {
    for (const ring of Object.values(tree.rings)) ring.unlink();
  }
}
