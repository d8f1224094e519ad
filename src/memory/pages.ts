/** In which pages memory is mapped, and when: options of every mapping. */
import { readFileSync } from "node:fs";
import { checkBoolean, shown } from "../arguments.ts";
import { E, fail } from "../libc/errno.ts";
import { madvise } from "../libc/mman.ts";
import { C } from "../libc/platform.ts";
import type { Mapping } from "./mapping.ts";

/** How memory is mapped. */
export interface PageOptions {
  /**
   * Map every page now, so that no access waits for a page fault later: about 0.6 µs a page of 4
   * KiB now, instead of 1 µs at its first use. Older kernels than Linux 5.14 do not, and say
   * nothing. Default false.
   */
  readonly prefault?: boolean | undefined;
  /**
   * Use huge pages. `true`, for a memfd or System V: those that the system has set aside, of which
   * the size must be a multiple (2 MiB on most machines; a file on a hugetlbfs always has them).
   * `true` for other memory, and "transparent": the kernel makes them of ordinary pages, if it can
   * (Linux 6.1; not System V); `hugeBytes` says how much it did. Default false.
   */
  readonly hugePages?: boolean | "transparent" | undefined;
}

export const PAGE_OPTIONS: readonly string[] = ["prefault", "hugePages"];

/** Checks the options. @throws TypeError. */
export function checkPages(action: string, { prefault, hugePages }: PageOptions): void {
  if (prefault !== undefined) checkBoolean(action, "prefault", prefault);
  if (hugePages === undefined || hugePages === "transparent") return;
  if (typeof hugePages === "boolean") return;
  const rule = `hugePages must be true, false or "transparent", not ${shown(hugePages)}`;
  throw new TypeError(`${action}: ${rule}`);
}

/** Bytes of the huge pages that the kernel makes of ordinary ones. */
const HUGE_PAGE: number = 2 ** 21;

/** @returns Of what the address of a mapping must be a multiple; 1 unless `collapse` comes next. */
export function alignmentFor(backing: string, { hugePages = false }: PageOptions): number {
  if (C.MADV_COLLAPSE < 0 || backing === "sysv" || hugePages === false) return 1;
  return hugePages === "transparent" || backing !== "memfd" ? HUGE_PAGE : 1;
}

/** Makes huge pages of the ordinary ones under a mapping, as far as the kernel can. */
export function collapse({ address, buffer }: Mapping): void {
  const length = Math.floor(buffer.byteLength / HUGE_PAGE) * HUGE_PAGE;
  // Whatever keeps it from doing so, the memory is as good as it was.
  if (length > 0) madvise(address, length, C.MADV_COLLAPSE);
}

/** Maps every page. @throws SystemError when there is no memory for one; the mapping is closed. */
export function prefault(what: string, mapping: Mapping, isReadOnly: boolean): void {
  if (C.MADV_POPULATE_WRITE < 0) return;
  const advice = isReadOnly ? C.MADV_POPULATE_READ : C.MADV_POPULATE_WRITE;
  const result = madvise(mapping.address, mapping.buffer.byteLength, advice);
  // Older kernels do not know the advice.
  if (result >= 0 || result === -E.EINVAL) return;
  mapping.close();
  fail(`Cannot prefault ${what}`, result, "madvise");
}

const HUGE_FIELDS =
  /^(?:ShmemPmdMapped|FilePmdMapped|Shared_Hugetlb|Private_Hugetlb): +(\d+) kB$/gm;

/** How many bytes of a mapping are mapped by huge pages now. Asks the kernel; 0 without /proc. */
export function hugeBytesOf({ address }: Mapping): number {
  let maps: string;
  try {
    maps = readFileSync("/proc/self/smaps", "utf8");
  } catch {
    return 0;
  }
  const start = maps.search(new RegExp(`^0*${address.toString(16)}-`, "m"));
  if (start < 0) return 0;
  const [own] = maps.slice(start).split(/^VmFlags/m);
  return [...own!.matchAll(HUGE_FIELDS)].reduce((sum, [, size]) => sum + Number(size) * 1024, 0);
}
