"""Deletes what nobody needs any more, once an hour, on the leader."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.leader import Fence
from services.domain.errors import SourceError
from services.postgres import alerts, deliveries, drills, leases, notifications, observed, outbox, runs, silences
from services.postgres.pool import Database

logger = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
DELIVERIES = timedelta(hours=24)  # Slack gives up after minutes
OUTBOX = timedelta(days=30)
NOTIFICATIONS = DRILLS = timedelta(days=90)
LEASES = timedelta(days=1)  # of runs that have ended
DECISIONS = timedelta(days=30)  # why people were told, or not
ALERTS = timedelta(days=90)  # and silences
RUNS_AT_ONCE = 100  # a run has tens of steps


async def prune(database: Database, fence: Fence, run_steps: timedelta | None = None) -> None:
    """One round; what fails is tried again in an hour. `run_steps`: how long they are kept; None: for ever."""
    try:
        async with database.transaction() as conn:
            await fence.lock(conn)
            deleted = await deliveries.prune_deliveries(conn, older_than=DELIVERIES)
            await leases.prune_run_leases(conn, older_than=LEASES)
            await drills.prune_drills(conn, older_than=DRILLS)
            await notifications.prune_notifications(conn, older_than=NOTIFICATIONS)
            await alerts.prune_alert_decisions(conn, older_than=DECISIONS)
            await alerts.prune_alerts(conn, older_than=ALERTS)
            await silences.prune_silences(conn, older_than=ALERTS)
            await observed.prune_observed_replicas(conn, older_than=DECISIONS)
            forgotten = await outbox.prune_outbox(conn, older_than=OUTBOX)
        while run_steps is not None and await _prune_run_steps(database, fence, run_steps) == RUNS_AT_ONCE:
            continue
    except SourceError as error:
        logger.warning("retention: %s", error.why)
    else:
        logger.info("retention: %d deliveries and %d messages deleted", deleted, forgotten)


async def _prune_run_steps(database: Database, fence: Fence, older_than: timedelta) -> int:
    """Of some runs, in a transaction of their own: how many."""
    async with database.transaction() as conn:
        await fence.lock(conn)
        return await runs.prune_run_steps(conn, older_than=older_than, limit=RUNS_AT_ONCE)
