-- The last message about a watched file is read whenever that file changes: few messages are about files, and only those are
-- in this index.

CREATE INDEX outbox_file_messages_idx ON chatops.outbox (created_at) WHERE key LIKE '%:file:%';
