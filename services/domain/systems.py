"""The systems that the bot can operate, and how a database shows which of them it holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """`columns`: those by which it is recognized, as schema.table.column; all of them must be there."""

    name: str
    columns: frozenset[str]


RUNBOOK = System(
    "runbook",
    frozenset(
        {
            "ops.worker_heartbeats.last_heartbeat_at",
            "ops.job_queue.error_message",
            "ops.job_queue.locked_by",
            "intake.simplicity_batches.source_system",
        }
    ),
)
CIVIL = System(
    "civil",
    frozenset(
        {
            "ops.worker_heartbeats.last_seen_at",
            "ops.job_queue.last_error",
            "ops.job_queue.worker_id",
            "ops.ingest_batches.row_count_raw",
            "intake.simplicity_batches.row_count_total",
        }
    ),
)
SYSTEMS = (RUNBOOK, CIVIL)
TABLES = frozenset(column.rpartition(".")[0] for system in SYSTEMS for column in system.columns)


def recognize(columns: Collection[str]) -> System | None:
    """The system whose columns are all there; None for an unknown one."""
    return next((system for system in SYSTEMS if system.columns <= set(columns)), None)


def missing_columns(columns: Collection[str]) -> tuple[System, list[str]]:
    """The system that comes nearest, and which of its columns are not there."""
    nearest = min(SYSTEMS, key=lambda system: len(system.columns - set(columns)) / len(system.columns))
    return nearest, sorted(nearest.columns - set(columns))
