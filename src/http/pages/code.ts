import { html } from "hono/html";
import { piecesOf } from "../../visible.ts";
import type { Html } from "./html.ts";
import type { View } from "./view.ts";

/** Lines of a file on one of its pages. */
export const LINES_OF_PAGE = 1_000;

/** A text with what was found in it marked, and nothing hidden in it. */
export function marked(text: string, ranges: readonly (readonly [number, number])[] = []): Html {
  const pieces = piecesOf(text, ranges);
  return html`${pieces.map(({ text: part, isFound }) => (isFound ? html`<mark>${part}</mark>` : part))}`;
}

export interface FilePlace {
  repository_id: string;
  path: string;
  path_base64: string | null;
}

/** The address of a file's page here, at a line where one is given. */
export function fileAddress(place: FilePlace, line: number | null = null): string {
  return line === null ? pageAddress(place, 1) : `${pageAddress(place, line)}#L${line}`;
}

/** The address of that page of a file that has a line. */
export function pageAddress({ repository_id, path, path_base64 }: FilePlace, line: number): string {
  const name: Record<string, string> = path_base64 === null ? { path } : { path_base64 };
  const first = line - ((line - 1) % LINES_OF_PAGE);
  const query = new URLSearchParams({ ...name, ...(first > 1 && { start: String(first) }) });
  return `/repositories/${repository_id}/file?${query}`;
}

/** A link to a file's page on GitHub. */
export function onGitHub({ messages }: View, url: string): Html {
  return html`<a href="${url}" rel="noreferrer">${messages.layout.onGitHub}</a>`;
}
