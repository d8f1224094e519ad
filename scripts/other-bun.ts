/** Runs tests by Bun for another processor or another libc, which starts through a wrapper. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { devDependencies } from "../package.json";

type Environment = Readonly<Record<string, string>>;

function run(command: readonly string[], env: Environment = {}): boolean {
  const stdio = ["ignore", "inherit", "inherit"] as const;
  return Bun.spawnSync([...command], { stdio: [...stdio], env: { ...process.env, ...env } })
    .success;
}

/** Bun of another kind. */
export interface OtherBun extends Disposable {
  /** Runs it. @returns Whether it ended well. */
  run(args: readonly string[], env?: Environment): boolean;
  /** Runs the tests in which it and this Bun share everything. */
  testBeside(): boolean;
}

/**
 * Gets the same version of Bun from npm.
 *
 * @param kind As in `@oven/KIND`.
 * @param commandOf The shell's words that start it, without its arguments.
 * @throws Error when npm has none.
 */
export function wrapped(
  kind: string,
  commandOf: (bun: string, directory: string) => string,
): OtherBun {
  const directory = mkdtempSync(join(tmpdir(), "bun-shm-other-"));
  // Tests run it as other users too.
  chmodSync(directory, 0o755);
  const bunPackage = `@oven/${kind}@${devDependencies.bun}`;
  const packed = Bun.spawnSync(["npm", "pack", "--silent", bunPackage], { cwd: directory });
  const archive = packed.stdout.toString().trim();
  if (!packed.success || !run(["tar", "xzf", join(directory, archive), "-C", directory])) {
    throw new Error(`There is no ${bunPackage}: ${packed.stderr.toString()}`);
  }
  mkdirSync(join(directory, "wrapper"));
  const wrapper = join(directory, "wrapper/bun");
  const command = commandOf(join(directory, "package/bin/bun"), directory);
  writeFileSync(wrapper, `#!/bin/sh\nexec ${command} "$@"\n`);
  chmodSync(wrapper, 0o755);
  return {
    run: (args, env) => run([wrapper, ...args], { BUN_SHM_TEST_BUN: wrapper, ...env }),
    testBeside: () =>
      run([process.execPath, "test", "--timeout", "300000", "test/locks/other-bun.test.ts"], {
        BUN_SHM_OTHER_BUN: wrapper,
      }),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}
