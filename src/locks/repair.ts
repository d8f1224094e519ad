/** The option `onOwnerDied`: how the data of a dead owner are repaired. */
import { checkFunction, isAsyncFunction, isThenable } from "../arguments.ts";

/** Checks the option. @throws TypeError when it is not a function, or is declared `async`. */
export function checkRepair(action: string, onOwnerDied: unknown): void {
  if (onOwnerDied === undefined) return;
  checkFunction(action, "onOwnerDied", onOwnerDied);
  if (!isAsyncFunction(onOwnerDied)) return;
  const why = "others would see the data before they are repaired";
  throw new TypeError(`${action}: onOwnerDied must not be asynchronous, since ${why}`);
}

/** Calls the repair. @throws TypeError when it returns a promise; what it throws itself. */
export function repair(onOwnerDied: () => unknown): void {
  if (isThenable(onOwnerDied())) throw new TypeError("onOwnerDied returned a promise");
}
