/** What to do when a file system has no room for an object. */
import { statfsSync } from "node:fs";
import { E } from "../../libc/errno.ts";

/** For ENOMEM and ENOSPC where huge pages were asked for. */
export const HUGE_PAGES_HINT =
  "Huge pages are set aside beforehand: sysctl vm.nr_hugepages says how many";

/**
 * A sentence about what is used up, for ENOSPC and EDQUOT.
 *
 * @param result The negated errno.
 * @param directory Where the object lies; undefined where it cannot be asked.
 * @param wanted Bytes that the object was to have.
 * @param way What to do when the bytes are used up.
 */
export function roomHint(
  result: number,
  directory: string | undefined,
  wanted: number,
  way: string,
): string | undefined {
  if (result === -E.EDQUOT) {
    const where = directory === undefined ? "there" : `on ${directory}`;
    return (
      `This user's quota ${where} is used up: remove objects that are not needed, or ask for a ` +
      `larger quota. ${wanted} bytes were wanted`
    );
  }
  if (result === -E.ENOENT && directory !== undefined) return `There is no ${directory}`;
  if (result !== -E.ENOSPC) return undefined;
  if (directory === undefined) return `${wanted} bytes were wanted`;
  const { bavail, blocks, bsize, ffree, files } = statfsSync(directory);
  if (files > 0 && ffree === 0) {
    return (
      `All ${files} inodes of ${directory} are in use: remove objects that are not needed, or ` +
      "mount it with more (mount -o remount,nr_inodes=…)"
    );
  }
  const [free, all] = [bavail * bsize, blocks * bsize];
  return `${wanted} bytes were wanted, and ${directory} has ${free} of ${all} free. ${way}`;
}
