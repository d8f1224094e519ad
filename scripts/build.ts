/**
 * Builds what is published: `dist/` gets a JavaScript file and its map for each file of `src/` and
 * of `adapters/`, the declarations that a user's compiler reads, and the refusals that other
 * runtimes load.
 */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import manifest from "../package.json" with { type: "json" };

const ROOT: string = join(import.meta.dir, "..");
const DIST: string = join(ROOT, "dist");

function compile(configuration: string): void {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const project = join(ROOT, configuration);
  const { exitCode } = Bun.spawnSync([process.execPath, compiler, "-p", project], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (exitCode !== 0) throw new Error(`tsc ended with exit code ${exitCode}`);
}

// The compiler rewrites specifiers only in JavaScript, and not in declarations.
const SPECIFIER = /(\bfrom "|\bimport\(")(\.{1,2}\/[^"]+)\.ts(?=")/g;

/** Mends a declaration file. @returns The declaration files that it imports. */
function mendDeclaration(file: string): string[] {
  const path = join(DIST, file);
  const text = readFileSync(path, "utf8");
  const targets = [...text.matchAll(SPECIFIER)].map((match) => `${match[2]}.d.ts`);
  // Without this, a class whose internal constructor was stripped could be constructed by users.
  const mended = text
    .replaceAll(SPECIFIER, "$1$2.js")
    .replaceAll(/^export declare class [^]*?^\}/gm, (declared) =>
      declared.includes("constructor(")
        ? declared
        : declared.replace("#private;", "#private;\n    private constructor();"),
    );
  writeFileSync(path, mended);
  return targets.map((target) => normalize(join(dirname(file), target)));
}

/** The adapters for other people's packages, without the ending of their files. */
const ADAPTERS: readonly string[] = Object.keys(manifest.exports)
  .map((path) => path.slice(2))
  .filter((name) => existsSync(join(ROOT, "adapters", `${name}.ts`)));

/** Leads the adapters, which lie beside `src/`, to the package's files, which lie above them. */
function mendAdapters(): void {
  rmSync(join(DIST, "src"), { recursive: true });
  for (const file of new Bun.Glob("adapters/*.{js,d.ts}").scanSync(DIST)) {
    const path = join(DIST, file);
    writeFileSync(path, readFileSync(path, "utf8").replaceAll('"../src/index.', '"../index.'));
  }
}

/** Removes the declaration files that the public ones do not import. */
function keepPublicDeclarations(): void {
  const kept = new Set<string>();
  const keep = (file: string): void => {
    if (kept.has(file)) return;
    kept.add(file);
    mendDeclaration(file).forEach(keep);
  };
  keep("index.d.ts");
  for (const name of ADAPTERS) keep(`adapters/${name}.d.ts`);
  for (const file of new Bun.Glob("**/*.d.ts").scanSync(DIST)) {
    if (kept.has(file)) continue;
    rmSync(join(DIST, file));
    rmSync(join(DIST, `${file}.map`));
  }
}

const oldest: string = manifest.engines.bun.replace(">=", "");

/** Writes what every runtime other than Bun loads, by `import` or by `require`. */
async function writeRefusal(): Promise<void> {
  const text = `bun-shm needs Bun ${oldest} or newer: run this with bun, bundle it with --target bun`;
  const refusal = `const { stackTraceLimit } = Error;
Error.stackTraceLimit = 1;
const refusal = new Error(${JSON.stringify(text)});
Error.stackTraceLimit = stackTraceLimit;
throw refusal;
`;
  // Imports are linked before a module runs, so without these names that would fail instead.
  const names = Object.keys(await import("../src/index.ts"));
  const transpiler = new Bun.Transpiler();
  for (const name of ADAPTERS) {
    names.push(...transpiler.scan(readFileSync(join(DIST, "adapters", `${name}.js`))).exports);
  }
  writeFileSync(join(DIST, "unsupported.js"), `${refusal}export let ${names.join(", ")};\n`);
  writeFileSync(join(DIST, "unsupported.cjs"), `"use strict";\n${refusal}`);
}

/** Puts the command's modules behind an entry that other runtimes can parse, and are told by. */
function writeEntry(): void {
  const [entry, program] = ["main.js", "program.js"];
  const path = (name: string): string => join(DIST, "cli", name);
  const edited = (name: string): string =>
    readFileSync(path(name), "utf8").replaceAll(entry, program);
  writeFileSync(path(program), edited(entry));
  writeFileSync(path(`${program}.map`), edited(`${entry}.map`));
  rmSync(path(`${entry}.map`));
  writeFileSync(
    path(entry),
    `#!/usr/bin/env bun
if (!process.versions.bun) await import("../unsupported.js");
await import("./${program}");
`,
  );
}

/** Writes the command, as a shell script, so that it can also report that there is no Bun. */
function writeCommand(): void {
  const path = join(DIST, "cli/bun-shm");
  writeFileSync(
    path,
    `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
# bunx says where Bun is, which need not be in PATH.
case $npm_config_user_agent in
  bun/*) first=$npm_execpath ;;
  *) first=bun ;;
esac
# Without install scripts the bun of npm is a placeholder, and the program lies elsewhere.
for bun in "$first" "$here"/../../../@oven/bun-*/bin/bun; do
  if [ -n "$("$bun" --version 2>/dev/null)" ]; then exec "$bun" "$here/main.js" "$@"; fi
done
echo "bun-shm needs Bun ${oldest} or newer, and there is no bun in PATH: https://bun.com" >&2
exit 127
`,
  );
  chmodSync(path, 0o755);
}

rmSync(DIST, { recursive: true, force: true });
compile("tsconfig.build.json");
compile("tsconfig.adapters.json");
mendAdapters();
keepPublicDeclarations();
await writeRefusal();
writeEntry();
writeCommand();
