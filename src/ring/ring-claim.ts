import { ClosedError, StateError } from "../errors.ts";

/** What a claim needs of its producer. */
interface Claimant {
  readonly closed: boolean;
  commit(): void;
  abort(): void;
}

/**
 * Room for one record, to be written in place. Disposing of a claim that was not committed aborts
 * it. Made by `RingProducer.claim`; no method blocks, and one thread uses it.
 *
 * What a crash leaves: no record.
 */
export class RingClaim {
  /**
   * The record's bytes. They lie in the ring: do not use them after the claim has ended. Once the
   * ring's memory is closed, their length is 0.
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

  /**
   * Publishes the record, at once or with its producer's batch.
   * @throws StateError EPERM when the claim has ended; ClosedError.
   */
  commit(): void {
    if (this.#producer.closed) throw new ClosedError(this.#what);
    if (this.#ended) {
      const message = `Cannot commit a claim of ${this.#what}: it was committed or aborted already`;
      throw new StateError("EPERM", message);
    }
    this.#ended = true;
    this.#producer.commit();
  }

  /** Gives the room back: there is no record. Does nothing once the claim has ended. */
  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    // A closed producer has aborted it already.
    if (!this.#producer.closed) this.#producer.abort();
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}
