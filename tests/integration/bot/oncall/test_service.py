"""Changes of who is on call: later overrides, taking a shift over, swaps, and reminders, over a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.approvals.access import Refused
from bot.oncall.overrides import Desired, SlackOnly
from bot.oncall.shift_reminders import ShiftReminders
from services.clients.postgres import oncall
from services.domain.channels import Channel
from services.domain.oncall import Level, Schedule, holder
from services.domain.rotations import Rotation
from services.domain.shifts import SwapState
from services.sandbox.slack import model
from tests.integration.bot.incidents.conftest import ANN, BEN, OLIVIA, OTTO, Books, Scene, request, schedule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = (datetime.now(UTC) - 6 * HOUR).replace(second=0, microsecond=0)  # of Ann's shift: 18 h are left


def daily() -> Schedule:
    """Ann and Ben take turns of 1 day; Ann's has begun."""
    rotation = Rotation("primary", ("ann", "ben"), 1, START.date(), START.time(), ZoneInfo("UTC"))
    level = Level(("primary",), frozenset(Channel), HOUR, accepts_slack_only=True)
    return replace(schedule(), rotations={"primary": rotation}, levels=(level,))


def handover(days: int) -> datetime:
    """The moment of the handover after so many days; Ann's shifts begin at even numbers."""
    return START + days * DAY


async def on_call(scene: Scene, at: datetime) -> str:
    async with scene.database.read() as conn:
        found = holder(daily(), "primary", at, await oncall.list_overrides(conn))
    return found.slack if found else ""


@pytest.fixture
def daily_scene(scene: Scene) -> Scene:
    scene.reschedule(daily())
    return scene


async def test_future_override_notifies_the_people_whose_shifts_change(daily_scene: Scene, books: Books) -> None:
    service = daily_scene.incident_service.on_call
    begins, ends = handover(3) - HOUR, handover(3) + HOUR  # Ann's last hour, and Ben's first

    reported = await service.override(request(ANN), Desired("primary", model.OLIVIA.id, ends, begins))

    assert isinstance(reported, str)
    assert "Everyone affected was" in reported
    messages, key = await books.messages(), "oncall:override:1"
    relieved = {f"{key}:relieved:{model.ANN.id}", f"{key}:relieved:{model.BEN.id}"}
    assert set(messages) == {key, f"{key}:direct", *relieved}
    assert f"instead of <@{model.ANN.id}> and <@{model.BEN.id}> from <!date" in messages[key]
    assert (
        f"until <!date^{int(handover(3).timestamp())}^" in messages[f"{key}:relieved:{model.ANN.id}"]
    )  # only her part
    moments = (begins - HOUR, begins, ends)
    assert [await on_call(daily_scene, at) for at in moments] == [model.ANN.id, model.OLIVIA.id, model.BEN.id]


async def test_an_override_that_begins_now_leaves_a_later_one_alone(daily_scene: Scene) -> None:
    service = daily_scene.incident_service.on_call
    await service.override(request(ANN), Desired("primary", model.OLIVIA.id, handover(4), handover(3)))
    for user in (model.OLIVIA.id, model.BEN.id):
        await service.override(request(ANN), Desired("primary", user, datetime.now(UTC) + HOUR))

    assert await on_call(daily_scene, datetime.now(UTC)) == model.BEN.id
    await service.end_override(request(ANN), rotation="primary")
    assert await on_call(daily_scene, datetime.now(UTC)) == model.ANN.id
    assert await on_call(daily_scene, handover(3)) == model.OLIVIA.id


async def test_override_that_ends_another_notifies_everyone_who_is_on_call_after_it(
    daily_scene: Scene, books: Books
) -> None:
    """Olivia's override of 1 h ends Ben's, which would last until the handover; after it Ann's own shift continues."""
    service, hour = daily_scene.incident_service.on_call, datetime.now(UTC) + HOUR
    await service.override(request(ANN), Desired("primary", model.BEN.id, handover(1)))

    await service.override(request(OLIVIA), Desired("primary", model.OLIVIA.id, hour))

    messages, rest = await books.messages(), f"from <!date^{int(hour.timestamp())}^"
    [to_ben] = messages[f"oncall:override:2:relieved:{model.BEN.id}"].split("\n")[1:]
    assert to_ben.startswith(f"📟 <@{model.ANN.id}> ")
    assert f"*primary* instead of you {rest}" in to_ben
    to_ann = messages[f"oncall:override:2:relieved:{model.ANN.id}"]
    assert to_ann.startswith("📟 You ")
    assert f"*primary* instead of <@{model.BEN.id}> {rest}" in to_ann


