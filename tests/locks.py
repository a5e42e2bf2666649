"""The sessions that wait for a lock in a test's own database. `pg_locks` alone shows those of other tests too."""

from __future__ import annotations

WAITS = """
SELECT locktype, waitstart
FROM pg_locks
JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND datname = current_database()
"""
WAITS_FOR_ADVISORY = f"{WAITS} AND locktype = 'advisory'"
WAITS_FOR_SESSION = f"{WAITS} AND %s = ANY (pg_blocking_pids(pid))"
WAITS_FOR_TABLE = f"{WAITS} AND locktype = 'relation'"
