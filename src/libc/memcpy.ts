/** libc's memcpy, between memory that stays in its place and a view of JavaScript's. */
import { ptr } from "bun:ffi";
import { libc } from "./symbols.ts";

/**
 * Copies between an address and a view. The caller has checked that both are mapped, and long
 * enough, and masks the length with `LENGTH_BITS` in the call.
 *
 * bun-types does not know that the engine takes a view for a pointer, and finds where it lies now.
 */
export const memcpy = libc.memcpy as unknown as (
  target: number | ArrayBufferView,
  source: number | ArrayBufferView,
  length: number,
) => void;

/**
 * The engine hands over 32 bits of the length, where libc takes 64. An operation on 32 bits clears
 * the others; this one keeps every length up to 2 GiB.
 */
export const LENGTH_BITS = 0x7fffffff;

/**
 * The address of a buffer, which is kept as a number: only the memory of a mapping, or of what was
 * made as an ArrayBuffer, stays in its place.
 */
export function addressOfBuffer(buffer: ArrayBufferLike): number {
  return ptr(new Uint8Array(buffer)) as number;
}
