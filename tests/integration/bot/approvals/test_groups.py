"""Members of user groups, as the local Slack reports them: fresh, kept while it is silent, dropped with the group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.people import MAX_AGE, Members
from bot.slack_directory import Groups
from services.clients.slack import SlackClient
from services.domain.errors import Unavailable
from services.domain.people import Person, Profile
from services.domain.slack_refusals import SlackRefusedError
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.workspace import Workspace

GROUP = model.APPROVERS.id
METHOD = "usergroups.users.list"

ANN = Person(model.ANN.id, model.TEAM.id)

MakeGroups = Callable[..., Groups]


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def make_groups(slack: SlackClient, clock: Clock) -> AsyncIterator[MakeGroups]:
    made: list[Groups] = []

    def make(*, fresh_s: float = 5.0, timeout_s: float = 30.0, keep_every_s: float = 600.0) -> Groups:
        groups = Groups(
            slack,
            (GROUP,),
            workspace=lambda: model.TEAM.id,
            clock=clock,
            fresh_s=fresh_s,
            timeout_s=timeout_s,
            keep_every_s=keep_every_s,
        )
        made.append(groups)
        return groups

    yield make
    for groups in made:
        await groups.aclose()


def asked(workspace: Workspace, method: str = METHOD) -> int:
    return sum(call.method == method for call in workspace.calls)


async def test_client_lists_members_and_knows_accounts(slack: SlackClient, workspace: Workspace) -> None:
    workspace.users[model.ANN.id] = replace(model.ANN, tz="Europe/Berlin")
    workspace.users[model.BEN.id] = replace(model.BEN, is_ultra_restricted=True, deleted=True)
    workspace.users[model.OTTO.id] = replace(model.OTTO, is_restricted=True, is_stranger=True, team_id="T0OTHER")

    assert await slack.list_group_members(GROUP) == [model.ANN.id, model.BEN.id]
    assert await slack.read_profile(model.ANN.id) == Profile(model.TEAM.id, time_zone="Europe/Berlin")
    assert await slack.read_profile(model.BOT.id) == Profile(model.TEAM.id, is_bot=True, time_zone="Etc/UTC")
    assert await slack.read_profile(model.BEN.id) == Profile(
        model.TEAM.id, is_deactivated=True, is_guest=True, time_zone="Etc/UTC"
    )
    assert await slack.read_profile(model.OTTO.id) == Profile(
        "T0OTHER", is_guest=True, is_stranger=True, time_zone="Etc/UTC"
    )
    with pytest.raises(SlackRefusedError, match="no_such_subteam"):
        await slack.list_group_members("S0NONE")


async def test_a_person_types_times_by_their_own_clock(make_groups: MakeGroups, workspace: Workspace) -> None:
    workspace.users[model.ANN.id] = replace(model.ANN, tz="Europe/Berlin")
    workspace.users[model.BEN.id] = replace(model.BEN, tz="Mars/Olympus")
    groups = make_groups()
    await groups.people(model.ANN.id)
    people = await groups.people(model.BEN.id)

    assert people.zone(model.ANN.id) == ZoneInfo("Europe/Berlin")
    assert people.zone(model.BEN.id) is None
    assert people.zone(model.OLIVIA.id) is None  # not looked up yet


async def test_members_are_those_that_slack_reports(make_groups: MakeGroups) -> None:
    people = await make_groups().people()

    assert people.workspace == model.TEAM.id
    assert people.groups[GROUP] == Members(frozenset({model.ANN.id, model.BEN.id}), timedelta(0))


async def test_storm_of_clicks_asks_once(make_groups: MakeGroups, workspace: Workspace) -> None:
    groups = make_groups()

    everybody = await asyncio.gather(*(groups.people(model.ANN.id) for _ in range(50)))

    assert all(isinstance(people.groups[GROUP], Members) for people in everybody)
    assert (asked(workspace), asked(workspace, "users.info")) == (1, 1)


async def test_removed_member_is_gone_at_the_next_question(
    make_groups: MakeGroups, workspace: Workspace, clock: Clock
) -> None:
    groups = make_groups()
    await groups.people()
    workspace.groups[GROUP] = replace(model.APPROVERS, users=(model.BEN.id,))

    clock.now += 5

    assert (await groups.people()).groups[GROUP] == Members(frozenset({model.BEN.id}), timedelta(0))


async def test_members_are_kept_with_their_age_while_slack_is_silent(
    make_groups: MakeGroups, workspace: Workspace, clock: Clock
) -> None:
    groups = make_groups()
    await groups.people()
    workspace.faults.plant(METHOD, FaultKind.SERVER_ERROR, times=2)

    clock.now += MAX_AGE.total_seconds()
    young = await groups.people()
    clock.now += 1
    old = await groups.people()

    assert isinstance(young.members(GROUP), Members)
    assert old.members(GROUP) == Unavailable("Slack", "they were last read 60 min ago, and an hour is the limit")


async def test_group_that_never_was_read_is_unavailable(make_groups: MakeGroups, workspace: Workspace) -> None:
    workspace.faults.plant(METHOD, FaultKind.SERVER_ERROR)

    people = await make_groups().people()

    assert isinstance(people.members(GROUP), Unavailable)


async def test_group_that_is_gone_has_no_members_any_more(
    make_groups: MakeGroups, workspace: Workspace, clock: Clock
) -> None:
    groups = make_groups()
    await groups.people()
    del workspace.groups[GROUP]
    clock.now += 5

    known = (await groups.people()).members(GROUP)

    assert isinstance(known, Unavailable)
    assert "no_such_subteam" in known.why


async def test_slow_slack_delays_no_one_for_long(make_groups: MakeGroups, workspace: Workspace) -> None:
    groups = make_groups(timeout_s=0.1)
    workspace.faults.plant(METHOD, FaultKind.SLOW, seconds=600)

    async with asyncio.timeout(30):
        people = await groups.people()

    assert isinstance(people.members(GROUP), Unavailable)


async def test_members_are_kept_young_without_anyone_asking(make_groups: MakeGroups, workspace: Workspace) -> None:
    groups = make_groups(fresh_s=0, keep_every_s=0.01)

    keeping = asyncio.create_task(groups.keep())
    async with asyncio.timeout(60):
        while asked(workspace) < 3:
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_user_who_was_never_looked_up_holds_no_right(make_groups: MakeGroups, workspace: Workspace) -> None:
    workspace.faults.plant("users.info", FaultKind.SERVER_ERROR)

    people = await make_groups().people(model.ANN.id)

    assert "did not return your account" in str(people.stranger(ANN))


async def test_user_is_known_for_an_hour_while_slack_is_silent(
    make_groups: MakeGroups, workspace: Workspace, clock: Clock
) -> None:
    groups = make_groups()
    assert (await groups.people(model.ANN.id)).stranger(ANN) is None
    workspace.faults.plant("users.info", FaultKind.SERVER_ERROR, times=2)

    clock.now += MAX_AGE.total_seconds()
    young = await groups.people(model.ANN.id)
    clock.now += 1
    old = await groups.people(model.ANN.id)

    assert young.stranger(ANN) is None
    assert "last read 60 min ago" in str(old.stranger(ANN))


async def test_a_deactivated_account_loses_its_rights_at_the_next_lookup(
    make_groups: MakeGroups, workspace: Workspace, clock: Clock
) -> None:
    groups = make_groups()
    await groups.people(model.ANN.id)
    workspace.users[model.ANN.id] = replace(model.ANN, deleted=True)
    clock.now += 5

    assert "deactivated" in str((await groups.people(model.ANN.id)).stranger(ANN))


async def test_accounts_of_members_and_of_named_users_are_kept_in_mind(
    slack: SlackClient, clock: Clock, workspace: Workspace
) -> None:
    groups = Groups(
        slack, (GROUP,), workspace=lambda: model.TEAM.id, users=(model.OLIVIA.id,), clock=clock, timeout_s=30
    )

    await groups.refresh()

    assert set(groups.known().accounts) == {model.ANN.id, model.BEN.id, model.OLIVIA.id}
    assert asked(workspace, "users.info") == 3
    await groups.aclose()


async def test_groups_report_people_gone_from_slack_without_a_request(
    slack: SlackClient, clock: Clock, workspace: Workspace
) -> None:
    workspace.groups["S0EMPTY"] = replace(model.APPROVERS, id="S0EMPTY", users=())
    workspace.groups["S0LEFT"] = replace(model.APPROVERS, id="S0LEFT", users=(model.OTTO.id,))
    workspace.users[model.OTTO.id] = replace(model.OTTO, deleted=True)
    asked_for = ("S0EMPTY", "S0LEFT", GROUP)
    watched = {"U0NOBODY", "S0NOTHING"}
    groups = Groups(slack, asked_for, workspace=lambda: model.TEAM.id, clock=clock, timeout_s=30)
    groups.watch(watched)
    everybody = (*asked_for, model.OTTO.id, model.ANN.id, "U0NOBODY")
    assert [groups.absent(one) for one in everybody] == [None] * 6

    await groups.refresh()

    assert [groups.absent(one) for one in everybody] == [
        "has no members in Slack",
        "has no active members in Slack",
        None,
        "is deactivated in Slack",
        None,
        None,
    ]
    assert groups.unreachable("U0NOBODY") == "is not known to Slack"
    assert groups.unreachable("S0NOTHING") == "is not known to Slack"
    assert groups.absent("S0NOTHING") is None  # a mistyped id may have a pager that works
    assert [groups.unreachable(one) for one in everybody[:5]] == [groups.absent(one) for one in everybody[:5]]
    clock.now += MAX_AGE.total_seconds() + 1
    assert groups.absent(model.OTTO.id) is None  # no longer known: a page in vain is better than no page
    await groups.aclose()
