/** A segment's name, parsed once into the kind of memory and where that is. */
import { shown } from "../../arguments.ts";
import { unspelled } from "../../libc/name-spelling.ts";
import {
  ILL_FORMED,
  NAME_MAX,
  PORTABLE_NAME_MAX,
  SEMAPHORE_FILE_PREFIX,
  checkObjectName,
} from "./object-name.ts";

/** The kinds of names that a segment can have. */
export type NameKind = SegmentName["kind"];

/** A name that libc or the kernel looks up. */
export interface PathName {
  readonly kind: "posix" | "file" | "memfd" | "descriptor";
  /** As the user wrote it. */
  readonly text: string;
  /** As libc takes it: a POSIX name, a path, or a memfd's label. */
  readonly path: string;
}

/** A System V name. */
export interface SysvName {
  readonly kind: "sysv";
  readonly text: string;
  /** A key that processes agree on, an id that the kernel chose, or a new segment without a key. */
  readonly target: { readonly key: number } | { readonly id: number } | "private";
}

/** A parsed name. */
export type SegmentName = PathName | SysvName;

/** How many bytes the label of a memfd can have. */
const LABEL_MAX = 249;

const DESCRIPTOR_PATH = /^\/proc\/(self|\d+)\/fd\/\d+$/;

function refuse(text: string, rule: string): never {
  throw new RangeError(`Cannot use ${shown(text)} as a segment name: ${rule}`);
}

/** The kind of a name, by its form; the rest of the name may still be impossible. */
export function nameKind(text: string): NameKind {
  if (DESCRIPTOR_PATH.test(text) || text.startsWith("fd:")) return "descriptor";
  if (text.startsWith("sysv:")) return "sysv";
  if (text.startsWith("memfd:")) return "memfd";
  return text.startsWith("file:") ? "file" : "posix";
}

/** The name of a POSIX object that exists or that this package chooses, and so needs no check. */
export function posixName(text: string): PathName {
  return { kind: "posix", text, path: unspelled(text) };
}

/**
 * Parses a `sysv:` name.
 * @throws RangeError that names the broken rule.
 */
export function parseSysvName(text: string): SysvName {
  return { kind: "sysv", text, target: parseTarget(text) };
}

function parseTarget(text: string): SysvName["target"] {
  const rest = text.slice("sysv:".length);
  if (rest === "private") return "private";
  if (/^#\d{1,10}$/.test(rest) && Number(rest.slice(1)) < 2 ** 31) {
    return { id: Number(rest.slice(1)) };
  }
  const key = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(rest) ? Number(rest) : Number.NaN;
  if (key > 0 && key < 2 ** 32) return { key };
  return refuse(
    text,
    'after "sysv:" comes a key from 1 to 0xffffffff (decimal or hex), "private", or "#" and an id',
  );
}

/**
 * Parses and checks a segment's name.
 *
 * @param portable Whether to refuse names that some POSIX systems do not allow.
 * @returns The parsed name.
 * @throws TypeError when it is not a string; RangeError that names the broken rule.
 */
export function parseSegmentName(text: string, portable = false): SegmentName {
  const name = parseObjectName(text, portable);
  const prefix = `/${SEMAPHORE_FILE_PREFIX}`;
  if (name.kind !== "posix" || !name.path.startsWith(prefix)) return name;
  const semaphore = shown(`/${text.slice(prefix.length)}`);
  return refuse(text, `it is the file of the semaphore ${semaphore}: choose another name`);
}

/** Parses a name like `parseSegmentName`, and also those of the files of semaphores. */
export function parseObjectName(text: string, portable = false): SegmentName {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot use ${shown(text)} as a segment name: it is not a string`);
  }
  const kind = nameKind(text);
  if (kind === "posix") {
    checkObjectName(text, "segment", portable ? PORTABLE_NAME_MAX : NAME_MAX);
    return posixName(text);
  }
  if (text.includes("\0")) refuse(text, "it contains a NUL character");
  if (!text.isWellFormed()) refuse(text, ILL_FORMED);
  if (portable) refuse(text, "a portable name is a POSIX one, and starts with /");
  if (kind === "sysv") return parseSysvName(text);
  if (kind === "descriptor") {
    const path = text.startsWith("fd:") ? `/proc/self/fd/${text.slice("fd:".length)}` : text;
    if (!DESCRIPTOR_PATH.test(path)) refuse(text, 'a descriptor number must follow "fd:"');
    return { kind, text, path };
  }
  const path = text.slice(kind.length + 1);
  if (kind === "file" && path === "") refuse(text, 'a path must follow "file:"');
  const byteLength = Buffer.byteLength(path);
  if (kind === "memfd" && byteLength > LABEL_MAX) {
    refuse(text, `its label is ${byteLength} bytes long, and ${LABEL_MAX} are allowed`);
  }
  return { kind, text, path };
}