async def test_future_override_is_cancelled_by_number_and_notifies_the_affected_people(
    daily_scene: Scene, books: Books
) -> None:
    service = daily_scene.incident_service.on_call
    await service.override(request(ANN), Desired("primary", model.OLIVIA.id, handover(4), handover(3)))

    hint = await service.end_override(request(BEN), rotation="primary")
    reported = await service.cancel_override(request(BEN), 1)
    again = await service.cancel_override(request(BEN), 1)

    assert "`oncall override end 1` cancels it" in str(hint)
    assert "is cancelled" in str(reported)
    assert isinstance(again, Refused)
    messages, key = await books.messages(), "oncall:ended:1"
    assert {key, f"{key}:{model.OLIVIA.id}", f"{key}:{model.BEN.id}"} < set(messages)
    assert "no longer covers *primary*" in messages[key]
    assert f"<@{model.BEN.id}> instead of <@{model.OLIVIA.id}>" in await books.blocks(key)
    assert await on_call(daily_scene, handover(3)) == model.BEN.id


async def test_a_person_takes_the_current_shift_until_its_end(daily_scene: Scene, books: Books) -> None:
    service = daily_scene.incident_service.on_call

    reported = await service.take_shift(request(BEN), rotation="primary", ends_at=None)

    assert isinstance(reported, str)
    assert await on_call(daily_scene, datetime.now(UTC)) == model.BEN.id
    async with daily_scene.database.read() as conn:
        cur = await conn.execute("SELECT ends_at, confirmed_at IS NOT NULL FROM chatops.oncall_overrides")
        # Ben's own shift follows Ann's: without the override it would begin then.
        assert await cur.fetchall() == [(handover(1), True)]
    assert f"oncall:override:1:relieved:{model.ANN.id}" in await books.messages()


async def test_take_shift_is_refused_when_on_call_already_except_for_a_longer_shift(
    daily_scene: Scene, books: Books
) -> None:
    service = daily_scene.incident_service.on_call

    refused = await service.take_shift(request(ANN), rotation="primary", ends_at=None)
    assert isinstance(refused, Refused)
    assert "call for primary" in refused.why
    assert await books.messages() == {}

    longer = await service.take_shift(request(ANN), rotation="primary", ends_at=handover(1) + HOUR)
    assert isinstance(longer, str)
    assert await on_call(daily_scene, handover(1)) == model.ANN.id


async def test_no_one_takes_a_shift_without_a_phone_before_saying_so(scene: Scene) -> None:
    scene.reschedule(replace(daily(), levels=(replace(daily().levels[0], accepts_slack_only=False),)))
    service = scene.incident_service.on_call

    assert await service.take_shift(request(OLIVIA), rotation="primary", ends_at=None) == SlackOnly((1,))
    taken = await service.take_shift(request(OLIVIA), rotation="primary", ends_at=None, slack_only=True)
    assert isinstance(taken, str)
    assert isinstance(await service.take_shift(request(OTTO), rotation="primary", ends_at=None), Refused)


async def offer(scene: Scene) -> None:
    reported = await scene.incident_service.on_call.offer_swap(
        request(ANN), rotation="primary", other_user=model.BEN.id, mine=handover(2), theirs=handover(3)
    )
    assert "was asked" in str(reported)


