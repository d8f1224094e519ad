/**
 * The part of an AbortSignal that a wait needs. The global type comes with the declarations of the
 * DOM or of Bun, and a user's program may be compiled without both.
 */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/**
 * The signal that is handed to the user: the AbortSignal of whatever declarations the user's
 * program is compiled with, so that `fetch` takes it, and our part of it where there are none.
 */
export type GivenAbortSignal = typeof globalThis extends {
  AbortSignal: { prototype: infer Signal };
}
  ? Signal
  : AbortSignalLike;
