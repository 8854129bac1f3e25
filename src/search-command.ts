import { existsSync } from "node:fs";
import { parseArgs, styleText } from "node:util";
import { ConfigError, readStorage } from "./config.ts";
import { type Connection, connect } from "./database/connect.ts";
import { findEmbedded } from "./database/embedded.ts";
import { isMigrated } from "./database/migrate.ts";
import { OPERATOR } from "./database/viewer.ts";
import { createLogger } from "./log.ts";
import { messageOf } from "./redact.ts";
import { type ParsedQuery, parseQuery } from "./search/query.ts";
import { QuerySyntaxError } from "./search/query-error.ts";
import {
  createSearchEngine,
  type FoundFile,
  type Incomplete,
  type SearchEngine,
  search,
} from "./search/search.ts";
import { makeVisible, piecesOf } from "./visible.ts";

const USAGE = `Usage: npm run search -- [--limit FILES] [-C LINES] [--] QUERY

Searches what Repodex has indexed, in the database of DATABASE_URL or else of the Repodex that runs here.
The query language is in docs/query-language.md. A query that begins with - comes after --.

  --limit FILES        print at most so many files (100)
  -C, --context LINES  print so many lines around each (0)
  -h, --help           print this

Exit codes: 0 found, 1 found nothing, 2 failed.`;

const EXIT = { found: 0, nothing: 1, failed: 2 } as const;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 100_000;
const MAX_CONTEXT = 100;
/** Files that are asked for at once: what they need of memory is bounded by it. */
const PAGE = 50;
/** Somebody who waits at a terminal waits longer than a browser. */
const TIME_BOX_MS = 10_000;

/** A sentence for the one who typed the command. */
class CommandError extends Error {
  override readonly name = "CommandError";
}

interface Command {
  text: string;
  limit: number;
  context: number;
}

async function main(): Promise<number> {
  const command = readCommand(process.argv.slice(2));
  if (command === null) {
    process.stdout.write(`${USAGE}\n`);
    return EXIT.found;
  }
  const query = readQuery(command.text);
  if (query.query === null) throw new CommandError("The query is empty: say what to look for.");
  if (existsSync(".env")) process.loadEnvFile(".env"); // what is set already wins
  const connection = await open();
  try {
    if (!(await isMigrated(connection.db)))
      throw new CommandError("The database is not the one of this version of Repodex: start Repodex once.");
    const engine = createSearchEngine(connection);
    try {
      return await printAll(engine, query, command);
    } finally {
      await engine.close();
    }
  } finally {
    await connection.close();
  }
}

/** What is asked for; null: to be told how to ask. */
function readCommand(args: string[]): Command | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  if (positionals.length === 0) throw new CommandError(`Say what to look for.\n\n${USAGE}`);
  return {
    text: positionals.join(" "),
    limit: readNumber("--limit", values.limit, { fallback: DEFAULT_LIMIT, least: 1, most: MAX_LIMIT }),
    context: readNumber("--context", values.context, { fallback: 0, least: 0, most: MAX_CONTEXT }),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        limit: { type: "string" },
        context: { type: "string", short: "C" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new CommandError(`${messageOf(error)}\n\n${USAGE}`);
  }
}

function readNumber(
  name: string,
  text: string | undefined,
  { fallback, least, most }: { fallback: number; least: number; most: number },
): number {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new CommandError(`${name} must be a whole number from ${least} to ${most}, not "${text}".`);
}

/** A query, or what is wrong with it and where. */
function readQuery(text: string): ParsedQuery {
  try {
    return parseQuery(text);
  } catch (error) {
    if (!(error instanceof QuerySyntaxError)) throw error;
    const { start, end } = error.span;
    const [before, place] = [text.slice(0, start), text.slice(start, end)].map(makeVisible) as [
      string,
      string,
    ];
    const marks = "^".repeat(Math.max(1, place.length));
    throw new CommandError(
      `${error.message}\n  ${makeVisible(text)}\n  ${" ".repeat(before.length)}${marks}`,
    );
  }
}

