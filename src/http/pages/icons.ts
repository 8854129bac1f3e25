import { raw } from "hono/html";
import type { Html } from "./html.ts";

/** Drawn on a field of 16 by 16, by lines. */
const PATHS = {
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "m4 4 8 8m0-8-8 8",
  play: "M8 2a6 6 0 1 0 6 6",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 2.5V8l2.5 1.5",
  stop: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM3.8 3.8l8.4 8.4",
  forward: "M3 8h9M8.5 4 12.5 8l-4 4",
  warning: "M8 2.5 14.5 13.5h-13ZM8 6.5V9.5m0 1.8v.4",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 5.5V11m0-6v.3",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Zm3.3 7.8 3.2 3.2",
  lock: "M4 7.5h8v6H4Zm1.8 0V5a2.2 2.2 0 0 1 4.4 0v2.5",
  rescan: "M13.5 3v3.5H10M13 6.5A5.5 5.5 0 1 0 13.5 9",
  remove: "m5 5 6 6m0-6-6 6",
  brand: "M3.5 4h9M3.5 8h9M3.5 12h5",
} as const;

export type IconName = keyof typeof PATHS;

/** A small drawing beside a text that says the same. */
export function icon(name: IconName): Html {
  return raw(
    `<svg class="icon ${name}" viewBox="0 0 16 16" aria-hidden="true"><path d="${PATHS[name]}"/></svg>`,
  );
}
