"""An answer on the phone counts: one-time links and PagerDuty's webhook, over HTTP and a real database."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bot.delivery.decide import ANSWER_PATH
from bot.incidents.answer_routes import MAX_BODY, WRONG_A_MINUTE, add_answer_links, add_pagerduty_hook
from bot.incidents.answers import Accounts, PhoneAnswers
from bot.web.turnstile import MAY_WAIT
from services.clients.pagers.pagerduty import PagerDutyApi
from services.clients.postgres.pool import Connection, Database
from services.domain.answers import LINK_LASTS
from services.domain.incidents import IncidentState
from services.domain.people import Person, outsider
from services.domain.secrets import Secret
from services.sandbox.slack import model
from tests.answers import SECRET, pager_event, signed, user
from tests.conftest import DatabaseUrls
from tests.integration.bot.incidents.conftest import ANN, BEN, OLIVIA, TEAM, Books, Scene, request
from tests.integration.bot.incidents.test_service import open_one
from tests.wire import Line, Where

NEXT_SECRET = "the-secret-after-the-rotation"
PANN = outsider("PagerDuty", "Ann Keller")


@dataclass
class Outside:
    """A phone and PagerDuty, which reach the bot over HTTP."""

    http: httpx.AsyncClient
    books: Books

    async def token(self, key: str = "incident:1:page:1:email:ann") -> str:
        cur = await self.books.conn.execute("SELECT link_token FROM chatops.notifications WHERE key = %s", [key])
        row = await cur.fetchone()
        assert row is not None
        return str(row[0])

    async def alert_key(self, target: str = "ann") -> str:
        """Return the key under which PagerDuty knows the alert."""
        query = "SELECT alert_key FROM chatops.notifications WHERE means = 'webhook' AND target = %s"
        cur = await self.books.conn.execute(f"{query} ORDER BY created_at DESC", [target])
        row = await cur.fetchone()
        assert row is not None
        return f"dragonfly:dev:{row[0]}"

    async def open_link(self, token: str) -> httpx.Response:
        return await self.http.get(f"{ANSWER_PATH}{token}")

    async def press(self, token: str) -> httpx.Response:
        return await self.http.post(f"{ANSWER_PATH}{token}")

    async def report(self, event: dict[str, Any], *secrets: str) -> int:
        """Send an event as PagerDuty does; return the HTTP status."""
        body, headers = signed(event, *secrets)
        return (await self.http.post("/hooks/pagerduty", content=body, headers=headers)).status_code

    async def says(self, kind: str, **changes: Any) -> int:
        """Send an event of this kind as PagerDuty does when Ann acts there; return the HTTP status."""
        event = pager_event(kind, await self.alert_key(), **({"agent": user()} | changes))
        return await self.report(event)


@pytest.fixture
async def outside(scene: Scene, books: Books) -> AsyncIterator[Outside]:
    answers = PhoneAnswers(scene.database, scene.incident_store, Accounts(team=lambda: TEAM))
    app = FastAPI()
    add_answer_links(app, answers)
    add_pagerduty_hook(app, answers, (Secret(SECRET), Secret(NEXT_SECRET)))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bot", trust_env=False) as http:
        yield Outside(http, books)


@asynccontextmanager
async def behind_a_line(scene: Scene, books: Books, urls: DatabaseUrls) -> AsyncIterator[tuple[Outside, Line]]:
    """The answer endpoints, over a connection that can lose the database's answers."""
    async with Line(urls.bot).serve() as line:
        database = Database.connect_lazily(Secret(line.dsn), application_name="test", timeout_s=30.0)
        app = FastAPI()
        add_answer_links(app, PhoneAnswers(database, scene.incident_store, Accounts(team=lambda: TEAM)))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://bot", trust_env=False) as http:
            yield Outside(http, books), line
        await database.close()


async def lose_the_commit(
    outside: Outside, token: str, line: Line, where: Where, *, for_good: bool = False
) -> httpx.Response:
    """Press the link and lose the COMMIT of its acknowledgement; return the HTTP response."""
    writing = line.hold(b"UPDATE chatops.incidents", "before", lose=False)
    pressing = asyncio.create_task(outside.press(token))
    await writing.reached.wait()
    lost = line.hold(b"COMMIT", where)
    writing.release()
    await lost.reached.wait()
    if for_good:
        line.cut()
    lost.release()
    return await pressing


