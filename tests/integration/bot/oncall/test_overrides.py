"""Overrides: the messages to the channel and to both people, and the people paged after one that begins now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.approvals.access import Refused
from bot.oncall.overrides import Desired, SlackOnly
from services.domain.channels import Channel
from services.domain.oncall import Level, Schedule
from services.domain.rotations import Rotation
from services.sandbox.slack import model
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.incidents.conftest import ANN, BEN, OLIVIA, OTTO, Books, Scene, request, schedule
from tests.integration.bot.incidents.test_service import open_one


def for_2_hours(user_id: str) -> Desired:
    return Desired("primary", user_id, datetime.now(UTC) + timedelta(hours=2))


def with_primary(people: tuple[str, ...] = ("ann",)) -> Schedule:
    """The on-call file in which Ann is on call for level 1's rotation; Olivia has no phone."""
    rotation = Rotation("primary", people, 7, date(2025, 1, 6), time(9), ZoneInfo("UTC"))
    level = Level(("primary",), frozenset(Channel), timedelta(hours=1))
    return replace(schedule(), rotations={"primary": rotation}, levels=(level,))


async def test_a_substitute_is_paged_for_incidents_opened_after_the_override(scene: Scene, books: Books) -> None:
    scene.reschedule(with_primary())
    await open_one(scene)

    reported = await scene.incident_service.on_call.override(request(ANN), for_2_hours(model.BEN.id))
    await open_one(scene, another=True)
    await scene.incident_service.on_call.end_override(request(ANN), rotation="primary")
    await open_one(scene, another=True)

    assert isinstance(reported, str)
    assert reported.startswith(f"<@{model.BEN.id}> is on call")
    called = [f"<@{model.BEN.id}>" in text for key, text in (await books.messages()).items() if key.endswith(":page:1")]
    assert called == [False, True, False]
    assert (await books.audit()).count("oncall.override") == 2


async def test_an_override_is_posted_and_sent_to_both_and_the_one_put_on_call_takes_it(
    scene: Scene, books: Books
) -> None:
    scene.reschedule(with_primary())

    await scene.incident_service.on_call.override(request(OLIVIA), for_2_hours(model.BEN.id))

    messages = await books.messages()
    key = "oncall:override:1"
    assert set(messages) == {key, f"{key}:direct", f"{key}:relieved:{model.ANN.id}"}
    assert f"<@{model.BEN.id}> is on call" in messages[key]
    assert f"instead of <@{model.ANN.id}>" in messages[key]
    assert "not confirmed it" in await books.blocks(key)
    assert messages[f"{key}:direct"].startswith("📟 You ")
    assert "*primary*" in messages[f"{key}:direct"]
    assert "oncall take 1" in await books.blocks(f"{key}:direct")
    assert "instead of you" in messages[f"{key}:relieved:{model.ANN.id}"]

    refused = await scene.incident_service.on_call.take_override(request(ANN), 1)
    taken = await scene.incident_service.on_call.take_override(request(BEN), 1)

    assert isinstance(refused, Refused)
    assert isinstance(taken, str)
    assert f"✅ <@{model.BEN.id}> confirms it" in await books.blocks(key)
    assert "oncall take" not in await books.blocks(key)
    assert (await books.audit()) == ["oncall.override", "oncall.taken.refused", "oncall.taken"]


async def test_an_override_that_makes_two_levels_one_person_says_so(scene: Scene) -> None:
    wait = timedelta(minutes=5)
    levels = tuple(Level((name,), frozenset(Channel), wait) for name in ("primary", "ben"))
    scene.reschedule(replace(with_primary(), levels=levels))

    reported = await scene.incident_service.on_call.override(request(OLIVIA), for_2_hours(model.BEN.id))

    assert "⚠️ levels 1 and 2 both page ben" in str(reported)
    assert "10 min" in str(reported)
    assert "Both" not in str(reported)  # it may move one person only


async def test_override_for_oneself_is_confirmed_at_once(scene: Scene, books: Books) -> None:
    scene.reschedule(with_primary())

    await scene.incident_service.on_call.override(request(BEN), for_2_hours(model.BEN.id))

    assert f"✅ <@{model.BEN.id}> confirms it" in await books.blocks("oncall:override:1")


async def test_the_end_of_an_override_is_posted_and_sent_to_both(scene: Scene, books: Books) -> None:
    scene.reschedule(with_primary())
    await scene.incident_service.on_call.override(request(ANN), for_2_hours(model.BEN.id))

    await scene.incident_service.on_call.end_override(request(ANN), rotation="primary")

    messages = await books.messages()
    key = "oncall:ended:1"
    assert f"again: <@{model.ANN.id}> is on call" in messages[key]
    assert {f"{key}:{model.ANN.id}", f"{key}:{model.BEN.id}"} < set(messages)


async def test_an_override_that_loses_the_last_phone_is_asked_for_first(scene: Scene, books: Books) -> None:
    scene.reschedule(with_primary())

    asked = await scene.incident_service.on_call.override(request(ANN), for_2_hours(model.OLIVIA.id))

    assert asked == SlackOnly((1,))
    assert await books.messages() == {}
    assert await books.audit() == []
    reported = await scene.incident_service.on_call.override(
        request(ANN), for_2_hours(model.OLIVIA.id), slack_only=True
    )
    assert isinstance(reported, str)


async def test_a_level_that_means_slack_only_or_has_a_phone_of_its_own_is_not_asked_about(scene: Scene) -> None:
    base = with_primary()
    for change in ({"accepts_slack_only": True}, {"webhook": "team"}):
        scene.reschedule(replace(base, levels=(replace(base.levels[0], **change),)))

        reported = await scene.incident_service.on_call.override(request(ANN), for_2_hours(model.OLIVIA.id))

        assert isinstance(reported, str)


async def test_no_one_is_put_on_call_behind_a_deactivated_account(scene: Scene, workspace: Workspace) -> None:
    scene.reschedule(with_primary())
    workspace.users[model.BEN.id] = replace(model.BEN, deleted=True)

    refused = await scene.incident_service.on_call.override(request(ANN), for_2_hours(model.BEN.id))

    assert isinstance(refused, Refused)
    assert "active member" in refused.why


async def test_an_outsider_changes_nothing_about_who_is_on_call(scene: Scene, books: Books) -> None:
    for _ in range(5):
        outcome = await scene.incident_service.on_call.override(request(OTTO), for_2_hours(model.OTTO.id))

    assert isinstance(outcome, Refused)
    assert await books.audit() == ["oncall.override.refused"], "one row per minute"
