/** Programs that use the installed package: run, bundled, compiled, started again, and refused. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { NPM, pathOf } from "./app.ts";
import { check, must, mustRun, run } from "./checks.ts";

const BUN: string = process.execPath;
/** Versions of Bun that are too old: one of an earlier year, and the last before one that works. */
const OLD_BUNS: readonly string[] = ["1.2.23", "1.3.14"];
const NEEDED: string = `bun-shm needs Bun ${manifest.engines.bun.replace(">=", "")} or newer`;

/** How many names were made for objects, which no other run uses. */
let names = 0;
const prefix = (): string => `/bun-shm-package-${process.pid}-${++names}`;

function same(found: string, expected: string): void {
  must(found === expected, `Expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
}

/** What the app prints when everything works. */
const ANSWERS = {
  rings: [1, "ABC", "object"],
  inPlace: 2.5,
  broadcast: ["hello", 1.5],
  queues: ["one", "two"],
  semaphores: true,
  locks: [10, true, "last", 3],
  leases: "app",
  state: [1, ["ada"], [2, 1, 3], 42, "ab", [1, 2]],
  operations: true,
  errors: ["ENOENT", "ClosedError"],
};

async function checkRuns(app: string): Promise<void> {
  await check("the app uses every noun", async () => {
    const code = `import { main } from "./app.ts";
console.log(JSON.stringify(await main("${prefix()}")));`;
    same(await mustRun([BUN, "-e", code], { cwd: app }), `${JSON.stringify(ANSWERS)}\n`);
  });
  await check("the demo runs from the installed package", async () => {
    const output = await mustRun([BUN, "node_modules/bun-shm/examples/demo.ts"], { cwd: app });
    must(output.includes("The demo succeeded."), output);
  });
  await check("adapters work without the packages that they are for", async () => {
    same(await mustRun([BUN, "peerless.ts", prefix()], { cwd: app }), "text 1\n");
  });
  await check("a Worker uses the package too", async () => {
    same(await mustRun([BUN, "workers.ts", prefix()], { cwd: app }), "from a Worker\n");
  });
}

/** What `waits.ts` answers when nothing that it awaits is lost. */
const AWAITED = "true,late spsc,mpsc,broadcast true,last,true,true,true true,2\n";

/** Flags of `bun build --target bun`, and what it writes. */
const BUNDLES: readonly (readonly [flags: readonly string[], files: string])[] = [
  [[], "waits.js"],
  [["--minify"], "waits.js"],
  [["--splitting"], "waits.js"],
  [["--minify", "--bytecode"], "waits.js,waits.js.jsc"],
];

/** Flags of `bun build --compile`. */
const EXECUTABLES: readonly (readonly string[])[] = [[], ["--minify"], ["--minify", "--bytecode"]];

/** Bundles the app, and runs the result in a directory where no other file of it can be found. */
async function checkBundles(app: string): Promise<void> {
  const build = (...args: string[]): Promise<string> =>
    mustRun([BUN, "build", ...args], { cwd: app });
  const elsewhere = { cwd: tmpdir() };
  for (const [flags, expected] of BUNDLES) {
    await check(["bun build --target bun", ...flags].join(" "), async () => {
      const output = join(app, `bundle${flags.join("")}`);
      await build("waits.ts", "--target", "bun", "--outdir", output, ...flags);
      same([...new Bun.Glob("*").scanSync(output)].sort().join(), expected);
      same(await mustRun([BUN, join(output, "waits.js"), prefix()], elsewhere), AWAITED);
    });
  }
  for (const flags of EXECUTABLES) {
    await check(["bun build --compile", ...flags].join(" "), async () => {
      const output = join(app, `compiled${flags.join("")}`);
      await build("waits.ts", "--compile", "--outfile", output, ...flags);
      same(await mustRun([output, prefix()], elsewhere), AWAITED);
    });
  }
  await check("a bundle holds what its app uses", async () => {
    writeFileSync(
      join(app, "one.ts"),
      'import { Semaphore } from "bun-shm"; Semaphore.unlink("/x");',
    );
    const bundle = await build("one.ts", "--target", "bun");
    const folders = [...bundle.matchAll(/^\/\/ .*bun-shm\/dist\/(\w+)\//gm)].map(
      ([, folder]) => folder!,
    );
    must(folders.includes("semaphore"), "It lacks what the app uses");
    const unused = ["ring", "map", "queue", "struct"].filter((folder) => folders.includes(folder));
    must(unused.length === 0, `It holds modules of ${unused.join(", ")}`);
  });
}

/** Waits until a stream has delivered a text. */
async function seen(reader: AsyncIterator<Uint8Array>, text: string): Promise<void> {
  const decoder = new TextDecoder();
  let all = "";
  while (!all.includes(text)) {
    const { done, value } = await reader.next();
    must(done !== true, `It ended before it wrote ${JSON.stringify(text)}: ${all}`);
    all += decoder.decode(value, { stream: true });
  }
}

/** Changes an app while it runs and holds a ring's only producer. */
async function checkReload(app: string, flag: string): Promise<void> {
  const file = join(app, `reloads${flag}.ts`);
  const text = readFileSync(join(app, "reloads.ts"), "utf8");
  const name = prefix();
  writeFileSync(file, text);
  const child = Bun.spawn([BUN, flag, file, name], {
    cwd: app,
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 60_000,
  });
  try {
    const output = child.stdout[Symbol.asyncIterator]();
    for (const version of [1, 2, 3]) {
      if (version > 1) writeFileSync(file, text.replace("VERSION = 1", `VERSION = ${version}`));
      await seen(output, `version ${version}: true\n`);
    }
  } finally {
    child.kill();
    await child.exited;
    await mustRun([BUN, "-e", `${UNLINK}("${name}")`], { cwd: app });
  }
}

const UNLINK: string = `import { Segment, Semaphore } from "bun-shm";
((name) => (Segment.unlink(name + "-ring"), Semaphore.unlink(name + "-semaphore")))`;

async function checkCommand(app: string): Promise<void> {
  const node = Bun.which("node");
  const withoutBun = pathOf(join(app, "path-node"), { node });
  const withBun = pathOf(join(app, "path-bun"), { bun: BUN });
  await check("bunx bun-shm, without Node", async () => {
    const help = await mustRun([BUN, "x", "bun-shm", "--help"], {
      cwd: app,
      env: { PATH: withBun },
    });
    must(help.startsWith("Usage: bun-shm"), help);
    await mustRun([BUN, "x", "bun-shm", "ls"], { cwd: app, env: { PATH: withBun } });
  });
  await check("bun-shm --version", async () => {
    const command = [BUN, "x", "bun-shm", "--version"];
    same(await mustRun(command, { cwd: app }), `bun-shm ${manifest.version}\n`);
  });
  await check("bunx bun-shm, with a Bun that is not in PATH", () =>
    mustRun([BUN, "x", "bun-shm", "ls"], { cwd: app, env: { PATH: withoutBun } }),
  );
  if (node === null || NPM === null) return;
  const npx = [node, join(dirname(NPM), "npx")];
  await check("npx bun-shm", () =>
    mustRun([...npx, "bun-shm", "ls"], {
      cwd: app,
      env: { PATH: `${withBun}:${withoutBun}` },
    }),
  );
  await check("npx bun-shm without Bun is one sentence", async () => {
    const options = { cwd: app, env: { PATH: withoutBun } };
    const { exitCode, stdout, stderr } = await run([...npx, "bun-shm", "ls"], options);
    same(`${exitCode} ${stdout}`, "127 ");
    same(stderr, `${NEEDED}, and there is no bun in PATH: https://bun.com\n`);
  });
  await check("npx bun-shm finds the Bun of npm, whose install script did not run", async () => {
    const modules = join(app, "node_modules");
    const home = join(modules, "@oven/bun-here/bin");
    const placeholder = join(modules, ".bin/bun");
    mkdirSync(home, { recursive: true });
    symlinkSync(BUN, join(home, "bun"));
    // In newer versions it says what to do, and fails; in older ones it is empty.
    for (const text of ["#!/bin/sh\nexit 1\n", ""]) {
      writeFileSync(placeholder, text, { mode: 0o755 });
      const options = { cwd: app, env: { PATH: withoutBun } };
      const version = await mustRun([...npx, "bun-shm", "--version"], options);
      same(version, `bun-shm ${manifest.version}\n`);
    }
    rmSync(placeholder);
    rmSync(join(modules, "@oven"), { recursive: true });
  });
}

