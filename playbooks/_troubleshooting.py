"""The runbook's Troubleshooting table: a symptom, its likely cause, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from playbooks._contract import Finding, NextStep
from services.domain.services import Service


class Symptom(StrEnum):
    """The runbook's first column, then what its table has no row for."""

    API_503 = "API returns 503"
    NOT_CLAIMING = "Workers not claiming jobs"
    FAILED_TRANSACTION = "InFailedSqlTransaction"
    PERMISSION_DENIED = "permission denied for table"
    CRASH_LOOP = "Crash loop detected"
    STALE_HEARTBEAT = "Heartbeat stale"
    UNREACHABLE = "Database unreachable"
    NO_CONNECTIONS = "No database connection left"
    MISSING_OBJECT = "Table, column or function does not exist"


@dataclass(frozen=True)
class Row:
    """The other two columns, in the table's words. `command` begins the resolution; `{service}` is the short name."""

    cause: str
    resolution: str
    label: str
    command: str


TABLE: Mapping[Symptom, Row] = {
    Symptom.API_503: Row(
        "Service starting/crashed", "Check logs, wait 30s, redeploy", "Logs of {service}", "logs {service}"
    ),
    Symptom.NOT_CLAIMING: Row(
        "DB permission issue", "Verify SUPABASE_DB_URL, check grants", "Variables of {service}", "env {service}"
    ),
    Symptom.FAILED_TRANSACTION: Row(
        "Mid-transaction error", "Worker auto-recovers; check for data issues", "Failed jobs", "failed-jobs 1h"
    ),
    Symptom.PERMISSION_DENIED: Row(
        "Wrong role in connection string",
        "Use pooler URL, verify dragonfly_app grants",
        "Variables of {service}",
        "env {service}",
    ),
    Symptom.CRASH_LOOP: Row(
        "10 consecutive failures", "Check logs, fix root cause, redeploy", "Logs of {service}", "logs {service}"
    ),
    # Zero and one again is a stop of everything that runs, then a start.
    Symptom.STALE_HEARTBEAT: Row(
        "Worker crashed without cleanup",
        "Scale to 0, wait, scale to 1",
        "Restart {service}",
        "restart {service} --through-zero",
    ),
}


# An unreachable database is no matter of rights, and neither is one that lacks a migration.
OUR_ROWS: Mapping[Symptom, Row] = {
    Symptom.UNREACHABLE: Row(
        "The database is away, or its host and port are wrong",
        "Check Supabase's status, then the host and port in SUPABASE_DB_URL",
        "Health",
        "health",
    ),
    Symptom.NO_CONNECTIONS: Row(
        "Every connection of the pooler or the server is in use",
        "Scale the workers down, or raise the pooler's limit",
        "Heartbeats",
        "heartbeats",
    ),
    Symptom.MISSING_OBJECT: Row(
        "A migration is not applied, or the code is older than the database",
        "Apply the pending migrations, or roll back",
        "Show migrations",
        "migrations",
    ),
}
ROWS: Mapping[Symptom, Row] = {**TABLE, **OUR_ROWS}


def explain(finding: Finding, symptom: Symptom, service: Service | None = None) -> Finding:
    """The finding with its row of the table: cause and resolution in the detail, the next step as a button."""
    row, short = ROWS[symptom], (service or finding.service or Service.API).short
    words = f"Likely cause: {row.cause}. To do: {row.resolution}."
    return replace(
        finding,
        detail=f"{finding.detail.rstrip('.')}. {words}" if finding.detail else words,
        evidence={**finding.evidence, "symptom": symptom.value},
        next_step=NextStep(row.label.format(service=short), row.command.format(service=short)),
    )
