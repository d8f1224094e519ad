/**
 * One side of windows that two pinned processes run one after the other, each window in both at
 * once: SIDE NAME LIBRARY WINDOWS. Side 0 measures, and prints one line of figures a window.
 */
import { dlopen, ptr } from "bun:ffi";
import type { RingBuffer, RingConsumer, RingProducer, Segment } from "../../src/index.ts";
import type { Window } from "./windows.ts";

const [sideText = "", name = "", library = "", windowsText = "", treesText = "{}"] =
  process.argv.slice(2);
const SIDE = Number(sideText);
const windows = JSON.parse(windowsText) as readonly Window[];
const trees = JSON.parse(treesText) as Record<string, string>;
const OWN = "../../src/index.ts";
const own = (await import(OWN)) as typeof import("../../src/index.ts");

const native = dlopen(library, {
  words_ping: { args: ["ptr", "i32", "i32"], returns: "f64" },
  words_pong: { args: ["ptr", "i32", "i32"], returns: "void" },
  ring_init: { args: ["ptr", "ptr", "u32"], returns: "void" },
  ring_produce: { args: ["ptr", "ptr", "u32", "i32", "i32", "i32"], returns: "void" },
  ring_consume: { args: ["ptr", "ptr", "u32", "i32", "i32", "i32"], returns: "f64" },
  ring_ping: { args: ["ptr", "ptr", "ptr", "ptr", "u32", "i32", "i32"], returns: "f64" },
  ring_pong: { args: ["ptr", "ptr", "ptr", "ptr", "u32", "i32", "i32"], returns: "void" },
  copy: { args: ["ptr", "u32", "i32", "i32"], returns: "f64" },
}).symbols;

const control = own.Segment.openOrCreate(`${name}-control`, { size: 4096 });
const phases = new Int32Array(control.buffer, 0, 512);
let phase = 0;
/** Waits for the other side. */
function meet(): void {
  Atomics.store(phases, SIDE * 64, ++phase);
  while (Atomics.load(phases, (1 - SIDE) * 64) < phase);
}

const memories: Record<string, Segment> = {};
function memory(what: string, capacity: number) {
  return (memories[what] ??= own.Segment.openOrCreate(`${name}-${what}`, {
    size: capacity + 4096,
  }));
}

const states: Record<string, ArrayBuffer> = {};
/** What a side of a C ring keeps from window to window. */
function state(what: string, capacity: number): ArrayBuffer {
  const known = states[what];
  if (known !== undefined) return known;
  const made = new ArrayBuffer(64);
  native.ring_init(ptr(memory(what, capacity).buffer), ptr(made), capacity);
  return (states[what] = made);
}

const payloads = new Map<number, Uint8Array>();
function payloadOf(size: number): Uint8Array {
  const payload = payloads.get(size) ?? new Uint8Array(size);
  payloads.set(size, payload);
  return payload;
}

const libraries: Record<string, typeof import("../../src/index.ts")> = {};
const loops: Record<string, typeof import("./window-loops.ts")> = {};
for (const { variant } of windows) {
  if (variant.startsWith("bun")) {
    libraries[variant] ??= await import(trees[variant] ?? OWN);
    loops[variant] ??= await import(`./window-loops.ts?${variant}`);
  }
}
const rings: Record<string, RingBuffer> = {};
const producers: Record<string, RingProducer> = {};
const consumers: Record<string, RingConsumer> = {};
function ringOf(variant: string, what: string, capacity: number): RingBuffer {
  const key = `${variant}-${what}`;
  return (rings[key] ??= libraries[variant]!.RingBuffer.openOrCreate(`${name}-${key}`, {
    capacity,
  }));
}
const producerOf = (variant: string, what: string, capacity: number, batch = 1): RingProducer =>
  (producers[`${variant}-${what}`] ??= ringOf(variant, what, capacity).producer({ batch }));
const consumerOf = (variant: string, what: string, capacity: number): RingConsumer =>
  (consumers[`${variant}-${what}`] ??= ringOf(variant, what, capacity).consumer());

/** @returns What side 0 measured: ns a record, a round trip or a copy. */
function run({ variant, kind, size, batch, count, capacity }: Window): number | undefined {
  const warm = count >> 2;
  if (kind === "words") {
    const address = ptr(memory("words", 4096).buffer);
    let best = Number.POSITIVE_INFINITY;
    for (const pausing of [0, 1]) {
      if (SIDE === 0) best = Math.min(best, native.words_ping(address, count, pausing));
      else native.words_pong(address, count, pausing);
      meet();
    }
    return SIDE === 0 ? best : undefined;
  }
  if (kind === "copy") {
    return SIDE === 0
      ? native.copy(ptr(memory("copy", capacity).buffer), capacity, count, size)
      : undefined;
  }
  if (variant.startsWith("c")) {
    const tag = `${variant}-${kind}-${size}-${batch}`;
    if (kind === "oneway") {
      const [address, own] = [ptr(memory(tag, capacity).buffer), ptr(state(tag, capacity))];
      if (SIDE === 1)
        return void native.ring_produce(address, own, capacity, warm + count, size, batch);
      return native.ring_consume(
        address,
        own,
        capacity,
        warm,
        count,
        variant === "c-modern" ? 1 : 0,
      );
    }
    const [there, back] = [
      ptr(memory(`${tag}-there`, capacity).buffer),
      ptr(memory(`${tag}-back`, capacity).buffer),
    ];
    const [own, other] = SIDE === 0 ? ["there", "back"] : ["back", "there"];
    const [p, c] = [ptr(state(`${tag}-${own}`, capacity)), ptr(state(`${tag}-${other}`, capacity))];
    if (SIDE === 1) return void native.ring_pong(there, back, p, c, capacity, count, size);
    return native.ring_ping(there, back, p, c, capacity, count, size);
  }
  const payload = payloadOf(size);
  const tag = `${kind}-${size}-${batch}`;
  if (kind === "oneway") {
    if (SIDE === 1)
      return void loops[variant]!.produce(
        producerOf(variant, tag, capacity, batch),
        payload,
        warm + count,
      );
    return loops[variant]!.consume(consumerOf(variant, tag, capacity), warm, count);
  }
  const [own, other] = SIDE === 0 ? ["there", "back"] : ["back", "there"];
  const producer = producerOf(variant, `${tag}-${own}`, capacity);
  const consumer = consumerOf(variant, `${tag}-${other}`, capacity);
  if (SIDE === 1) return void loops[variant]!.pong(producer, consumer, payload, count);
  return loops[variant]!.ping(producer, consumer, payload, count);
}

const memoryOwner = SIDE === 0;
meet();
for (const window of windows) {
  // What a window needs is made before both begin.
  if (window.variant.startsWith("bun")) run({ ...window, count: 0 });
  meet();
  const measured = run(window);
  if (measured !== undefined) console.log(String(measured));
  meet();
}
if (memoryOwner) {
  control.unlink();
  for (const made of Object.values(memories)) made.unlink();
  for (const ring of Object.values(rings)) ring.unlink();
}
