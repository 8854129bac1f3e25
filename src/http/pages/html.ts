import type { HtmlEscapedString } from "hono/utils/html";

/** Markup in which every text is escaped. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;