async def test_link_shows_one_button_and_changes_nothing_until_it_is_pressed(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)
    token = await outside.token()

    shown = [await outside.open_link(token) for _ in range(3)]

    assert [one.status_code for one in shown] == [200] * 3
    assert shown[0].text.count("<button>") == 1
    assert "No ingest" in shown[0].text
    assert "<script" not in shown[0].text
    assert "frame-ancestors 'none'" in shown[0].headers["content-security-policy"]
    assert shown[0].headers["referrer-policy"] == "no-referrer"
    assert (await books.incident()).state is IncidentState.OPEN


async def test_pressing_the_link_assigns_the_paged_person_and_cancels_every_other_page(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)

    pressed = await outside.press(await outside.token())

    incident = await books.incident()
    assert "You&#x27;re assigned" in pressed.text
    assert "<button>" not in pressed.text
    assert (incident.state, incident.acknowledged_by) == (IncidentState.ACKNOWLEDGED, Person(ANN.user_id, TEAM))
    assert await books.notifications() == set()
    assert "(e-mail)" in (await books.events())[-1].text
    assert await books.audit() == ["incident.opened", "incident.acknowledged"]


async def test_link_works_once(scene: Scene, books: Books, outside: Outside) -> None:
    await open_one(scene)
    token = await outside.token()
    await outside.press(token)

    twice = await outside.press(token)
    await scene.incident_service.escalate(1, request(OLIVIA))
    after = [await outside.press(token), await outside.open_link(token)]

    assert "You&#x27;re assigned" in twice.text
    assert (await books.kinds()).count("acknowledged") == 1
    assert [one.status_code for one in after] == [404, 404]
    assert (await books.incident()).state is IncidentState.OPEN


@pytest.mark.parametrize("where", ["before", "after"])
async def test_link_whose_commit_was_lost_shows_that_the_person_is_assigned(
    scene: Scene, books: Books, database_urls: DatabaseUrls, where: Where
) -> None:
    await open_one(scene)
    async with behind_a_line(scene, books, database_urls) as (outside, line):
        token = await outside.token()

        pressed = await lose_the_commit(outside, token, line, where)

        assert pressed.status_code == 200
        assert "You&#x27;re assigned" in pressed.text
        assert (await books.kinds()).count("acknowledged") == 1
        assert (await books.incident()).state is IncidentState.ACKNOWLEDGED


async def test_link_whose_commit_was_lost_while_the_database_stays_away_calls_nothing_unchanged(
    scene: Scene, books: Books, database_urls: DatabaseUrls
) -> None:
    await open_one(scene)
    async with behind_a_line(scene, books, database_urls) as (outside, line):
        token = await outside.token()

        lost = await lose_the_commit(outside, token, line, "after", for_good=True)
        away = await outside.press(token)
        line.mend()
        again = await outside.press(token)

        assert lost.status_code == 503
        assert "not known" in lost.text
        assert "<button>" in lost.text
        assert away.status_code == 503
        assert "Not acknowledged" not in away.text
        assert "You&#x27;re assigned" in again.text
        assert (await books.kinds()).count("acknowledged") == 1


async def test_link_of_an_incident_that_another_has_takes_nothing_over(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)
    token = await outside.token()
    await scene.incident_service.acknowledge(1, request(BEN))

    pressed = await outside.press(token)

    assert "somebody is assigned" in pressed.text
    assert "<button>" not in pressed.text
    assert (await books.incident()).acknowledged_by == Person(BEN.user_id, TEAM)


async def test_link_that_cannot_be_looked_up_in_a_flood_is_not_called_unknown(scene: Scene, outside: Outside) -> None:
    await open_one(scene)
    token = await outside.token()

    answers = await asyncio.gather(*(outside.open_link(token) for _ in range(2 * MAY_WAIT)))

    assert {answer.status_code for answer in answers} == {200, 503}


@pytest.mark.parametrize(("past", "status"), [(timedelta(minutes=-5), 200), (timedelta(minutes=5), 404)])
async def test_link_expires(scene: Scene, outside: Outside, as_owner: Connection, past: timedelta, status: int) -> None:
    await open_one(scene)
    token = await outside.token()
    age = LINK_LASTS + past
    await as_owner.execute("UPDATE chatops.notifications SET created_at = created_at - %s", [age])

    assert [(await outside.open_link(token)).status_code, (await outside.press(token)).status_code] == [status] * 2
    is_answered = (await outside.books.incident()).state is IncidentState.ACKNOWLEDGED
    assert is_answered == (status == 200)


