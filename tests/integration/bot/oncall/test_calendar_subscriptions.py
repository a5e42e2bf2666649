"""Calendars at secret addresses: their events, and that a stranger learns nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
from fastapi import FastAPI
from icalendar import Calendar, Event

from bot.approvals.access import Refused
from bot.oncall.calendar_subscriptions import CALENDAR_PATH, WRONG_A_MINUTE, Calendars, add_calendars
from bot.oncall.overrides import Desired
from bot.web.turnstile import MAY_WAIT
from services.clients.postgres import oncall
from services.domain.oncall import nobody_is_absent
from services.domain.people import Person
from services.domain.secrets import Secret, remember_secrets
from services.sandbox.slack import model
from tests.integration.bot.incidents.conftest import ANN, BEN, OTTO, Scene, request
from tests.integration.bot.oncall.test_service import daily, handover

HOUR = timedelta(hours=1)


def site(scene: Scene, gone: str = "") -> httpx.AsyncClient:
    app = FastAPI()
    absent = (lambda user: "is deactivated" if user == gone else None) if gone else nobody_is_absent
    add_calendars(app, Calendars(scene.database, scene.schedule, absent))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot")


async def token_of(scene: Scene, rotation: str = "", *, renew: bool = False) -> str:
    found = await scene.incident_service.on_call.calendar_token(request(ANN), rotation=rotation, renew=renew)
    assert isinstance(found, str)
    return found


async def fetch(client: httpx.AsyncClient, token: str) -> tuple[int, list[tuple[str, datetime, datetime]]]:
    answer = await client.get(f"{CALENDAR_PATH}{token}.ics")
    if answer.status_code != 200:
        assert answer.content == b""
        return answer.status_code, []
    assert answer.headers["content-type"].startswith("text/calendar")
    events = [one for one in Calendar.from_ical(answer.content).walk("VEVENT") if isinstance(one, Event)]
    return 200, [(str(one.get("summary")), moment(one.start), moment(one.end)) for one in events]


def moment(at: object) -> datetime:
    assert isinstance(at, datetime)
    return at


async def test_a_rotation_and_a_persons_own_shifts_with_overrides(scene: Scene) -> None:
    scene.reschedule(daily())
    desired = Desired("primary", model.OLIVIA.id, handover(3) + HOUR, handover(3))
    await scene.incident_service.on_call.override(request(ANN), desired)
    own, rotation = await token_of(scene), await token_of(scene, "primary")
    assert await token_of(scene) == own

    async with site(scene) as client:
        mine, whole = (await fetch(client, own))[1], (await fetch(client, rotation))[1]

    assert ("ann on call (primary)", handover(2), handover(3)) in mine
    assert {name for name, _, _ in mine} == {"ann on call (primary)"}
    assert (f"{model.OLIVIA.id} on call (primary)", handover(3), handover(3) + HOUR) in whole
    assert ("ben on call (primary)", handover(3) + HOUR, handover(4)) in whole
    assert [begins for _, begins, _ in whole] == sorted(begins for _, begins, _ in whole)
    assert whole[-1][2] <= datetime.now(UTC) + timedelta(days=60)


async def test_none_of_our_own_secrets_is_in_a_calendar(scene: Scene) -> None:
    scene.reschedule(daily())
    token = await token_of(scene, "primary")
    remember_secrets("test", [Secret("ben on call (primary)")])

    async with site(scene) as client:
        answer = await client.get(f"{CALENDAR_PATH}{token}.ics")

    remember_secrets("test", [])
    assert "ben on" not in answer.text
    assert "ann on call (primary)" in answer.text


async def test_a_past_override_stays_in_the_calendar(scene: Scene) -> None:
    scene.reschedule(daily())
    begins, ends = handover(-2), handover(-2) + HOUR
    by = Person(model.ANN.id, model.TEAM.id)
    async with scene.database.transaction() as conn:
        await oncall.add_override(
            conn, rotation="primary", user_id=model.OLIVIA.id, begins_at=begins, ends_at=ends, by=by
        )

    async with site(scene) as client:
        whole = (await fetch(client, await token_of(scene, "primary")))[1]

    assert (f"{model.OLIVIA.id} on call (primary)", begins, ends) in whole


async def test_an_unknown_a_renewed_and_a_former_colleagues_address_are_the_same_to_a_stranger(scene: Scene) -> None:
    scene.reschedule(daily())
    former = await token_of(scene)
    renewed = await token_of(scene, renew=True)

    async with site(scene) as client:
        assert [(await fetch(client, one))[0] for one in (former, "0" * 32, "x", renewed)] == [404, 404, 404, 200]
    async with site(scene, gone=model.ANN.id) as client:
        assert (await fetch(client, renewed))[0] == 404


async def test_calendar_that_cannot_be_shown_now_is_not_gone(scene: Scene) -> None:
    """404 would make calendar applications unsubscribe."""
    scene.reschedule(daily())
    own = await token_of(scene)
    app = FastAPI()
    add_calendars(app, Calendars(scene.database, lambda: None, nobody_is_absent))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot") as client:
        assert [(await fetch(client, one))[0] for one in (own, "0" * 32, "x")] == [503, 404, 404]
    async with site(scene) as client:
        found = await asyncio.gather(*(fetch(client, own) for _ in range(2 * MAY_WAIT)))
        assert {status for status, _ in found} == {200, 503}


async def test_guesses_are_only_counted_after_a_while(scene: Scene) -> None:
    async with site(scene) as client:
        found = [(await fetch(client, f"{number:032x}"))[0] for number in range(WRONG_A_MINUTE + 2)]

    assert found[0] == 404
    assert found[-1] == 429


async def test_calendar_address_is_refused_to_people_without_a_role(scene: Scene) -> None:
    scene.reschedule(daily())
    service = scene.incident_service.on_call

    assert isinstance(await service.calendar_token(request(OTTO), rotation="", renew=False), Refused)
    assert isinstance(await service.calendar_token(request(BEN), rotation="", renew=False), str)
