/** Names as people type them. */
import { nameKind } from "../memory/objects/segment-name.ts";

/** A name with its slash: "orders" is "/orders"; `sysv:` and the like stay as they are. */
export function objectName(typed: string): string {
  const bare = typed.startsWith("/dev/shm/") ? typed.slice("/dev/shm".length) : typed;
  if (nameKind(bare) !== "posix") return bare;
  return bare.startsWith("/") ? bare : `/${bare}`;
}