async def test_a_swap_changes_nothing_before_the_other_one_accepts_it(daily_scene: Scene, books: Books) -> None:
    service, days = daily_scene.incident_service.on_call, (handover(2), handover(3))
    await offer(daily_scene)

    assert [await on_call(daily_scene, at) for at in days] == [model.ANN.id, model.BEN.id]
    assert "oncall swap accept 1" in await books.blocks("oncall:swap:1:direct")
    for person in (ANN, OLIVIA):
        assert isinstance(await service.settle_swap(request(person), 1, SwapState.ACCEPTED), Refused)
    accepted = await service.settle_swap(request(BEN), 1, SwapState.ACCEPTED)

    assert accepted == "Swap 1 is accepted."
    assert [await on_call(daily_scene, at) for at in days] == [model.BEN.id, model.ANN.id]
    assert "oncall swap accept" not in await books.blocks("oncall:swap:1")
    assert f"✅ <@{model.BEN.id}> accepted" in (await books.messages())["oncall:swap:1:outcome"]
    refused = ["oncall.swap_accepted.refused"] * 2
    assert await books.audit() == ["oncall.swap_offered", *refused, "oncall.swap_accepted"]


async def test_a_swap_is_settled_once_however_often_it_is_clicked(daily_scene: Scene) -> None:
    service = daily_scene.incident_service.on_call
    await offer(daily_scene)

    states = (SwapState.ACCEPTED, SwapState.DECLINED, SwapState.ACCEPTED)
    found = await asyncio.gather(*(service.settle_swap(request(BEN), 1, state) for state in states))

    assert sorted(isinstance(one, Refused) for one in found) == [False, True, True]


async def test_a_swap_of_shifts_that_changed_since_is_refused(daily_scene: Scene) -> None:
    service = daily_scene.incident_service.on_call
    await offer(daily_scene)
    await service.override(request(ANN), Desired("primary", model.OLIVIA.id, handover(3), handover(3) - HOUR))

    refused = await service.settle_swap(request(BEN), 1, SwapState.ACCEPTED)

    assert isinstance(refused, Refused)
    assert "swap have changed" in refused.why
    assert await service.settle_swap(request(ANN), 1, SwapState.WITHDRAWN) == "Swap 1 is withdrawn."


async def remind(scene: Scene, books: Books) -> list[str]:
    """Send every reminder as if it were due; return the new keys, ordered by person and hours."""
    before = set(await books.messages())
    await books.conn.execute("UPDATE chatops.oncall_reminders SET due_at = clock_timestamp() - interval '1 second'")
    await ShiftReminders(scene.database, scene.schedule, scene.wake_ups).tick(scene.fence)
    return sorted(key for key in set(await books.messages()) - before if ":reminder:" in key)


async def test_oncall_change_reminds_affected_people_a_day_and_an_hour_before(daily_scene: Scene, books: Books) -> None:
    service = daily_scene.incident_service.on_call
    await service.override(request(ANN), Desired("primary", model.OLIVIA.id, handover(4), handover(3)))

    async with daily_scene.database.read() as conn:
        cur = await conn.execute("SELECT user_id, gains, begins_at - due_at FROM chatops.oncall_reminders ORDER BY id")
        assert await cur.fetchall() == [(model.BEN.id, False, DAY), (model.OLIVIA.id, True, DAY)]
    first = await remind(daily_scene, books)
    assert [key.split(":")[3] for key in first] == sorted([model.BEN.id, model.OLIVIA.id])
    async with daily_scene.database.read() as conn:
        cur = await conn.execute("SELECT DISTINCT begins_at - due_at FROM chatops.oncall_reminders")
        assert await cur.fetchall() == [(HOUR,)]
    assert any("instead of you" in text for text in (await books.messages()).values())


async def test_no_one_is_reminded_of_what_was_taken_back(daily_scene: Scene, books: Books) -> None:
    service = daily_scene.incident_service.on_call
    await service.override(request(ANN), Desired("primary", model.OLIVIA.id, handover(4), handover(3)))
    await service.cancel_override(request(ANN), 1)

    keys = await remind(daily_scene, books)

    # Only the current state: Ben is on call after all, and Olivia is not.
    posted = {key.split(":")[3]: (await books.messages())[key] for key in keys}
    assert "you are on" in posted.pop(model.BEN.id)
    assert f"<@{model.BEN.id}> is on call" in posted.pop(model.OLIVIA.id)
    assert posted == {}
