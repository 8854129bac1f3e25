-- What operators and repository pages read: deliveries newest first, what each led to, and files by their state.
create index deliveries_by_time on deliveries (received_at, guid);
create index deliveries_failed on deliveries (received_at, guid) where state = 'failed';
create index run_requests_of_delivery on run_requests (delivery_guid) where delivery_guid is not null;
create index files_not_indexed on files (repository_id, state) where state <> 'indexed';
