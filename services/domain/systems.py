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


_SHOWN = 5  # missing columns


@dataclass(frozen=True)
class Recognition:
    """What a database shows. `system`: the one that stands there, None for an unknown one. `adopted`: the name under
    which the bot was installed there, None where it was not or our role may not see it.

    `nearest` is always one: `system`, or the one that comes nearest, of which the columns `missing` are not there.
    """

    system: System | None
    adopted: str | None
    nearest: System
    missing: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """Why nothing may be changed there; None when the system is the one for which the bot was installed."""
        if self.system is None:
            shown = ", ".join(self.missing[:_SHOWN])
            more = f" and {len(self.missing) - _SHOWN} more" if len(self.missing) > _SHOWN else ""
            return f"the database holds an unknown system: {self.nearest.name} would have {shown}{more}"
        if self.adopted not in (None, self.system.name):
            return f"the database holds the system {self.system.name}, and the bot was installed for {self.adopted}"
        return None


def recognize(columns: Collection[str], *, adopted: str | None = None) -> Recognition:
    """The system whose columns are all there; the adopted one where there are several."""
    fitting = [system for system in SYSTEMS if system.columns <= set(columns)]
    if fitting:
        system = next((one for one in fitting if one.name == adopted), fitting[0])
        return Recognition(system, adopted, system)
    nearest = min(SYSTEMS, key=lambda system: _missing_share(system, columns, adopted))
    return Recognition(None, adopted, nearest, tuple(sorted(nearest.columns - set(columns))))


def _missing_share(system: System, columns: Collection[str], adopted: str | None) -> tuple[bool, float]:
    return system.name != adopted, len(system.columns - set(columns)) / len(system.columns)
