-- affects: noticing that the database accepts no writes

-- name: prove_write
-- Fails when the database takes no writes of the bot's. Writes one row and deletes it.
SELECT chatops.prove_write() AS proven;