async def test_stranger_learns_nothing_and_is_soon_only_counted(scene: Scene, outside: Outside) -> None:
    await open_one(scene)

    # twice as many: the minute may change in between
    answers = [await outside.open_link(f"{number:032x}") for number in range(WRONG_A_MINUTE * 2)]
    answers += [await outside.press("x" * 32), await outside.open_link("no-token")]
    valid = await outside.open_link(await outside.token())

    assert len({answer.text for answer in answers}) == 1
    assert "ingest" not in answers[0].text
    assert {answer.status_code for answer in answers} == {404, 429}
    assert valid.status_code == 200


async def test_link_of_a_shared_target_names_the_target(scene: Scene, books: Books, outside: Outside) -> None:
    schedule = scene.incident_store.place.schedule
    assert schedule is not None
    level = replace(schedule.levels[0], email="team")
    scene.reschedule(replace(schedule, levels=(level,)))
    await open_one(scene)

    await outside.press(await outside.token("incident:1:page:1:email:team"))

    assert (await books.incident()).acknowledged_by == outsider("e-mail", "team")
    assert (await books.messages())["incident:1"].startswith("🟡")
    assert "team (e-mail)" in await books.blocks("incident:1")


async def test_acknowledgement_in_pagerduty_counts_and_cancels_every_other_page(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)

    status = await outside.says("acknowledged")

    incident = await books.incident()
    assert status == 202
    assert (incident.state, incident.acknowledged_by) == (IncidentState.ACKNOWLEDGED, PANN)
    assert await books.notifications() == set()
    assert "Ann Keller (PagerDuty)" in await books.blocks("incident:1")
    assert "in PagerDuty" in (await books.events())[-1].text


async def test_person_at_pagerduty_is_matched_by_their_address(scene: Scene, books: Books) -> None:
    def answer(asked: httpx.Request) -> httpx.Response:
        assert (asked.url.path, asked.headers["authorization"]) == ("/users/PANN", "Token token=t")
        return httpx.Response(200, json={"user": {"email": "Ann@Example.com"}})

    api = PagerDutyApi("https://api.pagerduty.test", Secret("t"), transport=httpx.MockTransport(answer))
    accounts = Accounts(emails={"ann@example.com": "ann"}, team=lambda: TEAM, pagerduty=api)
    answers = PhoneAnswers(scene.database, scene.incident_store, accounts)
    app = FastAPI()
    add_pagerduty_hook(app, answers, (Secret(SECRET),))
    await open_one(scene)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bot") as http:
        await Outside(http, books).says("acknowledged")

    assert (await books.incident()).acknowledged_by == Person(model.ANN.id, TEAM)
    await answers.aclose()


@pytest.mark.parametrize("status", [404, 500])
async def test_a_person_whose_address_pagerduty_withholds_goes_by_their_name_there(
    scene: Scene, books: Books, status: int
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json={}))
    api = PagerDutyApi("https://api.pagerduty.test", Secret("t"), transport=transport)
    answers = PhoneAnswers(scene.database, scene.incident_store, Accounts(team=lambda: TEAM, pagerduty=api))
    app = FastAPI()
    add_pagerduty_hook(app, answers, (Secret(SECRET),))
    await open_one(scene)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bot") as http:
        await Outside(http, books).says("acknowledged")

    assert (await books.incident()).acknowledged_by == PANN
    await answers.aclose()


async def test_incident_follows_its_alert_at_pagerduty_from_person_to_person_to_the_end(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)
    ben = user("Ben Ito", "PBEN")

    await outside.says("acknowledged")
    await outside.says("reassigned", assignees=(ben,))
    reassigned = await books.incident()
    await outside.says("unacknowledged", agent=None)  # the pager's own timeout
    reopened = await books.incident()
    key = await outside.alert_key("ben")
    await outside.report(pager_event("acknowledged", key, agent=ben))
    await outside.report(pager_event("resolved", key, agent=ben))
    resolved = await books.incident()

    assert reassigned.acknowledged_by == outsider("PagerDuty", "Ben Ito")
    assert (reopened.state, reopened.pages) == (IncidentState.OPEN, 2)
    assert (resolved.state, resolved.resolved_by) == (IncidentState.RESOLVED, outsider("PagerDuty", "Ben Ito"))
    assert resolved.cause == "resolved in PagerDuty"
    assert await books.notifications() == set()


