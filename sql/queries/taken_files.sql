-- affects: notices of changed policy and alert files

-- name: lock_taken_files
-- Of two leaders in the same instant the second one sees what the first has announced. Until the transaction ends.
SELECT pg_advisory_xact_lock(20251208019000);

-- name: read_taken_file
-- The last good one. By primary key.
SELECT content, people FROM chatops.taken_files WHERE name = %(name)s;

-- name: store_taken_file
-- In place of the former one.
INSERT INTO chatops.taken_files (name, content, people) VALUES (%(name)s, %(content)s, %(people)s)
ON CONFLICT (name) DO UPDATE SET content = excluded.content, people = excluded.people, taken_at = clock_timestamp();
