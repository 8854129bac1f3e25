import { z } from "@hono/zod-openapi";
import { DELIVERY_STATES } from "../../deliveries/read.ts";

const id = z.string().openapi({ pattern: "^[0-9]+$", example: "1296269" });
const sha = z.string().openapi({ pattern: "^[0-9a-f]{40}$" });
const time = z.string().openapi({ format: "date-time" });
const whole = z.int().min(0);

const RUN_STATES = ["queued", "running", "succeeded", "failed", "cancelled", "superseded"] as const;
export const FILE_STATES = [
  "indexed",
  "binary",
  "oversize",
  "encoding",
  "lfs",
  "symlink",
  "submodule",
  "excluded",
  "unreadable",
] as const;

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: "What to do about it" }),
    span: z
      .tuple([whole, whole])
      .optional()
      .openapi({ description: "Where in `q` a query's mistake is: from, to (UTF-16 units)" }),
  })
  .openapi("Problem");

export const runSchema = z
  .object({
    id,
    repository_id: id,
    trigger: z.enum(["install", "push", "rescan", "rerun", "schedule"]),
    state: z.enum(RUN_STATES),
    stage: z.string().nullable(),
    head_sha: sha.nullable(),
    tree_sha: sha.nullable(),
    verified: z
      .boolean()
      .nullable()
      .openapi({ description: "Whether the manifest hashes to the commit's tree" }),
    epoch: whole.openapi({ description: "How often it was claimed" }),
    failures: whole,
    reason: z.string().nullable().openapi({ description: "Why it ended as it did" }),
    reason_code: z.string().nullable(),
    wait_reason: z.string().nullable().openapi({ description: "Why it waits" }),
    requested_by: z.string().nullable(),
    superseded_by: id.nullable(),
    queued_at: time,
    not_before: time,
    position: z.int().min(1).nullable().openapi({ description: "Place in line; 1 is next" }),
    started_at: time.nullable(),
    finished_at: time.nullable(),
    mode: z.enum(["incremental", "full"]),
    progress: z.object({
      files_total: whole,
      files_done: whole,
      files_changed: whole,
      files_removed: whole,
      files_skipped: whole,
      files_failed: whole,
      chunks: whole,
      bytes: whole,
    }),
  })
  .openapi("Run");

const fault = z.object({ line: whole, column: whole, message: z.string() });

export const repositorySchema = z
  .object({
    id,
    installation_id: id,
    owner: z.string(),
    name: z.string(),
    full_name: z.string(),
    private: z.boolean(),
    archived: z.boolean(),
    default_branch: z.string().nullable(),
    indexed: z
      .object({
        commit: sha,
        tree_sha: sha,
        verified: z.boolean(),
        at: time,
        files: whole,
        chunks: whole,
        bytes: whole,
      })
      .nullable()
      .openapi({ description: "What search answers from; null: nothing yet" }),
    configuration: z
      .object({
        branch: z.string().nullable(),
        include: z.array(z.string()),
        exclude: z.array(z.string()),
        max_file_bytes: z.int().nullable(),
        index_generated: z.boolean(),
        check_run: z.enum(["on", "errors-only", "off"]),
        faults: z.array(fault),
      })
      .openapi({ description: "What is in force of `.github/repodex.yml`, and the mistakes of a newer one" }),
    running: runSchema.nullable(),
    queued: runSchema.nullable(),
  })
  .openapi("Repository");

export const fileSchema = z
  .object({
    path: z.string(),
    path_base64: z
      .string()
      .optional()
      .openapi({ description: "The bytes of the path, where they are not UTF-8" }),
    mode: z.string().openapi({ example: "100644" }),
    sha,
    size: whole.nullable(),
    language: z.string().nullable(),
    encoding: z.string().nullable(),
    state: z.enum(FILE_STATES),
    reason: z.string().nullable(),
    generated: z.boolean(),
    vendored: z.boolean(),
  })
  .openapi("File");

