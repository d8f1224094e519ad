/** Keys as bytes. */
import { checkBytes } from "../arguments.ts";

/** @returns The bytes of a key, or of the beginning of one. @throws TypeError. */
export function bytesOf(action: string, what: string, key: unknown): Buffer {
  if (typeof key === "string") return Buffer.from(key);
  checkBytes(action, what, key);
  return Buffer.from(key);
}
