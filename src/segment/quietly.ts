/**
 * Makes a call whose failure would hide a first error, which is the one that a caller needs.
 */
export function quietly(call: () => unknown): void {
  try {
    call();
  } catch {
    // What could not be undone stays; the first error says why.
  }
}
