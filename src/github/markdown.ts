/** Text that stands for itself in GitHub's Markdown: no formatting, no mention, no link, no HTML. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\r\n\t]+/g, " ")
    .replace(/[\\`*_{}[\]()#+\-.!|<>~&]/g, (character) =>
      character === "<"
        ? "&lt;"
        : character === ">"
          ? "&gt;"
          : character === "&"
            ? "&amp;"
            : `\\${character}`,
    )
    .replaceAll("@", "@\u200B");
}

/** A code span that holds any text, backticks too. */
export function codeSpan(text: string): string {
  const flat = text.replace(/[\r\n\t]+/g, " ").replaceAll("|", "\u2502");
  const longest = Math.max(0, ...[...flat.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = longest > 0 ? " " : "";
  return `${fence}${pad}${flat}${pad}${fence}`;
}

/** At most `limit` UTF-16 units, cut at a whole character with an ellipsis. */
export function truncate(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
