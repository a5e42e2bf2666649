-- What people promised to do after an incident.

CREATE TABLE chatops.incident_todos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES chatops.incidents (id),
    text text NOT NULL CHECK (text <> ''),
    owner text CHECK (owner <> ''),                          -- a Slack user id; null: no one yet
    due_at timestamptz,                                      -- null: at no set time
    by_user text NOT NULL CHECK (by_user <> ''),             -- who added it
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz,
    done_by text,
    CHECK ((done_at IS NULL) = (done_by IS NULL))
);
CREATE INDEX incident_todos_incident_id_idx ON chatops.incident_todos (incident_id, id);
CREATE INDEX incident_todos_open_idx ON chatops.incident_todos (due_at, id) WHERE done_at IS NULL;
REVOKE ALL ON chatops.incident_todos FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (done_at, done_by) ON chatops.incident_todos TO dragonfly_bot;
