import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { Caller } from "../access.ts";
import { en, type Messages } from "./messages/en.ts";
import { ko } from "./messages/ko.ts";

export type Language = "en" | "ko";

const MESSAGES: Record<Language, Messages> = { en, ko };

/** What every page is made for: who reads it, in which language, where and when. */
export interface View {
  language: Language;
  messages: Messages;
  /** Null where nobody may be known: set-up, and errors before it is known who asks. */
  caller: Caller | null;
  /** The request's path and query. */
  path: string;
  now: Date;
}

/** The view of a request; also says in its answer that the language was chosen by the browser's preference. */
export function createView(c: Context): View {
  c.header("vary", "Accept-Language", { append: true });
  const url = new URL(c.req.url);
  return { ...viewIn(languageOf(c)), caller: c.get("caller") ?? null, path: url.pathname + url.search };
}

/** A view of nobody in particular, such as of the set-up pages. */
export function viewIn(language: Language): View {
  return { language, messages: MESSAGES[language], caller: null, path: "/", now: new Date() };
}

function languageOf(c: Context): Language {
  const chosen = accepts(c, {
    header: "Accept-Language",
    supports: ["en", "ko"],
    default: "en",
    match: (asked, { default: otherwise }) => {
      const known = asked
        .toSorted((a, b) => b.q - a.q)
        .map(({ type, q }) => (q > 0 ? (/^(en|ko)(-|$)/i.exec(type)?.[1] ?? null) : null))
        .find((language) => language !== null);
      return known?.toLowerCase() ?? otherwise;
    },
  });
  return chosen === "ko" ? "ko" : "en";
}
