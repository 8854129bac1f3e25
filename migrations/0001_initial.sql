-- Repodex, first schema. PostgreSQL 15 and later. docs/runs.md explains the run tables.

-- The oldest binary that may still work on this schema, named by the newest migration it must know.
create table schema_compatibility (
  only_row boolean primary key default true,
  compatible_from text not null,
  constraint schema_compatibility_one_row check (only_row)
);
insert into schema_compatibility (compatible_from) values ('0001_initial');

create table installations (
  id bigint primary key,
  account_id bigint,
  account_login text,
  confirmed boolean not null default false,       -- false: only heard of in passing, not yet listed by GitHub
  suspended_at timestamptz,
  removed_at timestamptz,
  paused_until timestamptz not null default '-infinity',
  pause_reason text,
  run_cap int not null default 4,
  created_at timestamptz not null default clock_timestamp()
);

-- Whether GitHub told us to leave this installation alone for now.
create function paused(installation bigint) returns boolean stable language sql
as $$ select paused_until > clock_timestamp() from installations where id = installation $$;

create table repositories (
  id bigint primary key,                           -- GitHub's numeric id: names change, ids do not
  installation_id bigint not null references installations (id),
  owner text not null,
  name text not null,
  private boolean not null default true,
  archived boolean not null default false,
  default_branch text,
  confirmed boolean not null default false,
  removed_at timestamptz,                          -- hidden from every reader at once
  indexed_commit text,
  indexed_tree_sha text,
  indexed_verified boolean,
  indexed_unverified_path text,                    -- the directory whose hash differs, when not verified
  indexed_branch text,
  indexed_at timestamptz,
  indexed_files int not null default 0,
  indexed_chunks int not null default 0,
  indexed_bytes bigint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  constraint repositories_index_is_whole check (
    (indexed_commit is null) = (indexed_at is null)
    and (indexed_commit is null) = (indexed_tree_sha is null)
    and (indexed_commit is null) = (indexed_verified is null)
  )
);
create index repositories_by_installation on repositories (installation_id);
create index repositories_by_name on repositories (lower(owner), lower(name));

-- The inbox: one row a verified webhook delivery, by its X-GitHub-Delivery GUID.
create table deliveries (
  guid text primary key,
  event text not null,
  action text,
  installation_id bigint,
  repository_id bigint,
  payload text,                                    -- dropped once handled
  received_at timestamptz not null default clock_timestamp(),
  state text not null default 'pending',
  attempts int not null default 0,
  not_before timestamptz not null default clock_timestamp(),
  lease_until timestamptz,
  handled_at timestamptz,
  outcome text,                                    -- what it led to, one sentence
  error text,
  constraint deliveries_state check (state in ('pending', 'handled', 'failed')),
  constraint deliveries_payload_iff_pending check ((payload is not null) = (state = 'pending')),
  constraint deliveries_failed_has_error check (state <> 'failed' or error is not null)
);
create index deliveries_pending on deliveries (not_before, received_at) where state = 'pending';

create table runs (
  id bigint generated always as identity primary key,
  repository_id bigint not null references repositories (id),
  installation_id bigint not null references installations (id),
  trigger text not null,
  mode text not null default 'incremental',
  state text not null default 'queued',
  stage text,
  priority int not null default 0,
  requested_by text,                               -- login of the first person who asked, if one did
  wanted_head text,                                -- newest head asked for: a hint, read again at the claim
  head_sha text,                                   -- what this run indexes
  tree_sha text,
  verified boolean,
  epoch int not null default 0,                    -- fencing token: +1 at every claim
  failures int not null default 0,
  max_failures int not null default 5,
  worker text,
  lease_until timestamptz,                         -- no index on it: each heartbeat would become a non-HOT update
  progress_at timestamptz,
  queued_at timestamptz not null default clock_timestamp(),
  not_before timestamptz not null default clock_timestamp(),
  wait_reason text,
  started_at timestamptz,
  finished_at timestamptz,
  cancel_requested_at timestamptz,
  cancel_requested_by text,
  reason_code text,
  reason text,
  superseded_by bigint references runs (id),
  progress jsonb not null default '{}',
  version int not null default 1,                  -- +1 at every change a reader can see
  event_seq int not null default 0,
  constraint runs_state check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'superseded')),
  constraint runs_trigger check (trigger in ('install', 'push', 'rescan', 'rerun', 'schedule')),
  constraint runs_mode check (mode in ('incremental', 'full')),
  constraint runs_lease_iff_running check (
    (state = 'running') = (lease_until is not null) and (state = 'running') = (worker is not null)
  ),
  constraint runs_finished_iff_final check ((state in ('queued', 'running')) = (finished_at is null)),
  constraint runs_reason_iff_failed check ((state = 'failed') = (reason is not null)),
  constraint runs_reason_has_code check ((reason is null) = (reason_code is null)),
  constraint runs_successor_iff_superseded check ((state = 'superseded') = (superseded_by is not null))
);
create unique index runs_one_running on runs (repository_id) where state = 'running';
create unique index runs_one_queued on runs (repository_id) where state = 'queued';
create index runs_due on runs (installation_id, priority desc, queued_at) where state = 'queued';
create index runs_of_repository on runs (repository_id, id desc);
create index runs_replaced_by on runs (superseded_by) where superseded_by is not null;
create index runs_running on runs (installation_id) where state = 'running';

