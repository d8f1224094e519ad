import { PORTABLE_HEADER } from "../../layout/portable-layout.ts";
import type { Structure } from "./kind.ts";

export const PORTABLE_STRUCTURE: Structure = {
  kind: "portable",
  parts: () => [{ layout: PORTABLE_HEADER, offset: 0 }],
  activity: () => ({}),
  roles: [],
  damage: () => undefined,
};
