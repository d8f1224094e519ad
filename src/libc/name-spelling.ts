/**
 * How names of objects are spelled that no text can be: a file's name is bytes, and a byte that is
 * not UTF-8 is spelled `\xHH`. A backslash that could be taken for the start of such an escape has
 * another one before it, or is itself `\x5c` before a byte that is spelled. So no two names have
 * one spelling, and all other names are spelled as they are.
 */
import { pathBytes, pathText } from "./path-bytes.ts";

/** @returns The name of a file of this path's text: "caf\udce9" is `caf\xe9`. */
export function spelled(path: string): string {
  return path
    .replaceAll(/(\\+)(x[0-9a-f]{2})/gi, "\\$1$2")
    .replaceAll(/\\+(?=[\udc80-\udcff])/gu, (slashes) => "\\x5c".repeat(slashes.length))
    .replaceAll(/[\udc80-\udcff]/gu, (byte) => `\\x${(byte.charCodeAt(0) & 0xff).toString(16)}`);
}

/** @returns The text of the path that a name stands for, the inverse of `spelled`. */
export function unspelled(name: string): string {
  if (!/\\x[0-9a-f]{2}/i.test(name)) return name;
  const bytes: Uint8Array[] = [];
  let end = 0;
  for (const { 0: found, 1: slashes = "", 2: hex = "", index } of name.matchAll(ESCAPES)) {
    bytes.push(pathBytes(name.slice(end, index)));
    bytes.push(
      slashes.length > 1 ? Buffer.from(found.slice(1)) : Buffer.of(Number.parseInt(hex, 16)),
    );
    end = index + found.length;
  }
  bytes.push(pathBytes(name.slice(end)));
  return pathText(Buffer.concat(bytes));
}

const ESCAPES = /(\\+)x([0-9a-f]{2})/gi;
