/** How a program ends early: by a signal, or because nobody reads its output any more. */
import { constants } from "node:os";

const controller = new AbortController();

/** Aborted when the program shall stop. */
export const stopSignal: AbortSignal = controller.signal;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // A second signal does not wait for what the first one has begun; `atExit` still cleans up.
    if (stopSignal.aborted) process.exit(128 + constants.signals[signal]);
    controller.abort();
  });
}
// The reader of the output, such as `head`, has enough.
process.stdout.on("error", () => controller.abort());

/** Calls a function when the program ends, however it does, except by SIGKILL. */
export function atExit(call: () => void): void {
  process.once("exit", call);
}

/** Prints a line; what somebody else's text would do to a terminal becomes escapes. */
export function printLine(line: string): void {
  process.stdout.write(`${withEscapes(line)}\n`);
}

function withEscapes(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const units = character.split("").map((unit) => unit.charCodeAt(0).toString(16));
    return units.map((unit) => `\\u${unit.padStart(4, "0")}`).join("");
  });
}
