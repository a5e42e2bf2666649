from typing import Any

import httpx
import pytest

from services.sandbox.slack.model import ANN, BOT, INCIDENTS_ID, OLIVIA, Message
from services.sandbox.slack.workspace import Workspace


async def post(base_url: str, token: str, **body: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=base_url, trust_env=False) as http:
        return await http.post(f"/slack/response/{token}", json=body)


def texts(workspace: Workspace, user: str) -> list[str]:
    return [message.text for message in workspace.messages_for(user, INCIDENTS_ID)]


@pytest.fixture
def token(workspace: Workspace) -> str:
    return workspace.tickets.new_response(OLIVIA.id, INCIDENTS_ID)


async def test_an_answer_is_for_the_requester_unless_it_reports_otherwise(
    workspace: Workspace, base_url: str, token: str
) -> None:
    await post(base_url, token, text="mine")
    await post(base_url, token, text="ours", response_type="in_channel")

    assert texts(workspace, OLIVIA.id) == ["mine", "ours"]
    assert texts(workspace, ANN.id) == ["ours"]


async def test_five_answers_and_no_more(base_url: str, token: str) -> None:
    answers = [await post(base_url, token, text=str(number)) for number in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    assert answers[-1].json()["error"] == "used_url"


async def test_a_later_answer_may_replace_or_delete_the_first(workspace: Workspace, base_url: str, token: str) -> None:
    await post(base_url, token, text="working")
    await post(base_url, token, text="done", replace_original=True)
    assert texts(workspace, OLIVIA.id) == ["done"]

    await post(base_url, token, delete_original=True)
    assert texts(workspace, OLIVIA.id) == []


async def test_a_clicked_message_is_replaced_for_everyone(workspace: Workspace, base_url: str) -> None:
    message = Message(INCIDENTS_ID, workspace.new_ts(), BOT.id, "Approve?")
    workspace.post(message)
    token = workspace.tickets.new_response(ANN.id, INCIDENTS_ID, message_ts=message.ts)

    await post(base_url, token, text="Approved", replace_original=True)

    assert texts(workspace, OLIVIA.id) == ["Approved"]


async def test_an_answer_may_go_into_a_thread(workspace: Workspace, base_url: str, token: str) -> None:
    message = Message(INCIDENTS_ID, workspace.new_ts(), BOT.id, "Incident")
    workspace.post(message)

    await post(base_url, token, text="in here", thread_ts=message.ts, response_type="in_channel")

    assert [m.text for m in workspace.thread_for(ANN.id, INCIDENTS_ID, message.ts)] == ["Incident", "in here"]


async def test_response_url_refuses_invalid_blocks(workspace: Workspace, base_url: str, token: str) -> None:
    answer = await post(base_url, token, text="x", blocks=[{"type": "banner"}])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_blocks")
    assert workspace.refusals[-1].user == OLIVIA.id
