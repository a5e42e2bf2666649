"""The report of `health`."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from playbooks.health import Facts, check, report
from playbooks.model import Status
from services.domain.database import ServerFacts
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.jobs import QueueSnapshot
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.healthy import HEALTHY, NOW, beat, serving

AWAY = Unavailable("database", "connection refused")


def test_all_well_is_reported_in_one_line_and_reported_by_subject() -> None:
    seen = report(HEALTHY)

    assert (seen.status, seen.headline) == (Status.OK, "prod is healthy")
    assert [line.subject for line in seen.lines] == ["api", "ingest", "enforcement", "database", "queue", "SHA", "bot"]
    assert seen.link == "https://railway.com/project/p"


def test_health_headline_names_the_cause() -> None:
    seen = report(replace(HEALTHY, heartbeats=(beat(WorkerType.ENFORCEMENT),)))

    assert seen.headline.startswith("prod is not healthy: ingest is down (0 of 1)")
    assert seen.cause is not None
    assert seen.cause.finding.next_step is not None
    assert seen.cause.finding.next_step.command == "restart ingest --through-zero"


def test_the_unknown_commit_of_a_service_that_is_down_is_no_second_problem() -> None:
    crashed = replace(serving(Service.INGEST), active=())

    seen = report(
        replace(
            HEALTHY,
            heartbeats=(beat(WorkerType.ENFORCEMENT),),
            services={**{service: serving(service) for service in RUNBOOK.services}, Service.INGEST: crashed},
        )
    )

    assert seen.wrong == ()
    assert [one.cause.service for one in seen.diagnoses] == [Service.INGEST]


def test_a_backlog_follows_from_a_worker_that_is_gone() -> None:
    queue = QueueSnapshot(NOW, 4, NOW - timedelta(minutes=16), 0, 0, 0)

    seen = report(replace(HEALTHY, queue=queue, heartbeats=(beat(WorkerType.INGEST),)))

    assert seen.headline == "prod is not healthy: enforcement is down (0 of 1)"
    assert [one.check for one in seen.diagnoses[0].follows] == ["queue.backlog"]


def test_health_headline_counts_problems_with_another_cause() -> None:
    queue = QueueSnapshot(NOW, 0, None, 0, 20, 0)

    seen = report(replace(HEALTHY, queue=queue, heartbeats=(beat(WorkerType.INGEST),)))

    assert seen.headline == "prod is not healthy: enforcement is down (0 of 1), and 1 more"
    assert seen.more == ", and 1 more"
    assert [line.subject for line in seen.wrong] == ["queue"]


def test_a_warning_keeps_it_healthy_and_the_queue_is_named() -> None:
    seen = report(replace(HEALTHY, queue=QueueSnapshot(NOW, 0, None, 0, 2, 0)))

    assert seen.status is Status.WARN
    assert seen.headline.startswith("prod is healthy")
    assert ": queue: 2 failed " in seen.headline


SOURCES = ["api", "intake", "server", "migrations", "heartbeats", "queue", "services", "locks", "freezes"]


@pytest.mark.parametrize("source", SOURCES)
def test_each_missing_source_makes_it_unknown_and_reports_why(source: str) -> None:
    missing: dict[str, Any] = {source: Unavailable("somewhere", "the reason")}

    seen = report(replace(HEALTHY, **missing))

    assert seen.status is Status.UNKNOWN
    assert seen.headline.startswith("prod may not ")
    assert any("the reason" in finding.detail for finding in seen.findings)


def test_an_api_that_is_silent_while_railway_answers_is_down_as_its_page_reports() -> None:
    silent = Unavailable("API", "no answer within 5 s", is_outage=True)

    seen = report(replace(HEALTHY, api=silent, intake=silent))

    assert seen.status is Status.FAIL
    assert "api does not answer" in seen.headline


def test_an_api_that_is_silent_as_railway_is_may_be_our_own_way_out() -> None:
    silent = Unavailable("API", "no answer within 5 s", is_outage=True)

    assert report(replace(HEALTHY, api=silent, intake=silent, services=AWAY)).status is Status.UNKNOWN


def test_every_source_is_tried_above() -> None:
    optional = {f.name for f in fields(Facts) if "Unavailable" in str(f.type)} - {"expected"}

    assert optional == set(SOURCES)


def test_rows_that_may_be_hidden_are_never_green() -> None:
    assert isinstance(HEALTHY.server, ServerFacts)
    seen = report(replace(HEALTHY, server=replace(HEALTHY.server, hidden_tables=("ops.job_queue",))))

    assert seen.status is Status.UNKNOWN
    assert next(line for line in seen.lines if line.subject == "queue").status is Status.UNKNOWN


def test_without_a_database_the_rest_is_still_reported() -> None:
    seen = report(replace(HEALTHY, server=AWAY, migrations=AWAY, heartbeats=AWAY, queue=AWAY, locks=AWAY))

    assert next(line for line in seen.lines if line.subject == "api").status is Status.OK
    assert seen.headline.startswith("prod may not ")
    assert "only the bot" in seen.headline
    assert seen.wrong == ()
    assert [f.check for f in seen.findings if f.check.startswith(("database", "migrations"))] == ["database.reachable"]


def test_a_disagreeing_commit_is_reported_with_its_service() -> None:
    old = replace(HEALTHY, api=ApiHealth(200, "ok", "prod", "0ddba110", True, NOW, 12))

    assert report(old).headline.startswith("prod is not healthy: api runs 0ddba110, not a1b2c3d4")


def test_the_terminal_has_no_bot_line_and_an_unnamed_environment_is_unknown() -> None:
    seen = report(replace(HEALTHY, bot=None, environment=None))

    assert "bot" not in [line.subject for line in seen.lines]
    assert seen.headline.startswith("this environment may not")


def test_every_finding_belongs_to_a_line_or_follows_from_a_cause() -> None:
    away = Unavailable("everything", "away")
    missing: dict[str, Any] = dict.fromkeys(SOURCES, away)
    nothing = replace(HEALTHY, **missing)

    for facts in (HEALTHY, nothing):
        seen = report(facts)
        reported = [finding.check for line in seen.lines for finding in line.findings]
        reported += [one.check for item in seen.diagnoses for one in (item.finding, *item.follows)]
        assert sorted(reported) == sorted(finding.check for finding in check(facts))
