/** Where a structure may lie inside a segment. */

/**
 * Checks the place of a structure.
 *
 * @param what For the message, as in `a mutex`.
 * @throws RangeError that names the broken rule.
 */
export function checkPlacement(
  what: string,
  segmentLength: number,
  offset: number,
  length: number,
  alignment: number,
): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % alignment !== 0) {
    throw new RangeError(
      `Cannot place ${what} at offset ${String(offset)}: it must be a multiple of ${alignment}`,
    );
  }
  if (offset + length > segmentLength) {
    throw new RangeError(
      `Cannot place ${what} at offset ${offset}: its ${length} bytes end beyond the segment's ` +
        `${segmentLength}`,
    );
  }
}
