/** Checks of what a caller asks of a segment; each broken rule has its own message. */
import { pageSize } from "../libc/fcntl.ts";
import { MAPPING_MAX } from "../memory/mapping.ts";
import { checkSegmentName } from "../memory/objects/segment-name.ts";
import type { Access } from "../memory/objects/shared-object.ts";

/** The part of an object that a segment maps; without a length, to its end. */
export interface Window {
  readonly access: Access;
  readonly offset: number;
  readonly length: number | undefined;
}

export const WHOLE: Window = { access: "readwrite", offset: 0, length: undefined };

interface WindowOptions {
  readonly access?: Access;
  readonly offset?: number;
  readonly length?: number;
}

interface Creation {
  readonly size: number;
  readonly mode?: number | undefined;
  readonly portable?: boolean;
}

/** @throws RangeError */
export function checkSize(name: string, size: number): void {
  if (Number.isInteger(size) && size >= 1 && size <= MAPPING_MAX) return;
  throw new RangeError(
    `Cannot give segment "${name}" a size of ${String(size)}: it must be an integer from 1 to ` +
      `${MAPPING_MAX} bytes (4 GiB)`,
  );
}

export function checkCreate(name: string, { size, mode = 0, portable }: Creation): void {
  checkSegmentName(name, portable);
  checkSize(name, size);
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return;
  throw new RangeError(
    `Cannot create segment "${name}" with mode ${String(mode)}: it must be from 0 to 0o777`,
  );
}

export function checkWindow(name: string, options: WindowOptions): Window {
  const { access = "readwrite", offset = 0, length } = options;
  if (access !== "readwrite" && access !== "read") {
    throw new TypeError(
      `Cannot open segment "${name}" with access ${String(access)}: it is "readwrite" or "read"`,
    );
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % pageSize() !== 0) {
    throw new RangeError(
      `Cannot map segment "${name}" from offset ${String(offset)}: it must be a multiple of the ` +
        `page size, ${pageSize()}`,
    );
  }
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 1)) {
    throw new RangeError(
      `Cannot map ${String(length)} bytes of segment "${name}": it must be an integer above 0`,
    );
  }
  return { access, offset, length };
}