export const contentSchema = z
  .object({
    path: z.string(),
    commit: sha,
    sha,
    encoding: z.string().nullable(),
    start_line: whole,
    end_line: whole,
    total_lines: whole,
    content: z.string(),
  })
  .openapi("Content");

export const rescanSchema = z
  .object({
    run_id: id,
    outcome: z.enum(["queued", "joined", "follow_up"]),
    run: runSchema,
    cooldown: z
      .object({ until: time, message: z.string() })
      .optional()
      .openapi({ description: "Why the answer is a run that was there before" }),
  })
  .openapi("Rescan");

/** What a scan is asked for. */
export const rescanBody = z
  .object(
    {
      mode: z
        .enum(["incremental", "full"], { error: 'mode must be "incremental" or "full".' })
        .default("incremental"),
    },
    { error: 'The body must be a JSON object, such as { "mode": "full" }.' },
  )
  .openapi("RescanRequest");

export const statusSchema = z
  .object({
    running: runSchema.nullable(),
    queued: runSchema.nullable(),
    last_finished: runSchema.nullable(),
  })
  .openapi("RescanStatus");

export const logEventSchema = z
  .object({
    seq: whole,
    at: time,
    level: z.enum(["debug", "info", "warn", "error"]),
    kind: z.string().openapi({ example: "run.started" }),
    message: z.string(),
    data: z.record(z.string(), z.any()),
    error: z.object({ code: z.string(), message: z.string(), cause: z.string().nullable() }).nullable(),
  })
  .openapi("LogEvent");

export const deliverySchema = z
  .object({
    guid: z.string().openapi({ description: "GitHub's `X-GitHub-Delivery`" }),
    event: z.string().openapi({ example: "push" }),
    action: z.string().nullable(),
    installation_id: id.nullable(),
    repository_id: id.nullable(),
    repository: z.string().nullable().openapi({ example: "octocat/hello" }),
    repository_removed: z.boolean().openapi({ description: "It is known, and not read any more" }),
    state: z.enum(DELIVERY_STATES),
    received_at: time,
    handled_at: time.nullable(),
    attempts: whole,
    waits: whole.openapi({ description: "Attempts that cost nothing: GitHub asked to wait, or was away" }),
    not_before: time.openapi({ description: "When a pending one is due" }),
    outcome: z.string().nullable().openapi({ description: "What it led to" }),
    error: z.string().nullable(),
    run_ids: z.array(id).openapi({ description: "The runs that it asked for, at most five" }),
  })
  .openapi("Delivery");

const range = z.tuple([whole, whole]).openapi({ description: "From, to: columns in UTF-16 units" });

export const searchSchema = z
  .object({
    data: z.array(
      z.object({
        repository_id: id,
        repository: z.string().openapi({ example: "octocat/hello" }),
        path: z.string(),
        path_base64: z.string().optional(),
        path_ranges: z.array(range),
        language: z.string().nullable(),
        commit: sha,
        state: z.enum(FILE_STATES),
        url: z.string().openapi({ description: "The first line at GitHub, at the indexed commit" }),
        lines: z.array(
          z.object({
            number: z.int().min(1),
            text: z.string(),
            offset: whole.openapi({ description: "UTF-16 units of the line that come before `text`" }),
            ranges: z.array(range),
            match: z.boolean().openapi({ description: "False: shown for its neighbours' sake" }),
          }),
        ),
        more_lines: whole.openapi({ description: "Matching lines beyond those" }),
      }),
    ),
    next_cursor: z.string().nullable(),
    estimated_total: whole.openapi({ description: "Files in all" }),
    total_is_exact: z.boolean(),
    incomplete: z
      .object({
        reason: z.enum(["indexing", "time_box"]),
        message: z.string(),
        repositories: z.array(id),
      })
      .nullable()
      .openapi({ description: "Why the answer may lack something" }),
  })
  .openapi("SearchAnswer");

/** A page of a list. */
export function pageOf<Schema extends z.ZodType>(schema: Schema, name: string) {
  return z.object({ data: z.array(schema), next_cursor: z.string().nullable() }).openapi(name);
}
