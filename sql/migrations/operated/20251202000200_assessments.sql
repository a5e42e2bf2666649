-- What the enforcement worker reckons about each judgment, and what it reckons with.
--
--   public.judgments.is_consumer_debt   NULL while nobody has said; it decides the rate of interest (CPLR 5004)
--   enforcement.payments      what was paid on a judgment; `reference` (a receipt's number, say) makes it one payment
--   enforcement.assessments   one row a judgment, for the day `as_of`; amounts in US dollars. `least_…` is what is owed
--                             at least where the law or the kind of debt is in doubt; `cautions` say what is
--   enforcement.memos         one row a profile (no person, no case): wanted -> written | refused. `input_tokens`,
--                             `output_tokens` and `cost_usd` are sums over all `requests`

ALTER TABLE public.judgments ADD COLUMN is_consumer_debt boolean;

-- Page by page in the order of the ids: with the batch alone, each page would read and sort all of the batch.
CREATE INDEX judgments_batch_page_idx ON public.judgments (batch_id, id);
DROP INDEX public.judgments_batch_idx;

CREATE TABLE enforcement.payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    judgment_id uuid NOT NULL REFERENCES public.judgments ON DELETE CASCADE,
    reference text NOT NULL CHECK (reference <> ''),
    received_on date NOT NULL,
    amount numeric(14, 2) NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (judgment_id, reference)
);

CREATE TABLE enforcement.memos (
    id uuid PRIMARY KEY,
    facts jsonb NOT NULL,
    status text NOT NULL DEFAULT 'wanted' CHECK (status IN ('wanted', 'written', 'refused')),
    memo jsonb,
    refused_because text,
    model text,
    requests integer NOT NULL DEFAULT 0 CHECK (requests >= 0),
    input_tokens bigint NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    output_tokens bigint NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    cost_usd numeric(12, 6) NOT NULL DEFAULT 0 CHECK (cost_usd >= 0),
    asked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    CHECK ((status = 'written') = (memo IS NOT NULL)),
    CHECK ((status = 'refused') = (refused_because IS NOT NULL))
);

CREATE TABLE enforcement.assessments (
    judgment_id uuid PRIMARY KEY REFERENCES public.judgments ON DELETE CASCADE,
    as_of date NOT NULL,
    principal numeric(14, 2) NOT NULL CHECK (principal >= 0),
    interest numeric(16, 2) NOT NULL CHECK (interest >= 0),
    per_diem numeric(14, 2) NOT NULL CHECK (per_diem >= 0),
    least_owed numeric(16, 2) NOT NULL CHECK (least_owed BETWEEN 0 AND principal + interest),
    least_per_diem numeric(14, 2) NOT NULL CHECK (least_per_diem BETWEEN 0 AND per_diem),
    renewal_opens_on date NOT NULL,
    lien_ends_on date NOT NULL,
    presumed_paid_on date NOT NULL,
    score smallint NOT NULL CHECK (score BETWEEN 0 AND 100),
    score_reasons text[] NOT NULL,
    cautions text[] NOT NULL,
    memo_id uuid REFERENCES enforcement.memos,
    computed_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE enforcement.payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE enforcement.memos ENABLE ROW LEVEL SECURITY;
ALTER TABLE enforcement.assessments ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON enforcement.payments TO dragonfly_app USING (true) WITH CHECK (true);
CREATE POLICY app ON enforcement.memos TO dragonfly_app USING (true) WITH CHECK (true);
CREATE POLICY app ON enforcement.assessments TO dragonfly_app USING (true) WITH CHECK (true);

REVOKE ALL ON enforcement.payments, enforcement.memos, enforcement.assessments FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT ON enforcement.payments TO dragonfly_app;
GRANT SELECT, INSERT, UPDATE ON enforcement.memos, enforcement.assessments TO dragonfly_app;

COMMENT ON TABLE enforcement.payments IS 'What was paid on each judgment.';
COMMENT ON TABLE enforcement.assessments IS 'What is owed on each judgment, its dates and its score, for one day.';
COMMENT ON TABLE enforcement.memos IS 'What a language model advises for cases of one profile; no personal data.';
