"""The deployments that a service can go back to, ranked by each commit's record in production."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

from playbooks.schema_gate import Schema, find_breaking
from services.domain.database import goes_of
from services.domain.deployments import SHORT_ID, Deployment, DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.jobs import JobOutcomes
from services.domain.services import Service, short_sha
from services.domain.text import age, counted

if TYPE_CHECKING:
    from playbooks.change_parts import Standing
    from services.domain.database import AppliedMigration, MigrationStatus

PROVEN_AFTER = timedelta(hours=1)  # with less, it is not proven yet
TRIED_AFTER = timedelta(minutes=10)  # with less, it was probably replaced because it did not work
MOST_FAILED = 0.05  # a version with a higher share of failed jobs counts as bad

_SERVES = (DeploymentStatus.SUCCESS, DeploymentStatus.SLEEPING)
_RAN = (*_SERVES, DeploymentStatus.CRASHED, DeploymentStatus.REMOVED, DeploymentStatus.REMOVING)


@dataclass(frozen=True)
class Period:
    """The time in which one deployment served."""

    deployment_id: str
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Candidate:
    """A commit to go back to, or a deployment without a commit (`railway up`, an image), whose `sha` is None.

    `message`: the commit's, or the image. `deployments`: the one to roll back to, per service; a service that serves
    the commit already is absent. `served`: its time in production, in the service that had it for the shortest time;
    `until`: when it last served; `left_at`: when the first of these services left it. `jobs`: those that ended while it
    served; None if they cannot be read. `migrations_since`: applied after `left_at`; None if they cannot be read.
    `can_roll_back`: Railway still has its image; otherwise it can only be built again. `has_crashed`: its last
    deployment that ran crashed. `is_newer`: the running deployment is older. `made_at`, `made_by`: of the deployment to
    roll back to. `broken_by`: changes of later migrations that it doesn't work with, one clause each; also empty if the
    migrations were not examined.
    """

    sha: str | None
    message: str | None
    deployments: Mapping[Service, str]
    served: timedelta
    until: datetime
    left_at: datetime
    jobs: JobOutcomes | None
    migrations_since: int | None
    can_roll_back: bool
    recommended: bool = False
    has_crashed: bool = False
    is_newer: bool = False
    made_at: datetime | None = None
    made_by: str | None = None
    broken_by: tuple[str, ...] = ()

    @property
    def is_possible(self) -> bool:
        """True if Railway has its image and, as far as known, it works with the schema."""
        return self.can_roll_back and not self.broken_by

    @property
    def word(self) -> str:
        """The word for it in commands: the whole SHA, or the deployment's id."""
        return self.sha or next(iter(self.deployments.values()))

    @property
    def name(self) -> str:
        """ "8d02b64e", "deployment 3f2a9c1e"."""
        return short_sha(self.sha) if self.sha else f"deployment {self.word[:SHORT_ID]}"

    @property
    def short_word(self) -> str:
        """The shortest form of the word that commands accept."""
        return self.word[:SHORT_ID]

    @property
    def is_successful(self) -> bool:
        """True if it ran long enough to judge, did not crash, and its jobs did not fail."""
        return not self.has_crashed and self.served >= TRIED_AFTER and not self._has_failed_jobs

    @property
    def is_proven(self) -> bool:
        """True if it also served long enough for people to notice problems."""
        return self.is_successful and self.served >= PROVEN_AFTER

    @property
    def _has_failed_jobs(self) -> bool:
        return self.jobs is not None and self.jobs.failed_share > MOST_FAILED

    @property
    def evidence(self) -> str:
        """ "ran 6 d, 1 of 1204 jobs failed, 1 migration since"."""
        return ", ".join(_evidence(self))


@dataclass(frozen=True)
class Past:
    """One service's history. `outcomes`: `{deployment id: how jobs ended while it served}`."""

    found: Standing
    deployments: Sequence[Deployment]
    outcomes: Mapping[str, JobOutcomes] | Unavailable
    now: datetime

    @property
    def service(self) -> Service:
        return self.found.service

    @property
    def current(self) -> Deployment:
        return self.found.current


def served_periods(deployments: Sequence[Deployment], now: datetime) -> list[Period]:
    """The period in which each deployment that ever ran served: until the next one came, or it ended. Newest first."""
    periods: list[Period] = []
    successor: datetime | None = None
    for one in _newest_first(deployments):
        if not _has_run(one):
            continue
        ended = now if one.status in _SERVES else one.status_updated_at or now
        end = min(ended, successor) if successor else ended
        periods.append(Period(one.id, one.created_at, max(end, one.created_at)))
        successor = one.created_at
    return periods


def rank(pasts: Sequence[Past], migrations: MigrationStatus | Unavailable, schema: Schema) -> tuple[Candidate, ...]:
    """The candidates for all these services, best first: the previous successful one, which is the smallest step back.

    Those that can be rolled back to come before those that would have to be built again or that don't work with the
    schema any more. `schema`: the effects of the applied migrations of the operated system. A deployment without a
    commit counts only for a single service.
    """
    keys = {_key(one) for past in pasts for one in past.deployments if one.commit_sha or len(pasts) == 1}
    found = [candidate for key in keys if (candidate := _candidate(key, pasts, migrations)) is not None]
    found = [replace(one, broken_by=_broken_by(one, migrations, schema)) for one in found]
    found.sort(key=lambda candidate: (candidate.is_possible, candidate.is_successful, candidate.until), reverse=True)
    return tuple(found)


