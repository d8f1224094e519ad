import { cc } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHAPTERS, constantsOf } from "../../scripts/layout/registry.ts";
import { stale } from "../../scripts/layout.ts";
import { fieldLength } from "../../src/layout/description.ts";
import { NEEDS_NO_LIBC } from "../../src/libc/semaphore.ts";
import { testNeeding } from "../support/needs.ts";
import { C_COMPILER, runBun } from "../support/process.ts";

const ROOT = join(import.meta.dir, "../..");
const LAYOUTS = CHAPTERS.flatMap(({ layouts }) => layouts);
const CONSTANTS = CHAPTERS.flatMap(constantsOf);
const CXX_COMPILER = Bun.which("c++") ?? Bun.which("g++") ?? Bun.which("clang++");

/** A directory for the length of one test. */
function scratch(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "bun-shm-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

describe("the descriptions", () => {
  for (const { name, length, fields } of LAYOUTS) {
    test(`${name}: fields are aligned, apart and inside`, () => {
      let end = 0;
      for (const field of fields.toSorted((a, b) => a.offset - b.offset)) {
        const size = fieldLength({ name, type: field.type, offset: 0, text: "" });
        expect(field.offset % size).toBe(0);
        expect(field.offset).toBeGreaterThanOrEqual(end);
        end = field.offset + fieldLength(field);
      }
      expect(end).toBeLessThanOrEqual(length);
      expect(new Set(fields.map((field) => field.name)).size).toBe(fields.length);
    });
  }

  test("no two structures or constants share a name", () => {
    const names = [...LAYOUTS.map(({ name }) => name), ...CONSTANTS.map(([name]) => name)];
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
  });
});

describe("the generated files", () => {
  test("are current", async () => {
    expect(await stale()).toEqual([]);
    const { exitCode, stderr } = await runBun("scripts/layout.ts", "--check");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  });
});

describe("the C headers", () => {
  // bun:ffi's compiler takes what lies in /usr/include and /usr/lib.
  const testCompiled = testNeeding("the system's own libc", NEEDS_NO_LIBC);

  testCompiled("have every offset, length and constant of the descriptions", () => {
    const wanted: [string, number][] = [
      ...LAYOUTS.flatMap(({ name, length, fields }): [string, number][] => [
        [`sizeof(bun_shm_${name})`, length],
        ...fields.flatMap((field): [string, number][] => [
          [`offsetof(bun_shm_${name}, ${field.name})`, field.offset],
          [`sizeof(((bun_shm_${name} *)0)->${field.name})`, fieldLength(field)],
        ]),
      ]),
      // Words whose sign bit is a flag are unsigned in C.
      ...CONSTANTS.map(([name, value]): [string, number] => [
        `BUN_SHM_${name}`,
        value < -(2 ** 16) ? value >>> 0 : value,
      ]),
      ["sizeof(bun_shm_message_queue)", 2580],
    ];
    using directory = scratch();
    const source = join(directory.path, "offsets.c");
    writeFileSync(
      source,
      `#define BUN_SHM_LAYOUT_ONLY
      #include "${ROOT}/include/bun_shm.h"
      static const double values[] = { ${wanted.map(([text]) => `(double)(${text})`).join()} };
      double value_at(int index) { return values[index]; }`,
    );
    const symbols = { value_at: { args: ["i32"], returns: "f64" } } as const;
    const library = cc({ source, symbols });
    const found = wanted.map(([name], at): [string, number] => [
      name,
      library.symbols.value_at(at),
    ]);
    library.close();
    expect(found).toEqual(wanted);
  });

  test("need no header of the kernel's, which not every system has", () => {
    for (const file of ["bun_shm.h", "bun_shm_portable.h"]) {
      const text = readFileSync(join(ROOT, "include", file), "utf8");
      const includes = [...text.matchAll(/^#include <(.*)>$/gm)].map((match) => match[1]!);
      expect(includes).not.toBeEmpty();
      expect(includes.filter((each) => /^(linux|asm)/.test(each))).toEqual([]);
    }
  });

  const dialects = [
    ["C11", C_COMPILER, ["-std=c11", "-x", "c"]],
    ["C11 with GNU extensions", C_COMPILER, ["-std=gnu11", "-x", "c"]],
    ["C++17", CXX_COMPILER, ["-std=c++17", "-x", "c++"]],
  ] as const;
  const orders = [
    ["bun_shm.h", "bun_shm_portable.h"],
    ["bun_shm_portable.h", "bun_shm.h"],
  ];
  for (const [dialect, compiler, flags] of dialects) {
    const testDialect = testNeeding(`a compiler for ${dialect}`, !!compiler);
    testDialect(`compile as ${dialect} without a warning`, () => {
      using directory = scratch();
      const source = join(directory.path, "user.c");
      // Each twice, in either order, and behind a header of the C library where that is allowed.
      const before = dialect === "C11" ? "" : "#include <stdio.h>\n";
      for (const order of orders) {
        const includes = [...order, ...order].map((file) => `#include "${ROOT}/include/${file}"\n`);
        writeFileSync(source, `${before}${includes.join("")}int main(void) { return 0; }\n`);
        const warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"];
        const command = [compiler!, "-O2", ...flags, ...warnings, "-fsyntax-only", source];
        const { exitCode, stderr } = Bun.spawnSync(command);
        expect({ exitCode, stderr: String(stderr) }).toEqual({ exitCode: 0, stderr: "" });
      }
    });
  }
});
