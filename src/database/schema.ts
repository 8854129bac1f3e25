import type { ColumnType, Generated, GeneratedAlways } from "kysely";

/** bigint columns stay strings: GitHub's ids and ours pass 2^53. */
type BigInt = ColumnType<string, string | number, string | number>;
type GeneratedBigInt = ColumnType<string, never, never>;
type NullableBigInt = ColumnType<string | null, string | number | null | undefined, string | number | null>;
/** A timestamp: read as Date, written as Date or left to the database. */
type Time = ColumnType<Date, Date | undefined, Date>;
type NullableTime = ColumnType<Date | null, Date | null | undefined, Date | null>;
type Json<T> = ColumnType<T, string | undefined, string>;
type NullableJson<T> = ColumnType<T | null, string | null | undefined, string | null>;

export type RunState = "queued" | "running" | "succeeded" | "failed" | "cancelled" | "superseded";
export type RunTrigger = "install" | "push" | "rescan" | "rerun" | "schedule";
export type RunMode = "incremental" | "full";
export type BlobState = "indexed" | "binary" | "lfs" | "encoding";
export type FileState = BlobState | "oversize" | "symlink" | "submodule" | "excluded" | "unreadable";

/** The counts a reader sees of a run, all whole numbers. Absent until the scan has got that far. */
export interface RunProgress {
  files_total?: number;
  files_done?: number;
  files_changed?: number;
  files_removed?: number;
  files_skipped?: number;
  files_failed?: number;
  chunks?: number;
  bytes?: number;
}

/** A failure as stored and shown: a stable code, a sentence, and what lay beneath. */
export interface StoredError {
  code: string;
  message: string;
  cause: string | null;
}

/** What a repository's `.github/repodex.yml` decides; src/scan/settings.ts says what each means. */
export interface Settings {
  branch: string | null;
  include: string[];
  exclude: string[];
  max_file_bytes: number | null;
  index_generated: boolean;
  check_run: "on" | "errors-only" | "off";
}

/** A mistake in that file, at a line and column, both from 1. */
export interface SettingsFault {
  line: number;
  column: number;
  message: string;
}

interface InstallationTable {
  id: BigInt;
  account_id: NullableBigInt;
  account_login: string | null;
  confirmed: Generated<boolean>;
  suspended_at: NullableTime;
  removed_at: NullableTime;
  paused_until: Time;
  pause_reason: string | null;
  background_paused_until: Time;
  background_pause_reason: string | null;
  run_cap: Generated<number>;
  created_at: Time;
}

interface RepositoryTable {
  id: BigInt;
  installation_id: BigInt;
  owner: string;
  name: string;
  private: Generated<boolean>;
  archived: Generated<boolean>;
  default_branch: string | null;
  confirmed: Generated<boolean>;
  removed_at: NullableTime;
  indexed_commit: string | null;
  indexed_tree_sha: string | null;
  indexed_verified: boolean | null;
  indexed_unverified_path: string | null;
  indexed_truncated: Generated<boolean>;
  indexed_branch: string | null;
  indexed_at: NullableTime;
  indexed_files: Generated<number>;
  indexed_chunks: Generated<number>;
  indexed_bytes: ColumnType<string, string | number | undefined, string | number>;
  indexed_settings: NullableJson<Settings>;
  grams_through: ColumnType<string, string | number | undefined, string | number>;
  path_lines: number | null;
  settings: NullableJson<Settings>;
  settings_sha: string | null;
  settings_commit: string | null;
  settings_faults: Json<SettingsFault[]>;
  created_at: Time;
}

interface DeliveryTable {
  guid: string;
  event: string;
  action: string | null;
  installation_id: NullableBigInt;
  repository_id: NullableBigInt;
  payload: string | null;
  received_at: Time;
  state: Generated<"pending" | "handled" | "failed">;
  attempts: Generated<number>;
  waits: Generated<number>;
  not_before: Time;
  lease_until: NullableTime;
  handled_at: NullableTime;
  outcome: string | null;
  error: string | null;
}

interface RunTable {
  id: GeneratedBigInt;
  repository_id: BigInt;
  installation_id: BigInt;
  trigger: RunTrigger;
  mode: Generated<RunMode>;
  state: Generated<RunState>;
  stage: string | null;
  priority: Generated<number>;
  requested_by: string | null;
  wanted_head: string | null;
  wanted_default: string | null;
  head_sha: string | null;
  tree_sha: string | null;
  verified: boolean | null;
  epoch: Generated<number>;
  failures: Generated<number>;
  max_failures: Generated<number>;
  outages: Generated<number>;
  worker: string | null;
  lease_until: NullableTime;
  progress_at: NullableTime;
  queued_at: Time;
  not_before: Time;
  wait_reason: string | null;
  started_at: NullableTime;
  finished_at: NullableTime;
  cancel_requested_at: NullableTime;
  cancel_requested_by: string | null;
  reason_code: string | null;
  reason: string | null;
  superseded_by: NullableBigInt;
  progress: Json<RunProgress>;
  version: Generated<number>;
  event_seq: Generated<number>;
  configuration_faults: Json<SettingsFault[]>;
}

