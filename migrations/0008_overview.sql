-- What is open, in the order that the overview shows it: a few of very many runs.
create index runs_open on runs (state desc, id) where state in ('queued', 'running');
-- What ended, for metrics, which count it all, and for what has been kept long enough.
create index runs_ended on runs (finished_at) include (state) where finished_at is not null;
