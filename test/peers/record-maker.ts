/**
 * Makes records slowly, or finds them: ACTION NAME [MS]. "slow" needs MS between its first and its
 * last step, "make" makes it at once or finds it, and "open" waits MS for it.
 */
import { SharedRecord, struct } from "../../src/index.ts";

const [action, name = "", ms] = process.argv.slice(2);
const codec = struct({ n: "f64" });

const initial = {
  get n(): number {
    if (action === "slow") {
      console.log("making");
      Bun.sleepSync(Number(ms));
    }
    return 5;
  },
};

try {
  using record =
    action === "open"
      ? SharedRecord.open(name, { codec, waitMs: ms === undefined ? undefined : Number(ms) })
      : SharedRecord.openOrCreate(name, { codec, initial });
  console.log(`${record.created ? "made" : "found"} ${record.read()?.n}`);
} catch (error) {
  const { code, message } = error as Error & { code: string };
  console.log(`${code}: ${message}`);
}
