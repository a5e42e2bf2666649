"""Deletes rows that are past their retention, once per hour; leader only."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from services.clients.postgres import (
    alerts,
    answers,
    asks,
    deliveries,
    deployments,
    freezes,
    history,
    leases,
    messages,
    notifications,
    runs,
)
from services.clients.postgres.pool import Database
from services.domain.history import KEPT

logger = logging.getLogger(__name__)

EVERY_S = 3600.0
DELIVERIES = timedelta(hours=24)  # Slack stops its retries after minutes
OUTBOX = timedelta(days=30)
NOTIFICATIONS = DRILLS = ASKS = timedelta(days=90)
LEASES = timedelta(days=1)  # leases of runs that have ended
DECISIONS = timedelta(days=30)  # reasons why alerts notified people or did not
ALERTS = timedelta(days=90)  # also silences and freezes
PAGER_EVENTS = timedelta(days=7)  # a later event of a pager would be too old to count
RUNS_AT_ONCE = 100  # a run has tens of steps


class Retention(PeriodicTask):
    """Hourly task that deletes old rows. `run_steps`: how long the steps of runs are kept; None: forever."""

    name = "retention"
    interval_s = first_after_s = retry_s = EVERY_S

    def __init__(self, database: Database, *, run_steps: timedelta | None = None) -> None:
        super().__init__()
        self._database = database
        self._run_steps = run_steps

    async def tick(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            deleted = await deliveries.prune_deliveries(conn, older_than=DELIVERIES)
            await leases.prune_run_leases(conn, older_than=LEASES)
            await asks.prune_asks(conn, older_than=ASKS)
            await alerts.prune_drills(conn, older_than=DRILLS)
            await notifications.prune_notifications(conn, older_than=NOTIFICATIONS)
            await answers.prune_pager_events(conn, older_than=PAGER_EVENTS)
            await alerts.prune_alert_decisions(conn, older_than=DECISIONS)
            await alerts.prune_alerts(conn, older_than=ALERTS)
            await alerts.prune_silences(conn, older_than=ALERTS)
            await alerts.prune_planned_silences(conn, older_than=ALERTS)
            await freezes.prune_freezes(conn, older_than=ALERTS)
            await deployments.prune_observed_replicas(conn, older_than=DECISIONS)
            await history.prune_history(conn, older_than=KEPT)
            forgotten = await messages.prune_outbox(conn, older_than=OUTBOX)
        while self._run_steps is not None and await self._prune_run_steps(fence, self._run_steps) == RUNS_AT_ONCE:
            continue
        logger.info("retention: %d deliveries and %d messages deleted", deleted, forgotten)

    async def _prune_run_steps(self, fence: Fence, older_than: timedelta) -> int:
        """Delete the old steps of up to 100 runs in a transaction of their own. Returns the number of runs."""
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            return await runs.prune_run_steps(conn, older_than=older_than, limit=RUNS_AT_ONCE)
