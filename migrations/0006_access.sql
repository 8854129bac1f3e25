-- Who may see and do what: people signed in through the App, their sessions, their tokens. docs/access.md explains it.

create table users (
  id bigint primary key,                           -- GitHub's: logins change
  login text not null,
  tokens bytea,                                    -- GitHub's tokens of this person, sealed; null: must sign in again
  checked_at timestamptz not null default '-infinity',  -- when GitHub was last asked what this person may see
  lease_until timestamptz,                         -- somebody is asking now
  created_at timestamptz not null default clock_timestamp()
);

-- When we last heard of something that may change what anybody sees: what GitHub said before does not count any more.
create table access_changes (
  only_row boolean primary key default true,
  changed_at timestamptz not null,
  constraint access_changes_one_row check (only_row)
);

-- What GitHub said that a person may read, of what is indexed here.
create table user_repositories (
  user_id bigint not null references users (id) on delete cascade,
  repository_id bigint not null references repositories (id) on delete cascade,
  may_write boolean not null,
  primary key (user_id, repository_id)
);
create index user_repositories_of_repository on user_repositories (repository_id);

-- Browsers. A session's secret changes now and then: the one before is good until the new one has been used.
create table sessions (
  id bigint generated always as identity primary key,
  user_id bigint not null references users (id) on delete cascade,
  secret_hash bytea not null,
  previous_hash bytea,
  issued_at timestamptz not null default clock_timestamp(),
  confirmed_at timestamptz,                        -- when the new secret was first used
  used_at timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp(),
  constraint sessions_secret unique (secret_hash)
);
create unique index sessions_previous on sessions (previous_hash) where previous_hash is not null;
create index sessions_of_user on sessions (user_id);

-- Programs of a person.
create table api_tokens (
  id bigint generated always as identity primary key,
  user_id bigint not null references users (id) on delete cascade,
  name text not null,
  scope text not null,
  secret_hash bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  used_at timestamptz,
  constraint api_tokens_scope check (scope in ('read', 'write')),
  constraint api_tokens_secret unique (secret_hash)
);
create index api_tokens_of_user on api_tokens (user_id);
