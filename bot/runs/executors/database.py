"""Executes steps on jobs, service locks, auto-deploy and the schema."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.config.environment import require
from bot.freezes.store import lift_freezes
from bot.runs.executor import (
    Act,
    Before,
    Done,
    Drifted,
    Failed,
    Json,
    LocalStep,
    NotApplied,
    ReadBack,
    Ready,
    Sight,
    Tools,
    Unknown,
    Waiting,
    WaitStep,
)
from playbooks.rollback_db import ROLLBACK_URL
from playbooks.steps import (
    ApplySqlFile,
    FreezeAutoDeploy,
    LockService,
    RequeueJobs,
    UnfreezeAutoDeploy,
    UnlockService,
    VerifyJobsSettled,
)
from services.clients.postgres import approvals
from services.clients.postgres.freezes import list_freezes, lock_service, unlock_service
from services.clients.postgres.pool import Connection
from services.clients.postgres.rollbacks import TIMEOUT_S, AnotherHeadError, apply_rollback
from services.clients.railway.client import RailwayClient
from services.domain.database import PreparedRollback
from services.domain.errors import OperatorError, SourceError, Unavailable
from services.domain.freezes import LOCK
from services.domain.runs import StepState
from services.domain.text import counted


class SetAutoDeploy(Act[FreezeAutoDeploy | UnfreezeAutoDeploy]):
    """Turns auto-deploy on or off. Setting it twice is safe, and Railway reports the setting.

    It is read once after Railway accepts the change: no later step would notice if nothing followed.
    """

    best_effort = True

    def __init__(self, tools: Tools, step: FreezeAutoDeploy | UnfreezeAutoDeploy) -> None:
        super().__init__(tools, step)
        self._service = step.service
        self._enabled = isinstance(step, UnfreezeAutoDeploy)
        self.consequence = (
            f"switch auto-deploy of {step.service.short} on again in Railway"
            if self._enabled
            else "a push to main will overwrite this rollback"
        )

    async def before(self) -> Before:
        """Always ready: the current setting does not matter, and a failed read does not stop the attempt."""
        return Ready({"enabled": self._enabled})

    async def send(self, intent: Json, deadline: float) -> Done:
        await self._tools.mutations.set_auto_deploy(self._service, enabled=self._enabled, deadline=deadline)
        match await self.read_back(intent):
            case NotApplied(note):
                raise SourceError("Railway", f"it accepted the change, and {note}")
            case Unknown():
                return replace(self._done(), proved=False)  # only Railway's answer says so
            case Done() as done:
                return done

    async def read_back(self, _intent: Json) -> ReadBack:
        enabled = await self._tools.world.ask_railway(RailwayClient.read_auto_deploy, self._service)
        if isinstance(enabled, Unavailable):
            return Unknown(str(enabled))
        return self._done() if enabled is self._enabled else NotApplied("auto-deploy is not switched")

    def _done(self) -> Done:
        return Done(f"a push to main {'deploys' if self._enabled else 'does not deploy'} {self._service.short}")


class Requeue(LocalStep[RequeueJobs]):
    """Requeues jobs in the journal's transaction, so that each is put back once however often the bot is killed."""

    async def do(self, conn: Connection) -> Done:
        stale_after = self._tools.world.settings.stale_after
        moved = await approvals.requeue_jobs(conn, job_ids=self._step.job_ids, stale_after=stale_after)
        left = len(self._step.job_ids) - len(moved)
        others = f"; {left} had changed since and stay as they are" if left else ""
        return Done(f"{counted(len(moved), 'job')} put back{others}", {"jobs": moved})


