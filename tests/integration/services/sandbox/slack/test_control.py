import httpx
import pytest

from services.sandbox.slack.model import ANN, INCIDENTS_ID, OLIVIA
from services.sandbox.slack.workspace import Workspace


@pytest.fixture
def control(base_url: str) -> str:
    return f"{base_url}/control/slack"


async def test_a_person_types_and_what_they_see_can_be_read(control: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.post(f"{control}/type", json={"user": OLIVIA.id, "channel": INCIDENTS_ID, "text": "hello"})
        seen = await http.get(f"{control}/messages", params={"user": ANN.id, "channel": INCIDENTS_ID})

    assert [message["text"] for message in seen.json()["messages"]] == ["hello"]


async def test_a_click_on_nothing_is_not_found(control: str) -> None:
    click = {"user": OLIVIA.id, "channel": INCIDENTS_ID, "ts": "1.1", "action_id": "approve"}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{control}/click", json=click)

    assert answer.status_code == 404


async def test_an_unknown_person_is_not_found(control: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{control}/type", json={"user": "U404", "channel": INCIDENTS_ID, "text": "hello"})

    assert answer.status_code == 404


async def test_slack_is_switched_off_and_on(workspace: Workspace, control: str, base_url: str) -> None:
    headers = {"Authorization": "Bearer xoxb-local"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        await http.post(f"{control}/power", json={"is_down": True})
        down = await http.post(f"{base_url}/slack/api/auth.test")
        await http.post(f"{control}/power", json={"is_down": False})
        up = await http.post(f"{base_url}/slack/api/auth.test")

    assert (down.status_code, up.json()["ok"]) == (503, True)
    assert not workspace.faults.is_down


async def test_a_fault_is_planted_and_cleared(workspace: Workspace, control: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.post(f"{control}/faults", json={"method": "chat.update", "kind": "server_error", "times": 2})
        await http.delete(f"{control}/faults")

    assert workspace.faults.take("chat.update") is None


async def test_a_planted_refusal_answers_with_its_code(control: str, base_url: str) -> None:
    headers = {"Authorization": "Bearer xoxb-local"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        refused = {"method": "auth.test", "kind": "refused", "code": "invalid_blocks"}
        await http.post(f"{control}/faults", json=refused)
        answer = await http.post(f"{base_url}/slack/api/auth.test")

    assert answer.json() == {"ok": False, "error": "invalid_blocks"}


async def test_app_is_set_up_wrongly_and_well_again(workspace: Workspace, control: str, base_url: str) -> None:
    wrong = {"without_scopes": ["usergroups:read"], "has_interactivity": False, "is_member": False}
    channel = workspace.channels[INCIDENTS_ID]
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": "Bearer xoxb-local"}) as http:
        await http.post(f"{control}/setup", json=wrong)
        refused = (await http.post(f"{base_url}/slack/api/usergroups.list")).json()
        assert (refused["error"], workspace.setup.has_interactivity) == ("missing_scope", False)
        assert workspace.bot.id not in channel.members
        await http.post(f"{control}/setup", json={"is_archived": True})

        assert (await http.post(f"{base_url}/slack/api/usergroups.list")).json()["ok"]
    assert workspace.setup.has_interactivity
    assert (channel.members.count(workspace.bot.id), channel.is_archived) == (1, True)
