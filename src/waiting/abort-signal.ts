/**
 * As much of an AbortSignal as a wait needs. The global type is the user's to have: it comes with
 * the DOM's declarations or Bun's, and a program may be compiled with neither.
 */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
