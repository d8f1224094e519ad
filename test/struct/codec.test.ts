import { describe, expect, test } from "bun:test";
import { type Codec, LayoutError, arrayOf, charArray, codecs, struct } from "../../src/index.ts";
import { checkCodec } from "../../src/struct/codec.ts";
import { scratchForm } from "../../src/struct/scratch-codec.ts";
import { Scratch } from "../../src/struct/scratch.ts";
import { caught } from "../support/caught.ts";

/** A codec, values of it, and what is none of its values. */
const CODECS: [string, Codec<unknown>, unknown[], unknown[]][] = [
  ["bytes", codecs.bytes, [new Uint8Array(0), new Uint8Array([1, 2])], ["x", 5, null, [1]]],
  ["utf8", codecs.utf8, ["", "grün 🙂", "a\0b"], [5, null, new Uint8Array(1)]],
  ["number", codecs.number, [0, -0.5, Number.NaN, Infinity], ["5", 5n, null, undefined]],
  ["json", codecs.json(), [null, 5, "x", { a: [1, true] }], [undefined, () => 1]],
  ["clone", codecs.clone(), [new Date(5), new Map([[1, new Set([2])]]), 5n], []],
  ["", codecs.raw, [new Uint8Array([7])], ["x"]],
];

describe.each(CODECS)("codec %j", (id, codec, values, others) => {
  test("has its id", () => {
    expect(codec.id).toBe(id);
    expect(() => checkCodec("Cannot do it", codec)).not.toThrow();
  });

  test("decodes what it encoded, also in the middle of other bytes", () => {
    for (const value of values) {
      const encoded = codec.encode(value);
      expect(codec.decode(encoded)).toEqual(value);
      const around = new Uint8Array([255, ...encoded, 255]);
      expect(codec.decode(around.subarray(1, -1))).toEqual(value);
    }
  });

  test("does the same in a scratch, with the same bytes", () => {
    const scratch = new Scratch(16);
    const form = scratchForm(codec);
    for (const value of values) {
      const length = form.encode(value, scratch);
      const encoded = scratch.bytes.slice(0, length);
      expect(encoded).toEqual(new Uint8Array(codec.encode(value)));
      scratch.reserve(length + 8);
      scratch.bytes.set(encoded, 8);
      expect(form.decode(scratch, 8, length)).toEqual(value);
    }
  });

  test("refuses what is none of its values", () => {
    const scratch = new Scratch(16);
    for (const other of others) {
      expect(caught(() => codec.encode(other)).name).toBe("TypeError");
      expect(caught(() => scratchForm(codec).encode(other, scratch)).name).toBe("TypeError");
    }
  });
});

test("a number has 8 bytes", () => {
  expect(caught(() => codecs.number.decode(new Uint8Array(7)))).toBeInstanceOf(LayoutError);
});

test("bytes that are read are the reader's own", () => {
  const source = new Uint8Array([1, 2]);
  const read = codecs.bytes.decode(source);
  source[0] = 9;
  expect(read).toEqual(new Uint8Array([1, 2]));
});

test("what is no codec is refused, and the message says what is", () => {
  const form = { encode: () => new Uint8Array(0), decode: () => 0 };
  const message = (codec: unknown): string =>
    caught(() => checkCodec("Cannot do it", codec)).message;
  for (const codec of [undefined, null, "utf8", {}, { id: "x", encode: form.encode }]) {
    expect(message(codec)).toContain("its codec must be one of codecs, a struct, or { id, encode");
  }
  for (const id of [undefined, 5, "", "x".repeat(65), "ä".repeat(33), "a\0b"]) {
    expect(message({ ...form, id })).toContain("a text of 1 to 64 bytes");
  }
  expect(() => checkCodec("Cannot do it", { ...form, id: "ä".repeat(32) })).not.toThrow();
});

test("text with a lone surrogate is refused: UTF-8 would make another text of it", () => {
  const scratch = new Scratch(16);
  const form = scratchForm(codecs.utf8);
  const Text = struct({ text: charArray(8), texts: arrayOf(charArray(4), 1) });
  const view = new DataView(new ArrayBuffer(Text.byteLength));
  for (const text of ["\ud800", "a\udfff", "\udc00b", "é\ud83d"]) {
    for (const encode of [() => codecs.utf8.encode(text), () => form.encode(text, scratch)]) {
      const error = caught(encode);
      expect(error).toBeInstanceOf(RangeError);
      expect(error).toHaveProperty("message", expect.stringContaining("lone surrogate"));
    }
    expect(codecs.json().decode(codecs.json().encode(text))).toBe(text);
    expect(codecs.clone().decode(codecs.clone().encode(text))).toBe(text);
    for (const value of [
      { text, texts: [""] },
      { text: "", texts: [text.slice(0, 2)] },
    ]) {
      expect(caught(() => Text.write(view, 0, value))).toBeInstanceOf(RangeError);
    }
    expect(caught(() => (Text.at(view).text = text))).toBeInstanceOf(RangeError);
    expect(new Uint8Array(view.buffer)).toEqual(new Uint8Array(Text.byteLength));
    const codec = { ...codecs.utf8, id: text };
    expect(caught(() => checkCodec("Cannot do it", codec))).toBeInstanceOf(TypeError);
  }
  for (const text of ["\ufffd", "🙂", "\ufeff"]) {
    expect(codecs.utf8.decode(codecs.utf8.encode(text))).toBe(text);
  }
});
