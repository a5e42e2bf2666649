-- `report` counts what began within a window: its queries read that window, however much history there is.

CREATE INDEX incidents_opened_at_idx ON chatops.incidents (opened_at);
CREATE INDEX incident_pages_paged_at_idx ON chatops.incident_pages (paged_at);
CREATE INDEX runs_created_at_idx ON chatops.runs (created_at);
CREATE INDEX rollouts_opened_at_idx ON chatops.rollouts (opened_at);
CREATE INDEX alerts_opened_at_idx ON chatops.alerts (opened_at);
