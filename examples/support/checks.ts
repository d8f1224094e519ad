/** Checks that print what they find, for the demos. */
import { stopSignal } from "./stop.ts";

let failures = 0;

/** Prints whether something holds. */
export function check(what: string, holds: boolean): void {
  console.log(`  ${holds ? "✓" : "✗"} ${what}`);
  if (!holds) failures++;
}

/** Tries to open something. @returns The error's code, or "success". */
export function outcomeOf(open: () => Disposable): string {
  try {
    open()[Symbol.dispose]();
    return "success";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Calls a function. @returns The message of its error; undefined when it throws none. */
export function refusalOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Ends the program, with exit code 0 when everything held. */
export async function finish(): Promise<void> {
  // A signal that came meanwhile is served now, and not before everything is removed.
  await Bun.sleep(0);
  process.exit(stopSignal.aborted ? process.exitCode : failures === 0 ? 0 : 1);
}
