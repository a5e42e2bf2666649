"""Are tables, columns, functions and our rights on them as our queries expect? (drift)"""

from __future__ import annotations

from collections.abc import Mapping

from playbooks._contract import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.words import counted

STEP = NextStep("Show migrations", "migrations")

# Query -> the commands that cannot work without it. A test compares both sides with what exists.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "list_heartbeats": ("health", "heartbeats", "sha", "verify"),
    "read_queue_snapshot": ("health", "queue"),
    "list_oldest_pending": ("queue",),
    "list_next_due": ("logs",),
    "list_running_jobs": ("queue", "stop-workers"),
    "list_lock_waits": ("queue",),
    "list_failed_jobs": ("failed-jobs", "requeue"),
    "count_failed_jobs": ("failed-jobs",),
    "list_throughput": ("throughput",),
    "list_batches": ("intake",),
    "list_intake_events": ("intake",),
    "read_server": ("health",),
    "list_job_outcomes": ("rollback", "scale"),
    "read_connection_use": ("scale",),
    "requeue_jobs": ("requeue",),
    "list_orphaned_jobs": ("requeue",),
    "list_jobs": ("requeue",),
    "list_exposures": ("security-audit", "prod-gate"),
}


def check(queries: Mapping[str, str | None] | Unavailable) -> list[Finding]:
    """`drift.<query>` for each query that the database refuses; one `drift.queries` when all fit or nobody knows."""
    if isinstance(queries, Unavailable):
        return [Finding("drift.queries", Status.UNKNOWN, "drift unknown", queries.why, next_step=STEP)]
    refused = {name: why for name, why in queries.items() if why is not None}
    if not refused:
        fine = f"{counted(len(queries), 'read')} fit the tables, columns, functions and grants"
        return [Finding("drift.queries", Status.OK, fine)]
    return [_drifted(name, why) for name, why in refused.items()]


def _drifted(name: str, why: str) -> Finding:
    commands = COMMANDS.get(name, ())
    affected = f"affects {', '.join(commands)}" if commands else "affects changes that read it"
    evidence = {"query": name, "commands": list(commands)}
    return Finding(
        f"drift.{name}", Status.FAIL, f"{name} does not fit", f"{why}; {affected}", evidence=evidence, next_step=STEP
    )
