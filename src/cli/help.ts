/** The texts of --help. */
import { COMMON_OPTIONS, type Command, type Option } from "./command.ts";
import { paint } from "./output.ts";

function optionLines(options: Readonly<Record<string, Option>>): string[] {
  const lines = Object.entries(options).map(([name, { value, short, text }]) => {
    const dash = short === undefined ? "    " : `-${short}, `;
    return [`${dash}--${name}${value === undefined ? "" : ` ${value}`}`, text] as const;
  });
  const width = Math.max(...lines.map(([left]) => left.length));
  return lines.map(([left, text]) => `  ${left.padEnd(width)}  ${text}`);
}

/** What `bun-shm COMMAND --help` prints. */
export function commandHelp(command: Command): string {
  const { name, summary, operands, options = {}, examples } = command;
  return [
    `${paint("bold", "Usage:")} bun-shm ${[name, operands, "[options]"].filter(Boolean).join(" ")}`,
    "",
    summary,
    "",
    paint("bold", "Options:"),
    ...optionLines({ ...options, ...COMMON_OPTIONS }),
    "",
    paint("bold", examples.length === 1 ? "Example:" : "Examples:"),
    ...examples.flatMap(([line, text]) => [`  # ${text}`, `  ${line}`]),
  ].join("\n");
}

/** What `bun-shm --help` prints. */
export function generalHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    `${paint("bold", "Usage:")} bun-shm COMMAND [options]`,
    "",
    "Finds, shows, repairs and removes shared memory and semaphores, whoever made them.",
    "",
    paint("bold", "Commands:"),
    ...commands.map(
      ({ name, summary }) => `  ${name.padEnd(width)}  ${summary.split(/(?<=\.)\s/)[0]}`,
    ),
    "",
    "Names may be given with or without the leading slash; sysv:KEY, sysv:#ID, file:PATH and",
    "/proc/PID/fd/N reach other kinds of memory. `bun-shm COMMAND --help` explains a command,",
    "and `bun-shm --version` says which version this is.",
    "",
    "Exit codes: 0 done, 1 the answer is no, 2 bad command line, 3 no such object, 4 permission",
    "denied, 5 in use, 6 the system refused.",
  ].join("\n");
}