/** Connects to the database that is configured, or to that of the Repodex that runs on the data folder. */
async function open(): Promise<Connection> {
  const { databaseUrl, dataDir } = readStorage(process.env);
  const connection = databaseUrl ? { connectionString: databaseUrl } : await findEmbedded(dataDir);
  if (!connection)
    throw new CommandError(`No Repodex runs on ${dataDir}: start it, or set DATABASE_URL or DATA_DIR.`);
  const log = createLogger("silent");
  return connect({ connection, log, maxConnections: 2, applicationName: "repodex-search" });
}

/** Prints what is found, page by page, and what may be missing. Answers the exit code. */
async function printAll(
  engine: SearchEngine,
  query: ParsedQuery,
  { limit, context }: Command,
): Promise<number> {
  let [count, cursor] = [0, null as string | null];
  let incomplete: Incomplete | null = null;
  do {
    const answer = await search(engine, OPERATOR, query, {
      limit: Math.min(PAGE, limit - count),
      context,
      lines: Number.MAX_SAFE_INTEGER,
      cursor,
      timeBoxMs: TIME_BOX_MS,
    });
    for (const file of answer.data) {
      await print(process.stdout.isTTY ? forReader(file, { isFirst: count === 0 }) : forProgram(file));
      count += 1;
    }
    cursor = answer.next_cursor;
    incomplete = answer.incomplete ?? incomplete;
  } while (cursor !== null && count < limit && incomplete?.reason !== "time_box");
  if (incomplete) say(`Incomplete: ${incomplete.message}`);
  if (cursor !== null && count === limit) say(`There may be more files than these ${count}: see --limit.`);
  return count > 0 ? EXIT.found : EXIT.nothing;
}

/** Waits until it is written: whoever reads may be slow. */
async function print(text: string): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}

function say(sentence: string): void {
  process.stderr.write(`${sentence.split("\n").map(makeVisible).join("\n")}\n`);
}

/** A file below its name, lines apart where they are. */
function forReader(file: FoundFile, { isFirst }: { isFirst: boolean }): string {
  const name = `${styleText("magenta", makeVisible(file.repository))}:${colored(file.path, file.path_ranges, "magenta")}`;
  const lines = file.lines.flatMap(({ number, text, offset, ranges, match }, i) => {
    const isApart = i > 0 && file.lines[i - 1]?.number !== number - 1;
    const at = `${styleText("green", String(number))}${match ? ":" : "-"}`;
    return [...(isApart ? ["--"] : []), `${at}${cut(offset)}${colored(text, ranges)}`];
  });
  return `${isFirst ? "" : "\n"}${[name, ...lines].join("\n")}\n`;
}

/** A line for each line, with all that says where it is; the name alone where no line was looked for. */
function forProgram(file: FoundFile): string {
  const name = `${makeVisible(file.repository)}:${makeVisible(file.path)}`;
  if (file.lines.length === 0) return `${name}\n`;
  return file.lines
    .map(({ number, text, offset, ranges, match }) => {
      const mark = match ? ":" : "-";
      return `${name}${mark}${number}${mark}${cut(offset)}${colored(text, ranges)}\n`;
    })
    .join("");
}

/** What stands for the beginning of a line that is too long to be shown. */
function cut(offset: number): string {
  return offset > 0 ? "…" : "";
}

/** A text with what was found in red, where colours are wanted. */
function colored(text: string, ranges: [number, number][], otherwise: "magenta" | null = null): string {
  return piecesOf(text, ranges)
    .map((piece) => {
      if (piece.isFound) return styleText(["red", "bold"], piece.text);
      return otherwise ? styleText(otherwise, piece.text) : piece.text;
    })
    .join("");
}

/** What went wrong, for the one who typed the command. */
function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof CommandError) return error.message;
  return `The search failed: ${messageOf(error)}`;
}

// Whoever reads may have seen enough, as `head` has.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.found : EXIT.failed);
});

try {
  process.exitCode = await main();
} catch (error) {
  say(explain(error));
  process.exitCode = EXIT.failed;
}
