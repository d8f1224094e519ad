/** The command line of the cluster. */
import { parseArgs } from "node:util";

/** The options, which all are texts, since they are passed on to the workers. */
export interface ClusterOptions {
  readonly workers: string;
  readonly port: string;
  readonly burst: string;
  readonly rate: string;
  readonly name: string;
}

const HELP = `Usage: bun examples/cluster.ts [options]

Serves HTTP from several processes that share a counter, sessions and a rate limiter.

  --workers N    processes that listen (default 2)
  --port N       the port; 0 picks one (default 0)
  --burst N      requests of a client at once (default 20)
  --rate N       requests of a client a second (default 5)
  --name NAME    what the names of the shared objects begin with
  --help         this text`;

const LIMITS = { workers: [1, 1000], port: [0, 65_535], burst: [1, 1e9], rate: [0, 1e9] } as const;

function readOptions(): ClusterOptions {
  const { values } = parseArgs({
    options: {
      workers: { type: "string", default: "2" },
      port: { type: "string", default: "0" },
      burst: { type: "string", default: "20" },
      rate: { type: "string", default: "5" },
      name: { type: "string", default: `/example-cluster-${process.pid}` },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { help, ...options } = values;
  if (help) {
    console.log(HELP);
    process.exit(0);
  }
  for (const key of ["workers", "port", "burst", "rate"] as const) {
    const [least, most] = LIMITS[key];
    const value = Number(options[key]);
    const isWhole = key === "rate" || Number.isInteger(value);
    if (isWhole && value >= least && value <= most) continue;
    throw new RangeError(`--${key} ${options[key]}: it must be a number from ${least} to ${most}`);
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
