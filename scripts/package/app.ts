/** New apps outside of the repository, in which the packed package is installed. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { mustRun } from "./checks.ts";

/** The repository. */
export const ROOT: string = join(import.meta.dir, "../..");
const APP_FILES: string = join(ROOT, "test/package");

/** The path of npm; null on a machine without it. */
export const NPM: string | null = Bun.which("npm");

/** The programs that the package's shell scripts need. */
const TOOLS: readonly string[] = ["sh", "env", "dirname", "readlink", "git"];

/**
 * Makes a directory for PATH with links to some programs and to the system's. @returns Its path.
 */
export function pathOf(
  directory: string,
  programs: Readonly<Record<string, string | null>>,
): string {
  mkdirSync(directory, { recursive: true });
  const tools = Object.fromEntries(TOOLS.map((name) => [name, Bun.which(name)]));
  for (const [name, target] of Object.entries({ ...tools, ...programs })) {
    if (target !== null) symlinkSync(target, join(directory, name));
  }
  return directory;
}

/** Builds and packs the package as it would be published. @returns The path of the tarball. */
export async function pack(directory: string): Promise<string> {
  const command =
    NPM === null
      ? [process.execPath, "pm", "pack", "--destination", directory]
      : [NPM, "pack", "--silent", "--pack-destination", directory];
  await mustRun(command, { cwd: ROOT });
  const [tarball] = readdirSync(directory).filter((file) => file.endsWith(".tgz"));
  return join(directory, tarball!);
}

/** Makes an app of the files in `test/package`, and installs the package from its tarball. */
export async function makeApp(directory: string, tarball: string): Promise<string> {
  mkdirSync(directory, { recursive: true });
  cpSync(APP_FILES, directory, { recursive: true });
  const manifest = { name: "app", private: true, type: "module" };
  writeFileSync(join(directory, "package.json"), JSON.stringify(manifest));
  const command =
    NPM === null ? [process.execPath, "add", tarball] : [NPM, "install", "--offline", tarball];
  await mustRun(command, { cwd: directory });
  return directory;
}

/** Bun's declarations, and the packages that the documentation's examples use. */
const TYPED: readonly string[] = [
  "@types/bun",
  "@types/express",
  "@types/express-session",
  "cacheable",
  "express",
  "hono-rate-limiter",
  ...Object.keys(manifest.peerDependencies),
];

/** Installs in an app what a user would install beside this package. */
export function addTypes(app: string): void {
  const done = new Set<string>();
  const add = (name: string): void => {
    const source = join(ROOT, "node_modules", name);
    // What is optional, or for another system, may be missing.
    if (done.has(name) || !existsSync(source)) return;
    done.add(name);
    cpSync(source, join(app, "node_modules", name), { recursive: true });
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(source, "package.json"), "utf8"),
    ) as { dependencies?: Record<string, string> };
    Object.keys(dependencies).forEach(add);
  };
  TYPED.forEach(add);
}
