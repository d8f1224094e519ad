/** Checks of the arguments of a segment's methods; each broken rule has its own message. */
import { checkBoolean, checkInteger, checkMode, checkOneOf, checkOptions } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { E } from "../libc/errno.ts";
import { pageSize } from "../libc/fcntl.ts";
import { MAPPING_MAX } from "../memory/mapping.ts";
import { PAGE_OPTIONS, type PageOptions, checkPages } from "../memory/pages.ts";
import { type OwnerOptions, checkOwnerOption } from "../memory/objects/owner.ts";
import type { Access, ObjectMark, ObjectOptions } from "../memory/objects/shared-object.ts";
import type { SegmentOpenOrCreateOptions } from "./segment-options.ts";

/** The part of an object that a segment maps, in bytes; without a length, it goes to the end. */
export interface Window extends PageOptions {
  readonly access: Access;
  readonly offset: number;
  readonly length: number | undefined;
}

/** The whole of an object. */
export function whole({ prefault, hugePages }: PageOptions): Window {
  return { access: "readwrite", offset: 0, length: undefined, prefault, hugePages };
}

/** What an object is made by. @param mark A word that a new one has. */
export function objectOptions(
  options: SegmentOpenOrCreateOptions,
  mark: ObjectMark | undefined,
): ObjectOptions {
  return { ...options, hugePages: options.hugePages === true, mark };
}

const CREATE_OPTIONS: readonly string[] = [
  "size",
  "mode",
  "reserve",
  "portable",
  "sealed",
  ...PAGE_OPTIONS,
];
const OPEN_OR_CREATE_OPTIONS: readonly string[] = [...CREATE_OPTIONS, "truncate", "owner"];
const OPEN_OPTIONS: readonly string[] = [
  "access",
  "waitMs",
  "offset",
  "length",
  "owner",
  ...PAGE_OPTIONS,
];

/** Checks flags, which may be absent. */
function checkFlags(action: string, options: object | undefined, names: readonly string[]): void {
  for (const name of names) {
    const value = (options as Record<string, unknown> | undefined)?.[name];
    if (value !== undefined) checkBoolean(action, name, value);
  }
}

/** Checks a size in bytes. @throws TypeError, RangeError. */
function checkSize(action: string, size: unknown): void {
  checkInteger(action, "its size in bytes", size, 1, MAPPING_MAX);
}

/** Checks the options of `create`, or those of `openOrCreate`. @throws TypeError, RangeError. */
export function checkCreate(
  action: string,
  options:
    | (OwnerOptions & PageOptions & { readonly size: number; readonly mode?: number | undefined })
    | undefined,
  known: "create" | "openOrCreate",
): void {
  checkOptions(action, options, known === "create" ? CREATE_OPTIONS : OPEN_OR_CREATE_OPTIONS);
  checkSize(action, options?.size);
  if (options?.mode !== undefined) checkMode(action, options.mode);
  checkFlags(action, options, ["reserve", "portable", "sealed", "truncate"]);
  if (options === undefined) return;
  checkOwnerOption(action, options);
  checkPages(action, options);
}

/** Checks the options of `open` other than `waitMs`. @throws TypeError, RangeError. */
export function checkWindow(
  action: string,
  options: OwnerOptions &
    PageOptions & {
      access?: Access | undefined;
      offset?: number | undefined;
      length?: number | undefined;
    },
): Window {
  checkOptions(action, options, OPEN_OPTIONS);
  checkOwnerOption(action, options);
  checkPages(action, options);
  const { access = "readwrite", offset = 0, length, prefault, hugePages } = options;
  checkOneOf(action, "access", access, ["readwrite", "read"]);
  checkInteger(action, "offset", offset, 0);
  if (offset % pageSize() !== 0) {
    throw new RangeError(
      `${action}: offset must be a multiple of the page size, ${pageSize()}, not ${offset}`,
    );
  }
  if (length !== undefined) checkInteger(action, "length", length, 1, MAPPING_MAX);
  return { access, offset, length, prefault, hugePages };
}

/** How many bytes of an object a window maps. @param size The object's. @throws RangeError. */
export function lengthOf(what: string, { offset, length }: Window, size: number): number {
  const mapped = length ?? size - offset;
  if (offset + mapped > size || mapped < 1) {
    throw new RangeError(
      `Cannot map ${mapped} bytes from offset ${offset} of ${what}: it has ${size}`,
    );
  }
  if (mapped > MAPPING_MAX) {
    throw new RangeError(
      `Cannot map ${what}: it has ${size} bytes, and one mapping covers at most ` +
        `${MAPPING_MAX}. Open parts of it with offset and length`,
    );
  }
  return mapped;
}

/** Checks the arguments of `resize`, and that all is mapped. @throws TypeError, RangeError. */
export function checkResize(
  action: string,
  newSize: unknown,
  options: object,
  { access, offset, length }: Window,
): void {
  checkOptions(action, options, ["force", "reserve"]);
  checkFlags(action, options, ["force", "reserve"]);
  checkSize(action, newSize);
  if (access === "read") throw new TypeError(`${action}: it was opened for reading only`);
  if (offset !== 0 || length !== undefined) {
    throw new TypeError(`${action}: only a part of it is mapped here`);
  }
}

/** @throws RangeError when an object would become smaller. */
export function checkGrows(action: string, size: number, newSize: number): void {
  if (newSize >= size) return;
  throw new RangeError(
    `${action}: it has ${size}, and shrinking ends any process that touches what is cut off. ` +
      `Pass { force: true } if none does`,
  );
}

/** @throws LayoutError for an object that has another size than was asked for. */
export function failSize(action: string, found: number, asked: number): never {
  const ways = "Segment.open accepts it, { truncate: true } discards what it holds";
  throw new LayoutError(`${action}: one of a different size exists (${ways})`, {
    expected: `${asked} bytes`,
    found: `${found}`,
    offset: 0,
  });
}

/** @returns What to do when a sealed object cannot be resized. @param result The negated errno. */
export function sealHint(result: number, isSealed: boolean): string | undefined {
  if (result !== -E.EPERM || !isSealed) return undefined;
  return "It is sealed; create it with { sealed: false }";
}

/** @returns What to do when an object cannot be mapped. @param result The negated errno. */
export function mapHint(result: number): string | undefined {
  if (result !== -E.ENOMEM) return undefined;
  return "This process may map no more (ulimit -v, sysctl vm.max_map_count): close segments";
}

/** Checks the index of a lock byte. @throws TypeError, RangeError. */
export function checkByte(what: string, index: number): void {
  if (Number.isSafeInteger(index) && index >= 0) return;
  checkInteger(`Cannot lock a byte of ${what}`, "its index", index, 0);
}
