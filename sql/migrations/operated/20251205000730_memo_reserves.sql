-- What a question may cost is set aside in the transaction that claims its memo, and corrected by what it did cost. A
-- question without an answer may have been paid for: its amount used to be forgotten, with each attempt at the job anew.

ALTER TABLE enforcement.memos
    ADD COLUMN reserved_usd numeric(12, 6) NOT NULL DEFAULT 0 CHECK (reserved_usd >= 0);
COMMENT ON COLUMN enforcement.memos.reserved_usd IS
    'What the question under way may cost; counts as spent until the answer tells.';
