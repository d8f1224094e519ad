/**
 * Every message that a user can meet: each row of the tables in errors/ provokes one and has its
 * class, its code and its full text. And each place in src/ that throws has a row, but for a number
 * that must not grow.
 */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { plugin } from "bun";
import type { ErrorRow } from "./errors/provoke.ts";
import { testNeeding } from "./support/needs.ts";
import { uniqueName } from "./support/names.ts";

const SRC = join(import.meta.dir, "../src");

/**
 * How many places have no row yet. Most cannot be provoked in this process: 30 are in cli/, whose
 * tests run the command; others are failures of the kernel or of libc (no memory, no descriptors,
 * another user's objects, another platform), deaths of other processes (the kill tests have those),
 * and bytes in rings and maps that somebody scribbled over, which the hostile tests do.
 */
const WITHOUT_ROW = 123;

/** Where src/ throws something of its own: `throw new …(`, `throw corrupt…(`, `fail(`. */
const SITE =
  /^(?! *\/?\*| *\/\/|.*\bfunction )(.*?)((?:\bthrow (?:new )?[\w.]*|(?<![\w.#])fail|this\.#fail)\()(?=.*)/gm;

/** The places of a file by their text, which tells them apart wherever the file is moved to. */
function sitesOf(file: string, text: string): string[] {
  return [...text.matchAll(SITE)].map(({ index, 0: line }) => {
    const following = text.slice(index, index + line.length + 90).replaceAll(/\s+/g, " ");
    return `${file}: ${following.trim().slice(0, 90)}`;
  });
}

const files = [...new Bun.Glob("**/*.ts").scanSync(SRC)].sort();
const sites = files.flatMap((file) => sitesOf(file, readFileSync(join(SRC, file), "utf8")));

// The first argument of whatever is thrown tells, before it is evaluated, that it is thrown. What a
// stack says is not enough: a call in tail position has no frame.
const thrown = new Set<number>();
Object.assign(globalThis, { thrownAt: (site: number): void => void thrown.add(site) });
const loaded = new Set<string>();
plugin({
  name: "mark what throws",
  setup(build) {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      if (!path.startsWith(SRC)) return { contents: source, loader: "ts" };
      const file = path.slice(SRC.length + 1);
      loaded.add(file);
      const before = files.slice(0, files.indexOf(file));
      let site = sites.filter((one) => before.includes(one.slice(0, one.indexOf(": ")))).length;
      const contents = source.replaceAll(
        SITE,
        (_, start: string, call: string) => `${start}${call}globalThis.thrownAt(${site++}) ?? `,
      );
      return { contents, loader: "ts" };
    });
  },
});

const { Segment } = await import("../src/index.ts");
const { cleanUp, key } = await import("./errors/provoke.ts");
const TABLE: Readonly<Record<string, readonly ErrorRow[]>> = {
  segments: (await import("./errors/segments.ts")).SEGMENTS,
  queues: (await import("./errors/queues.ts")).QUEUES,
  rings: (await import("./errors/rings.ts")).RINGS,
  locks: (await import("./errors/locks.ts")).LOCKS,
  limiters: (await import("./errors/limiters.ts")).LIMITERS,
  "named locks": (await import("./errors/named-locks.ts")).NAMED_LOCKS,
  structures: (await import("./errors/structures.ts")).STRUCTURES,
  meters: (await import("./errors/meters.ts")).METERS,
  tables: (await import("./errors/tables.ts")).TABLES,
  inspection: (await import("./errors/inspection.ts")).INSPECTION,
};

let name = "";
afterEach(() => {
  cleanUp();
  for (const each of [name, `${name}2`]) Segment.unlink(each);
});

/** What is another one in each run is a word. */
function shown(message: string): string {
  return message
    .replaceAll(name, "NAME")
    .replaceAll(key(), "KEY")
    .replaceAll(/file:[^"]*bun-shm-link-[^"]*/g, "file:LINK")
    .replaceAll(/huge page's, \d+ bytes/g, "huge page's, HUGE bytes")
    .replaceAll(/sysv:#\d+/g, "sysv:#ID")
    .replaceAll(/sysv-locks\.\d+/g, "sysv-locks.ID")
    .replaceAll(/queue "fd:\d+"/g, 'queue "fd:N"')
    .replaceAll(/the hash 0x[0-9a-f]{8}/g, "the hash HASH")
    .replaceAll(/expected 0x[0-9a-f]{8} at offset 20/g, "expected HASH at offset 20");
}

/** The codes of errors whose class has only one. */
const CODES: Readonly<Partial<Record<ErrorRow["error"], string>>> = {
  LayoutError: "ELAYOUT",
  ClosedError: "ECLOSED",
  UnsupportedError: "ENOTSUP",
};

for (const [group, rows] of Object.entries(TABLE)) {
  test.each(rows.map((row) => [`${group}: ${row.text.slice(0, 90)}`, row] as const))(
    "%s",
    async (_, { provoke, error, code, text }) => {
      name = uniqueName("error");
      let met: unknown;
      try {
        await provoke(name);
      } catch (caught) {
        met = caught;
      }
      expect(met).toBeInstanceOf(Error);
      const { name: met_, message, ...rest } = met as Error & { code?: string };
      expect({ error: met_, code: rest.code, text: shown(message) }).toEqual({
        error,
        code: code ?? CODES[error],
        text,
      });
    },
  );
}

// What another test's file loaded before, in the same process, does not tell when it throws.
const throwing = new Set(sites.map((site) => site.slice(0, site.indexOf(": "))));
const isFirst = [...throwing].every((file) => file.startsWith("cli/") || loaded.has(file));

testNeeding("a process of its own", isFirst)(
  "no more places than before throw what has no row",
  () => {
    const without = sites.filter((_, site) => !thrown.has(site));
    console.log(`${sites.length} places throw, ${without.length} have no row:`);
    console.log(without.map((site) => `  ${site}`).join("\n"));
    expect(without.length).toBeLessThanOrEqual(WITHOUT_ROW);
  },
);
