-- Incidents: trouble that people were woken for, who took it on, what happened meanwhile, and how it ended (DESIGN §6).
-- The triggers keep the state machine of docs/states.md, whoever writes. `resolved` is the end, and ends every page.
--
--   chatops.incidents         one row an incident
--   chatops.incident_alerts   the alerts that opened or joined it
--   chatops.incident_pages    one row each time people were called, written before anything is sent
--   chatops.incident_events   its timeline: what the bot did, what people did, and messages that they marked
--   chatops.oncall_overrides  who stands in for a rotation of the on-call file, and until when
--   NOTIFY chatops_incidents, '<incident id>' when there may be something to do about one

CREATE TYPE chatops.incident_state AS ENUM ('open', 'acknowledged', 'resolved');

CREATE TABLE chatops.incidents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state chatops.incident_state NOT NULL DEFAULT 'open',
    environment text NOT NULL CHECK (environment <> ''),
    severity text NOT NULL CHECK (severity IN ('sev1', 'sev2', 'sev3')),
    title text NOT NULL CHECK (title <> ''),
    services text[] NOT NULL,                                -- full names; none: it is about no service alone
    opened_by_user text,                                     -- null: by an alert, or from a terminal
    opened_by_team text,
    since timestamptz NOT NULL,                              -- when the trouble began, as far as anybody knows
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    chain jsonb NOT NULL CHECK (jsonb_typeof(chain) = 'object'),  -- who is called in which order, as it was then
    pages integer NOT NULL DEFAULT 0 CHECK (pages >= 0),     -- how often people were called
    due_at timestamptz,                                      -- when the leader has to do something about it
    acknowledged_by_user text,
    acknowledged_by_team text,
    acknowledged_at timestamptz,
    first_acknowledged_at timestamptz,
    active_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- when a person last did something about it
    reminded_at timestamptz,                                 -- since then
    cleared_at timestamptz,                                  -- when the last of its alerts ended; null: one is firing, or none ever did
    briefed smallint NOT NULL DEFAULT 0 CHECK (briefed >= 0),  -- how much of what the bot tells by itself is told
    resolved_by_user text,
    resolved_by_team text,
    resolved_at timestamptz,
    cause text,
    CHECK (opened_at >= since),
    CHECK ((opened_by_user IS NULL) = (opened_by_team IS NULL)),
    CHECK ((acknowledged_by_user IS NULL) = (acknowledged_by_team IS NULL)),
    CHECK ((acknowledged_by_user IS NULL) = (acknowledged_at IS NULL)),
    CHECK ((resolved_by_user IS NULL) = (resolved_by_team IS NULL)),
    CHECK (state <> 'open' OR acknowledged_at IS NULL),
    CHECK (state <> 'acknowledged' OR acknowledged_at IS NOT NULL),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK ((state = 'resolved') = (resolved_by_user IS NOT NULL)),
    CHECK ((state = 'resolved') = (cause IS NOT NULL)),
    CHECK (cause <> ''),
    CHECK (state <> 'resolved' OR due_at IS NULL)
);
-- Resolved incidents are kept for ever and are in no index but the primary key.
CREATE INDEX incidents_unresolved_idx ON chatops.incidents (id) WHERE state <> 'resolved';

CREATE TABLE chatops.incident_alerts (
    alert_id bigint PRIMARY KEY REFERENCES chatops.alerts (id) ON DELETE CASCADE,  -- an alert belongs to one incident
    incident_id bigint NOT NULL REFERENCES chatops.incidents (id),
    fingerprint text NOT NULL,
    line text NOT NULL,                                      -- what the alert says now
    since timestamptz NOT NULL,
    joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cleared_at timestamptz
);
CREATE INDEX incident_alerts_incident_id_idx ON chatops.incident_alerts (incident_id);

CREATE TABLE chatops.incident_pages (
    incident_id bigint NOT NULL REFERENCES chatops.incidents (id),
    number integer NOT NULL CHECK (number > 0),              -- 1, 2, 3 …
    level smallint NOT NULL CHECK (level >= 0),              -- index into the chain's levels
    reason text NOT NULL CHECK (reason <> ''),
    paged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (incident_id, number)
);

