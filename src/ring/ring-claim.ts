import { ClosedError, StateError } from "../errors.ts";

/** What a claim needs of its producer. */
interface Claimant {
  readonly closed: boolean;
  commit(): void;
  abort(): void;
}

/** A claim that aborts when disposed, unless it was committed. */
export class RingClaim {
  /**
   * The record's bytes. They are the ring's: do not use them after the end of the claim. Once the
   * ring is closed they have length 0.
   */
  readonly bytes: Uint8Array;
  readonly #producer: Claimant;
  readonly #what: string;
  #ended = false;

  /** Made by `RingProducer.claim`. @internal */
  constructor(producer: Claimant, what: string, bytes: Uint8Array) {
    this.#producer = producer;
    this.#what = what;
    this.bytes = bytes;
  }

  /** The record's bytes. @throws ClosedError when the producer is closed. */
  get view(): DataView {
    if (this.#producer.closed) throw new ClosedError(this.#what);
    const { buffer, byteOffset, byteLength } = this.bytes;
    return new DataView(buffer, byteOffset, byteLength);
  }

  /** Publishes the record. @throws StateError EPERM when the claim has ended; ClosedError. */
  commit(): void {
    if (this.#producer.closed) throw new ClosedError(this.#what);
    if (this.#ended) {
      const message = `Cannot commit a claim of ${this.#what}: it was committed or aborted already`;
      throw new StateError("EPERM", message);
    }
    this.#ended = true;
    this.#producer.commit();
  }

  /** Gives the claim up; after its end, nothing happens. */
  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    // A producer that was closed has aborted it.
    if (!this.#producer.closed) this.#producer.abort();
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}
