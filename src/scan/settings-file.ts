import { isUtf8 } from "node:buffer";
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
} from "yaml";
import {
  checkSettings,
  DEFAULT_SETTINGS,
  MAX_SETTINGS_BYTES,
  type SchemaFault,
  SETTING_NAMES,
  type Settings,
  type SettingsFault,
} from "./settings.ts";

/** As many as a check run shows at once. */
const MAX_FAULTS = 50;
const MAX_QUOTED = 60;
/** Settings are lists in a map. */
const MAX_DEPTH = 3;

export type ParsedSettings =
  /** `branchAt`: where the branch is named, for what only GitHub can tell of it. */
  { settings: Settings; branchAt: Position } | { faults: SettingsFault[] };

type Position = Omit<SettingsFault, "message">;

const START: Position = { line: 1, column: 1 };

/**
 * Reads a repository's configuration: its settings, or every mistake at its line, as a sentence that says what to
 * write. Takes any bytes. An empty file means the defaults.
 */
export function parseSettings(content: Buffer): ParsedSettings {
  if (content.length > MAX_SETTINGS_BYTES) return { faults: [tooLarge(content.length)] };
  const line = content.toString("latin1").split("\n").findIndex(isNoUtf8);
  if (line !== -1) return faulty({ line: line + 1, column: 1 }, "The file is not UTF-8: save it as UTF-8.");
  const text = content.toString().replace(/^\uFEFF/, "");
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    uniqueKeys: false, // quadratic, and without our words
    prettyErrors: false,
    logLevel: "error",
    lineCounter: lines,
  });
  const at = (offset: number): Position => {
    const { line: row, col } = lines.linePos(offset);
    return { line: Math.max(1, row), column: Math.max(1, col) };
  };
  const odd = /[^\P{Cc}\t\n\r]|^%/mu.exec(text);
  if (odd) return faulty(at(odd.index), oddCharacter(odd[0]));
  const [error] = document.errors; // what follows it follows from it
  if (error) return faulty(at(error.pos[0]), yamlSentence(error, text));
  return checkDocument(document.contents, { text, at });
}

/** The fault of a file that is not read at all. */
export function tooLarge(bytes: number): SettingsFault {
  const size = bytes.toLocaleString("en-US");
  const limit = MAX_SETTINGS_BYTES.toLocaleString("en-US");
  return { ...START, message: `The file has ${size} bytes: at most ${limit} are read. Make it shorter.` };
}

function isNoUtf8(line: string): boolean {
  return !isUtf8(Buffer.from(line, "latin1"));
}

function faulty(position: Position, message: string): ParsedSettings {
  return { faults: [{ ...position, message }] };
}

function oddCharacter(character: string): string {
  if (character === "%") return 'A line cannot begin with "%": directives are not needed here.';
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  return `The file has a control character here (U+${code}): remove it.`;
}

function yamlSentence({ code, message }: YAMLError, text: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "YAML cannot be indented with tabs: use spaces.";
    case "BAD_ALIAS":
      return 'YAML takes "*" for an alias: put the pattern in quotes, such as "*.log".';
    case "BAD_SCALAR_START":
      return `YAML gives the first character a meaning of its own: put the value in quotes. (${message}.)`;
    case "BAD_DQ_ESCAPE":
      return `Double quotes give "\\" a meaning: use single quotes, which keep it as it is. (${message}.)`;
    case "MULTIPLE_DOCS":
      return 'The file may hold one document only: remove this "---" and what follows.';
    case "RESOURCE_EXHAUSTION":
      return "The file is nested too deeply: settings are lists at most.";
    default:
      return `This is no YAML: ${message.slice(0, 2 * MAX_QUOTED)}.${text.includes("[") ? NEEDS_QUOTES : ""}`;
  }
}

const NEEDS_QUOTES = ' A pattern that begins with "[" must be in quotes.';

/** What is learnt of a document on the way. Paths are joined by keyOf. */
interface Reading {
  text: string;
  at: (offset: number) => Position;
  positions: Map<string, Position>;
  /** What stands there, as it is written: "" where nothing does. */
  sources: Map<string, string>;
  faults: SettingsFault[];
}

function checkDocument(contents: Node | null, { text, at }: Pick<Reading, "text" | "at">): ParsedSettings {
  if (contents === null || (isScalar(contents) && contents.value === null && !contents.tag)) {
    return { settings: DEFAULT_SETTINGS, branchAt: START };
  }
  if (!isMap(contents)) {
    const message = 'Settings are written as "name: value", each on a line of its own.';
    return faulty(at(contents.range?.[0] ?? 0), message);
  }
  const reading: Reading = { text, at, positions: new Map(), sources: new Map(), faults: [] };
  const value = readNode(contents, [], reading);
  const checked = reading.faults.length > 0 ? null : checkSettings(value);
  if (checked && "settings" in checked) {
    return { settings: checked.settings, branchAt: positionOf(["branch"], reading) };
  }
  const byPath = Map.groupBy(checked?.faults ?? [], ({ path }) => keyOf(path));
  for (const [first] of byPath.values()) if (first) reading.faults.push(...locate(first, reading));
  const faults = reading.faults.sort((x, y) => x.line - y.line || x.column - y.column);
  return { faults: faults.slice(0, MAX_FAULTS) };
}

