/** Writes a record of 1 KiB without pause, until it is killed. */
import { SharedRecord, byteArray, struct } from "../../src/index.ts";

const codec = struct({ data: byteArray(1024) });
const record = SharedRecord.open(process.argv[2] ?? "", { codec });
const value = { data: new Uint8Array(1024) };
for (let turn = 0; ; turn++) {
  value.data.fill(turn);
  record.write(value);
  if (turn === 100_000) console.log("ready");
}
