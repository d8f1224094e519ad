/** The guard of a readers-writer lock. */

/** A held lock, which is released when this is disposed of, and never by the garbage collector. */
export class HeldGuard {
  readonly #release: () => void;
  /** Whether a writer died while it wrote, and nobody had repaired or written the data since. */
  readonly ownerDied: boolean;
  #released = false;

  /** @internal */
  constructor(release: () => void, ownerDied: boolean) {
    this.#release = release;
    this.ownerDied = ownerDied;
  }

  /** Releases the lock. Calling it again does nothing. */
  unlock(): void {
    if (this.#released) return;
    this.#released = true;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.unlock();
  }
}