/** Turns YAML's nodes into plain values and remembers where each stood. What is beyond plain values is a fault. */
function readNode(node: unknown, path: PropertyKey[], reading: Reading): unknown {
  const key = keyOf(path);
  if (!isNode(node)) {
    reading.sources.set(key, "");
    return null;
  }
  reading.positions.set(key, startOf(node, reading));
  const refusal = refusalOf(node, reading);
  if (refusal !== null) {
    reading.faults.push({ ...startOf(node, reading), message: refusal });
    return null;
  }
  if (path.length === MAX_DEPTH) return {}; // too deep for any setting: the schema says what is expected above
  if (isMap(node)) return readMap(node.items, path, reading);
  if (isSeq(node)) return node.items.map((item, i) => readNode(item, [...path, i], reading));
  reading.sources.set(key, sourceOf(node, reading));
  return isScalar(node) ? node.value : null;
}

function readMap(items: Pair[], path: PropertyKey[], reading: Reading): Record<string, unknown> {
  const entries = new Map<string, unknown>();
  for (const { key, value } of items) {
    const position = isNode(key) ? startOf(key, reading) : START;
    const name = isScalar(key) && !key.tag && !key.anchor ? String(key.value) : null;
    if (name === null) {
      reading.faults.push({ ...position, message: "The name of a setting is one plain word." });
    } else if (entries.has(name)) {
      const message = `${quote(name)} stands here a second time: keep one of them.`;
      reading.faults.push({ ...position, message });
    } else {
      reading.positions.set(keyOf([...path, name, "name"]), position);
      reading.positions.set(keyOf([...path, name]), position);
      entries.set(name, readNode(value, [...path, name], reading));
    }
  }
  return Object.fromEntries(entries);
}

/** Why a node cannot be taken for a plain value, or null. */
function refusalOf(node: YamlNode, reading: Reading): string | null {
  if (isAlias(node)) return quoteIt("*", "an alias", `*${node.source}`);
  if (node.tag?.startsWith("!")) return quoteIt("!", "a tag", node.tag);
  if (node.tag) return "Leave out the tag: settings are plain values.";
  if (node.anchor) return quoteIt("&", "an anchor", `&${node.anchor}`);
  if (isScalar(node) && sourceOf(node, reading).includes("\n")) {
    return "A value stands on one line: indent the items of a list alike.";
  }
  return null;
}

function startOf({ range }: YamlNode, { at }: Reading): Position {
  return at(range?.[0] ?? 0);
}

function sourceOf({ range }: YamlNode, { text }: Reading): string {
  return text.slice(...(range ?? [0, 0])).trim();
}

/** Of the value that a path leads to, or of the nearest above it. */
function positionOf(path: PropertyKey[], { positions }: Reading): Position {
  for (let length = path.length; length > 0; length -= 1) {
    const found = positions.get(keyOf(path.slice(0, length)));
    if (found) return found;
  }
  return START;
}

/** What the schema found, where it stands and with what stands there. */
function locate({ path, message, unknownKeys }: SchemaFault, reading: Reading): SettingsFault[] {
  if (unknownKeys.length > 0) {
    return unknownKeys.slice(0, MAX_FAULTS).map((key) => {
      return { ...positionOf([...path, key, "name"], reading), message: unknownKey(key) };
    });
  }
  const position = positionOf(path, reading);
  const source = reading.sources.get(keyOf(path));
  if (source === "") return [{ ...position, message: emptySentence(path) }];
  return [
    { ...position, message: source === undefined ? message : `${message} Here it is ${clip(source)}.` },
  ];
}

function emptySentence(path: PropertyKey[]): string {
  if (path.length > 1) return "This item is empty: give it a pattern, or leave it out.";
  return `${String(path[0])} has no value: give it one, or leave the line out.`;
}

type YamlNode = Node & { tag?: string; anchor?: string };

function isNode(value: unknown): value is YamlNode {
  return isAlias(value) || isMap(value) || isSeq(value) || isScalar(value);
}

function keyOf(path: PropertyKey[]): string {
  return path.join("\n");
}

function quoteIt(character: string, meaning: string, text: string): string {
  return `YAML takes "${character}" for ${meaning}: put the text in quotes, as in ${quote(text)}.`;
}

/** Text in quotes as a sentence may hold it: control characters escaped, cut where it is long. */
function quote(text: string): string {
  return JSON.stringify(clip(text));
}

function clip(text: string): string {
  return (text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text).toWellFormed();
}

function unknownKey(key: string): string {
  const near = SETTING_NAMES.find((name) => isNear(key, name));
  const advice = near ? `Did you mean ${near}?` : `There are ${SETTING_NAMES.join(", ")}.`;
  return `There is no setting ${quote(key)}. ${advice}`;
}

/** Spelt alike but for case, dashes and an "s", or two letters off at most. */
function isNear(key: string, name: string): boolean {
  const [a = "", b = ""] = [key, name].map((word) => word.toLowerCase().replaceAll(/[^a-z]/g, ""));
  return a.length <= 2 * b.length && distance(a, b) <= 2;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, character] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const changed = (row[j] ?? 0) + (character === b[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
