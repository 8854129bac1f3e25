-- The repository's configuration, .github/repodex.yml on its default branch.
alter table repositories
  add column settings jsonb,                       -- the last good ones, in force; null: the defaults
  add column settings_sha text,                    -- the file that was last judged; null: there was none
  add column settings_commit text,                 -- the default branch's commit it was judged at; null: to be judged anew
  add column settings_faults jsonb not null default '[]',
  add column indexed_settings jsonb;               -- those that the index was made under; null: the defaults

alter table runs
  add column wanted_default text,                  -- newest commit of the default branch heard of, where another is indexed
  add column configuration_faults jsonb not null default '[]';
