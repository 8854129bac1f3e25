-- The search index. docs/search.md explains it. An older Repodex would store chunks without it.
-- All texts are rewritten once, which takes longer than any other statement may.
set local statement_timeout = 0;
update schema_compatibility set compatible_from = '0005_search';

-- Chunks get numbers, per repository and consecutive within a blob, by which the search index names them.
alter table blobs add column first_chunk bigint not null default 0;
update blobs set first_chunk = numbered.first_chunk
from (
  select repository_id, sha, 1 + sum(chunk_count) over (partition by repository_id order by sha) - chunk_count as first_chunk
  from blobs where chunk_count > 0
) numbered
where blobs.repository_id = numbered.repository_id and blobs.sha = numbered.sha;
alter table blobs alter column first_chunk drop default;
create index blobs_by_first_chunk on blobs (repository_id, first_chunk) include (sha) where chunk_count > 0;

create table numbered_chunks (
  repository_id bigint not null,
  id bigint not null,
  sha bytea,                                       -- of its blob; null: lines are paths of the repository's files
  start_line int not null,                         -- 1-based
  start_column int not null default 0,             -- in UTF-16 units
  text text not null
);
do $$ begin
  alter table numbered_chunks alter column text set compression lz4;
exception when feature_not_supported then
  null;
end $$;
alter table numbered_chunks set (toast_tuple_target = 4080);
insert into numbered_chunks (repository_id, id, sha, start_line, start_column, text)
select c.repository_id, b.first_chunk + c.ordinal, c.sha, c.start_line, c.start_column, c.text
from chunks c join blobs b on b.repository_id = c.repository_id and b.sha = c.sha;
drop table chunks;
alter table numbered_chunks rename to chunks;
alter table chunks add constraint chunks_pkey primary key (repository_id, id);
create index chunks_of_paths on chunks (repository_id) where sha is null;

alter table repositories
  add column grams_through bigint not null default 0, -- all chunks up to this number are in segments
  add column path_lines int;                       -- lines of its chunks of paths; null: there are none yet

create index repositories_unsearchable on repositories (id) where path_lines is null;

-- A segment is never changed, only replaced by compaction. Its units are those of its parts, in their order.
create table gram_segments (
  id bigint generated always as identity primary key,
  units int not null,
  created_at timestamptz not null default clock_timestamp()
);
create table gram_parts (
  segment_id bigint not null references gram_segments (id) on delete cascade,
  position int not null,
  repository_id bigint not null references repositories (id),
  first_chunk bigint not null,
  last_chunk bigint not null,
  chunks int not null,
  dead int not null default 0,                     -- about how many of its chunks are gone
  members bytea not null,                          -- which chunks make its units
  primary key (segment_id, position)
);
create index gram_parts_of_repository on gram_parts (repository_id);

-- Which units of a segment hold a key (src/grams/segment.ts).
create table gram_postings (
  key int not null,
  segment_id bigint not null,
  data bytea not null,
  primary key (key, segment_id)
);
alter table gram_postings alter column data set storage external;
alter table gram_postings set (toast_tuple_target = 8160);