CREATE TABLE chatops.incident_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES chatops.incidents (id),
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL CHECK (kind <> ''),                   -- "opened", "acknowledged", "marked" …
    by_user text,                                            -- null: the bot
    by_team text,
    text text NOT NULL,                                      -- plain text that nobody escaped yet
    channel_id text,                                         -- of a message that somebody marked
    ts text,
    CHECK ((by_user IS NULL) = (by_team IS NULL)),
    CHECK ((channel_id IS NULL) = (ts IS NULL)),
    UNIQUE (incident_id, channel_id, ts)                     -- a message is marked once, by however many people
);
CREATE INDEX incident_events_timeline_idx ON chatops.incident_events (incident_id, happened_at, id);

CREATE TABLE chatops.oncall_overrides (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rotation text NOT NULL CHECK (rotation <> ''),
    user_id text NOT NULL CHECK (user_id <> ''),
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    by_user text NOT NULL CHECK (by_user <> ''),
    by_team text NOT NULL CHECK (by_team <> ''),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (ends_at >= begins_at)                             -- one that was taken back before it began is empty
);
CREATE INDEX oncall_overrides_ends_at_idx ON chatops.oncall_overrides (ends_at);

-- The state machine: the same pairs as TRANSITIONS in services/domain/incidents.py.
CREATE FUNCTION chatops.incident_may_become(old_state chatops.incident_state, new_state chatops.incident_state)
RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE old_state
    WHEN 'open' THEN new_state IN ('acknowledged', 'resolved')
    WHEN 'acknowledged' THEN new_state IN ('open', 'resolved')
    ELSE false
END;

CREATE FUNCTION chatops.check_new_incident() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.state <> 'open' THEN
        PERFORM chatops.refuse(format('an incident cannot begin as %s', NEW.state));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_new_incident BEFORE INSERT ON chatops.incidents
    FOR EACH ROW EXECUTE FUNCTION chatops.check_new_incident();

CREATE FUNCTION chatops.check_incident_move() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    IF NOT chatops.incident_may_become(OLD.state, NEW.state) THEN
        PERFORM chatops.refuse(format('an incident cannot go from %s to %s', OLD.state, NEW.state));
    END IF;
    CASE NEW.state
        WHEN 'acknowledged' THEN
            NEW.acknowledged_at := v_now;
            NEW.first_acknowledged_at := coalesce(OLD.first_acknowledged_at, v_now);
        WHEN 'open' THEN
            NEW.acknowledged_at := NULL;
            NEW.acknowledged_by_user := NULL;
            NEW.acknowledged_by_team := NULL;
        WHEN 'resolved' THEN
            NEW.resolved_at := v_now;
            NEW.due_at := NULL;
    END CASE;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_incident_move BEFORE UPDATE OF state ON chatops.incidents
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION chatops.check_incident_move();

-- A page is of an incident that nobody has taken on. The lock makes a resolve and a page one after the other.
CREATE FUNCTION chatops.check_page() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v_state chatops.incident_state;
BEGIN
    SELECT state INTO v_state FROM chatops.incidents WHERE id = NEW.incident_id FOR NO KEY UPDATE;
    IF v_state IS DISTINCT FROM 'open' THEN
        PERFORM chatops.refuse(format('nobody is called for an incident that is %s', v_state));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_page BEFORE INSERT ON chatops.incident_pages
    FOR EACH ROW EXECUTE FUNCTION chatops.check_page();

CREATE FUNCTION chatops.announce_incident() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('chatops_incidents', NEW.id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER announce_incident AFTER INSERT OR UPDATE OF state, due_at ON chatops.incidents
    FOR EACH ROW EXECUTE FUNCTION chatops.announce_incident();

-- What happened stays: nobody deletes it but a mark that somebody took back, and of an incident only its progress changes.
REVOKE ALL ON chatops.incidents, chatops.incident_alerts, chatops.incident_pages, chatops.incident_events,
    chatops.oncall_overrides FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (
    state, severity, services, pages, due_at, acknowledged_by_user, acknowledged_by_team, active_at, reminded_at,
    cleared_at, briefed, resolved_by_user, resolved_by_team, cause
) ON chatops.incidents TO dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (line, cleared_at) ON chatops.incident_alerts TO dragonfly_bot;
GRANT SELECT, INSERT ON chatops.incident_pages TO dragonfly_bot;
GRANT SELECT, INSERT, DELETE ON chatops.incident_events TO dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (begins_at, ends_at) ON chatops.oncall_overrides TO dragonfly_bot;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA chatops FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chatops.incident_may_become(chatops.incident_state, chatops.incident_state) TO dragonfly_bot;
