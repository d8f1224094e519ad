/** The command line of the cluster. */
import { parseArgs } from "node:util";

/** The options, which all are texts, since they are passed on to the workers. */
export interface ClusterOptions {
  readonly workers: string;
  readonly port: string;
  readonly limit: string;
  readonly window: string;
  readonly name: string;
}

const HELP = `Usage: bun examples/cluster.ts [options]

Serves HTTP from several processes that share sessions, a cache, limits, flags and metrics.

  --workers N    processes that listen (default 2)
  --port N       the port; 0 picks one (default 0)
  --limit N      requests of a client in a window (default 100)
  --window MS    milliseconds of a window (default 10000)
  --name NAME    what the names of the shared objects begin with
  --help         this text`;

const MAXIMA = { workers: 1000, port: 65_535, limit: 1e9, window: 1e9 } as const;

function readOptions(): ClusterOptions {
  const { values } = parseArgs({
    options: {
      workers: { type: "string", default: "2" },
      port: { type: "string", default: "0" },
      limit: { type: "string", default: "100" },
      window: { type: "string", default: "10000" },
      name: { type: "string", default: `/example-cluster-${process.pid}` },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { help, ...options } = values;
  if (help) {
    console.log(HELP);
    process.exit(0);
  }
  for (const key of ["workers", "port", "limit", "window"] as const) {
    const [least, most] = [key === "port" ? 0 : 1, MAXIMA[key]];
    const value = Number(options[key]);
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    const rule = `it must be a whole number from ${least} to ${most}`;
    throw new RangeError(`--${key} ${options[key]}: ${rule}`);
  }
  return options;
}

/** Reads the command line; --help ends the program, and so does a mistake, with exit code 2. */
export function readClusterOptions(): ClusterOptions {
  try {
    return readOptions();
  } catch (error) {
    console.error(`cluster: ${(error as Error).message}\nTry: bun examples/cluster.ts --help`);
    process.exit(2);
  }
}
