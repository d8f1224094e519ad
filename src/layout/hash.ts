/** The hash of all texts that are compared by a hash. */

/**
 * Hashes a text's UTF-8 with FNV-1a to 32 bits. It tells texts apart, and resists no attacker.
 *
 * Source: Fowler, Noll and Vo.
 */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
