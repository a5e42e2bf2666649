-- Which environment this database belongs to: one row, written when the system is installed. The bot refuses to act
-- when its settings name another one.

CREATE TABLE chatops.installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    environment text NOT NULL CHECK (environment IN ('dev', 'staging', 'prod')),
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE chatops.installation ENABLE ROW LEVEL SECURITY;
CREATE POLICY bot ON chatops.installation TO dragonfly_bot USING (true) WITH CHECK (true);
REVOKE ALL ON chatops.installation FROM PUBLIC, anon, authenticated;
