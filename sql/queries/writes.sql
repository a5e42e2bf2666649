-- affects: noticing that the database accepts no writes

-- name: prove_write
-- Write and delete one row in the bot's own schema. Fails if the database accepts no writes from the bot.
SELECT chatops.prove_write() AS proven;
