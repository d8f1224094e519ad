/** Checks that say what they find, for the demos that show what the library does. */
let failures = 0;

/** Says whether something holds. */
export function check(what: string, holds: boolean): void {
  console.log(`  ${holds ? "✓" : "✗"} ${what}`);
  if (!holds) failures++;
}

/** How an attempt to open something ends: the error's code, or "success". */
export function outcomeOf(open: () => Disposable): string {
  try {
    open()[Symbol.dispose]();
    return "success";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** What the error of a call says; undefined when there is none. */
export function refusalOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Ends the program: with 0 when everything held. */
export function finish(): never {
  process.exit(failures === 0 ? 0 : 1);
}
