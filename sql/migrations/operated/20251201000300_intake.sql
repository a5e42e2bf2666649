-- Uploaded CSV files: one batch a file, one raw row a line.
--
--   intake.simplicity_batches    received -> processing -> completed | failed
--   intake.simplicity_raw_rows   pending -> validated | failed (`error` says why); `row_number` is 1 for the first
--                                line below the header; `raw` is {header: text} as uploaded

CREATE TABLE intake.simplicity_batches (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    status text NOT NULL DEFAULT 'received' CHECK (status IN ('received', 'processing', 'completed', 'failed')),
    source_system text NOT NULL DEFAULT 'simplicity',
    file_name text NOT NULL,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    row_count integer NOT NULL DEFAULT 0 CHECK (row_count >= 0),
    validated_count integer NOT NULL DEFAULT 0 CHECK (validated_count >= 0),
    failed_count integer NOT NULL DEFAULT 0 CHECK (failed_count >= 0),
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz
);
CREATE INDEX simplicity_batches_created_idx ON intake.simplicity_batches (created_at DESC);
CREATE INDEX simplicity_batches_sha256_idx ON intake.simplicity_batches (sha256);

CREATE TABLE intake.simplicity_raw_rows (
    batch_id uuid NOT NULL REFERENCES intake.simplicity_batches ON DELETE CASCADE,
    row_number integer NOT NULL CHECK (row_number >= 1),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'validated', 'failed')),
    raw jsonb NOT NULL,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_id, row_number),
    CHECK ((status = 'failed') = (error IS NOT NULL))
);
CREATE INDEX simplicity_raw_rows_created_idx ON intake.simplicity_raw_rows (created_at);

ALTER TABLE intake.simplicity_batches ENABLE ROW LEVEL SECURITY;
-- No row-level security on the raw rows: it would forbid COPY to the API's role, and the web roles have no way into
-- this schema anyway.
CREATE POLICY app ON intake.simplicity_batches TO dragonfly_app USING (true) WITH CHECK (true);
CREATE POLICY bot_reads ON intake.simplicity_batches FOR SELECT TO dragonfly_bot USING (true);

REVOKE ALL ON ALL TABLES IN SCHEMA intake FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, UPDATE ON intake.simplicity_batches, intake.simplicity_raw_rows TO dragonfly_app;
-- No file name, no error text, no rows: they hold personal data.
GRANT SELECT (id, status, source_system, row_count, validated_count, failed_count, created_at, updated_at,
              completed_at) ON intake.simplicity_batches TO dragonfly_bot;
