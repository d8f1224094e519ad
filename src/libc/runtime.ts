/** The Bun that this package needs, which its manifest names. */
import { UnsupportedError } from "../errors.ts";

const { engines } = require("../../package.json") as { engines: { bun: string } };

/**
 * Refuses an older Bun, before anything is called that such a Bun lacks. The error has no stack,
 * because no line of this package is at fault.
 */
export function refuseOldBun(): void {
  const oldest = engines.bun.replace(">=", "");
  if (Bun.semver.order(Bun.version, oldest) >= 0) return;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const refusal = new UnsupportedError(
    `bun-shm needs Bun ${oldest} or newer, and this is Bun ${Bun.version}: run bun upgrade`,
  );
  Error.stackTraceLimit = stackTraceLimit;
  throw refusal;
}
