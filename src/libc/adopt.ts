/**
 * What the engine gives back by itself: an ArrayBuffer owns it, with a function of libc as its
 * deallocator. `buffer.transfer(0)` gives it back at once. The collector does that for a buffer
 * that was forgotten, and the engine for those of a thread that ends, in whatever way: so nothing
 * of a terminated Worker stays.
 */
import { type Pointer, toArrayBuffer } from "bun:ffi";
import { addressOf } from "./symbols.ts";

// bun-types lacks the form that takes a deallocator, `void (*)(void *bytes, void *context)`.
const toOwnedArrayBuffer = toArrayBuffer as (
  address: number,
  byteOffset: number,
  byteLength: number,
  context: number,
  deallocator: Pointer,
) => ArrayBuffer;

/**
 * Makes the ArrayBuffer over a mapping, which `munmap(addr, len)` ends. Call it once for each
 * mapping, which must not be unmapped in another way.
 *
 * @param mapped How many bytes are mapped: with huge pages, more than the buffer has.
 * @returns The buffer. @throws RangeError over 4 GiB; then the mapping is unmapped as well.
 */
export function adoptMapping(address: number, length: number, mapped: number): ArrayBuffer {
  // The deallocator's context carries munmap's second argument.
  return toOwnedArrayBuffer(address, 0, length, mapped, addressOf("munmap"));
}

/** Makes the ArrayBuffer over what `shmat` attached, which `shmdt(addr)` ends. */
export function adoptAttachment(address: number, length: number): ArrayBuffer {
  // shmdt has no second argument; a context of 0 would be refused.
  return toOwnedArrayBuffer(address, 0, length, length, addressOf("shmdt"));
}

/**
 * Makes the ArrayBuffer that owns a descriptor, which `close(fildes)` ends. Nothing lies at its
 * address, so nobody may read it.
 */
export function adoptDescriptor(descriptor: number): ArrayBuffer {
  // close takes the lower half of the address; the engine refuses those that have no upper one.
  return toOwnedArrayBuffer(2 ** 32 + descriptor, 0, 1, 1, addressOf("close"));
}