/** Checks that a refusal is one sentence, with no stack but the line that throws it. */
function mustRefuse(stderr: string, exitCode: number, sentence: string): void {
  must(exitCode !== 0, "It succeeded");
  must(stderr.includes(sentence), `It does not say ${JSON.stringify(sentence)}: ${stderr}`);
  const frames = stderr.split("\n").filter((line) => /^\s+at /.test(line));
  must(frames.length <= 1 && !/node:internal|\/src\//.test(stderr), `It shows a stack: ${stderr}`);
}

async function checkOtherRuntimes(app: string): Promise<void> {
  const node = Bun.which("node");
  const programs = {
    import: ["--input-type=module", "-e", 'import { Segment } from "bun-shm"; Segment.list();'],
    require: ["--input-type=commonjs", "-e", 'const { Segment } = require("bun-shm");'],
    command: ["node_modules/bun-shm/dist/cli/main.js"],
  };
  for (const [how, args] of Object.entries(programs)) {
    if (node === null) break;
    await check(`Node's ${how} is refused in one sentence`, async () => {
      const { exitCode, stderr } = await run([node, ...args], { cwd: app });
      mustRefuse(stderr, exitCode, `${NEEDED}: run this with bun, bundle it with --target bun`);
    });
  }
  for (const version of OLD_BUNS) {
    await check(`Bun ${version} is refused in one sentence`, async () => {
      const old = await installBun(app, version);
      const sentence = `${NEEDED}, and this is Bun ${version}: run bun upgrade`;
      writeFileSync(join(app, "old.ts"), 'import { Segment } from "bun-shm"; Segment.list();');
      for (const file of ["old.ts", "node_modules/bun-shm/dist/cli/main.js"]) {
        const { exitCode, stderr } = await run([old, file], { cwd: app });
        mustRefuse(stderr, exitCode, sentence);
      }
    });
  }
}

/** Installs another version of Bun, outside of PATH. @returns Its path. */
async function installBun(app: string, version: string): Promise<string> {
  const name = `bun-${version}`;
  const directory = join(app, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "package.json"), '{ "private": true }');
  const target = `bun@${version}`;
  const command =
    NPM === null
      ? [BUN, "add", "--ignore-scripts", target]
      : [NPM, "install", "--ignore-scripts", "--prefer-offline", target];
  await mustRun(command, { cwd: directory });
  for (const file of new Bun.Glob("node_modules/@oven/*/bin/bun").scanSync(directory)) {
    const path = join(directory, file);
    // Some variants of the platform's program may not run here.
    const { exitCode } = await run([path, "--version"], { cwd: app });
    if (exitCode === 0) return path;
  }
  throw new Error(`${target} brought no program that runs here`);
}

/** Runs programs of an app that has the package installed. */
export async function checkPrograms(app: string): Promise<void> {
  await checkRuns(app);
  await checkBundles(app);
  for (const flag of ["--hot", "--watch"]) {
    await check(`bun ${flag}`, () => checkReload(app, flag));
  }
  await checkCommand(app);
  await checkOtherRuntimes(app);
}
