"""The latest changes: the first question of every incident, because the newest change is most often the cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.domain.database import AppliedMigration, MigrationStatus, goes_of
from services.domain.deployments import Deployment, DeploymentStatus, ReplicaChange
from services.domain.errors import Unavailable
from services.domain.runs import Run
from services.domain.services import Service, short_sha
from services.domain.text import counted

LOOK_BACK = timedelta(hours=2)  # the cause of a problem is rarely older
ONE_ROLLOUT = timedelta(minutes=10)  # between two deployments of one commit: one service is built after the other


_WENT_WELL = (DeploymentStatus.SUCCESS, DeploymentStatus.REMOVING, DeploymentStatus.REMOVED, DeploymentStatus.SLEEPING)


@dataclass(frozen=True)
class Facts:
    """Each list has the newest first. `scalings`: as Railway showed them, by any actor."""

    deployments: Mapping[Service, Sequence[Deployment] | Unavailable]
    migrations: MigrationStatus | Unavailable
    runs: Sequence[Run] | Unavailable
    scalings: Sequence[ReplicaChange] | Unavailable
    until: datetime


@dataclass(frozen=True)
class Happening:
    """One change, in plain words, not escaped yet."""

    at: datetime
    words: str


@dataclass(frozen=True)
class Changes:
    """`happenings` newest first; `unknown`: the sources that could not be read, and why."""

    happenings: tuple[Happening, ...]
    unknown: tuple[str, ...]


def recent_changes(facts: Facts) -> Changes:
    """Deployments, migrations, runs and scaling, from 2 h before the problem until now."""
    since = facts.until - LOOK_BACK
    found = [*_deployments(facts), *_migrations(facts), *_runs(facts), *_scalings(facts)]
    recent = sorted((one for one in found if one.at >= since), key=lambda one: one.at, reverse=True)
    return Changes(tuple(recent), tuple(_unknown(facts)))


def _deployments(facts: Facts) -> Iterator[Happening]:
    """One line per commit: a push deploys every service."""
    known = [
        (s, one) for s, listed in facts.deployments.items() if not isinstance(listed, Unavailable) for one in listed
    ]
    waves: list[list[tuple[Service, Deployment]]] = []
    for service, one in sorted(known, key=lambda pair: pair[1].created_at):
        same = next((each for each in waves if _is_one_rollout(each[-1][1], one)), None)
        if same is None:
            waves.append([(service, one)])
        else:
            same.append((service, one))
    for rollout in waves:
        yield Happening(rollout[-1][1].created_at, _rollout_words(rollout))


def _is_one_rollout(before: Deployment, after: Deployment) -> bool:
    is_same = before.commit_sha is not None and before.commit_sha == after.commit_sha
    return is_same and after.created_at - before.created_at <= ONE_ROLLOUT


def _rollout_words(rollout: Sequence[tuple[Service, Deployment]]) -> str:
    """ "e9a70d3b deployed to ingest (crashed), api, commit by Ann: Fix it"; of a service deployed twice the newest."""
    newest = {service: one.status for service, one in rollout}
    where = ", ".join(f"{service.short}{_status_words(newest[service])}" for service in newest)
    one = rollout[-1][1]
    by = f", commit by {one.author}" if one.author else ""
    subject = (one.commit_message or "").strip().partition("\n")[0]
    return f"{short_sha(one.commit_sha)} deployed to {where}{by}{f': {subject}' if subject else ''}"


def _status_words(status: DeploymentStatus) -> str:
    """The status in parentheses; "" if it went well, also for a deployment that was replaced."""
    return "" if status in _WENT_WELL else f" ({status.value.lower()})"


def _migrations(facts: Facts) -> Iterator[Happening]:
    """One line per `migrate`: a new environment applies dozens of migrations at once."""
    applied = () if isinstance(facts.migrations, Unavailable) else facts.migrations.applied
    for go in goes_of(applied):
        yield Happening(go[-1].executed_at, _migration_words(go, is_all=len(go) == len(applied)))


def _migration_words(go: Sequence[AppliedMigration], *, is_all: bool) -> str:
    newest = max(go, key=lambda one: one.version)
    name = f"{newest.version} {newest.name}"
    if len(go) == 1:
        return f"migration {name} applied"
    return f"database set up, {len(go)} migrations" if is_all else f"{len(go)} migrations applied, the newest {name}"


def _runs(facts: Facts) -> Iterator[Happening]:
    for run in () if isinstance(facts.runs, Unavailable) else facts.runs:
        yield Happening(
            run.started_at or run.created_at, f"run {run.id} {run.state.value.replace('_', ' ')}: {run.title}"
        )


def _scalings(facts: Facts) -> Iterator[Happening]:
    """Scaling that no run of ours did; only Railway knows who did it, and when between the two reads."""
    runs = () if isinstance(facts.runs, Unavailable) else facts.runs
    for one in () if isinstance(facts.scalings, Unavailable) else facts.scalings:
        if any(_may_have_done(run, one) for run in runs):
            continue
        seen = f"seen between {one.not_before:%H:%M:%S} and {one.not_after:%H:%M:%S} UTC"
        words = f"{one.service.short}: {one.before} → {counted(one.after, 'replica')} in Railway, by no run of the bot"
        yield Happening(one.not_after, f"{words}, {seen}")


def _may_have_done(run: Run, change: ReplicaChange) -> bool:
    """True if the run had the service while its replicas changed, which then explains the change."""
    if run.started_at is None or change.service.value not in run.services:
        return False
    return run.started_at <= change.not_after and (run.ended_at is None or run.ended_at >= change.not_before)


def _unknown(facts: Facts) -> Iterator[str]:
    sources = {f"deployments of {service.short}": listed for service, listed in facts.deployments.items()}
    for name, read in {
        **sources,
        "migrations": facts.migrations,
        "runs": facts.runs,
        "scaling": facts.scalings,
    }.items():
        if isinstance(read, Unavailable):
            yield f"{name}: {read.why}"
