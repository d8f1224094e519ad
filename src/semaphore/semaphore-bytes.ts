/** The bytes of a semaphore as a handle uses them: by libc, or without it (`own-tokens.ts`). */
import { checkInteger } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { C } from "../libc/platform.ts";
import {
  NEEDS_NO_LIBC,
  SEM_LAYOUT,
  SEM_LENGTH,
  semGetValue,
  semPost,
  semTryWait,
  semWaitSlice,
  semWords,
} from "../libc/semaphore.ts";
import type { Segment } from "../segment/segment.ts";
import {
  DAMAGED,
  addTokens,
  countTokens,
  sleepForToken,
  takeAbove,
  takeToken,
} from "./own-tokens.ts";

/** The handle, as much of it as its bytes need. */
interface Place {
  readonly what: string;
  readonly name: string;
  readonly segment: Segment | undefined;
  readonly offset: number | undefined;
  /** Its address now. @throws ClosedError; LayoutError when its segment was cut off. */
  readonly address: number;
}

/** The call behind a sleep, for messages. */
const SLEEP_CALL = NEEDS_NO_LIBC ? "futex" : "sem_timedwait";
// The words of one that was not used yet, or is closed.
const NOTHING: Int32Array = new Int32Array(0);

/** All methods throw ClosedError, and a LayoutError when the bytes are no semaphore's. */
export class SemaphoreBytes {
  readonly #place: Place;
  // Its length is 0 before the first use, and once the memory is unmapped or the handle is closed.
  #words: Int32Array = NOTHING;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Its words, bound at the first use, and again when its segment was mapped again. */
  get #liveWords(): Int32Array {
    return this.#words.length === 0 ? this.#bind() : this.#words;
  }

  #bind(): Int32Array {
    const { segment, offset, address } = this.#place;
    this.#words =
      segment === undefined
        ? semWords(address)
        : new Int32Array(segment.mapping.buffer, offset!, SEM_LENGTH / 4);
    return this.#words;
  }

  /** For libc, which must find nothing else there. */
  get #checkedAddress(): number {
    this.check();
    return this.#place.address;
  }

  /** Looks whether they can be those of a semaphore that processes share. */
  check(): void {
    if (SEM_LAYOUT === undefined) return;
    const words = this.#liveWords;
    const { value: valueWord, sharing, shared } = SEM_LAYOUT;
    const found = words[sharing]!;
    if (found !== shared) {
      const who = "another libc or sem_init with pshared 0 made it, or somebody changed it";
      this.#refuse(`it is not shared between processes: ${who}`, `${shared}`, found, sharing);
    }
    const value = words[valueWord]!;
    // In musl, numbers below 0 say that somebody waits.
    if (NEEDS_NO_LIBC && value < 0) {
      const limit = `at most ${C.SEM_VALUE_MAX}`;
      this.#refuse("its value is out of range", limit, value >>> 0, valueWord);
    }
  }

  #refuse(why: string, expected: string, found: number, word: number): never {
    const { what, offset = 0 } = this.#place;
    throw new LayoutError(`Cannot use ${what}: ${why}`, {
      expected,
      found: String(found),
      offset: offset + word * 4,
    });
  }

  /** What a call answered; -EAGAIN if the bytes were damaged, and are sound again by now. */
  #sound(result: number): number {
    if (result !== DAMAGED) return result;
    this.check();
    return -E.EAGAIN;
  }

  /** How many tokens there are. @throws SystemError ENOSYS. */
  get value(): number {
    for (;;) {
      const result = NEEDS_NO_LIBC
        ? countTokens(this.#liveWords)
        : semGetValue(this.#checkedAddress);
      if (result >= 0) return result;
      if (result !== DAMAGED) {
        fail(`Cannot read the value of ${this.#place.what}`, result, "sem_getvalue");
      }
      this.check();
    }
  }

  /** Adds tokens. @throws SystemError EOVERFLOW; RangeError, TypeError. */
  post(count: number): void {
    const words = this.#liveWords;
    const { what, address } = this.#place;
    if (count !== 1) checkInteger(`Cannot post ${what}`, "the count", count, 1, C.SEM_VALUE_MAX);
    if (!NEEDS_NO_LIBC) return this.#postByLibc(count);
    for (;;) {
      const added = addTokens(words, address, count);
      if (added === count) return;
      if (added >= 0) this.#failPost(-E.EOVERFLOW, added, count);
      this.check();
    }
  }

  #postByLibc(count: number): void {
    const address = this.#checkedAddress;
    for (let done = 0; done < count; done++) {
      const result = semPost(address);
      if (result < 0) this.#failPost(result, done, count);
    }
  }

  #failPost(result: number, done: number, count: number): never {
    const { what, name } = this.#place;
    const hint =
      result === -E.EOVERFLOW
        ? `${done} of ${count} tokens were added, and its value is the highest possible, ` +
          `${C.SEM_VALUE_MAX}`
        : undefined;
    return fail(`Cannot post ${what}`, result, "sem_post", name, hint);
  }

  /** @returns Whether it took a token. */
  tryTake(): boolean {
    const result = NEEDS_NO_LIBC
      ? this.#sound(takeToken(this.#liveWords))
      : semTryWait(this.#checkedAddress);
    if (result >= 0) return true;
    if (result === -E.EAGAIN || result === -E.EINTR) return false;
    return fail(`Cannot wait for ${this.#place.what}`, result, "sem_trywait", this.#place.name);
  }

  /** Sleeps once, for a token. @returns Whether it took one. */
  sleep(sliceMs: number): boolean {
    const result = NEEDS_NO_LIBC
      ? this.#sound(sleepForToken(this.#liveWords, this.#place.address, sliceMs))
      : semWaitSlice(this.#checkedAddress, sliceMs);
    if (result >= 0) return true;
    if (result === -E.ETIMEDOUT || result === -E.EINTR || result === -E.EAGAIN) return false;
    return fail(`Cannot wait for ${this.#place.what}`, result, SLEEP_CALL, this.#place.name);
  }

  /** See `Semaphore.takeAbove`. */
  takeAbove(limit: number, most: number): number {
    if (NEEDS_NO_LIBC) return Math.max(this.#sound(takeAbove(this.#liveWords, limit)), 0);
    const { value } = this;
    // Taken one by one, so many would take longer than any timeout.
    if (value > most) this.#refuse("it has too many tokens", `at most ${most}`, value, 0);
    let taken = 0;
    while (taken < value - limit && this.tryTake()) taken++;
    return taken;
  }

  /** Ends the use; the memory may stay mapped. */
  close(): void {
    this.#words = NOTHING;
  }
}
