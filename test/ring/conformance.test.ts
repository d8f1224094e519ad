import { afterEach, describe } from "bun:test";
import { Segment } from "../../src/segment/segment.ts";
import { uniqueName } from "../support/names.ts";
import { seededRandom } from "../support/random.ts";
import { type MakeMemory, describeConformance } from "./conformance.ts";
import { KINDS } from "./kinds.ts";

const OFFSET = 128;
const segments: Segment[] = [];

const MEMORIES: Readonly<Record<string, MakeMemory>> = {
  ArrayBuffer: (length) => ({ buffer: new ArrayBuffer(OFFSET + length), byteOffset: OFFSET }),
  SharedArrayBuffer: (length) => ({
    buffer: new SharedArrayBuffer(OFFSET + length),
    byteOffset: OFFSET,
  }),
  mapping: (length) => {
    const name = uniqueName("conformance");
    const segment = Segment.create(name, { size: OFFSET + length });
    Segment.unlink(name);
    segments.push(segment);
    return { buffer: segment.buffer, byteOffset: OFFSET };
  },
};

afterEach(() => {
  for (const segment of segments.splice(0)) segment.close();
});

const random = seededRandom("conformance of rings");
for (const kind of KINDS) {
  for (const [memory, makeMemory] of Object.entries(MEMORIES)) {
    describe(`${kind.name} over ${memory}`, () => {
      describeConformance(kind, makeMemory, Math.floor(random() * 2 ** 31));
    });
  }
}
