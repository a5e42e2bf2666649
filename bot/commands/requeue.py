"""`requeue <job|group>`: puts failed or orphaned jobs back into the queue."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.commands.arguments import need, no_more, only, wrong_word
from bot.facts.plan import Parameters, environment_of, gather_load
from bot.world import World
from playbooks import requeue as playbook
from playbooks.failed_jobs import error_of, group_key
from playbooks.model import NoPlan
from playbooks.plan import Plan
from playbooks.requeue import CAP, ORPHANS, Chosen
from services.clients.postgres import approvals
from services.clients.postgres.operated import list_failed_jobs
from services.domain.errors import Unavailable, UsageError
from services.domain.jobs import FailedJob, Job, RunningJob

EXAMPLE = "requeue 123e4567-e89b-12d3-a456-426614174000"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `what`. Raises UsageError."""
    no_more(words, 1)
    if not words:
        raise UsageError("Which job?", why="this command needs one", what_next="`failed-jobs` shows ids and groups.")
    return {"what": words[0].lower()}


_JOB = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_GROUP = re.compile(r"g-[0-9a-f]{8}\Z")


def parse_jobs(parameters: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return `what` (a job's id, a group's name or `orphans`), and the jobs of an earlier plan. Raises UsageError."""
    what = need(parameters, "what").lower()
    if what != ORPHANS and not _JOB.match(what) and not _GROUP.match(what):
        raise wrong_word(
            what, "is neither a job nor a group", "`failed-jobs` shows both; `orphans` are all orphaned jobs."
        )
    job_ids = tuple(job_id for job_id in parameters.get("jobs", "").split(",") if job_id)
    if len(job_ids) > CAP or not all(map(_JOB.match, job_ids)):
        raise wrong_word("jobs", f"is not a list of at most {CAP} job ids", "Leave it out to have them found.")
    return what, job_ids


WINDOW = timedelta(days=30)  # the longest that `failed-jobs` looks back
GROUPED = 1000  # newest failures searched for a group: as many as `failed-jobs` groups


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `what` (a job's id, a group's name or `orphans`) and `jobs`, the ids if the plan is made again."""
    only(parameters, "what", "jobs")
    what, job_ids = parse_jobs(parameters)
    return playbook.plan(await _gather(world, what, job_ids), what)


async def _gather(world: World, what: str, job_ids: Sequence[str]) -> playbook.Facts:
    """Gather the facts. `job_ids`: jobs of a plan that is made again; if empty, those that `what` means now."""
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        load = group.create_task(gather_load(world))
        chosen = group.create_task(_choose(world, what, job_ids))
    return playbook.Facts(environment, chosen.result(), load.result())


@dataclass(frozen=True)
class _Selection:
    """The jobs to requeue, oldest first. `error`: the masked error of a group's jobs."""

    job_ids: Sequence[str]
    error: str | None = None


async def _choose(world: World, what: str, job_ids: Sequence[str]) -> Chosen | Unavailable:
    orphans = await _read_orphans(world)
    if isinstance(orphans, Unavailable):
        return orphans
    selected = _Selection(job_ids) if job_ids else await _select(world, what, orphans)
    if isinstance(selected, Unavailable):
        return selected
    jobs = await _read_jobs(world, selected.job_ids[:CAP])
    if isinstance(jobs, Unavailable):
        return jobs
    orphaned = frozenset(job.id for job in orphans)
    return Chosen(tuple(selected.job_ids[:CAP]), len(selected.job_ids), jobs, orphaned, selected.error)


async def _select(world: World, what: str, orphans: Sequence[RunningJob]) -> _Selection | Unavailable:
    """Select the job, the failed jobs of a group, or all orphaned jobs."""
    if what == ORPHANS:
        return _Selection([job.id for job in orphans])
    if not what.startswith("g-"):
        return _Selection([what])
    members = await _read_group(world, what)
    if isinstance(members, Unavailable) or not members:
        return members if isinstance(members, Unavailable) else _Selection([])
    return _Selection([job.id for job in reversed(members)], error_of(members[0]))


async def _read_orphans(world: World) -> list[RunningJob] | Unavailable:
    stale_after = world.settings.stale_after
    return await world.read(approvals.list_orphaned_jobs, stale_after=stale_after, limit=GROUPED)


async def _read_jobs(world: World, job_ids: Sequence[str]) -> list[Job] | Unavailable:
    return await world.read(approvals.list_jobs, job_ids=job_ids)


async def _read_group(world: World, key: str) -> list[FailedJob] | Unavailable:
    """Read the failed jobs of this group, newest first."""
    failed = await world.read(list_failed_jobs, window=WINDOW, limit=GROUPED)
    if isinstance(failed, Unavailable):
        return failed
    # In a thread: masking hundreds of long errors takes longer than Slack waits for the next acknowledgement.
    return await asyncio.to_thread(lambda: [job for job in failed if group_key(job.job_type, error_of(job)) == key])
