/** The error that a call throws. */

/** @throws Error when nothing is thrown. */
export function caught(call: () => unknown): { name: string; code?: string; message: string } {
  try {
    call();
  } catch (error) {
    return error as { name: string; code?: string; message: string };
  }
  throw new Error("Nothing was thrown");
}
