/** The header of a record: how it is written, and checked when a record is found. */
import { LayoutError } from "../errors.ts";
import { layoutHash } from "../layout/description.ts";
import { HEADER_PARAMETERS_OFFSET, SEGMENT_KINDS } from "../layout/segment-header.ts";
import { SHARED_RECORD, SHARED_RECORD_SLOT } from "../layout/shared-record-layout.ts";
import { accessesPlainly } from "../memory/atomics.ts";
import type { NewHeader, Structure, StructureKind } from "../segment/structure.ts";
import { declarationLength, findForm } from "../struct/stored-struct.ts";
import type { Schema, Struct } from "../struct/struct.ts";
import { recordLength } from "./algorithm/record-slots.ts";

const HASH = layoutHash(SHARED_RECORD, SHARED_RECORD_SLOT);

export const RECORD_KIND: StructureKind = {
  noun: "record",
  kinds: { [SEGMENT_KINDS.record]: { layoutHash: HASH } },
  // A private mapping shows what others write until it is written to, by a look too.
  readable: accessesPlainly(),
};

/** @returns Whether a record can have this many slots. */
export function isSlotCount(count: number): boolean {
  return Number.isInteger(count) && count >= 2 && count <= 256 && (count & (count - 1)) === 0;
}

/** @returns The bytes of a value in a slot: those of the struct, rounded up to 8. */
export function valueLength({ byteLength }: Struct<Schema>): number {
  return (byteLength + 7) & ~7;
}

/** @returns The header of a new record. The declaration of its struct follows the slots. */
export function recordHeader(codec: Struct<Schema>, slots: number): NewHeader {
  const declared = declarationLength(codec);
  return {
    kind: SEGMENT_KINDS.record,
    layoutHash: HASH,
    dataLength: recordLength(valueLength(codec), slots) + declared,
    parameters: [slots, codec.byteLength, declared],
    codec: codec.id,
  };
}

/**
 * Checks the header of a record that was found.
 *
 * @param asked The count of slots that the caller wants; undefined for any.
 * @returns The count of slots, and the form of the struct for the values in them.
 * @throws LayoutError when the header makes no record, or differs from what the caller wants.
 */
export function checkFoundRecord<S extends Schema>(
  structure: Structure,
  codec: Struct<S>,
  asked: number | undefined,
): { readonly slots: number; readonly form: Struct<S> } {
  const { dataLength, parameters = [] } = structure.header;
  const [slots = 0, byteLength = 0, declared = 0] = parameters;
  const form = findForm(structure, codec, dataLength - declared, declared);
  structure.mustHave("count of slots", HEADER_PARAMETERS_OFFSET, slots, asked);
  structure.mustHave(
    "length of the struct",
    HEADER_PARAMETERS_OFFSET + 4,
    byteLength,
    form.byteLength,
  );
  if (isSlotCount(slots) && dataLength === recordLength(valueLength(form), slots) + declared) {
    return { slots, form };
  }
  throw new LayoutError(`Cannot open ${structure.what}: its slots make no record`, {
    expected: "2 to 256 slots that fill its bytes",
    found: `${slots} in ${dataLength} bytes`,
    offset: structure.placed.offset + HEADER_PARAMETERS_OFFSET,
  });
}
