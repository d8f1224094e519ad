/** Which backing a segment's name asks for. */
import { NAME_MAX, PORTABLE_NAME_MAX, checkObjectName } from "./object-name.ts";

/** The kinds of names that a segment can have. */
export type NameKind = "posix" | "sysv" | "memfd" | "file" | "descriptor";

const refuse = (name: string, rule: string): never => {
  throw new RangeError(`Cannot use ${JSON.stringify(name)} as a segment name: ${rule}`);
};

const DESCRIPTOR_PATH = /^\/proc\/(self|\d+)\/fd\/\d+$/;

/** The kind of a name, by its form alone. */
export function nameKind(name: string): NameKind {
  if (DESCRIPTOR_PATH.test(name) || name.startsWith("fd:")) return "descriptor";
  if (name.startsWith("sysv:")) return "sysv";
  if (name.startsWith("memfd:")) return "memfd";
  return name.startsWith("file:") ? "file" : "posix";
}

/** What follows the scheme, as libc takes it: a path, or a memfd's label. */
export function pathOf(name: string): string {
  if (name.startsWith("fd:")) return `/proc/self/fd/${name.slice(3)}`;
  return name.replace(/^(file|memfd):/, "");
}

/** A System V name: a key that processes agree on, or the id that the kernel gave. */
export type SysvName = { readonly key: number } | { readonly id: number } | "private";

/** The key or id in a `sysv:` name. */
export function sysvName(name: string): SysvName {
  const rest = name.slice("sysv:".length);
  if (rest === "private") return "private";
  if (/^#\d{1,10}$/.test(rest) && Number(rest.slice(1)) < 2 ** 31) {
    return { id: Number(rest.slice(1)) };
  }
  const key = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(rest) ? Number(rest) : Number.NaN;
  if (key > 0 && key < 2 ** 32) return { key };
  const rule =
    'after "sysv:" comes a key from 1 to 0xffffffff (decimal or hex), "private", or "#" and an id';
  return refuse(name, rule);
}

/**
 * Checks a segment's name.
 *
 * @throws TypeError when it is no string; RangeError that names the broken rule.
 */
export function checkSegmentName(name: string, portable = false): NameKind {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot use ${String(name)} as a segment name: it is not a string`);
  }
  const kind = nameKind(name);
  if (kind !== "posix" && name.includes("\0")) refuse(name, "it contains a NUL character");
  if (kind === "posix") {
    checkObjectName(name, "segment", portable ? PORTABLE_NAME_MAX : NAME_MAX);
  } else if (portable) {
    refuse(name, "a portable name is a POSIX one, and starts with /");
  } else if (kind === "sysv") {
    sysvName(name);
  } else if (kind === "file") {
    if (pathOf(name) === "") refuse(name, 'a path must follow "file:"');
  } else if (kind === "memfd") {
    const byteLength = Buffer.byteLength(pathOf(name));
    if (byteLength > 249)
      refuse(name, `its label is ${byteLength} bytes long, and 249 are possible`);
  } else if (!DESCRIPTOR_PATH.test(pathOf(name))) {
    refuse(name, 'a descriptor number must follow "fd:"');
  }
  return kind;
}
