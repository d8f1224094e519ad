/** Checks that print what they find, for the demos. */
import { printLine } from "./stop.ts";

let failures = 0;

/** Prints whether something holds. */
export function check(what: string, holds: boolean): void {
  printLine(`  ${holds ? "✓" : "✗"} ${what}`);
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
  // Signals that came meanwhile are served now that everything is removed, and not before.
  await Bun.sleep(0);
  process.exit(failures === 0 ? 0 : 1);
}
