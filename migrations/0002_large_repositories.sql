-- GitHub does not list the indexed tree in one answer: the next scan asks for what changed instead.
alter table repositories add column indexed_truncated boolean not null default false;

-- A compressed chunk mostly fits a page beside others: half as long to read, and nothing to look up elsewhere.
alter table chunks set (toast_tuple_target = 4080);