interface RunRequestTable {
  id: GeneratedBigInt;
  repository_id: BigInt;
  run_id: NullableBigInt;
  delivery_guid: string | null;
  trigger: RunTrigger;
  mode: Generated<RunMode>;
  requested_by: string | null;
  outcome: "queued" | "joined" | "follow_up" | "not_permitted" | "unknown_option" | "refused";
  created_at: Time;
  comment_id: NullableBigInt;
  issue_number: number | null;
  refusal: string | null;
  reply_id: NullableBigInt;
  replied: string | null;
  reply_state: Generated<"none" | "open" | "closed" | "unreachable">;
  reply_attempts: Generated<number>;
  reply_failures: Generated<number>;
  reply_not_before: Time;
  reply_lease_until: NullableTime;
  reply_error: string | null;
}

interface RunEventTable {
  run_id: BigInt;
  seq: number;
  at: Time;
  level: "debug" | "info" | "warn" | "error";
  kind: string;
  message: string;
  data: Json<Record<string, unknown>>;
  error: Json<StoredError | null>;
}

interface CheckReportTable {
  run_id: BigInt;
  head_sha: string;
  check_run_id: NullableBigInt;
  state: Generated<"open" | "completed" | "unreachable">;
  may_reopen: Generated<boolean>;
  needs_permission: Generated<boolean>;
  replaced_by_sha: string | null;
  reported_version: Generated<number>;
  reported_at: NullableTime;
  attempts: Generated<number>;
  failures: Generated<number>;
  not_before: Time;
  lease_until: NullableTime;
  error: string | null;
}

interface BlobTable {
  repository_id: BigInt;
  sha: Buffer;
  size: number;
  state: BlobState;
  encoding: string | null;
  chunk_count: Generated<number>;
  line_count: Generated<number>;
  run_id: BigInt;
  first_chunk: BigInt;
}

interface ChunkTable {
  repository_id: BigInt;
  id: BigInt;
  sha: Buffer | null;
  start_line: number;
  start_column: Generated<number>;
  text: string;
}

interface FileTable {
  repository_id: BigInt;
  path: string;
  path_bytes: Buffer | null;
  mode: string;
  sha: Buffer;
  size: number | null;
  language: string | null;
  state: FileState;
  reason: string | null;
  generated: Generated<boolean>;
  vendored: Generated<boolean>;
}

interface ScheduleTable {
  name: string;
  due_at: Time;
  lease_until: NullableTime;
  attempts: Generated<number>;
  failures: Generated<number>;
  finished_at: NullableTime;
  outcome: string | null;
  error: string | null;
}

interface RedeliveryTable {
  guid: string;
  times: Generated<number>;
  asked_at: Time;
}

interface WriteAllowanceTable {
  installation_id: BigInt;
  tokens: number;
  counted_at: Time;
  not_before: Time;
}

interface GramSegmentTable {
  id: GeneratedAlways<string>;
  units: number;
  created_at: Time;
}

interface GramPartTable {
  segment_id: BigInt;
  position: number;
  repository_id: BigInt;
  first_chunk: BigInt;
  last_chunk: BigInt;
  chunks: number;
  dead: Generated<number>;
  members: Buffer;
}

interface GramPostingTable {
  key: number;
  segment_id: BigInt;
  data: Buffer;
}

interface UserTable {
  id: BigInt;
  login: string;
  tokens: Buffer | null;
  checked_at: Time;
  lease_until: NullableTime;
  created_at: Time;
}

interface UserRepositoryTable {
  user_id: BigInt;
  repository_id: BigInt;
  may_write: boolean;
}

interface SessionTable {
  id: GeneratedBigInt;
  user_id: BigInt;
  secret_hash: Buffer;
  previous_hash: Buffer | null;
  issued_at: Time;
  confirmed_at: NullableTime;
  used_at: Time;
  created_at: Time;
}

interface ApiTokenTable {
  id: GeneratedBigInt;
  user_id: BigInt;
  name: string;
  scope: "read" | "write";
  secret_hash: Buffer;
  created_at: Time;
  expires_at: Time;
  used_at: NullableTime;
}

/** All tables; migrations/ is the truth, and a test compares the two. */
export interface Tables {
  schema_compatibility: { only_row: Generated<boolean>; compatible_from: string };
  installations: InstallationTable;
  repositories: RepositoryTable;
  deliveries: DeliveryTable;
  runs: RunTable;
  run_requests: RunRequestTable;
  run_events: RunEventTable;
  check_reports: CheckReportTable;
  schedules: ScheduleTable;
  redeliveries: RedeliveryTable;
  write_allowances: WriteAllowanceTable;
  blobs: BlobTable;
  chunks: ChunkTable;
  files: FileTable;
  gram_segments: GramSegmentTable;
  gram_parts: GramPartTable;
  gram_postings: GramPostingTable;
  users: UserTable;
  access_changes: { only_row: Generated<boolean>; changed_at: Date };
  user_repositories: UserRepositoryTable;
  sessions: SessionTable;
  api_tokens: ApiTokenTable;
}
