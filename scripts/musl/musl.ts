/**
 * The short form of the tests on another libc: Bun for musl, alone, with C programs of musl, and
 * with this Bun and glibc's C programs. Without musl it is skipped, and says so.
 *
 * Debian has musl and no libstdc++ for it. The one for glibc works, with a few functions added.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { wrapped } from "../other-bun.ts";

const COMPILER = Bun.which("musl-gcc");
const LOADER = "/lib/ld-musl-x86_64.so.1";
/** Where glibc's lie. */
const FOREIGN = "/usr/lib/x86_64-linux-gnu";
/** What takes minutes, what calls for no libc, and errors, whose words are glibc's. */
const LEFT_OUT = new Set(["cli", "errors", "examples", "interleave", "kill", "package"]);
const TESTS = join(import.meta.dir, "../../test");
const ALONE = readdirSync(TESTS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !LEFT_OUT.has(entry.name))
  .map(({ name }) => `test/${name}/`);

function compile(output: string, ...args: string[]): void {
  const command = [COMPILER!, "-shared", "-fPIC", "-O1", "-o", output, ...args];
  const { success, stderr } = Bun.spawnSync(command);
  if (!success) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}

/** Makes the libstdc++ that Bun for musl finds. @returns Its directory. */
function makeLibraries(directory: string): string {
  const libraries = join(directory, "libraries");
  const stubs = join(directory, "stubs");
  for (const made of [libraries, stubs]) mkdirSync(made);
  const own = "libstdc++-of-glibc.so";
  cpSync(join(FOREIGN, "libstdc++.so.6"), join(libraries, own), { dereference: true });
  cpSync(join(FOREIGN, "libgcc_s.so.1"), join(libraries, "libgcc_s.so.1"), { dereference: true });
  cpSync(LOADER, join(libraries, "ld-linux-x86-64.so.2"), { dereference: true });
  // The linker would write down the name that the library gives itself.
  const empty = join(directory, "empty.c");
  writeFileSync(empty, "extern int unused;\n");
  compile(join(stubs, own), `-Wl,-soname,${own}`, empty);
  const source = join(import.meta.dir, "glibc-names.c");
  compile(join(libraries, "libstdc++.so.6"), source, "-Wl,--no-as-needed", join(stubs, own));
  return libraries;
}

if (COMPILER === null || !existsSync(LOADER) || process.arch !== "x64") {
  console.log("skipped: the tests on musl need musl-tools, on x64");
  process.exit(0);
}
using other = wrapped(
  "bun-linux-x64-musl",
  (bun, directory) => `env LD_LIBRARY_PATH=${makeLibraries(directory)} ${bun}`,
);
const tests = join(dirname(import.meta.dir), "test.ts");
const passed = [
  other.testBeside(),
  other.run([tests, ...ALONE], { BUN_SHM_TEST_CC: COMPILER }),
  other.run([tests, "test/locks/c-lock.test.ts", "test/layout/c-exchange.test.ts"]),
];
process.exitCode = passed.every(Boolean) ? 0 : 1;
