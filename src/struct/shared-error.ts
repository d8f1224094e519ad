/** Errors that one process tells another of. */
import { shown } from "../arguments.ts";
import { RemoteError } from "../errors.ts";
import type { Scratch } from "./scratch.ts";
import { textIn } from "./scratch-codec.ts";

/** The most characters of a name or a code, and of a message, that are told. */
const MAX_NAME_LENGTH = 100;
const MAX_MESSAGE_LENGTH = 1000;

function text(value: unknown, most: number): string {
  const whole = typeof value === "string" ? value : shown(value);
  return whole.length > most ? `${whole.slice(0, most)}…` : whole;
}

/** What another process learns of something that was thrown. */
interface Told {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
}

function told(error: unknown): Told {
  try {
    if (error instanceof Error) {
      const { name, message, code } = error as Error & { code?: unknown };
      const known = typeof code === "string" ? text(code, MAX_NAME_LENGTH) : code;
      return {
        name: text(name, MAX_NAME_LENGTH),
        message: text(message, MAX_MESSAGE_LENGTH),
        ...(typeof known === "string" || typeof known === "number" ? { code: known } : {}),
      };
    }
  } catch {
    // A getter that throws, or a revoked proxy.
  }
  return { name: "Error", message: text(error, MAX_MESSAGE_LENGTH) };
}

/** Writes an error's name, message and code to the start of a scratch. @returns How many bytes. */
export function encodeError(error: unknown, scratch: Scratch): number {
  return textIn(JSON.stringify(told(error)), scratch);
}

/** @returns The error that was told in a text; one that says so if the text tells of none. */
export function decodeError(text: string): RemoteError {
  let found: Partial<Record<keyof Told, unknown>> = {};
  try {
    found = Object(JSON.parse(text)) as typeof found;
  } catch {
    // Not what `encodeError` wrote.
  }
  const { name, message, code } = found;
  if (typeof message !== "string") {
    return new RemoteError("Another process failed, and what it told of its error is no error");
  }
  return new RemoteError(message, {
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
  });
}