def _broken_by(candidate: Candidate, migrations: MigrationStatus | Unavailable, schema: Schema) -> tuple[str, ...]:
    """Changes since it served that break it; also for a newer commit than the running one, which may break as well."""
    if isinstance(migrations, Unavailable):
        return ()
    return find_breaking([one.title for one in applied_since(candidate.left_at, migrations)], schema)


def applied_since(moment: datetime, migrations: MigrationStatus) -> list[AppliedMigration]:
    """The migrations applied after this moment, without those that set the database up."""
    return [one for one in _after_set_up(migrations) if one.executed_at > moment]


def _after_set_up(migrations: MigrationStatus) -> list[AppliedMigration]:
    """The migrations after those that set the database up: no code has ever worked with an earlier schema."""
    return [one for go in goes_of(migrations.applied)[1:] for one in go]


def deployed_at(past: Past) -> datetime | None:
    """When the running code was deployed; None if a rollback brought it. A restart or another start is no deploy."""
    ran = [one for one in _newest_first(past.deployments) if _has_run(one) or one.id == past.current.id]
    older = [one for one in ran if one.created_at <= past.current.created_at]
    stint = list(takewhile(lambda one: _key(one) == _key(past.current), older))
    if any(_key(one) == _key(past.current) for one in older[len(stint) :]):
        return None
    return stint[-1].created_at if stint else past.current.created_at


def _key(deployment: Deployment) -> str:
    """The identity of a deployment's code: the commit; without one the deployment itself."""
    return deployment.commit_sha or deployment.id


def _candidate(key: str, pasts: Sequence[Past], migrations: MigrationStatus | Unavailable) -> Candidate | None:
    """None if a service never had it, or all serve it already."""
    moving = [past for past in pasts if _key(past.current) != key]
    stints = {past.service: list(_stints(key, past)) for past in moving}
    if not moving or not all(stints.values()):
        return None
    targets = {service: _target([one for one, _ in stint]) for service, stint in stints.items()}
    ends = [max(period.end for _, period in stint) for stint in stints.values()]
    left_at = min(ends)
    newest = max(targets.values(), key=lambda one: one.created_at)
    return Candidate(
        sha=newest.commit_sha,
        message=next((one.commit_message or one.image for one in targets.values() if one.subject), None),
        deployments={service: one.id for service, one in targets.items()},
        served=min(sum((p.end - p.begin for _, p in stint), timedelta()) for stint in stints.values()),
        until=max(ends),
        left_at=left_at,
        jobs=_sum_outcomes(moving, stints),
        migrations_since=_count_since(migrations, left_at),
        can_roll_back=all(one.can_rollback for one in targets.values()),
        has_crashed=any(stint[0][0].status is DeploymentStatus.CRASHED for stint in stints.values()),
        is_newer=all(_first_seen(past, key) > _first_seen(past, _key(past.current)) for past in moving),
        made_at=newest.created_at,
        made_by=newest.author,
    )


def _first_seen(past: Past, key: str) -> datetime:
    return min(one.created_at for one in (*past.deployments, past.current) if _key(one) == key)


def _newest_first(deployments: Sequence[Deployment]) -> list[Deployment]:
    return sorted(deployments, key=lambda deployment: deployment.created_at, reverse=True)


def _stints(key: str, past: Past) -> Iterator[tuple[Deployment, Period]]:
    """Each period in which the service served the commit, newest first."""
    periods = {period.deployment_id: period for period in served_periods(past.deployments, past.now)}
    for one in _newest_first(past.deployments):
        if _key(one) == key and one.id in periods and one.id != past.current.id:
            yield one, periods[one.id]


def _target(newest_first: Sequence[Deployment]) -> Deployment:
    """The newest deployment with an image, else the newest."""
    return next((one for one in newest_first if one.can_rollback), newest_first[0])


def _sum_outcomes(
    pasts: Sequence[Past], stints: Mapping[Service, Sequence[tuple[Deployment, Period]]]
) -> JobOutcomes | None:
    completed = failed = 0
    for past in pasts:
        if isinstance(past.outcomes, Unavailable):
            return None
        for one, _ in stints[past.service]:
            outcome = past.outcomes.get(one.id, JobOutcomes(0, 0))
            completed, failed = completed + outcome.completed, failed + outcome.failed
    return JobOutcomes(completed, failed)


def _count_since(migrations: MigrationStatus | Unavailable, moment: datetime) -> int | None:
    if isinstance(migrations, Unavailable) or not migrations.is_migrated:
        return None
    return sum(migration.executed_at > moment for migration in _after_set_up(migrations))


def _has_run(deployment: Deployment) -> bool:
    """True if it ran. A removed one counts, though Railway does not report whether it served; an image proves it."""
    return deployment.can_rollback or deployment.status in _RAN


def _evidence(candidate: Candidate) -> Iterator[str]:
    yield f"ran {age(candidate.served)}{', not an hour yet' if candidate.served < PROVEN_AFTER else ''}"
    if candidate.has_crashed:
        yield "crashed"
    if candidate.jobs is not None:
        yield _outcome_words(candidate.jobs)
    if candidate.migrations_since:
        yield f"{counted(candidate.migrations_since, 'migration')} since"
    if not candidate.can_roll_back:
        yield "image gone"
    if candidate.broken_by:
        yield "does not fit the schema"


def _outcome_words(jobs: JobOutcomes) -> str:
    return f"{jobs.failed} of {counted(jobs.ended, 'job')} failed" if jobs.ended else "no jobs ran then"
