/**
 * The declaration of a struct, which what is made with the struct keeps beside its values, so that
 * another process can say in which field its own struct differs. An id says only that it does.
 */
import { visible } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { HEADER_CODEC_OFFSET } from "../layout/segment-header.ts";
import type { Structure } from "../segment/structure.ts";
import { type Schema, type Struct, codecName, formOf, structId } from "./struct.ts";

/** A longer declaration is not kept. */
const MAX_LENGTH = 2 ** 16;

/** Structures lie at multiples of this, and many lie one behind the other. */
const ALIGNMENT = 128;

/** @returns The bytes of a struct's declaration, as they are kept. */
export function declarationLength({ signature }: Struct<Schema>): number {
  const { length } = signature;
  return length > MAX_LENGTH ? 0 : Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

/** Keeps a struct's declaration. @param at Bytes from the start of the structure's data. */
export function writeDeclaration(structure: Structure, at: number, codec: Struct<Schema>): void {
  const length = declarationLength(codec);
  if (length === 0) return;
  const start = structure.dataOffset + at;
  const target = structure.segment.bytes.subarray(start, start + length);
  target.fill(0);
  new TextEncoder().encodeInto(codec.signature, target);
}

/** @returns The declaration that is kept; undefined when the id stands for another one. */
function readDeclaration({ segment, dataOffset, header }: Structure, at: number, length: number) {
  if (length === 0 || length > MAX_LENGTH || at + length > header.dataLength) return undefined;
  const start = dataOffset + at;
  const text = Buffer.from(segment.bytes.slice(start, start + length)).toString("latin1");
  const declaration = text.replace(/\0+$/, "");
  return structId(declaration) === header.codec ? declaration : undefined;
}

/**
 * Compares the struct of what was found with that of the caller.
 *
 * @param at Where the declaration is kept, in bytes from the start of the structure's data.
 * @param length Its bytes; 0 when none is kept.
 * @returns The form of the caller's struct for the values that lie there.
 * @throws LayoutError that names the first field that differs.
 */
export function findForm<S extends Schema>(
  structure: Structure,
  codec: Struct<S>,
  at: number,
  length: number,
): Struct<S> {
  const id = structure.header.codec ?? "";
  if (id === "") return codec;
  const form = formOf(codec, id);
  const declaration = readDeclaration(structure, at, length);
  if (form !== undefined && (declaration ?? form.signature) === form.signature) return form;
  if (declaration === undefined) structure.mustHaveCodec(codec.id, codecName(codec));
  throw new LayoutError(`Cannot open ${structure.what}: ${differing(declaration ?? "", codec)}`, {
    expected: codecName(codec),
    found: visible(id),
    offset: structure.placed.offset + HEADER_CODEC_OFFSET,
  });
}

interface Declared {
  readonly name: string;
  /** The whole declaration: `double price`. */
  readonly text: string;
}

/** @returns The fields of a declaration `struct { … }`, without those of structs inside. */
function fieldsOf(declaration: string): Declared[] {
  const body = declaration.slice(declaration.indexOf("{") + 1, declaration.lastIndexOf("}"));
  const fields: Declared[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < body.length; at++) {
    if (body[at] === "{") depth++;
    else if (body[at] === "}") depth--;
    else if (body[at] === ";" && depth === 0) {
      const text = body.slice(start, at).replaceAll(/\s+/g, " ").trim();
      const name = /(\w+)(?:\[\d+\])*$/.exec(text)?.[1] ?? text;
      fields.push({ name, text });
      start = at + 1;
    }
  }
  return fields;
}

/** @returns What is different in the first field that is. */
function differing(declaration: string, codec: Struct<Schema>): string {
  const there = fieldsOf(declaration);
  const here = fieldsOf(codec.signature);
  const has = (fields: readonly Declared[], name: string): boolean =>
    fields.some((field) => field.name === name);
  const at = there.findIndex(({ text }, index) => text !== here[index]?.text);
  const [found, asked] = at < 0 ? [undefined, here[there.length]] : [there[at], here[at]];
  if (found === undefined) {
    const way = `Give it a default: struct({ … }, { defaults: { ${asked?.name}: … } })`;
    return `it has no field "${asked?.name}", which this struct adds without a default. ${way}`;
  }
  const [old, declared] = [visible(found.name), visible(found.text)];
  if (asked === undefined) return `it has a field "${old}" more, which this struct does not know`;
  if (asked.name === found.name) return `its field "${old}" is "${declared}", not "${asked.text}"`;
  if (!has(here, found.name)) {
    if (has(there, asked.name)) return `it has a field "${old}", which this struct lacks`;
    return `it has a field "${old}" ("${declared}") in the place of "${asked.text}"`;
  }
  if (has(there, asked.name)) return `its field "${old}" comes before "${asked.name}"`;
  return `it has no field "${asked.name}", and fields can be added at the end only`;
}
