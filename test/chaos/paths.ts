import type { Random } from "../support/random.ts";

/** A path with one latin1 character a byte, since names need not be UTF-8. */
export type RawPath = string;

function raw(text: string): RawPath {
  return Buffer.from(text).toString("latin1");
}

/** Names that some tool, shell, file system or encoding takes for something else. */
const NAMES: RawPath[] = [
  ...["src", "lib", "vendor", "docs", "README", "readme", "Readme", ".hidden", "con", "index"].map(raw),
  ...["a b", " leading", "trailing ", 'quo"te', "it's", "new\nline", "tab\there", "back\\slash"].map(raw),
  ...["-rf", "--help", "-", "*", "?", "[a]", "{a,b}", "!not", "#hash", "$(id)", "%41", "...", "a:b", "~"].map(
    raw,
  ),
  ...["\u0001", "\u007f", "\u202e", "\ufeff", "🦜", "한글", "git~1", "package.json"].map(raw),
  ...["caf\u00e9", "cafe\u0301"].map(raw), // NFC and NFD
  ...["caf\xe9", "caf\xe8", raw("caf\ufffd"), "\xff\xfe", "\xed\xa0\x80"], // all but one not UTF-8, the first three look the same
];

const EXTENSIONS = [
  "",
  ".ts",
  ".py",
  ".h",
  ".md",
  ".txt",
  ".json",
  ".go",
  ".RS",
  ".sql",
  ".d.ts",
  ".bin",
  ".lock",
];
const LONG_NAME = 200;
const DEEP = 18;

/** A directory's path, "" the root, mostly one of a few, so that directories fill. */
export function makeDirectory(random: Random): RawPath {
  if (random.chance(0.02)) return Array.from({ length: DEEP }, () => "d".repeat(LONG_NAME)).join("/");
  return Array.from({ length: random.below(4) }, () => random.pick(NAMES)).join("/");
}

export function makePath(random: Random): RawPath {
  return joinPath(makeDirectory(random), random.pick(NAMES) + random.pick(EXTENSIONS));
}

export function joinPath(directory: RawPath, name: RawPath): RawPath {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Another extension on the same name: another language of the same content. */
export function withExtension(path: RawPath, random: Random): RawPath {
  return path + random.pick(EXTENSIONS.slice(1));
}
