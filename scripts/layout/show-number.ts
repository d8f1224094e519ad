/** @returns A constant as the generated files write it: in hexadecimal where its bits matter. */
export function showNumber(value: number): string {
  if (value >= 2 ** 32) return `0x${value.toString(16)}`;
  const small = value >= -1000 && value <= 1 << 16;
  const power = value > 0 && Number.isInteger(Math.log2(value)) && value <= 2 ** 30;
  if (small || power) return String(value);
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}
