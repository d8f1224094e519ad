/**
 * Makes records slowly, or finds them: ACTION NAME [MS]. "slow" has the maker's lock, and the mark
 * of what is being made, for MS before it goes on; "make" makes it at once or finds it, and "open"
 * waits MS for it.
 */
import { Segment, SharedRecord, struct } from "../../src/index.ts";
import { MAKER_BYTE } from "../../src/layout/lock-bytes.ts";
import { MAKING } from "../../src/layout/making.ts";
import { HEADER_MAKING } from "../../src/layout/segment-header.ts";

const [action, name = "", ms] = process.argv.slice(2);
const codec = struct({ n: "f64" });

if (action === "slow") {
  using segment = Segment.create(name, { size: SharedRecord.byteLength({ codec }) });
  using maker = segment.tryLock(MAKER_BYTE);
  segment.view.setUint32(HEADER_MAKING.offset, MAKING, true);
  console.log(maker?.held === true ? "making" : "not the maker");
  Bun.sleepSync(Number(ms));
}

try {
  using record =
    action === "open"
      ? SharedRecord.open(name, { codec, waitMs: ms === undefined ? undefined : Number(ms) })
      : SharedRecord.openOrCreate(name, { codec, initial: { n: 5 } });
  console.log(`${record.created ? "made" : "found"} ${record.read()?.n}`);
} catch (error) {
  const { code, message } = error as Error & { code: string };
  console.log(`${code}: ${message}`);
}
