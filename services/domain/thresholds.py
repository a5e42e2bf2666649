"""The limits at which a check reports a problem. Alerts use the same ones, so that answers and pages agree. What each
means for operators: docs/checks.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

STALE_AFTER = timedelta(minutes=5)  # the runbook's heartbeat check; HEARTBEAT_STALE_AFTER_S… override it
NOT_CLAIMED_AFTER = timedelta(minutes=1)  # a claim takes milliseconds, and an idle worker polls every few seconds
WAITS_LONG_AFTER = timedelta(minutes=5)  # a claim takes seconds; five minutes is the runbook's "something is off"
BACKLOG_AFTER = timedelta(minutes=15)  # an older one pages people
MANY_FAILED = 10  # jobs per hour; as many as in the runbook's crash loop, so more than single bad files
BATCH_STUCK_AFTER = timedelta(minutes=10)  # if the API stores an upload itself, within its own process
STUCK_AFTER = timedelta(minutes=10)  # on one job; the largest file that we accept takes seconds
SLOW_START_AFTER = timedelta(minutes=2)  # a start takes seconds; after this it waits for something that will not come
LOCK_FORGOTTEN_AFTER = timedelta(hours=24)  # the person who rolled back has had a day to review it
LOGS_LOOK_BACK = timedelta(hours=1)  # as in the runbook's query for failed jobs
OUTAGE_OVER_AFTER = timedelta(minutes=5)  # an outage is over after this without a new line, if the live check is OK


@dataclass(frozen=True)
class StaleLimits:
    """The age past which a heartbeat is stale. `by_type`: `{worker type: its own limit}`, for types that have one."""

    general: timedelta = STALE_AFTER
    by_type: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, worker_type: str) -> timedelta:
        """The limit for this worker type, also for one that this version does not know."""
        return self.by_type.get(worker_type, self.general)
