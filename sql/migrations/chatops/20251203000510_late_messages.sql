-- A post whose answer was lost may still arrive after whoever was called has answered. Such a message is not forgotten, as
-- it was before: it is looked for, for a minute, and says then that nothing is asked of anybody any more.

ALTER TABLE chatops.outbox
    ADD COLUMN withdrawn_at timestamptz;  -- it is not to be posted; what arrived all the same is edited
