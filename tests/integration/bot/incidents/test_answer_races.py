"""Competing answers in Slack, on the phone and by mail, while another person resolves or the next level is due."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from bot.incidents.answers import Accounts, PhoneAnswers
from bot.incidents.escalation import Escalation
from bot.incidents.service import IncidentService
from bot.incidents.store import IncidentStore
from bot.slack_directory import Groups, SlackNames
from bot.wake_ups import WakeUps
from services.clients.pagers.pagerduty import read_event
from services.clients.postgres.pool import Connection, Database
from services.clients.slack import SlackClient
from services.domain.secrets import Secret
from tests.answers import pager_event, signed, user
from tests.conftest import DatabaseUrls
from tests.integration.bot.incidents.conftest import (
    BEN,
    OLIVIA,
    RESPONDERS,
    TEAM,
    Books,
    Scene,
    request,
)
from tests.integration.bot.incidents.test_service import open_one

AT_ONCE = 5  # incidents whose answers compete at the same time
SPREAD_S = 0.03  # the answers of one incident begin within this time

Answer = Callable[[], Awaitable[object]]


@dataclass
class Replica:
    """One process: a pool, a store, and the endpoints that people and pagers reach."""

    service: IncidentService
    answers: PhoneAnswers
    escalation: Escalation


@pytest.fixture
async def replicas(
    scene: Scene, database_urls: DatabaseUrls, slack: SlackClient, names: SlackNames
) -> AsyncIterator[list[Replica]]:
    """Two replicas; the first one is the leader."""
    made, databases = [], []
    groups = Groups(slack, RESPONDERS, workspace=lambda: TEAM, timeout_s=30.0)
    for _ in range(2):
        database = Database.connect_lazily(
            Secret(database_urls.bot), application_name="replica", max_size=8, timeout_s=60.0
        )
        store = IncidentStore(scene.incident_store.place, WakeUps(poll_s=0.05), name_of=names.of)
        service = IncidentService(database, store, groups, names, RESPONDERS)
        answers = PhoneAnswers(database, store, Accounts(team=lambda: TEAM))
        made.append(Replica(service, answers, Escalation(database, store)))
        databases.append(database)
    yield made
    await groups.aclose()
    for database in databases:
        await database.close()


# 1,000 under chaos, in shards that run in parallel.
THOUSAND = [
    pytest.param(250, seed, id=f"1000-{seed}", marks=[pytest.mark.chaos, pytest.mark.timeout(1200)])
    for seed in range(16, 20)
]


@pytest.mark.parametrize(("rounds", "seed"), [pytest.param(20, 15, id="20"), *THOUSAND])
async def test_no_one_is_paged_after_the_first_answer(
    scene: Scene, books: Books, replicas: list[Replica], as_owner: Connection, rounds: int, seed: int
) -> None:
    rolls = random.Random(seed)  # noqa: S311 - the same races each time
    for _ in range(rounds // AT_ONCE):
        await asyncio.gather(*(race(scene, books, replicas, random.Random(rolls.random())) for _ in range(AT_ONCE)))  # noqa: S311

    assert await (await as_owner.execute(PAGED_AFTER_AN_ANSWER)).fetchall() == []
    assert await (await as_owner.execute(STILL_TO_BE_PAGED)).fetchall() == []
    [outcome] = await (await as_owner.execute(OUTCOME)).fetchall()
    opened, answered, answers = outcome
    assert (opened, answered) == (rounds // AT_ONCE * AT_ONCE, opened)
    assert answers >= opened
    won = {words for (words,) in await (await as_owner.execute(FIRST_ANSWERS)).fetchall()}
    assert len(won) >= 3  # kinds of answer that came first


async def race(scene: Scene, books: Books, replicas: list[Replica], roll: random.Random) -> None:
    """One incident whose next level is due, and up to five answers in random order."""
    async with scene.database.transaction() as conn:
        await conn.execute("SELECT 1")
    opened = await open_one(scene, None, another=True)  # a person would be refused after a few
    number = opened.incident.id  # type: ignore[union-attr]
    await books.make_due(number)
    first, second = replicas if roll.random() < 0.5 else reversed(replicas)
    answers: list[Answer] = [
        lambda: first.service.acknowledge(number, request(BEN)),
        lambda: on_the_phone(second, books, number),
        lambda: by_mail(first, books, number),
        lambda: second.service.resolve(number, request(OLIVIA), "the pool was full"),
    ]
    chosen = roll.sample(answers, roll.randint(1, len(answers)))
    due = [lambda: replicas[0].escalation.tick(scene.fence)] * 2
    await asyncio.gather(*(after(roll.random() * SPREAD_S, one) for one in [*chosen, *due]))


async def after(delay_s: float, act: Answer) -> None:
    await asyncio.sleep(delay_s)
    await act()


async def by_mail(replica: Replica, books: Books, number: int) -> None:
    query = "SELECT link_token FROM chatops.notifications WHERE key = %s"
    row = await (await books.conn.execute(query, [f"incident:{number}:page:1:email:ann"])).fetchone()
    assert row is not None
    await replica.answers.acknowledge(row[0])


async def on_the_phone(replica: Replica, books: Books, number: int) -> None:
    """Acknowledge in PagerDuty; the event arrives twice, as PagerDuty may send it."""
    query = "SELECT alert_key FROM chatops.notifications WHERE key = %s"
    row = await (await books.conn.execute(query, [f"incident:{number}:page:1:webhook:ann"])).fetchone()
    assert row is not None
    event = read_event(signed(pager_event("acknowledged", f"dragonfly:dev:{row[0]}", agent=user()))[0])
    assert event is not None
    await asyncio.gather(replica.answers.on_event(event), replica.answers.on_event(replace(event)))


PAGED_AFTER_AN_ANSWER = """
SELECT page.incident_id, page.number
FROM chatops.incident_pages AS page
INNER JOIN chatops.incidents AS incident ON incident.id = page.incident_id
WHERE page.paged_at > least(incident.first_acknowledged_at, incident.resolved_at)
"""
STILL_TO_BE_PAGED = """
SELECT key FROM chatops.notifications WHERE state = 'waiting' AND event = 'triggered'
UNION ALL
SELECT key FROM chatops.outbox
WHERE key LIKE 'incident:%:page:%' AND ts IS NULL AND withdrawn_at IS NULL
"""
OUTCOME = """
SELECT
    count(*),
    count(*) FILTER (WHERE state <> 'open'),
    (SELECT count(*) FROM chatops.incident_events WHERE kind IN ('acknowledged', 'resolved'))
FROM chatops.incidents
"""
FIRST_ANSWERS = """
SELECT DISTINCT regexp_replace(text, '[0-9]+', '', 'g')
FROM chatops.incident_events WHERE kind IN ('acknowledged', 'resolved')
"""
