/** The command lines of the scripts. */
import { type ParseArgsConfig, parseArgs } from "node:util";

/**
 * Reads the command line. `--help` prints the usage and ends the program; a mistake ends it with
 * exit code 2.
 */
export function readCommandLine<const T extends ParseArgsConfig>(
  usage: string,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}
