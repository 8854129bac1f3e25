-- What a repository's owner and GitHub itself do beside pushing: limits, lost deliveries, access that ends.

-- Background runs (installs, the schedule) leave the rest of the hour's requests to pushes and people until then.
alter table installations add column background_paused_until timestamptz not null default '-infinity';
alter table installations add column background_pause_reason text;

-- How often GitHub was away when a run wanted it: that costs the run no attempt, but it does not go on for ever.
alter table runs add column outages int not null default 0;

-- Postponements that are nobody's failure (a limit, an outage) leave a delivery its attempts.
alter table deliveries add column waits int not null default 0;

-- A report that GitHub refuses for want of a permission is tried again when its owner grants that.
alter table check_reports add column needs_permission boolean not null default false;

-- Work that comes back: one replica does it at a time, and what went wrong can be read here.
create table schedules (
  name text primary key,                           -- 'installations', 'redeliveries', 'installation/123'
  due_at timestamptz not null default clock_timestamp(),
  lease_until timestamptz,
  attempts int not null default 0,                 -- +1 at every lease: the token of its holder
  failures int not null default 0,                 -- since it last went well
  finished_at timestamptz,
  outcome text,
  error text
);
create index schedules_due on schedules (due_at);

-- Deliveries that GitHub could not hand over, and that we asked it to send again.
create table redeliveries (
  guid text primary key,
  times int not null default 1,
  asked_at timestamptz not null default clock_timestamp()
);

-- What an installation may still write: a bucket that fills evenly, so that no hour sees more than GitHub allows.
create table write_allowances (
  installation_id bigint primary key references installations (id) on delete cascade,
  tokens real not null,
  counted_at timestamptz not null default clock_timestamp(),
  not_before timestamptz not null default '-infinity'  -- a second after the last write, or when GitHub said
);

-- What was told of them since some moment, and what a purge takes along.
create index deliveries_of_installation on deliveries (installation_id, received_at);
create index deliveries_of_repository on deliveries (repository_id, received_at);
create index repositories_removed on repositories (removed_at) where removed_at is not null;
