"""A Slack user group follows a rotation: one call per change; a refusal is announced once and delays no page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.oncall.overrides import Desired
from bot.oncall.user_groups import AGAIN_AFTER, OnCallGroups
from services.clients.slack import SlackClient
from services.domain.errors import SourceError
from services.domain.oncall import Schedule
from services.domain.rotations import CalendarRotation
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.incidents.conftest import ANN, Books, Scene, request
from tests.integration.bot.oncall.test_service import daily

HOUR = timedelta(hours=1)
GROUP = model.ON_CALL.id


def followed() -> Schedule:
    """The on-call file in which Ann is on call and the group follows her rotation."""
    return replace(daily(), user_groups={GROUP: "primary"})


async def tick(scene: Scene, slack: SlackClient, with_rights: frozenset[str] | None = frozenset()) -> None:
    """Run the task of a leader that has just started."""
    task = OnCallGroups(
        scene.database, slack, scene.schedule, lambda: with_rights, scene.wake_ups, channel=model.INCIDENTS_ID
    )
    await task.tick(scene.fence)


def members(workspace: Workspace) -> tuple[str, ...]:
    return workspace.groups[GROUP].users


def calls(workspace: Workspace) -> int:
    return len(workspace.calls_of("usergroups.users.update"))


async def problems(books: Books) -> list[str]:
    return [text for key, text in (await books.messages()).items() if key.startswith("oncall:group:")]


async def test_the_group_follows_the_file_and_overrides_with_one_call_per_change(
    scene: Scene, slack: SlackClient, workspace: Workspace, books: Books
) -> None:
    scene.reschedule(followed())
    for _ in range(3):
        await tick(scene, slack)
    assert (members(workspace), calls(workspace)) == ((model.ANN.id,), 1)

    until = datetime.now(UTC) + HOUR
    await scene.incident_service.on_call.override(request(ANN), Desired("primary", model.OLIVIA.id, until))
    for _ in range(2):
        await tick(scene, slack)

    assert (members(workspace), calls(workspace)) == ((model.OLIVIA.id,), 2)
    assert await problems(books) == []


async def test_without_the_scope_the_channel_reads_it_once_and_it_is_tried_again_later(
    scene: Scene, slack: SlackClient, workspace: Workspace, books: Books
) -> None:
    scene.reschedule(followed())
    every, workspace.setup.scopes = workspace.setup.scopes, workspace.setup.scopes - {"usergroups:write"}
    for _ in range(3):
        await tick(scene, slack)
    [reported] = await problems(books)
    assert "does not follow the rotation *primary*: the app lacks the scope usergroups:write" in reported
    assert calls(workspace) == 1

    await backdate(books, AGAIN_AFTER - timedelta(minutes=1))
    await tick(scene, slack)
    assert calls(workspace) == 1
    workspace.setup.scopes = every
    await backdate(books, AGAIN_AFTER)
    await tick(scene, slack)

    assert members(workspace) == (model.ANN.id,)
    assert len(await problems(books)) == 1


async def test_a_group_that_slack_can_not_set_now_keeps_no_other_from_following(
    scene: Scene, slack: SlackClient, workspace: Workspace
) -> None:
    other = replace(model.ON_CALL, id="S0OTHER", handle="other")
    workspace.groups = {**workspace.groups, other.id: other}
    scene.reschedule(replace(followed(), user_groups={GROUP: "primary", other.id: "primary"}))
    workspace.faults.plant("usergroups.users.update", FaultKind.REFUSED, code="internal_error")

    with pytest.raises(SourceError):
        await tick(scene, slack)

    assert (members(workspace), workspace.groups[other.id].users) == (model.ON_CALL.users, (model.ANN.id,))
    assert OnCallGroups.retry_s == OnCallGroups.interval_s


async def test_a_group_that_gives_rights_follows_no_rotation(
    scene: Scene, slack: SlackClient, workspace: Workspace, books: Books
) -> None:
    """Otherwise people who may change the schedule could make themselves approvers."""
    scene.reschedule(followed())
    await tick(scene, slack, frozenset({GROUP}))

    assert (members(workspace), calls(workspace)) == (model.ON_CALL.users, 0)
    assert "it grants rights" in (await problems(books))[0]


async def test_while_it_is_not_known_which_groups_give_rights_none_is_set(
    scene: Scene, slack: SlackClient, workspace: Workspace, books: Books
) -> None:
    """The policy or the lists can't be used: the group may give rights."""
    scene.reschedule(followed())
    await tick(scene, slack, None)
    assert (members(workspace), calls(workspace), await problems(books)) == (model.ON_CALL.users, 0, [])

    await tick(scene, slack)

    assert members(workspace) == (model.ANN.id,)


async def test_followed_group_that_gets_rights_is_reported_once_and_follows_again_without_them(
    scene: Scene, slack: SlackClient, workspace: Workspace, books: Books
) -> None:
    """The person on call has the rights now, so people have to check it."""
    scene.reschedule(followed())
    await tick(scene, slack)
    no_one = CalendarRotation("primary", "team", ZoneInfo("UTC"))
    scene.reschedule(replace(followed(), rotations={"primary": no_one}))  # the last person is still in the group

    for _ in range(2):
        await tick(scene, slack, frozenset({GROUP}))

    [reported] = await problems(books)
    assert "it grants rights" in reported
    cur = await books.conn.execute("SELECT problem FROM chatops.oncall_groups")  # check-config shows it
    [(stored,)] = await cur.fetchall()
    assert stored in reported
    assert calls(workspace) == 1
    scene.reschedule(followed())
    await tick(scene, slack, frozenset({GROUP}))
    assert calls(workspace) == 1

    await tick(scene, slack)

    assert calls(workspace) == 2
    assert len(await problems(books)) == 1


async def test_while_no_one_is_on_call_the_group_stays_as_it_is(
    scene: Scene, slack: SlackClient, workspace: Workspace
) -> None:
    no_one = CalendarRotation("primary", "team", ZoneInfo("UTC"))
    scene.reschedule(replace(followed(), rotations={"primary": no_one}))

    await tick(scene, slack)

    assert (members(workspace), calls(workspace)) == (model.ON_CALL.users, 0)


async def backdate(books: Books, ago: timedelta) -> None:
    """Store that Slack was called so long ago."""
    await books.conn.execute("UPDATE chatops.oncall_groups SET tried_at = clock_timestamp() - %s", [ago])
    await books.conn.commit()
