/** The header of named locks: how it is written, read, and checked when they are found. */
import { LayoutError } from "../errors.ts";
import { layoutHash } from "../layout/description.ts";
import {
  NAMED_LOCKS,
  NAMED_LOCKS_PARAMETERS,
  NAMED_LOCK_NAME,
  NAMED_LOCK_REQUEST,
} from "../layout/named-locks-layout.ts";
import { HEADER_PARAMETERS_OFFSET, SEGMENT_KINDS } from "../layout/segment-header.ts";
import type { NewHeader, Structure, StructureKind } from "../segment/structure.ts";
import {
  MAX_LOCK_NAMES,
  MAX_LOCK_REQUESTS,
  type NamedLocksShape,
  namedLocksLength,
} from "./algorithm/named-locks-memory.ts";
import {
  type NamedLocksNewOptions,
  type NamedLocksOptions,
  shapeFor,
} from "./named-locks-options.ts";

const HASH = layoutHash(NAMED_LOCKS, NAMED_LOCK_REQUEST, NAMED_LOCK_NAME);

export const NAMED_LOCKS_KIND: StructureKind = {
  noun: "named locks",
  kinds: { [SEGMENT_KINDS.namedLocks]: { layoutHash: HASH } },
  readable: false,
};

/** The checked numbers of a header. */
export interface NamedLocksNumbers {
  readonly shape: NamedLocksShape;
  /** Both halves of the hash's seed. */
  readonly seeds: readonly [number, number];
}

/** @returns The header of new named locks, with new seeds. */
export function namedLocksHeader(options: NamedLocksNewOptions): NewHeader {
  const shape = shapeFor(options);
  const seeds = crypto.getRandomValues(new Uint32Array(2));
  return {
    kind: SEGMENT_KINDS.namedLocks,
    layoutHash: HASH,
    dataLength: namedLocksLength(shape),
    parameters: [shape.names, shape.requests, ...seeds],
  };
}

/** @returns The numbers in a header. @throws LayoutError when they make no named locks. */
export function readNamedLocks({ what, header, placed }: Structure): NamedLocksNumbers {
  const [names = 0, requests = 0, low = 0, high = 0] = header.parameters ?? [];
  const shape = { names, requests };
  if (
    names >= 1 &&
    names <= MAX_LOCK_NAMES &&
    requests >= 1 &&
    requests <= MAX_LOCK_REQUESTS &&
    namedLocksLength(shape) === header.dataLength
  ) {
    return { shape, seeds: [low, high] };
  }
  throw new LayoutError(`Cannot open ${what}: its numbers make no named locks`, {
    expected: `${header.dataLength} bytes`,
    found: JSON.stringify(shape),
    offset: placed.offset + HEADER_PARAMETERS_OFFSET,
  });
}

/** Compares what was found with what the caller asked for. @throws LayoutError. */
export function checkFoundNamedLocks(structure: Structure, asked: NamedLocksOptions): void {
  const { shape } = readNamedLocks(structure);
  const place = (parameter: number): number => HEADER_PARAMETERS_OFFSET + parameter * 4;
  const { names, requests } = NAMED_LOCKS_PARAMETERS;
  structure.mustHave("count of names", place(names), shape.names, asked.names);
  structure.mustHave("count of requests", place(requests), shape.requests, asked.requests);
}
