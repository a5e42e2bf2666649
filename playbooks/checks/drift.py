"""Are tables, columns, functions and rights as our SQL expects them? (drift)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from playbooks.checks.database import ADOPT_AGAIN, CONFIG
from playbooks.model import Finding, NextStep, Status
from services.domain.database import MissingRight, Query, SchemaDrift
from services.domain.errors import Unavailable
from services.domain.text import counted

STEP = NextStep("Show migrations", "migrations")
MAX_FINDINGS = 8  # a database that was never migrated lacks everything; the evidence has it all

# Read of the operated tables -> the commands that cannot work without it. A test compares both sides with what exists.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "list_heartbeats": ("health", "heartbeats", "sha", "verify"),
    "read_queue_snapshot": ("health", "queue"),
    "list_oldest_pending": ("queue",),
    "list_next_due": ("logs", "doctor"),
    "list_unclaimed": ("queue", "doctor"),
    "list_running_jobs": ("queue", "stop-workers"),
    "list_failed_jobs": ("failed-jobs", "requeue"),
    "read_job_error": ("reveal",),
    "count_failed_jobs": ("failed-jobs",),
    "count_exhausted_jobs": (),
    "list_throughput": ("throughput",),
    "list_batches": ("intake",),
    "list_intake_events": ("intake",),
    "find_batches": ("intake",),
    "list_row_faults": ("intake",),
    "list_job_outcomes": ("rollback", "scale"),
    "requeue_jobs": ("requeue",),
    "list_orphaned_jobs": ("requeue",),
    "list_jobs": ("requeue",),
    "find_golden_batch": ("golden-path",),
    "list_golden_batches": ("golden-path",),
    "count_batch_rows": ("golden-path",),
    "list_batch_jobs": ("golden-path",),
    "remove_golden_batch": ("golden-path",),
}

# The other files of queries, and what does not work without them. A test compares them with what there is.
AFFECTED: Mapping[str, str] = {
    "alerts": "the alerts",
    "answers": "answers outside Slack: one-time links, PagerDuty",
    "approvals": "every change",
    "audit": "audit, and every change",
    "catalog": "health, queue, security-audit, doctor, scale, and every count",
    "clock": "the alerts, incident and every change",
    "deliveries": "commands that Slack delivers twice",
    "asks": "ask",
    "drills": "drill",
    "enforcement": "the enforcement worker's jobs",
    "freezes": "freeze, lock, deploy, redeploy, scale and golden-path",
    "history": "history, and the picture of an incident",
    "hints": "refresh notices of Railway's webhook, silence, drill",
    "incident_alerts": "alerts in their incidents",
    "incidents": "incident, and whom it pages",
    "ingest": "the ingest worker's jobs",
    "installation": "every change",
    "leases": "alerts, messages and runs",
    "lone_starts": "self-approval",
    "machine_limits": "the limits of machines",
    "railway_notices": "messages about Railway's events",
    "memos": "the enforcement worker's memos",
    "notifications": "pagers, mail and direct messages",
    "observed": "what changed before an incident",
    "oncall": "oncall, and whom an incident pages",
    "oncall_changes": "oncall override, take and swap, and their notices",
    "outbox": "messages of runs and alerts",
    "payments": "files of payments",
    "pruning": "retention of jobs, events and raw rows",
    "similar": "incident similar, and the diagnosis of an incident",
    "reports": "report, and the weekly report",
    "reviews": "reviews of what ran without approval",
    "rollouts": "messages about deployments",
    "runs": "runs, run, cancel, and every change",
    "service_acts": "who stopped or deployed a service, in alerts and health",
    "silences": "the alerts, silence",
    "systems": "recognizing the operated system",
    "service_locks": "unlock, deploy and rollback",
    "taken_files": "notices of changed policy and alert files",
    "timeline": "the timelines of incidents",
    "todos": "the follow-ups of incidents",
    "uploads": "uploads, intake",
    "worker": "the workers, queue, throughput",
    "writes": "noticing that the database accepts no writes",
}


def check(drift: SchemaDrift | Unavailable) -> list[Finding]:
    """One finding a reason for which queries are refused, one an object on which rights are missing."""
    if isinstance(drift, Unavailable):
        return [Finding("drift.schema", Status.UNKNOWN, "drift unknown", drift.why, next_step=STEP)]
    found = [*_refused(drift.refused), *_missing(drift.missing)]
    if not found:
        fine = f"tables, columns, functions and grants are as {counted(drift.tried, 'expectation')} have them"
        return [Finding("drift.schema", Status.OK, fine)]
    shown = [*found[:MAX_FINDINGS], *_rest(found[MAX_FINDINGS:])]
    return shown if drift.is_migrated else [_of_a_standing_system(finding) for finding in shown]


def _of_a_standing_system(finding: Finding) -> Finding:
    """Our migrations do not make it, so they mend nothing there."""
    return replace(finding, detail=f"{finding.detail}; {ADOPT_AGAIN}", next_step=CONFIG)


def _refused(refused: Mapping[Query, str]) -> Iterator[Finding]:
    for why in dict.fromkeys(refused.values()):
        queries = [query for query, reason in refused.items() if reason == why]
        names = [query.name for query in queries]
        commands = _unique(command for name in names for command in COMMANDS.get(name, ()))
        evidence = {"queries": names, "commands": commands}
        detail = f"needed by {', '.join(names[:3])}{_more(names[3:])}; affects {', '.join(_affected(queries))}"
        yield Finding(f"drift.{names[0]}", Status.FAIL, why, detail, evidence=evidence, next_step=STEP)


def _missing(missing: Sequence[MissingRight]) -> Iterator[Finding]:
    for subject in dict.fromkeys(right.on for right in missing):
        rights = [right for right in missing if right.on == subject]
        privileges = [right.privilege for right in rights if right.privilege != "ROWS"]
        role = rights[0].role
        title = f"{role} lacks {', '.join(privileges)} on {subject}"
        if not privileges:
            title = f"row-level security hides {subject} from {role}"
        affected = _unique(AFFECTED.get(topic, topic) for right in rights for topic in right.topics)
        evidence = {"role": role, "on": subject, "lacks": [right.privilege for right in rights]}
        detail = f"affects {', '.join(affected)}"
        yield Finding(f"drift.rights.{subject}", Status.FAIL, title, detail, evidence=evidence, next_step=STEP)


def _affected(queries: Iterable[Query]) -> list[str]:
    """Commands of the operated reads, otherwise what the file of the query is for."""
    return _unique(
        words
        for query in queries
        for words in COMMANDS.get(query.name) or (AFFECTED.get(query.topic, query.topic.replace("_", " ")),)
    )


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _more(left_out: Sequence[str]) -> str:
    return f" and {len(left_out)} more" if left_out else ""


def _rest(left_out: Sequence[Finding]) -> Iterator[Finding]:
    if left_out:
        evidence = {finding.check: finding.title for finding in left_out}
        title = f"{len(left_out)} more that do not fit"
        yield Finding("drift.more", Status.FAIL, title, "see --json", evidence=evidence, next_step=STEP)