-- Every request for a scan, so that every asker gets an answer. The reply columns are a projection's memory.
create table run_requests (
  id bigint generated always as identity primary key,
  repository_id bigint not null references repositories (id),
  run_id bigint references runs (id),
  delivery_guid text,
  trigger text not null,
  mode text not null default 'incremental',
  requested_by text,
  outcome text not null,
  created_at timestamptz not null default clock_timestamp(),
  comment_id bigint,                               -- the /rescan comment, if it was one
  issue_number int,
  refusal text,                                    -- the sentence of a refused request
  reply_id bigint,
  replied text,                                    -- 'accepted' once the first answer is written
  reply_state text not null default 'none',
  reply_attempts int not null default 0,
  reply_failures int not null default 0,
  reply_not_before timestamptz not null default clock_timestamp(),
  reply_lease_until timestamptz,
  reply_error text,
  constraint run_requests_outcome check (
    outcome in ('queued', 'joined', 'follow_up', 'not_permitted', 'unknown_option', 'refused')
  ),
  constraint run_requests_run_iff_accepted check (
    (run_id is not null) = (outcome in ('queued', 'joined', 'follow_up'))
  ),
  constraint run_requests_reply_state check (reply_state in ('none', 'open', 'closed', 'unreachable')),
  constraint run_requests_reply_needs_comment check (
    reply_state = 'none' or (comment_id is not null and issue_number is not null)
  )
);
create index run_requests_of_run on run_requests (run_id);
create unique index run_requests_once_per_comment on run_requests (repository_id, comment_id);
create index run_requests_open_replies on run_requests (reply_not_before) where reply_state = 'open';

-- The log of a run; seq is runs.event_seq, drawn under the run's row lock, so a reader never sees a gap.
create table run_events (
  run_id bigint not null references runs (id) on delete cascade,
  seq int not null,
  at timestamptz not null default clock_timestamp(),
  level text not null,
  kind text not null,
  message text not null,
  data jsonb not null default '{}',
  error jsonb,
  primary key (run_id, seq),
  constraint run_events_level check (level in ('debug', 'info', 'warn', 'error'))
);

-- What GitHub has been told of a run on a head. The check run is a projection of the run row.
create table check_reports (
  run_id bigint not null references runs (id) on delete cascade,
  head_sha text not null,
  check_run_id bigint,
  state text not null default 'open',
  may_reopen boolean not null default false,       -- unreachable for want of access that may return
  replaced_by_sha text,                            -- the run's head moved on: this one ends as skipped
  reported_version int not null default 0,
  reported_at timestamptz,
  attempts int not null default 0,                 -- +1 at every lease: the token of its holder
  failures int not null default 0,
  not_before timestamptz not null default clock_timestamp(),
  lease_until timestamptz,
  error text,
  primary key (run_id, head_sha),
  constraint check_reports_state check (state in ('open', 'completed', 'unreachable'))
);
create index check_reports_may_reopen on check_reports (run_id) where may_reopen;
create index check_reports_open on check_reports (not_before) where state = 'open';

-- Blobs by git SHA, per repository, immutable, verified against that SHA when they were fetched.
create table blobs (
  repository_id bigint not null references repositories (id),
  sha bytea not null,
  size int not null,                               -- bytes of the git object
  state text not null,
  encoding text,
  chunk_count int not null default 0,
  line_count int not null default 0,
  run_id bigint not null,                          -- who stored it: a full run replaces what older runs stored
  primary key (repository_id, sha),
  constraint blobs_sha_length check (length(sha) = 20),
  constraint blobs_state check (state in ('indexed', 'binary', 'lfs', 'encoding'))
);

-- Line-aligned pieces of a text blob, at most 8 KB; start_column > 0 continues a very long line.
create table chunks (
  repository_id bigint not null,
  sha bytea not null,
  ordinal int not null,
  start_line int not null,                         -- 1-based
  start_column int not null default 0,             -- in UTF-16 units
  text text not null,
  primary key (repository_id, sha, ordinal)
);

-- lz4 stores text three times as fast as the default and reads it faster; not every build has it.
do $$ begin
  alter table chunks alter column text set compression lz4;
exception when feature_not_supported then
  null;
end $$;

-- The manifest: one row a tree entry of the published commit.
create table files (
  repository_id bigint not null references repositories (id),
  path text collate "C" not null,                  -- display form
  path_bytes bytea,                                -- only where the name is not UTF-8
  mode text not null,
  sha bytea not null,
  size int,                                        -- null where git gives none (submodules)
  language text,
  state text not null,
  reason text,
  generated boolean not null default false,
  vendored boolean not null default false,
  constraint files_mode check (mode ~ '^[0-7]{6}$'),
  constraint files_state check (
    state in ('indexed', 'binary', 'oversize', 'encoding', 'lfs', 'symlink', 'submodule', 'excluded', 'unreadable')
  )
);
-- By hash: a path may be longer than an index entry.
create unique index files_path on files (repository_id, md5(path), md5(path_bytes)) nulls not distinct;
create index files_by_sha on files (repository_id, sha);
