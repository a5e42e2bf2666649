"""Assignments: the next act that an open incident asks of a person."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.incidents.assignments import Asked, assignments_of, is_to_be_taken
from services.domain.channels import Channel
from services.domain.escalation_chain import Chain, ChainLevel, Target, encode_chain
from services.domain.incidents import Incident
from services.domain.services import Service
from tests.unit.bot.incidents.builders import ANN, BEN, NOW, acknowledged, incident, resolved

WAIT = timedelta(minutes=5)
CHAIN = encode_chain(
    Chain(
        (
            ChainLevel(
                "primary", (Target(Channel.WEBHOOK, "ben", "ben"), Target(Channel.MENTION, BEN.user_id, "ben")), WAIT
            ),
            ChainLevel("secondary", (Target(Channel.MENTION, ANN.user_id, "ann"),), WAIT),
            ChainLevel("everybody", (Target(Channel.MENTION, "S0APPROVERS", "approvers"),), WAIT),
        )
    )
)


def asked(one: Incident, user_id: str, *groups: str) -> list[Asked]:
    return [assignment.asked for assignment in assignments_of(user_id, groups, [one])]


@pytest.mark.parametrize(
    ("pages", "next_level", "paged"),
    [
        (0, 0, set()),
        (1, 1, {"ben"}),
        (2, 2, {"ben", "ann"}),
        (3, 3, {"ben", "ann", "olivia"}),
        (7, 1, {"ben", "ann", "olivia"}),
    ],
)
def test_the_paged_levels_are_asked_to_acknowledge(pages: int, next_level: int, paged: set[str]) -> None:
    one = incident(chain=CHAIN, pages=pages, next_level=next_level)

    people = {"ben": asked(one, BEN.user_id), "ann": asked(one, ANN.user_id), "olivia": asked(one, "U9", "S0APPROVERS")}

    assert {name for name, found in people.items() if found == [Asked.ACKNOWLEDGE]} == paged


def test_an_acknowledged_incident_asks_only_who_has_it() -> None:
    one = acknowledged(chain=CHAIN, pages=1, next_level=1)

    assert asked(one, ANN.user_id) == [Asked.WORK]
    assert asked(one, BEN.user_id) == []


def test_assignment_asks_to_resolve_once_its_alerts_are_over() -> None:
    assert asked(acknowledged(chain=CHAIN, cleared_at=NOW), ANN.user_id) == [Asked.RESOLVE]
    assert asked(incident(chain=CHAIN, pages=1, next_level=1, cleared_at=NOW), BEN.user_id) == []


def test_a_resolved_incident_asks_no_one() -> None:
    assert asked(resolved(chain=CHAIN, pages=1, next_level=1), BEN.user_id) == []


def test_a_page_comes_before_work() -> None:
    both = [acknowledged(chain=CHAIN, acknowledged_by=BEN), incident(chain=CHAIN, pages=1, next_level=1)]

    assert [one.asked for one in assignments_of(BEN.user_id, (), both)] == [Asked.ACKNOWLEDGE, Asked.WORK]


INGEST, ENFORCEMENT = Service.INGEST.value, Service.ENFORCEMENT.value


@pytest.mark.parametrize(
    ("one", "services", "address", "responds", "is_taken"),
    [
        (incident(chain=CHAIN, pages=1, next_level=1), [INGEST], BEN.user_id, False, True),
        (incident(chain=CHAIN, pages=1, next_level=1), [INGEST], ANN.user_id, True, False),
        (incident(chain=CHAIN, pages=1, next_level=1), [ENFORCEMENT], BEN.user_id, True, False),
        (incident(chain=CHAIN, pages=0), [INGEST], ANN.user_id, True, True),
        (incident(chain=CHAIN, pages=0), [INGEST], ANN.user_id, False, False),
        (incident(chain=CHAIN, pages=0), [ENFORCEMENT], ANN.user_id, True, False),
        (incident(chain=CHAIN, pages=0, services=()), [INGEST], ANN.user_id, True, False),
        (incident(chain=CHAIN, pages=0, cleared_at=NOW), [INGEST], ANN.user_id, True, False),
        (acknowledged(chain=CHAIN, pages=0), [INGEST], BEN.user_id, True, False),
        (resolved(chain=CHAIN, pages=0), [INGEST], BEN.user_id, True, False),
    ],
    ids=[
        "paged", "another is paged", "another service", "nobody was paged", "no responder", "nobody, another service",
        "about no service", "fine again", "somebody has it", "resolved",
    ],
)  # fmt: skip
def test_work_on_its_service_takes_an_incident_that_pages_one_or_no_one(
    one: Incident, services: list[str], address: str, responds: bool, is_taken: bool
) -> None:
    assert is_to_be_taken(one, services, {address}, responds=responds) is is_taken
