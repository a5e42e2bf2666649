-- Why an upload was refused, where it may be read in chat: a sentence of the API's own, which never repeats a cell.
--
--   ops.intake_logs.reason   of `upload_refused`; empty for every other event, and for what earlier versions wrote

ALTER TABLE ops.intake_logs ADD COLUMN reason text;

COMMENT ON COLUMN ops.intake_logs.reason IS 'Why an upload was refused, in words of the API''s own; no personal data.';

GRANT SELECT (reason) ON ops.intake_logs TO dragonfly_bot;
