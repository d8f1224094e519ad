import { PORTABLE_HEADER } from "../../layout/portable-layout.ts";
import type { Inspector } from "./kind.ts";

export const PORTABLE_INSPECTOR: Inspector = {
  kind: "portable",
  parts: () => [{ layout: PORTABLE_HEADER, offset: 0 }],
  activity: () => ({}),
  damage: () => undefined,
};
