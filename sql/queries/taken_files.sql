-- affects: notices of changed policy and alert files

-- name: lock_taken_files
-- Let another leader wait until this transaction ends, so that of two at the same time the second sees what the first
-- has announced.
SELECT pg_advisory_xact_lock(20251208019000);

-- name: read_taken_file
-- Return the last valid file of this name; no row if none was stored yet. By primary key.
SELECT content, people FROM chatops.taken_files WHERE name = %(name)s;

-- name: store_taken_file
-- Store the file in place of the former one.
INSERT INTO chatops.taken_files (name, content, people) VALUES (%(name)s, %(content)s, %(people)s)
ON CONFLICT (name) DO UPDATE SET content = excluded.content, people = excluded.people, taken_at = clock_timestamp();
