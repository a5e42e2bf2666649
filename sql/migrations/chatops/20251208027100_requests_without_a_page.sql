-- A request whose approvers hear of it together with others of the same person: a flood of requests is no flood of pages.

ALTER TABLE chatops.runs ADD COLUMN pages_approvers boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN chatops.runs.pages_approvers IS
'Whether its approvers are mentioned and paged; false: one message counts it with the requester''s others.';