async def test_events_that_are_forged_doubled_old_reordered_or_our_own_echo_change_nothing(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)
    key, now = await outside.alert_key(), datetime.now(UTC)
    ann = user()
    forged = pager_event("acknowledged", key, agent=ann)
    doubled = pager_event("acknowledged", key, agent=ann)

    assert await outside.report(forged, "a-wrong-secret") == 401
    assert await outside.report(pager_event("acknowledged", key, agent=ann, at=now - timedelta(minutes=61))) == 202
    assert await outside.report(pager_event("acknowledged", key, agent=ann, at=now - timedelta(minutes=6))) == 202
    assert await outside.report(pager_event("acknowledged", key, agent=ann, at=now + timedelta(minutes=6))) == 202
    assert await outside.report(pager_event("acknowledged", "dragonfly:prod:incident:1:1", agent=ann)) == 202
    assert await outside.report(pager_event("acknowledged", "somebody-elses", agent=ann)) == 202
    assert await outside.report(pager_event("acknowledged", key.removeprefix("dragonfly:dev:"), agent=ann)) == 202
    assert await outside.report(pager_event("acknowledged", key, agent=None)) == 202  # caused by the bot's own call
    assert await outside.report({"event": {"event_type": "pagey.ping", "occurred_at": now.isoformat()}}) == 202
    assert (await books.incident()).state is IncidentState.OPEN
    assert await books.audit() == ["incident.opened"]

    assert await outside.report(doubled) == 202
    await scene.incident_service.escalate(1, request(OLIVIA))
    assert await outside.report(doubled) == 202
    assert await outside.report(pager_event("acknowledged", key, agent=ann, at=now)) == 202  # it arrives late
    assert (await books.incident()).state is IncidentState.OPEN


async def test_an_older_event_that_comes_after_a_newer_one_changes_nothing(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)
    key, now = await outside.alert_key(), datetime.now(UTC)

    await outside.report(pager_event("unacknowledged", key, agent=user(), at=now))
    await outside.report(pager_event("acknowledged", key, agent=user(), at=now - timedelta(seconds=2)))

    assert (await books.incident()).state is IncidentState.OPEN


async def test_event_from_before_the_incident_was_reopened_changes_nothing(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)
    key, before = await outside.alert_key(), datetime.now(UTC)
    await scene.incident_service.acknowledge(1, request(BEN))
    await scene.incident_service.escalate(1, request(OLIVIA))

    await outside.report(pager_event("acknowledged", key, agent=user(), at=before))
    late = (await books.incident()).state
    await outside.report(pager_event("acknowledged", key, agent=user()))

    assert late is IncidentState.OPEN
    assert (await books.incident()).state is IncidentState.ACKNOWLEDGED


async def test_pagerduty_timeout_does_not_undo_an_acknowledgement_in_slack(
    scene: Scene, books: Books, outside: Outside
) -> None:
    await open_one(scene)
    await scene.incident_service.acknowledge(1, request(BEN))

    await outside.says("unacknowledged", agent=None)
    by_a_timeout = (await books.incident()).state
    await outside.says("unacknowledged")

    assert by_a_timeout is IncidentState.ACKNOWLEDGED
    assert (await books.incident()).state is IncidentState.OPEN


@pytest.mark.parametrize("secrets", [(SECRET,), (NEXT_SECRET,), ("retired", NEXT_SECRET)])
async def test_every_secret_counts_while_it_is_rotated(
    scene: Scene, books: Books, outside: Outside, secrets: tuple[str, ...]
) -> None:
    await open_one(scene)

    assert await outside.report(pager_event("acknowledged", await outside.alert_key(), agent=user()), *secrets) == 202
    assert (await books.incident()).state is IncidentState.ACKNOWLEDGED


async def test_unsigned_calls_are_refused_and_soon_only_counted(outside: Outside) -> None:
    body, headers = signed(pager_event("acknowledged", "dragonfly:dev:incident:1:1"))
    hostile = [{}, {"X-PagerDuty-Signature": "v1="}, {"X-PagerDuty-Signature": "v2=" + "0" * 64}, headers]

    refused = [
        (await outside.http.post("/hooks/pagerduty", content=body + b" ", headers=one)).status_code for one in hostile
    ]
    many = {(await outside.report(pager_event("x", "x"), "wrong")) for _ in range(WRONG_A_MINUTE * 2)}
    long = await outside.http.post("/hooks/pagerduty", content=b"x" * (MAX_BODY + 1), headers=headers)

    assert refused == [401] * 4
    assert many == {401, 429}
    assert long.status_code == 413


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"event": 1}', b"[" * 100_000, b'{"event": {"event_type": [], "occurred_at": 1}}']
)
async def test_signed_nonsense_is_taken_and_ignored(outside: Outside, body: bytes) -> None:
    mark = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()

    answer = await outside.http.post("/hooks/pagerduty", content=body, headers={"X-PagerDuty-Signature": f"v1={mark}"})

    assert answer.status_code == 202
