"""Names of people and groups, as the local Slack returns them, and the fallback while it does not answer."""

from __future__ import annotations

import asyncio

import pytest

from bot.slack_directory import EVERY_S, RETRY_S, SlackNames, readable_name
from services.clients.slack import SlackClient
from services.domain.channels import Channel
from services.domain.incidents import IncidentSeverity
from services.domain.oncall import Level, Schedule
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.incidents.conftest import LONG, OLIVIA, Books, Scene, request
from tests.outside import until

GROUP, HANDLE = model.APPROVERS.id, f"@{model.APPROVERS.handle}"


async def test_groups_go_by_their_handle_and_people_by_their_name(slack: SlackClient) -> None:
    names = SlackNames(slack, [GROUP, model.ANN.id])

    assert await names.read() == EVERY_S

    assert (names.of(GROUP), names.of(model.ANN.id)) == (HANDLE, "Ann Keller")


async def test_until_slack_has_reported_there_is_a_word_and_no_id(slack: SlackClient) -> None:
    names = SlackNames(slack, [GROUP])

    assert (names.of(GROUP), names.of("U0NOBODY001")) == ("a user group", "somebody")


@pytest.mark.parametrize("method", ["usergroups.list", "users.info"])
async def test_slack_names_keep_the_known_name_and_retry_when_slack_fails(
    slack: SlackClient, workspace: Workspace, method: str
) -> None:
    names = SlackNames(slack, [GROUP, model.ANN.id])
    await names.read()
    workspace.faults.plant(method, FaultKind.SERVER_ERROR)

    assert await names.read() == RETRY_S

    assert (names.of(GROUP), names.of(model.ANN.id)) == (HANDLE, "Ann Keller")


async def test_a_user_unknown_to_slack_delays_no_other(slack: SlackClient) -> None:
    names = SlackNames(slack, ["U0AAAAAAAAA", model.BEN.id])

    assert await names.read() == EVERY_S, "it will not know them in a minute either"

    assert names.of(model.BEN.id) == "Ben Osei"


async def test_slack_names_learn_a_requested_name_in_the_background(slack: SlackClient) -> None:
    names = SlackNames(slack, [])
    running = asyncio.create_task(names.run())

    names.of(model.OTTO.id)

    await until(lambda: names.of(model.OTTO.id) == "Otto Lind")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_pages_show_names_instead_of_ids(scene: Scene, books: Books, names: SlackNames) -> None:
    names.of(GROUP)
    await names.read()
    scene.reschedule(Schedule({}, {}, (Level((GROUP,), frozenset(Channel), LONG),)))

    await scene.incident_service.open(request(OLIVIA), title="No ingest", severity=IncidentSeverity.SEV2, services=[])

    messages = await books.messages()
    rung = messages["incident:1:page:1"]
    assert f"*Level 1* ({HANDLE}) is paged" in rung
    assert GROUP not in rung.replace(f"<!subteam^{GROUP}>", "")
    assert GROUP not in await books.blocks("incident:1")
    assert GROUP not in " ".join(event.text for event in await books.events())


@pytest.mark.parametrize(
    ("slack_id", "otherwise", "shown"),
    [
        ("U0BEN000001", "U0BEN000001", "somebody"),
        ("S0APPROVERS", "S0APPROVERS", "a user group"),
        ("U0BEN000001", "ben", "ben"),
        ("terminal", "terminal", "terminal"),
    ],
)
def test_a_name_is_never_the_bare_id(slack_id: str, otherwise: str, shown: str) -> None:
    assert readable_name(slack_id, otherwise) == shown
