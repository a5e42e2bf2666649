-- name: list_judgments
-- A page of the judgments of one batch, in the order of their ids. Served by judgments_batch_idx.
SELECT id::text AS id, judgment_amount AS amount, filing_date, (created_at AT TIME ZONE 'UTC')::date AS taken_in_on
FROM public.judgments
WHERE batch_id = %(batch_id)s::uuid AND id > %(after)s::uuid
ORDER BY id
LIMIT %(limit)s;

-- name: upsert_next_steps
-- Many next steps at once, each judgment's own replaced only where it differs. By primary key.
INSERT INTO enforcement.next_steps AS step (judgment_id, kind, due_on, reasons)
SELECT judgment_id, kind, due_on, ARRAY[reason]
FROM unnest(%(judgment_ids)s::uuid[], %(kinds)s::text[], %(due_ons)s::date[], %(reasons)s::text[])
    AS given (judgment_id, kind, due_on, reason)
ON CONFLICT (judgment_id) DO UPDATE
SET kind = excluded.kind, due_on = excluded.due_on, reasons = excluded.reasons, computed_at = now()
WHERE (step.kind, step.due_on, step.reasons) IS DISTINCT FROM (excluded.kind, excluded.due_on, excluded.reasons);
