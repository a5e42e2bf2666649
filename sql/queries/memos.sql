-- affects: the enforcement worker's memos

-- name: want_memos
-- Store these profiles unless they are stored already. By primary key; in order, because two workers that add the same
-- ones in different orders would wait for each other.
INSERT INTO enforcement.memos (id, facts)
SELECT id, facts
FROM unnest(%(ids)s::uuid[], %(facts)s::jsonb[]) AS wanted (id, facts)
ORDER BY id
ON CONFLICT (id) DO NOTHING;

-- name: list_wanted_memos
-- List the batch's profiles without a memo that were requested fewer than `max_requests` times, the highest score
-- first. Served by judgments_batch_page_idx and the assessments' primary key: it reads the batch once.
SELECT memo.id::text AS id, memo.facts, count(*) OVER () AS wanted
FROM enforcement.memos AS memo
JOIN (
    SELECT assessment.memo_id, max(assessment.score) AS best, count(*) AS cases
    FROM public.judgments AS judgment
    JOIN enforcement.assessments AS assessment ON assessment.judgment_id = judgment.id
    WHERE judgment.batch_id = %(batch_id)s::uuid AND assessment.memo_id IS NOT NULL
    GROUP BY assessment.memo_id
) AS case_of ON case_of.memo_id = memo.id
WHERE memo.status <> 'written' AND memo.requests < %(max_requests)s
ORDER BY case_of.best DESC, case_of.cases DESC, memo.id
LIMIT %(limit)s;

-- name: claim_memo
-- Claim the memo for `lease`; no row if it is written or another worker has claimed it. The most that the request may
-- cost is reserved, and what was reserved for an unfinished one counts as spent. By primary key.
UPDATE enforcement.memos
SET asked_at = now(), cost_usd = cost_usd + reserved_usd, reserved_usd = %(reserve_usd)s
WHERE id = %(memo_id)s::uuid AND status <> 'written'
    AND (asked_at IS NULL OR asked_at NOT BETWEEN now() - %(lease)s::interval AND now() + %(lease)s::interval)
RETURNING true;

-- name: store_memo
-- Store the answer to a request, and add its tokens and cost to those of earlier ones. A memo that is already written
-- stays. By primary key.
UPDATE enforcement.memos
SET status = CASE WHEN %(memo)s::jsonb IS NULL THEN 'refused' ELSE 'written' END, memo = %(memo)s::jsonb,
    refused_because = %(refused_because)s::text, model = %(model)s, requests = requests + 1,
    input_tokens = input_tokens + %(input_tokens)s, output_tokens = output_tokens + %(output_tokens)s,
    cost_usd = cost_usd + %(cost_usd)s, reserved_usd = 0, answered_at = now()
WHERE id = %(memo_id)s::uuid AND status <> 'written';

-- name: retry_memo
-- Record another attempt: what the last one may have cost counts as spent, and the most that the next may cost is
-- reserved. By primary key.
UPDATE enforcement.memos
SET asked_at = now(), cost_usd = cost_usd + %(spent_usd)s, reserved_usd = %(reserve_usd)s
WHERE id = %(memo_id)s::uuid AND status <> 'written';

-- name: release_memo
-- Give up the claim, so that the next attempt may request the memo. By primary key.
UPDATE enforcement.memos
SET asked_at = NULL, cost_usd = cost_usd + %(spent_usd)s, reserved_usd = 0, answered_at = now()
WHERE id = %(memo_id)s::uuid AND status <> 'written';

-- name: read_memo_spending
-- Return how many US dollars earlier attempts at this job have spent or reserved for its batch. This is an upper limit:
-- a memo that was requested before the job too counts with all its requests. Served by judgments_batch_page_idx and the
-- assessments' primary key.
SELECT coalesce(sum(memo.cost_usd + memo.reserved_usd), 0)
FROM enforcement.memos AS memo
WHERE greatest(memo.answered_at, memo.asked_at) >= (SELECT job.created_at FROM ops.job_queue AS job WHERE job.id = %(job_id)s::uuid)
    AND memo.id IN (
        SELECT assessment.memo_id
        FROM public.judgments AS judgment
        JOIN enforcement.assessments AS assessment ON assessment.judgment_id = judgment.id
        WHERE judgment.batch_id = %(batch_id)s::uuid
    );
