"""The advice about a rollback: when one is recommended, and the doubt when none is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from playbooks.change_parts import Standing
from playbooks.last_deploys import WORKED_AFTER
from playbooks.rollback_advice import LATELY, Offer, advise
from playbooks.rollback_candidates import Past, rank
from services.domain.database import MigrationStatus
from services.domain.deployments import Deployment, DeploymentStatus, Instance
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat, JobOutcomes
from services.domain.services import Service
from tests.unit.playbooks.builders import NOW, beat, deployment, load, sha, state

INGEST = Service.INGEST
REMOVED, CRASHED = DeploymentStatus.REMOVED, DeploymentStatus.CRASHED
BEFORE = deployment("before", sha("b"), age_h=26, status=REMOVED, ended_h=0.5)
BAD = replace(deployment("now", sha("c"), age_h=0.5), instances=(Instance("i", "CRASHED"),))


def past(*deployments: Deployment, replicas: int = 1) -> Past:
    current = deployments[0]
    ends = {one.id: JobOutcomes(0, 0) for one in deployments}
    return Past(Standing(INGEST, state(INGEST, replicas=replicas), current), deployments, ends, NOW)


def advice(one: Past, beats: Sequence[Heartbeat] | Unavailable = ()) -> Offer:
    return advise("ingest", [one], rank([one], MigrationStatus((), (), (), ()), {}), replace(load(), beats=beats))


def recommended(found: Offer) -> list[str | None]:
    return [one.sha for one in found.candidates if one.recommended]


def test_after_a_deploy_the_previous_one_is_recommended_though_it_ran_for_less_than_an_hour() -> None:
    brief = deployment("brief", sha("b"), age_h=70 / 60, status=REMOVED, ended_h=0.5)
    older = deployment("older", sha("a"), age_h=50, status=REMOVED, ended_h=70 / 60)

    found = advice(past(BAD, brief, older))

    assert recommended(found) == [sha("b")]
    assert found.candidates[0].evidence.startswith("ran 40 min, not an hour")
    assert found.doubt is None


@pytest.mark.parametrize(("ago", "is_late"), [(LATELY, False), (LATELY + timedelta(seconds=1), True)])
def test_without_a_deploy_lately_none_is(ago: timedelta, is_late: bool) -> None:
    found = advice(past(replace(BAD, created_at=NOW - ago), replace(BEFORE, created_at=NOW - timedelta(hours=40))))

    assert (found.doubt == "No deploy of ingest lately: a rollback is unlikely to help") is is_late
    assert recommended(found) == ([] if is_late else [sha("b")])


def test_a_service_that_was_just_rolled_back_gets_no_recommendation() -> None:
    back = deployment("back", sha("b"), age_h=0.1)

    found = advice(past(back, replace(BAD, status=REMOVED), BEFORE))

    assert found.doubt is not None
    assert recommended(found) == []


def test_with_the_database_away_none_is() -> None:
    found = advice(replace(past(BAD, BEFORE), outcomes=Unavailable("database", "refused")))

    assert recommended(found) == []
    assert (found.doubt or "").startswith("The database")
    assert found.instead is not None


def worked(name: str, seconds: float, *, git_sha: str = "c") -> Heartbeat:
    started = NOW - timedelta(minutes=20)
    return replace(
        beat(name), started_at=started, last_heartbeat_at=started + timedelta(seconds=seconds), git_sha=sha(git_sha)[:8]
    )


def test_a_worker_that_died_after_it_had_worked_is_restarted_first() -> None:
    found = advice(past(BAD, BEFORE), [worked("w", 600)])

    assert " ingest died " in (found.doubt or "")
    assert " 10 min" in (found.doubt or "")
    assert found.instead is not None
    assert found.instead.command == "restart ingest"
    assert recommended(found) == []


@pytest.mark.parametrize(
    "beats",
    [
        [worked("w", WORKED_AFTER.total_seconds() - 1)],  # it died while it started
        [worked("a", 600), worked("b", 600)],  # it dies again and again
        [worked("w", 600, git_sha="b")],  # another version
        [replace(worked("w", 600), started_at=None)],
        Unavailable("database", "refused"),
        [],
    ],
)
def test_otherwise_a_crash_after_a_deploy_is_the_deploys(beats: Sequence[Heartbeat] | Unavailable) -> None:
    assert recommended(advice(past(BAD, BEFORE), beats)) == [sha("b")]


def test_newer_or_failed_version_is_never_recommended() -> None:
    crashed = replace(BEFORE, status=CRASHED)

    assert recommended(advice(past(BAD, crashed))) == []
    assert advice(past(BAD, crashed)).doubt is None
