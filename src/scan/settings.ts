import { z } from "zod";
import type { Settings } from "../database/schema.ts";
import { isPattern } from "./ignore.ts";

export type { Settings, SettingsFault } from "../database/schema.ts";

/** Where a repository says what to index, on its default branch. */
export const SETTINGS_PATH = ".github/repodex.yml";
/** Far more than real ones have; YAML made to be hard to read holds the event loop half a second at this length. */
export const MAX_SETTINGS_BYTES = 16 * 1024;

/** Each pattern is held against each path, so what they cost together is bounded. */
const MAX_PATTERNS = 100;
const MAX_PATTERN_LENGTH = 250;
const MAX_BRANCH_LENGTH = 255;
/** git-check-ref-format(1): what no branch is called. */
const BRANCH_NAME =
  /^(?![-/.])(?!.*(?:\.\.|\/\.|\/\/|@\{|\.lock\/))(?!.*(?:\/|\.|\.lock)$)(?!@$)[^ ~^:?*[\\\p{Cc}]+$/u;
const ONE_LINE = /^\P{Cc}*$/u;

/** What holds where a repository has no configuration, or leaves a setting out. */
export const DEFAULT_SETTINGS: Settings = {
  branch: null,
  include: [],
  exclude: [],
  max_file_bytes: null,
  index_generated: true,
  check_run: "on",
};

const pattern = z
  .string({ error: "A pattern is text: put it in quotes." })
  .min(1, { error: "An empty pattern matches nothing: leave it out." })
  .max(MAX_PATTERN_LENGTH, { error: `A pattern has at most ${MAX_PATTERN_LENGTH} characters.` })
  .regex(ONE_LINE, { error: "A pattern has no line ends and no control characters." })
  .refine((text) => text.isWellFormed(), { error: "The pattern is no valid Unicode text." })
  .refine((text) => !text.startsWith("#"), {
    error:
      'A pattern that begins with "#" is a comment to git: write "\\#" in single quotes for the character.',
  })
  .refine(isPattern, {
    error: 'The pattern can match nothing: it is blank, a "[" is not closed, or a "\\" stands at the end.',
  });

function patterns(key: string, description: string) {
  return z
    .array(pattern, { error: `${key} takes a list of patterns, each on a line of its own after "- ".` })
    .max(MAX_PATTERNS, { error: `${key} takes at most ${MAX_PATTERNS} patterns.` })
    .optional()
    .describe(description);
}

const schema = z
  .strictObject({
    branch: z
      .string({ error: "branch takes the name of a branch, as text: put it in quotes." })
      .max(MAX_BRANCH_LENGTH, { error: `The name of a branch has at most ${MAX_BRANCH_LENGTH} characters.` })
      .regex(BRANCH_NAME, { error: "git allows no branch of this name." })
      .refine((text) => text.isWellFormed(), { error: "git allows no branch of this name." })
      .optional()
      .describe("The branch to index in place of the default one."),
    include: patterns("include", "Only files that match are indexed. Patterns as in a .gitignore."),
    exclude: patterns("exclude", "Files that match are not indexed. Patterns as in a .gitignore."),
    max_file_bytes: z
      .int({ error: "max_file_bytes takes a whole number of bytes, such as 500000." })
      .min(1, { error: "max_file_bytes is 1 at least." })
      .optional()
      .describe("Larger files are not indexed. The operator's own limit holds all the same."),
    index_generated: z
      .boolean({ error: "index_generated takes true or false." })
      .optional()
      .describe("Whether to index files that .gitattributes marks linguist-generated. True by default."),
    check_run: z
      .enum(["on", "errors-only", "off"], { error: "check_run takes on, errors-only or off." })
      .optional()
      .describe("When to show a check run: always (the default), for failed and neutral results, or never."),
  })
  .meta({ title: "Repodex", description: `A repository's configuration of Repodex, ${SETTINGS_PATH}.` });

/** What each setting is called. */
export const SETTING_NAMES = Object.keys(schema.shape);

/** The schema that editors may check a configuration against. */
export function settingsJsonSchema(): unknown {
  return z.toJSONSchema(schema, { io: "input" });
}

/** What is wrong with one value; `path` leads to it. A key that there is not is told by itself. */
export interface SchemaFault {
  path: PropertyKey[];
  message: string;
  unknownKeys: string[];
}

/** Settings from a plain value, with the defaults for what it leaves out. */
export function checkSettings(value: unknown): { settings: Settings } | { faults: SchemaFault[] } {
  const checked = schema.safeParse(value);
  if (!checked.success) {
    return {
      faults: checked.error.issues.map((issue) => ({
        path: issue.path,
        message: issue.message,
        unknownKeys: issue.code === "unrecognized_keys" ? issue.keys : [],
      })),
    };
  }
  const given = Object.entries(checked.data).filter(([, setting]) => setting !== undefined);
  return { settings: { ...DEFAULT_SETTINGS, ...Object.fromEntries(given) } };
}

/** Whether two of them make the same index of a commit. */
export function selectSame(a: Settings, b: Settings): boolean {
  const chosen = ({ include, exclude, max_file_bytes, index_generated }: Settings) =>
    JSON.stringify([include, exclude, max_file_bytes, index_generated]);
  return chosen(a) === chosen(b);
}
