import type { Random } from "../support/random.ts";
import type { RawPath } from "./paths.ts";

const PATTERNS = [
  "*",
  "**",
  "*.ts",
  "*.md",
  "/src/**",
  "src/**",
  "lib/*",
  "vendor/**",
  "**/docs/**",
  "README*",
  "/*",
  "*a*",
];
const ATTRIBUTES = [
  "linguist-generated",
  "linguist-generated=true",
  "-linguist-generated",
  "linguist-generated=false",
  "linguist-vendored",
  "-linguist-vendored",
  "!linguist-vendored",
  "export-ignore",
  "export-subst",
  "text eol=crlf",
  "text=auto",
  "-text",
  "ident",
];

/** A .gitattributes that turns flags on and off for whole directories, and changes what an archive holds. */
export function makeAttributes(random: Random, paths: RawPath[]): string {
  const lines = Array.from({ length: 1 + random.below(6) }, () => {
    const path = paths.length > 0 && random.chance(0.4) ? quote(random.pick(paths)) : null;
    return `${path ?? random.pick(PATTERNS)} ${random.pick(ATTRIBUTES)} ${random.pick(ATTRIBUTES)}`;
  });
  return `# some rules\n${lines.join("\n")}\n`;
}

/** A path as a pattern that means it alone; null where it has what a pattern cannot say on one line. */
function quote(path: RawPath): string | null {
  if (!/^[\x20-\x7e]+$/.test(path) || path.length > 500) return null;
  const pattern = path.replaceAll(/[\\*?[\]]/g, "\\$&");
  return `"/${pattern.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
