export type Pattern =
  | { kind: "literal"; text: string; case_sensitive: boolean }
  | { kind: "regex"; source: string; case_sensitive: boolean };
export type Need =
  | { kind: "anything" }
  | { kind: "literal"; text: string }
  | { kind: "all"; of: Need[] }
  | { kind: "any"; of: Need[] };
export function needOf(pattern: Pattern): Need {
  return pattern.kind === "literal" ? { kind: "literal", text: pattern.text } : { kind: "anything" };
}
