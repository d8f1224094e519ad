/**
 * Writes without pause until it is killed, and prints "ready" once it has written. Its arguments
 * are what it writes, the segment's name, and a seed.
 */
import { SharedAtomics, SharedMap, SharedRecord, codecs } from "../../src/index.ts";
import { Block, blockOf, checkBlock, checkText, textOf } from "./state-values.ts";

const [what, name = "", seedText] = process.argv.slice(2);
let state = Number(seedText) | 0;
const next = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return state >>> 8;
};

const sayReady = (): void => void process.stdout.write("ready\n");

function writeRecord(): void {
  const record = SharedRecord.open(name, { codec: Block });
  const blocks = Array.from({ length: 16 }, () => blockOf(next()));
  for (let turn = 0; ; turn++) {
    record.write(blocks[turn & 15]!);
    if (turn === 0) sayReady();
    if (turn % 64 === 0) checkBlock(record.read()!);
    if (turn % 256 === 0) {
      record.update((block) => {
        checkBlock(block!);
        return blocks[0]!;
      });
    }
  }
}

function writeMap(): void {
  const map = SharedMap.open(name, { codec: codecs.utf8 });
  for (let turn = 0; ; turn++) {
    const key = `k${next() % 200}`;
    const choice = turn === 0 ? 0 : next() % 10;
    if (turn === 1) sayReady();
    if (choice < 6) map.set(key, textOf(key, next() % 10_000));
    else if (choice < 8) map.delete(key);
    else if (choice < 9) map.update(key, (text) => textOf(key, (text?.length ?? 0) + 1));
    else {
      const text = map.get(key);
      if (text !== undefined) checkText(key, text);
    }
  }
}

function count(): void {
  const atomics = SharedAtomics.open(name, { words: ["acks"], counters: ["total"] });
  const { acks } = atomics.words;
  const { total } = atomics.counters;
  for (let turn = 0; ; turn++) {
    total.add(1);
    acks.add(1);
    if (turn === 0) sayReady();
  }
}

function increment(): void {
  const map = SharedMap.open(name, { codec: codecs.number });
  for (let turn = 0; ; turn++) {
    map.increment("total");
    map.increment("acks");
    if (turn === 0) sayReady();
  }
}

if (what === "record") writeRecord();
else if (what === "map") writeMap();
else if (what === "counter") count();
else if (what === "increment") increment();
else throw new Error(`Cannot write ${what}`);