class JobsSettle(WaitStep[VerifyJobsSettled]):
    """Waits until all requeued jobs have ended, and none of them failed. A job that is open when the time is up fails
    the step. If the database does not answer, the step is not proved."""

    when_unknown = StepState.NOT_PROVED

    async def observe(self) -> Sight:
        jobs = await self._tools.world.read(approvals.list_jobs, job_ids=self._step.job_ids)
        if isinstance(jobs, Unavailable):
            return Unknown(str(jobs))
        requeued = self._requeued()
        failed = [job.id for job in jobs if job.status == "failed" and job.id in requeued]
        if failed:
            return Failed(f"{counted(len(failed), 'job')} failed again; the rest is left alone", {"failed": failed})
        open_ = [job for job in jobs if job.status in ("pending", "processing") and job.id in requeued]
        return Waiting(f"{counted(len(open_), 'job')} not finished yet") if open_ else Done("none failed again")

    def _requeued(self) -> set[str]:
        """Jobs that the requeue step put back; jobs that had changed by then do not count."""
        moved = [past.row.evidence for past in self._tools.past if isinstance(past.step, RequeueJobs)]
        last = moved[-1] if moved else None
        return set(last.get("jobs", ())) if last else set(self._step.job_ids)


TERMINAL = "terminal"  # the owner's name when the run was not requested in Slack


class Lock(LocalStep[LockService]):
    """Locks the service. The owner is the requester of the rollback."""

    async def do(self, conn: Connection) -> Done:
        who = self._tools.run.requested_by
        await lock_service(
            conn,
            service=self._step.service,
            owner=who.user_id if who else TERMINAL,
            reason=self._step.reason,
            run_id=self._tools.run.id,
        )
        return Done(f"{self._step.service.short} is locked against deploys until unlock")


class Unlock(LocalStep[UnlockService]):
    """Unlocks the service, if it is locked. A lock that a person set after this was requested stays: no approver saw
    it."""

    async def do(self, conn: Connection) -> Done:
        had_one = await unlock_service(conn, service=self._step.service)
        run, who = self._tools.run, self._tools.run.requested_by
        locks = [one for one in await list_freezes(conn) if one.kind == LOCK and one.service == self._step.service]
        by_people = [one for one in locks if one.created_at <= run.created_at]
        lifted = await lift_freezes(conn, by_people, by=who.user_id if who else TERMINAL, channel=run.channel)
        is_unlocked = had_one or bool(lifted)
        return Done(f"{self._step.service.short} {'is unlocked' if is_unlocked else 'was not locked'}")


SOURCE = "database"


class ApplySql(Act[ApplySqlFile]):
    """Applies a prepared rollback of the schema. It may take longer than a lease, which is renewed meanwhile. It is
    fenced by the schema's head, compared in its transaction under the lock of migrations: a second attempt finds
    nothing to undo."""

    async def before(self) -> Before:
        status = await self._tools.world.migrations()
        if isinstance(status, Unavailable):
            return Unknown(str(status))
        if status.head != self._step.head:
            return Drifted(f"the schema is at {status.head or 'nothing'}, not at {self._step.head}")
        return Ready({"head": self._step.head})

    async def send(self, intent: Json, _deadline: float) -> Done | None:
        """Apply the rollback. Raises SourceError; unless its outcome is unknown, nothing was changed."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._apply(str(intent["head"]))
        except AnotherHeadError as error:
            return await self._done_before(error)
        except OperatorError as error:
            raise SourceError(SOURCE, error.why) from None
        except TimeoutError:
            raise SourceError(SOURCE, "the rollback did not end in time", outcome_unknown=True) from None
        return None

    async def read_back(self, intent: Json) -> ReadBack:
        status = await self._tools.world.migrations()
        if isinstance(status, Unavailable):
            return Unknown(str(status))
        if any(one.version == intent["head"] for one in status.applied):
            return NotApplied(f"the schema is still at {status.head}")
        return Done(f"the schema is at {status.head or 'nothing'}", {"head": status.head})

    async def _apply(self, head: str) -> None:
        settings = self._tools.world.settings
        database, directory = require(settings.database), settings.changing.rollbacks
        rollback = PreparedRollback(self._step.version, self._step.checksum)
        if database.rollback_url is None:
            raise SourceError(SOURCE, f"{ROLLBACK_URL} is not set")
        await apply_rollback(database.rollback_url, rollback, head=head, directory=directory)

    async def _done_before(self, error: AnotherHeadError) -> Done:
        """Handle a rollback that another process, taken for dead, finished while this one waited for its lock."""
        readback = await self.read_back({"head": self._step.head})
        if isinstance(readback, Done):
            return readback
        raise SourceError(SOURCE, error.why, outcome_unknown=isinstance(readback, Unknown)) from None
