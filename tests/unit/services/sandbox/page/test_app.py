"""The live events of the sandbox's page: which parts refresh, and for whom."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from services.sandbox.page.app import PARTS, live_events
from services.sandbox.phone.phones import Phones
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from services.sandbox.slack.messages import ChangeKind
from services.sandbox.slack.model import Message
from services.sandbox.slack.workspace import Workspace


@pytest.fixture
def railway(tmp_path: Path) -> LocalRailway:
    return LocalRailway([], directory=tmp_path, working_directory=tmp_path, token="t")  # not started


async def next_parts(events: AsyncIterator[str]) -> set[str]:
    lines = await anext(events)
    return {line.removeprefix("event: ") for line in lines.splitlines() if line.startswith("event: ")}


def test_every_kind_of_change_refreshes_something() -> None:
    assert set(PARTS) == set(ChangeKind)


async def test_live_events_send_all_parts_first_and_then_only_changed_ones(railway: LocalRailway) -> None:
    workspace, phones = Workspace(), Phones()
    async with aclosing(live_events(workspace, railway, phones, model.OLIVIA.id)) as events:
        assert await next_parts(events) >= {"timeline", "sidebar", "home", "modal"}

        workspace.messages.add(Message(model.INCIDENTS_ID, workspace.new_ts(), model.ANN.id, "hello"))
        assert await next_parts(events) == {"timeline", "sidebar"}

        railway.set_latency(2)
        assert await next_parts(events) == {"panel"}

        phones.deliver(model.ANN, "PAGE", "Incident 1")
        assert await next_parts(events) == {"phones"}


async def test_live_events_ignore_messages_that_only_another_person_sees(railway: LocalRailway) -> None:
    workspace = Workspace()
    async with aclosing(live_events(workspace, railway, Phones(), model.OLIVIA.id)) as events:
        await next_parts(events)

        for visible_to in (model.ANN.id, model.OLIVIA.id):
            message = Message(model.INCIDENTS_ID, workspace.new_ts(), model.BOT.id, "psst", visible_to=visible_to)
            workspace.messages.add(message)
            if visible_to == model.ANN.id:
                workspace.views.open(model.ANN.id, {"type": "modal", "blocks": []})

        assert await next_parts(events) == {"timeline", "sidebar"}
