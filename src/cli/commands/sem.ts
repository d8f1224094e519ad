/** sem ls, sem get, sem post and sem wait: use named semaphores. */
import { type ObjectUsage, Semaphore, usage } from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { ageText, modeText, tableLines } from "../format.ts";
import { answer, print, printJson } from "../output.ts";
import { openSemaphore } from "../semaphores.ts";
import { usersText } from "./ls.ts";

export const semLs: Command = {
  name: "sem ls",
  summary: "List named semaphores: value, mode, owner, age and who has them open.",
  count: [0, 0],
  options: { sysv: { text: "Add System V semaphores." } },
  examples: [["bun-shm sem ls --sysv", "semaphores of both kinds"]],
  run(call: Call): number {
    const found = usage({ sysv: call.has("sysv"), kinds: false }).filter(
      ({ type }) => type === "semaphore",
    );
    if (call.has("json")) {
      printJson(found);
      return EXIT.ok;
    }
    const lines = tableLines<ObjectUsage>(found, [
      { head: "NAME", text: ({ name }) => name, style: () => "cyan" },
      { head: "VALUE", right: true, text: ({ name, value }) => valueText(name, value) },
      { head: "MODE", text: ({ mode }) => modeText(mode) },
      { head: "OWNER", text: ({ owner }) => owner },
      { head: "AGE", right: true, text: ({ changed }) => ageText(changed) },
      { head: "PROCESSES", text: usersText },
    ]);
    for (const line of lines) print(line);
    return EXIT.ok;
  },
};

function valueText(name: string, value: number | undefined): string {
  if (value !== undefined) return String(value);
  try {
    using semaphore = openSemaphore(name);
    return String(semaphore.value);
  } catch {
    return "?";
  }
}

export const semGet: Command = {
  name: "sem get",
  summary: "Print a semaphore's value.",
  operands: "NAME",
  count: [1, 1],
  completes: "semaphores",
  examples: [["bun-shm sem get mq_items", "how many messages wait in the textbook queue"]],
  run(call: Call): number {
    const name = call.object;
    using semaphore = openSemaphore(name);
    const { value } = semaphore;
    answer(call.has("json"), { name, value }, String(value));
    return EXIT.ok;
  },
};

export const semPost: Command = {
  name: "sem post",
  summary: "Add to a semaphore, and wake who waits for it.",
  operands: "NAME",
  count: [1, 1],
  completes: "semaphores",
  options: {
    count: { value: "N", text: "How much to add; default 1." },
    create: { text: "Make the semaphore if there is none." },
  },
  examples: [["bun-shm sem post mq_mutex", "free a mutex whose owner was killed"]],
  run(call: Call): number {
    const name = call.object;
    const count = call.count("count") ?? 1;
    using semaphore = call.has("create") ? Semaphore.openOrCreate(name) : openSemaphore(name);
    semaphore.post(count);
    const { value } = semaphore;
    answer(call.has("json"), { name, value }, String(value));
    return EXIT.ok;
  },
};

export const semWait: Command = {
  name: "sem wait",
  summary: "Take one from a semaphore; wait for it if need be. Exit code 1 after the timeout.",
  operands: "NAME",
  count: [1, 1],
  completes: "semaphores",
  options: {
    timeout: { value: "SECONDS", text: "How long at most; 0 only tries. Default: for ever." },
  },
  examples: [["bun-shm sem wait mq_items --timeout 5", "wait up to five seconds"]],
  run(call: Call): number {
    const name = call.object;
    const timeoutMs = call.milliseconds("timeout");
    using semaphore = openSemaphore(name);
    const taken = semaphore.wait(timeoutMs === undefined ? {} : { timeoutMs });
    if (call.has("json")) printJson({ name, taken });
    return taken ? EXIT.ok : EXIT.no;
  },
};
