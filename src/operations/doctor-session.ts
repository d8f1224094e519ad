/** The check whether systemd removes this user's objects when the user logs out. */
import { existsSync, readdirSync } from "node:fs";
import { readText } from "../inspection/file-system.ts";
import { userName } from "../inspection/user-names.ts";
import { type Finding, note, ok } from "./finding.ts";

/** Where systemd's programs look for settings; what comes first hides files of the same name. */
const PLACES = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
/** The highest number of a system user, whose objects stay, unless systemd was built otherwise. */
const SYSTEM_USER_MAX = 999;

/** @returns What is found; nothing where no logind can run. */
export function checkRemoveIpc(uid: number = process.geteuid?.() ?? 0): Finding[] {
  // logind makes this directory when it starts, and knows the users' sessions by it.
  if (!existsSync("/run/systemd/users")) return [];
  const user = userName(uid);
  const name = "sessions";
  if (uid <= systemUserMax()) {
    return [ok(name, `systemd keeps the objects of ${user}, a system user.`)];
  }
  if (existsSync(`/var/lib/systemd/linger/${user}`)) {
    return [ok(name, `systemd keeps the objects of ${user}, who may linger.`)];
  }
  if (!removesIpc()) return [ok(name, "systemd keeps users' objects (RemoveIPC=no).")];
  const text =
    `systemd-logind removes all objects and semaphores of ${user} when the last session of ` +
    "this user ends (RemoveIPC), also those that are in use.";
  const fix = `loginctl enable-linger ${user}, or RemoveIPC=no in /etc/systemd/logind.conf`;
  return [note(name, text, fix)];
}

function systemUserMax(): number {
  const found = /^\s*SYS_UID_MAX\s+(\d+)/m.exec(readText("/etc/login.defs") ?? "")?.[1];
  return found === undefined ? SYSTEM_USER_MAX : Number(found);
}

/** @returns Whether logind's setting says so: the last one counts, and without any it does. */
function removesIpc(): boolean {
  let removes = true;
  for (const text of configurations()) {
    for (const [, value = ""] of text.matchAll(/^\s*RemoveIPC\s*=\s*(\S*)/gim)) {
      removes = !/^(no|n|false|f|off|0)$/i.test(value);
    }
  }
  return removes;
}

/** @returns The texts of the files of settings, in the order in which they are read. */
function configurations(): string[] {
  const main = PLACES.map((place) => `${place}/logind.conf`).find((path) => existsSync(path));
  const parts = new Map<string, string>();
  for (const place of PLACES) {
    const directory = `${place}/logind.conf.d`;
    for (const file of existsSync(directory) ? readdirSync(directory) : []) {
      if (file.endsWith(".conf") && !parts.has(file)) parts.set(file, `${directory}/${file}`);
    }
  }
  const paths = [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return [...(main === undefined ? [] : [main]), ...paths].map((path) => readText(path) ?? "");
}
