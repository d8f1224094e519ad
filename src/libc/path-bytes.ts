/** Paths whose bytes are not UTF-8, in strings. */

/**
 * A byte that is no part of valid UTF-8 stands in a string as a lone surrogate: this plus the byte.
 * Python's file names have the same form, PEP 383.
 */
const LONE_BYTE = 0xdc00;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns A path's text, in which each byte that is not UTF-8 is a lone surrogate. */
export function pathText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    let text = "";
    for (let at = 0; at < bytes.length;) {
      const length = characterLength(bytes, at);
      text +=
        length === 0
          ? String.fromCharCode(LONE_BYTE + bytes[at]!)
          : decoder.decode(bytes.subarray(at, at + length));
      at += Math.max(1, length);
    }
    return text;
  }
}

/** @returns How many bytes the character there has; 0 when it is none. */
function characterLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      decoder.decode(bytes.subarray(at, at + length));
      return length;
    } catch {
      // It may have more bytes.
    }
  }
  return 0;
}

/** @returns The bytes of a path's text, the inverse of `pathText`. */
export function pathBytes(text: string): Buffer {
  const pieces = text.match(/[\udc80-\udcff]|[^\udc80-\udcff]+/gu) ?? [];
  return Buffer.concat(
    pieces.map((piece) => {
      const code = piece.charCodeAt(0);
      return piece.length === 1 && code >= 0xdc80 && code <= 0xdcff
        ? Buffer.of(code - LONE_BYTE)
        : Buffer.from(piece);
    }),
  );
}

/** @returns A path as an argument of a C function: its text, or its bytes and a NUL. */
export function cPath(text: string): string {
  // A `cstring` argument also takes bytes, which the types do not know.
  return text.isWellFormed() ? text : (Buffer.concat([pathBytes(text), NUL]) as never);
}

const NUL = Buffer.of(0);
