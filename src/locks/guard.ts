/** What `using` releases. */

/** A lock that is held; it is released when this is disposed. */
export class HeldGuard {
  readonly #release: () => void;
  /** Whether a writer died while writing, and nobody has repaired or written the data since. */
  readonly ownerDied: boolean;
  #released = false;

  /** @internal */
  constructor(release: () => void, ownerDied: boolean) {
    this.#release = release;
    this.ownerDied = ownerDied;
  }

  /** Releases the lock; again is harmless. */
  unlock(): void {
    if (this.#released) return;
    this.#released = true;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.unlock();
  }
}
