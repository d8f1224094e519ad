/**
 * The Bun side of an exchange with C programs: MODE NAME FIRST COUNT BATCH PAUSE_EVERY. The records
 * are those of test/peers/c/ring_record.h.
 */
import { RingBuffer } from "../../src/index.ts";

const [mode = "", name = "", first = "0", count = "0", batch = "1", pause = "0"] =
  process.argv.slice(2);
const begin = Number(first);
const end = begin + Number(count);
const pauseEvery = Number(pause);
let next = begin;
let checksum = 0;

const lengthOf = (sequence: number): number => 4 + ((Math.imul(sequence, 7) >>> 0) % 190);
const byteOf = (sequence: number, at: number): number =>
  (at < 4 ? sequence >>> (8 * at) : sequence + at * 31) & 0xff;

function check(view: DataView, index: number, length: number, type: number): void {
  const sequence = next++;
  if (length !== lengthOf(sequence) || type !== (sequence & 0xff)) {
    throw new Error(`Record ${sequence} has ${length} bytes and type ${type}`);
  }
  for (let at = 0; at < length; at++) {
    const byte = view.getUint8(index + at);
    if (byte !== byteOf(sequence, at)) throw new Error(`Record ${sequence} is wrong at ${at}`);
    checksum = (Math.imul(checksum, 31) + byte) >>> 0;
  }
}

using ring = RingBuffer.open(name);
if (mode === "produce") {
  using producer = ring.producer({ batch: Number(batch) });
  console.log("ready");
  for (; next < end; next++) {
    const claim = producer.claim(lengthOf(next), { type: next & 0xff, timeoutMs: 30_000 });
    if (claim === undefined) throw new Error("The ring stayed full");
    const { bytes } = claim;
    for (let at = 0; at < bytes.length; at++) {
      const byte = byteOf(next, at);
      bytes[at] = byte;
      checksum = (Math.imul(checksum, 31) + byte) >>> 0;
    }
    claim.commit();
    if (pauseEvery > 0 && next % pauseEvery === 0) await Bun.sleep(2);
  }
} else {
  using consumer = ring.consumer();
  console.log("ready");
  while (next < end) {
    const limit = end - next;
    if (mode === "async") await consumer.readAsync(check, { limit });
    else consumer.read(check, { limit, timeoutMs: 30_000 });
  }
}
console.log(`${next - begin} ${checksum}`);
