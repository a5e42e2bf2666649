"""Puts jobs back into the queue, and watches whether they fail again."""

from __future__ import annotations

from bot.facts._world import JOBS
from bot.runs.tools import Deed, Tools, Watch
from bot.runs.verdicts import Broken, Done, Sight, Unseen, Waiting
from playbooks._steps import RequeueJobs, VerifyJobsSettled
from services.domain.errors import Unavailable
from services.domain.runs import StepState
from services.domain.words import counted
from services.postgres import requeue
from services.postgres.pool import Connection


class Requeue(Deed):
    """In the journal's transaction, so that a job is put back once however often the bot is killed."""

    def __init__(self, tools: Tools, step: RequeueJobs) -> None:
        self._stale_after = tools.world.settings.stale_after
        self._step = step

    async def do(self, conn: Connection) -> Done:
        moved = await requeue.requeue_jobs(conn, job_ids=self._step.job_ids, stale_after=self._stale_after)
        left = len(self._step.job_ids) - len(moved)
        others = f"; {left} had changed since and stay as they are" if left else ""
        return Done(f"{counted(len(moved), 'job')} put back{others}", {"jobs": moved})


class JobsSettle(Watch):
    """None fails again. Jobs that still wait at the end are no failure: nothing proves that they are fine."""

    def __init__(self, tools: Tools, step: VerifyJobsSettled) -> None:
        self.timeout_s = step.timeout_s
        self._tools = tools
        self._step = step

    async def look(self) -> Sight:
        jobs = await self._tools.world.read_all_rows(
            lambda conn: requeue.list_jobs(conn, job_ids=self._step.job_ids), JOBS
        )
        if isinstance(jobs, Unavailable):
            return Unseen(str(jobs))
        requeued = self._requeued()
        failed = [job.id for job in jobs if job.status == "failed" and job.id in requeued]
        if failed:
            return Broken(f"{counted(len(failed), 'job')} failed again; the rest is left alone", {"failed": failed})
        open_ = [job for job in jobs if job.status in ("pending", "processing") and job.id in requeued]
        return Waiting(f"{counted(len(open_), 'job')} not finished yet") if open_ else Done("none failed again")

    def _requeued(self) -> set[str]:
        """What the step before put back; a job that had changed since says nothing."""
        moved = [past.row.evidence for past in self._tools.past if isinstance(past.step, RequeueJobs)]
        last = moved[-1] if moved else None
        return set(last.get("jobs", ())) if last else set(self._step.job_ids)

    unseen = StepState.NOT_PROVED
