"""The commits that a deploy of an older one takes back, by the order in which Railway deployed them, and the migrations
applied since it served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from playbooks.change_parts import commit_words
from playbooks.rollback_candidates import applied_since, served_periods
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.deployments import Deployment, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service, same_sha

SHOWN = 8


def find_taken_back(
    deployments: Mapping[Service, Sequence[Deployment] | Unavailable], states: Sequence[ServiceState], sha: str
) -> tuple[Deployment, ...]:
    """The first deployment of each commit that came after this one, up to the running one, newest first.

    Empty if the commit is newer than the running one, or not known: Railway knows only commits that it deployed.
    """
    found: dict[str, Deployment] = {}
    for state in states:
        listed = deployments.get(state.service, Unavailable("Railway", "not asked"))
        if not isinstance(listed, Unavailable):
            found |= {str(one.commit_sha): one for one in _after(sha, listed, state.current)}
    return tuple(sorted(found.values(), key=lambda one: one.created_at, reverse=True))


def _after(sha: str, listed: Sequence[Deployment], current: Deployment | None) -> list[Deployment]:
    """Compare commits by their first deployment, because a rollback deploys an older one again."""
    first: dict[str, Deployment] = {}
    for one in sorted((*listed, *([current] if current else [])), key=lambda one: one.created_at):
        if one.commit_sha:
            first.setdefault(one.commit_sha, one)
    running = first.get(current.commit_sha) if current and current.commit_sha else None
    target = first.get(sha)
    if running is None or target is None:
        return []
    return [one for one in first.values() if target.created_at < one.created_at <= running.created_at]


def revert_lines(taken_back: Sequence[Deployment]) -> Iterator[str]:
    """The commits that the revert takes back, with their authors."""
    if not taken_back:
        return
    yield "a revert: the commit is older than what runs; commits that Railway never deployed are not listed"
    for one in taken_back[:SHOWN]:
        yield f"undoes {commit_words(one)}{f' by {one.author}' if one.author else ''}"
    if len(taken_back) > SHOWN:
        yield f"undoes {len(taken_back) - SHOWN} older commits as well"


def applied_since_it_served(
    sha: str,
    deployments: Mapping[Service, Sequence[Deployment] | Unavailable],
    migrations: MigrationStatus | Unavailable,
    now: datetime,
) -> list[AppliedMigration]:
    """The migrations applied after the first of the services left the commit. Empty if none of them ever served it, as
    far as Railway lists; a service that still serves it has not left it.

    `sha` has 7 to 40 characters.
    """
    if isinstance(migrations, Unavailable) or not migrations.is_migrated:
        return []
    known = [listed for listed in deployments.values() if not isinstance(listed, Unavailable)]
    ends = [end for listed in known if (end := _last_end(sha, listed, now))]
    return applied_since(min(ends), migrations) if ends else []


def _last_end(sha: str, listed: Sequence[Deployment], now: datetime) -> datetime | None:
    """The end of the last time that a service served the commit; None if it never did."""
    ours = {one.id for one in listed if one.commit_sha and same_sha(one.commit_sha, sha)}
    return max((one.end for one in served_periods(listed, now) if one.deployment_id in ours), default=None)
