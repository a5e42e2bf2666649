-- Judgments, and what to do next about each.
--
--   public.judgments         one row a case of a county; amounts in US dollars
--   enforcement.next_steps   one row a judgment: `kind`, `due_on`, `reasons` (each one sentence), `computed_at`

CREATE TABLE public.judgments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    case_number text NOT NULL CHECK (case_number <> ''),
    county text NOT NULL CHECK (county <> ''),
    plaintiff text NOT NULL,
    defendant text NOT NULL,
    judgment_amount numeric(14, 2) NOT NULL CHECK (judgment_amount >= 0),
    filing_date date NOT NULL,
    batch_id uuid REFERENCES intake.simplicity_batches ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (county, case_number)
);
CREATE INDEX judgments_batch_idx ON public.judgments (batch_id);

CREATE TABLE enforcement.next_steps (
    judgment_id uuid PRIMARY KEY REFERENCES public.judgments ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind <> ''),
    due_on date,
    reasons text[] NOT NULL DEFAULT '{}',
    computed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX next_steps_due_idx ON enforcement.next_steps (due_on);

ALTER TABLE public.judgments ENABLE ROW LEVEL SECURITY;
ALTER TABLE enforcement.next_steps ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON public.judgments TO dragonfly_app USING (true) WITH CHECK (true);
CREATE POLICY app ON enforcement.next_steps TO dragonfly_app USING (true) WITH CHECK (true);

-- On Supabase, new tables of `public` are open to the web roles by default.
REVOKE ALL ON public.judgments, enforcement.next_steps FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, UPDATE ON public.judgments, enforcement.next_steps TO dragonfly_app;
