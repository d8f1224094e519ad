/** The package under the compilers and the compiler options of its users. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Example, examples, programOf } from "../../test/support/examples.ts";
import { ROOT } from "./app.ts";
import { check, must, mustRun } from "./checks.ts";

const COMPILERS: readonly string[] = ["typescript-5", "typescript"];

/** Compiler options, and the app's files that are compiled with them. */
interface Configuration {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly files: readonly string[];
}

const BASE = { noEmit: true, skipLibCheck: false };
const NO_TYPES = { ...BASE, types: [], strict: true };
const BUN_INIT = {
  ...BASE,
  lib: ["ESNext"],
  target: "ESNext",
  module: "Preserve",
  moduleDetection: "force",
  jsx: "react-jsx",
  allowJs: true,
  types: ["bun"],
  moduleResolution: "bundler",
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  strict: true,
  noFallthroughCasesInSwitch: true,
  noUncheckedIndexedAccess: true,
  noImplicitOverride: true,
};
const STRICTEST = {
  ...BUN_INIT,
  erasableSyntaxOnly: true,
  exactOptionalPropertyTypes: true,
  isolatedModules: true,
  noImplicitReturns: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedSideEffectImports: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  allowUnreachableCode: false,
  allowUnusedLabels: false,
};
const LOOSE = {
  ...BASE,
  target: "ES2022",
  lib: ["ES2022"],
  module: "ESNext",
  moduleResolution: "bundler",
  types: ["bun"],
  strict: false,
};
const NODE_NEXT = { target: "ES2022", module: "NodeNext", moduleResolution: "NodeNext" };
const PROGRAMS = ["waits.ts", "workers.ts", "reloads.ts", "peerless.ts"];

/** Configurations without declarations other than the language's. */
const BARE: readonly Configuration[] = [
  {
    name: "ES2022 without DOM and without @types",
    options: { ...NO_TYPES, ...NODE_NEXT, lib: ["ES2022"] },
    files: ["app.ts", "inferred.ts", "typing.ts"],
  },
  {
    name: "with the DOM",
    options: { ...NO_TYPES, ...NODE_NEXT, lib: ["ES2022", "DOM", "DOM.Iterable"] },
    files: ["app.ts", "inferred.ts", "typing.ts"],
  },
];

/** Configurations with Bun's declarations. */
const TYPED: readonly Configuration[] = [
  {
    name: "strict, with every flag more",
    options: { ...STRICTEST, allowJs: false, declaration: true, isolatedDeclarations: true },
    files: ["app.ts", "typing.ts", ...PROGRAMS],
  },
  {
    name: "as bun init writes it",
    options: BUN_INIT,
    files: ["app.ts", "inferred.ts", "typing.ts"],
  },
  {
    name: "loose",
    options: LOOSE,
    files: ["app.ts", "inferred.ts", "waits.ts", "workers.ts"],
  },
  {
    name: "with declarations",
    options: { ...BUN_INIT, ...NODE_NEXT, allowImportingTsExtensions: false, declaration: true },
    files: ["app.ts", "inferred.ts"],
  },
];

async function compile(app: string, compiler: string, { name, options, files }: Configuration) {
  const project = join(app, `tsconfig.${compiler}.${name.replaceAll(/\W+/g, "-")}.json`);
  writeFileSync(project, JSON.stringify({ compilerOptions: options, files }));
  const tsc = join(ROOT, "node_modules", compiler, "bin/tsc");
  const command = [process.execPath, tsc, "-p", project, "--pretty", "false", "--listFiles"];
  // An older compiler loses what a pipe does not take at once before it exits.
  const output = Bun.file(`${project}.txt`);
  const child = Bun.spawn(command, { cwd: app, stdio: ["ignore", output, output] });
  const exitCode = await child.exited;
  const stdout = await output.text();
  const lines = stdout.split("\n");
  const errors = lines.filter((line) => !line.startsWith("/")).join("\n");
  must(exitCode === 0, errors);
  const sources = lines.filter((file) => /\/bun-shm\/.*(?<!\.d)\.ts$/.test(file));
  must(stdout.includes("/bun-shm/dist/index.d.ts"), "It never read the package's declarations");
  must(sources.length === 0, `The compiler read ${sources.join(", ")}`);
}

/** Which examples use adapters. */
const usesAdapter = (code: string): boolean => code.includes('from "bun-shm/');

/** Writes the documentation's examples as modules of the app. @returns Their paths. */
function writeExamples(app: string, chosen: readonly Example[]): string[] {
  mkdirSync(join(app, "examples"), { recursive: true });
  return chosen.map((example) => {
    const file = `examples/${example.where.replaceAll(/[^\w.]+/g, "-").replaceAll(".", "_")}.ts`;
    writeFileSync(join(app, file), `${programOf(example)}\nexport {};\n`);
    return file;
  });
}

/** Runs what plugs into other people's packages, in an app that has those. */
async function checkAdapters(app: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    await check(`${file} runs`, () => mustRun([process.execPath, file], { cwd: app }));
  }
}

/** Compiles the app in every way. @param typed The same app as `bare`, with all declarations. */
export async function checkTypes(bare: string, typed: string): Promise<void> {
  const documentation: Configuration = {
    name: "the examples of the documentation",
    options: { ...BUN_INIT, noPropertyAccessFromIndexSignature: true },
    files: writeExamples(
      typed,
      examples.filter(({ code }) => !usesAdapter(code)),
    ),
  };
  const adapters = writeExamples(
    typed,
    examples.filter(({ code }) => usesAdapter(code)),
  );
  const plugged: Configuration = {
    name: "the examples of the adapters",
    // The declarations of the packages that they are for do not all pass such a check.
    options: { ...BUN_INIT, skipLibCheck: true },
    files: adapters,
  };
  const checkWith = async (compiler: string): Promise<void> => {
    const { version } = await import(join(ROOT, "node_modules", compiler, "package.json"));
    for (const [app, configurations] of [
      [bare, BARE],
      [typed, [...TYPED, documentation, plugged]],
    ] as const) {
      for (const configuration of configurations) {
        await check(`TypeScript ${version}: ${configuration.name}`, () =>
          compile(app, compiler, configuration),
        );
      }
    }
  };
  await Promise.all(COMPILERS.map(checkWith));
  await checkAdapters(typed, adapters);
}
