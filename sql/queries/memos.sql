-- affects: the enforcement worker's memos

-- name: want_memos
-- Profiles that some case has, each once. By primary key; in order, because two workers that add the same ones in
-- different orders would wait for each other.
INSERT INTO enforcement.memos (id, facts)
SELECT id, facts
FROM unnest(%(ids)s::uuid[], %(facts)s::jsonb[]) AS wanted (id, facts)
ORDER BY id
ON CONFLICT (id) DO NOTHING;

-- name: list_wanted_memos
-- Memos that cases of this batch still lack, the most promising cases first. Served by judgments_batch_page_idx and the
-- assessments' primary key: it reads the batch once.
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
-- Ours to ask for, unless another worker asks already; what the question may cost is set aside, and what was set aside for
-- an unfinished one is spent. By primary key.
UPDATE enforcement.memos
SET asked_at = now(), cost_usd = cost_usd + reserved_usd, reserved_usd = %(reserve_usd)s
WHERE id = %(memo_id)s::uuid AND status <> 'written'
    AND (asked_at IS NULL OR asked_at NOT BETWEEN now() - %(lease)s::interval AND now() + %(lease)s::interval)
RETURNING true;

-- name: store_memo
-- What came of a request, its tokens and cost added to those of earlier ones. By primary key.
UPDATE enforcement.memos
SET status = CASE WHEN %(memo)s::jsonb IS NULL THEN 'refused' ELSE 'written' END, memo = %(memo)s::jsonb,
    refused_because = %(refused_because)s::text, model = %(model)s, requests = requests + 1,
    input_tokens = input_tokens + %(input_tokens)s, output_tokens = output_tokens + %(output_tokens)s,
    cost_usd = cost_usd + %(cost_usd)s, reserved_usd = 0, answered_at = now()
WHERE id = %(memo_id)s::uuid AND status <> 'written';

-- name: retry_memo
-- The same question once more: what the last attempt may have cost is spent, what the next may cost set aside. By primary
-- key.
UPDATE enforcement.memos
SET asked_at = now(), cost_usd = cost_usd + %(spent_usd)s, reserved_usd = %(reserve_usd)s
WHERE id = %(memo_id)s::uuid AND status <> 'written';

-- name: release_memo
-- No worker requests it any more: the next attempt may. By primary key.
UPDATE enforcement.memos
SET asked_at = NULL, cost_usd = cost_usd + %(spent_usd)s, reserved_usd = 0, answered_at = now()
WHERE id = %(memo_id)s::uuid AND status <> 'written';

-- name: read_memo_spending
-- What earlier attempts at this job have spent on the memos of its batch, or set aside, at most: a memo that was asked for
-- before counts with all its requests. Served by judgments_batch_page_idx and the assessments' primary key.
SELECT coalesce(sum(memo.cost_usd + memo.reserved_usd), 0)
FROM enforcement.memos AS memo
WHERE greatest(memo.answered_at, memo.asked_at) >= (SELECT job.created_at FROM ops.job_queue AS job WHERE job.id = %(job_id)s::uuid)
    AND memo.id IN (
        SELECT assessment.memo_id
        FROM public.judgments AS judgment
        JOIN enforcement.assessments AS assessment ON assessment.judgment_id = judgment.id
        WHERE judgment.batch_id = %(batch_id)s::uuid
    );
