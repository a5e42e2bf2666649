"""Locks a service against deploys after a rollback, and lifts the lock: in the journal's own transaction."""

from __future__ import annotations

from bot.runs.tools import Deed, Tools
from bot.runs.verdicts import Done
from playbooks._steps import LockService, UnlockService
from services.postgres import service_locks
from services.postgres.pool import Connection

TERMINAL = "terminal"  # the owner's name when nobody in Slack asked for the run


class Lock(Deed):
    """The owner is who asked for the rollback."""

    def __init__(self, tools: Tools, step: LockService) -> None:
        self._run = tools.run
        self._step = step

    async def do(self, conn: Connection) -> Done:
        who = self._run.requested_by
        await service_locks.lock_service(
            conn,
            service=self._step.service,
            owner=who.user_id if who else TERMINAL,
            reason=self._step.reason,
            run_id=self._run.id,
        )
        return Done(f"{self._step.service.short} is locked against deploys until unlock")


class Unlock(Deed):
    """Absolute: there may be no lock."""

    def __init__(self, step: UnlockService) -> None:
        self._step = step

    async def do(self, conn: Connection) -> Done:
        had_one = await service_locks.unlock_service(conn, service=self._step.service)
        return Done(f"{self._step.service.short} {'is unlocked' if had_one else 'was not locked'}")
