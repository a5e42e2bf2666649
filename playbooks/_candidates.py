"""Where a service could go back to, ranked by what is known of each commit in production."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from playbooks._states import Standing
from services.domain.deployments import Deployment, DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.jobs import JobOutcomes
from services.domain.migrations import MigrationStatus
from services.domain.services import Service
from services.domain.words import age, counted

PROVEN_AFTER = timedelta(hours=1)  # less, and nobody has looked at it yet
MOST_FAILED = 0.05  # above this share of failed jobs a version was no good one

_SERVES = (DeploymentStatus.SUCCESS, DeploymentStatus.SLEEPING)
_RAN = (*_SERVES, DeploymentStatus.CRASHED, DeploymentStatus.REMOVED, DeploymentStatus.REMOVING)


@dataclass(frozen=True)
class Period:
    """When one deployment served."""

    deployment_id: str
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Candidate:
    """One commit to go back to.

    `deployments`: the one to roll back to, a service; a service that serves the commit already is absent.
    `served`: in production, of the service that had it for the shortest time; `until`: when it last served.
    `jobs`: that ended while it served; None when that cannot be read. `migrations_since`: applied after `until`; None
    when that cannot be read. `can_roll_back`: Railway has its image still; otherwise it can only be built again.
    """

    sha: str
    message: str | None
    deployments: Mapping[Service, str]
    served: timedelta
    until: datetime
    jobs: JobOutcomes | None
    migrations_since: int | None
    can_roll_back: bool
    recommended: bool = False

    @property
    def is_proven(self) -> bool:
        """Whether it served long enough, and its jobs did not fail."""
        return self.served >= PROVEN_AFTER and (self.jobs is None or self.jobs.failed_share <= MOST_FAILED)

    @property
    def evidence(self) -> str:
        """ "served 6 d, 0.1 % of 1204 jobs failed, 1 migration since"."""
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
    """When each deployment that ever ran served: until the next one came, or it ended. Newest first."""
    periods: list[Period] = []
    successor: datetime | None = None
    for one in sorted(deployments, key=lambda deployment: deployment.created_at, reverse=True):
        if not _has_run(one):
            continue
        ended = now if one.status in _SERVES else one.status_updated_at or now
        end = min(ended, successor) if successor else ended
        periods.append(Period(one.id, one.created_at, max(end, one.created_at)))
        successor = one.created_at
    return periods


def rank(pasts: Sequence[Past], migrations: MigrationStatus | Unavailable) -> tuple[Candidate, ...]:
    """The commits to which all these services can go, best first; the first is recommended if its image is there.

    Those that can be rolled back to come before those that would have to be built again, proven ones before others,
    then the one that served last: the smallest step back.
    """
    shas = {one.commit_sha for past in pasts for one in past.deployments if one.commit_sha}
    found = [candidate for sha in shas if (candidate := _candidate(sha, pasts, migrations)) is not None]
    found.sort(key=lambda candidate: (candidate.can_roll_back, candidate.is_proven, candidate.until), reverse=True)
    if not found or not found[0].can_roll_back:
        return tuple(found)
    return (replace(found[0], recommended=True), *found[1:])


def _candidate(sha: str, pasts: Sequence[Past], migrations: MigrationStatus | Unavailable) -> Candidate | None:
    """None when a service never had the commit, or all serve it already."""
    moving = [past for past in pasts if past.current.commit_sha != sha]
    stints = {past.service: list(_stints(sha, past)) for past in moving}
    if not moving or not all(stints.values()):
        return None
    targets = {service: _target([one for one, _ in stint]) for service, stint in stints.items()}
    until = max(period.end for stint in stints.values() for _, period in stint)
    return Candidate(
        sha=sha,
        message=next((one.commit_message for one in targets.values() if one.commit_message), None),
        deployments={service: one.id for service, one in targets.items()},
        served=min(sum((p.end - p.begin for _, p in stint), timedelta()) for stint in stints.values()),
        until=until,
        jobs=_sum_outcomes(moving, stints),
        migrations_since=_count_since(migrations, until),
        can_roll_back=all(one.can_rollback for one in targets.values()),
    )


def _stints(sha: str, past: Past) -> Iterator[tuple[Deployment, Period]]:
    """Each time that the service served the commit, newest first."""
    periods = {period.deployment_id: period for period in served_periods(past.deployments, past.now)}
    for one in sorted(past.deployments, key=lambda deployment: deployment.created_at, reverse=True):
        if one.commit_sha == sha and one.id in periods and one.id != past.current.id:
            yield one, periods[one.id]


def _target(newest_first: Sequence[Deployment]) -> Deployment:
    """The newest with an image, else the newest."""
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
    if isinstance(migrations, Unavailable):
        return None
    return sum(migration.executed_at > moment for migration in migrations.applied)


def _has_run(deployment: Deployment) -> bool:
    """A removed one counts although Railway does not say whether it ever served: only its image can tell."""
    return deployment.can_rollback or deployment.status in _RAN


def _evidence(candidate: Candidate) -> Iterator[str]:
    yield f"served {age(candidate.served)}"
    if candidate.jobs is not None:
        yield _outcome_words(candidate.jobs)
    if candidate.migrations_since:
        yield f"{counted(candidate.migrations_since, 'migration')} since"
    if not candidate.can_roll_back:
        yield "image gone"


def _outcome_words(jobs: JobOutcomes) -> str:
    if not jobs.ended:
        return "no job ended"
    return f"{100 * jobs.failed_share:.1f} % of {counted(jobs.ended, 'job')} failed"
