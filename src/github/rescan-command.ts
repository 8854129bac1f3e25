export type RescanCommand =
  | { kind: "rescan"; mode: "incremental" | "full" }
  | { kind: "unknown_option"; option: string };

/** Templates hide their instructions in comments; a hidden command is nobody's wish. */
const HTML_COMMENT = /<!--[\s\S]*?(?:-->|$)/g;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;

/**
 * The command in a comment, or null. `/rescan` must be the first token of a line outside code blocks and quotes;
 * the first one counts.
 */
export function parseRescanCommand(body: string): RescanCommand | null {
  let fence: string | null = null;
  for (const line of body
    .replaceAll("\0", "")
    .replace(HTML_COMMENT, "")
    .split(/\r\n|\n|\r/)) {
    const mark = FENCE.exec(line)?.[1];
    if (fence !== null) {
      if (mark?.startsWith(fence) && line.trim() === mark) fence = null;
      continue;
    }
    if (mark) {
      fence = mark;
      continue;
    }
    if (/^( {4}|\t)/.test(line)) continue; // indented code
    const [command, option, ...rest] = line.trim().split(/\s+/);
    if (command?.toLowerCase() !== "/rescan") continue;
    if (option === undefined) return { kind: "rescan", mode: "incremental" };
    if (option.toLowerCase() === "full" && rest.length === 0) return { kind: "rescan", mode: "full" };
    return { kind: "unknown_option", option: [option, ...rest].join(" ") };
  }
  return null;
}
