-- affects: the enforcement worker's jobs

-- name: read_enforced_batch
-- Return today's date in New York, and whether this is a golden-path batch, which is never enforced; false for a batch
-- that does not exist. By primary key.
SELECT (now() AT TIME ZONE 'America/New_York')::date AS today,
       coalesce((SELECT is_golden_path FROM intake.simplicity_batches WHERE id = %(batch_id)s::uuid), false)
           AS is_golden_path;

-- name: list_judgments
-- List the next page of the batch's judgments with their payments, ordered by id. Served by judgments_batch_page_idx,
-- and by the payments' unique index for each judgment.
SELECT judgment.id::text AS id, judgment.judgment_amount AS amount, judgment.county, judgment.filing_date,
       (judgment.created_at AT TIME ZONE 'America/New_York')::date AS taken_in_on, judgment.is_consumer_debt,
       coalesce(paid.days, '{}') AS paid_on, coalesce(paid.amounts, '{}') AS paid_amounts
FROM public.judgments AS judgment
LEFT JOIN LATERAL (
    SELECT array_agg(payment.received_on ORDER BY payment.received_on, payment.id) AS days,
           array_agg(payment.amount ORDER BY payment.received_on, payment.id) AS amounts
    FROM enforcement.payments AS payment
    WHERE payment.judgment_id = judgment.id
) AS paid ON true
WHERE judgment.batch_id = %(batch_id)s::uuid AND judgment.id > %(after)s::uuid
ORDER BY judgment.id
LIMIT %(limit)s;

-- name: hold_payments
-- Let no payment be committed until this transaction ends, so that the assessments of a page miss none: the trigger
-- enforcement.review_paid takes the same lock exclusively. Shared, so that pages do not wait for each other.
SELECT pg_advisory_xact_lock_shared(hashtextextended('enforcement.payments', 0));

-- name: read_review_state
-- Return whether an assessment is due, today's date in New York, and the current hour in UTC. Served by
-- assessments_due_idx.
SELECT today, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24') AS hour,
       EXISTS (SELECT FROM enforcement.assessments WHERE next_review_on <= today) AS is_due
FROM (SELECT (now() AT TIME ZONE 'America/New_York')::date AS today) AS clock;

-- name: list_due_judgments
-- List judgments whose assessment is due, with their payments: the page has those due longest, ordered by id. Served by
-- assessments_due_idx, and by primary key and the payments' unique index for each of them: the cost depends only on how
-- many are due.
SELECT judgment.id::text AS id, judgment.judgment_amount AS amount, judgment.county, judgment.filing_date,
       (judgment.created_at AT TIME ZONE 'America/New_York')::date AS taken_in_on, judgment.is_consumer_debt,
       coalesce(paid.days, '{}') AS paid_on, coalesce(paid.amounts, '{}') AS paid_amounts
FROM (
    SELECT judgment_id
    FROM enforcement.assessments
    WHERE next_review_on <= %(today)s
    ORDER BY next_review_on, judgment_id
    LIMIT %(limit)s
) AS due
JOIN public.judgments AS judgment ON judgment.id = due.judgment_id
LEFT JOIN LATERAL (
    SELECT array_agg(payment.received_on ORDER BY payment.received_on, payment.id) AS days,
           array_agg(payment.amount ORDER BY payment.received_on, payment.id) AS amounts
    FROM enforcement.payments AS payment
    WHERE payment.judgment_id = judgment.id
) AS paid ON true
ORDER BY judgment.id;

-- name: create_assessment_staging
-- Create the staging table for assessments, because COPY has no ON CONFLICT. It is dropped at the commit, and is never
-- in the write-ahead log.
CREATE TEMPORARY TABLE staged_assessments (
    judgment_id uuid, as_of date, principal numeric(14, 2), interest numeric(16, 2), per_diem numeric(14, 2),
    least_owed numeric(16, 2), least_per_diem numeric(14, 2), renewal_opens_on date, lien_ends_on date,
    presumed_paid_on date, score smallint, score_reasons text[], cautions text[], memo_id uuid,
    next_review_on date, step_kind text, step_due_on date, step_reason text
) ON COMMIT DROP;

-- name: copy_assessments
-- Stage a page of assessments, as text.
COPY pg_temp.staged_assessments FROM STDIN;

-- name: upsert_assessments
-- Store the staged assessments; a stored one that equals the new one in the compared columns stays untouched. By
-- primary key.
INSERT INTO enforcement.assessments AS known
    (judgment_id, as_of, principal, interest, per_diem, least_owed, least_per_diem, renewal_opens_on, lien_ends_on,
     presumed_paid_on, score, score_reasons, cautions, memo_id, next_review_on)
SELECT judgment_id, as_of, principal, interest, per_diem, least_owed, least_per_diem, renewal_opens_on, lien_ends_on,
       presumed_paid_on, score, score_reasons, cautions, memo_id, next_review_on
FROM pg_temp.staged_assessments
ON CONFLICT (judgment_id) DO UPDATE
SET as_of = excluded.as_of, principal = excluded.principal, interest = excluded.interest,
    per_diem = excluded.per_diem, least_owed = excluded.least_owed, least_per_diem = excluded.least_per_diem,
    renewal_opens_on = excluded.renewal_opens_on, lien_ends_on = excluded.lien_ends_on,
    presumed_paid_on = excluded.presumed_paid_on, score = excluded.score, score_reasons = excluded.score_reasons,
    cautions = excluded.cautions, memo_id = excluded.memo_id,
    next_review_on = excluded.next_review_on, computed_at = now()
WHERE (known.as_of, known.principal, known.interest, known.per_diem, known.least_owed, known.least_per_diem,
       known.presumed_paid_on, known.lien_ends_on, known.score_reasons, known.cautions, known.memo_id,
       known.next_review_on)
    IS DISTINCT FROM
      (excluded.as_of, excluded.principal, excluded.interest, excluded.per_diem, excluded.least_owed,
       excluded.least_per_diem, excluded.presumed_paid_on, excluded.lien_ends_on, excluded.score_reasons,
       excluded.cautions, excluded.memo_id, excluded.next_review_on);

-- name: upsert_next_steps
-- Store the staged next steps; a stored one that is equal stays untouched. By primary key.
INSERT INTO enforcement.next_steps AS step (judgment_id, kind, due_on, reasons)
SELECT judgment_id, step_kind, step_due_on, ARRAY[step_reason]
FROM pg_temp.staged_assessments
ON CONFLICT (judgment_id) DO UPDATE
SET kind = excluded.kind, due_on = excluded.due_on, reasons = excluded.reasons, computed_at = now()
WHERE (step.kind, step.due_on, step.reasons) IS DISTINCT FROM (excluded.kind, excluded.due_on, excluded.reasons);
