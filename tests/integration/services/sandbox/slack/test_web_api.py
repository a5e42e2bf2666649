import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import ClientError
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import ANN, APPROVERS, BOT, GENERAL_ID, INCIDENTS_ID, OLIVIA, TEAM
from services.sandbox.slack.workspace import Workspace

SECTION: dict[str, Any] = {"type": "section", "text": {"type": "mrkdwn", "text": "*healthy*"}}


async def test_auth_test_names_the_app_and_its_team(client: AsyncWebClient) -> None:
    answer = await client.auth_test()

    assert (answer["user_id"], answer["team_id"]) == (BOT.id, TEAM.id)


async def test_channels_are_found_by_name_in_the_list(client: AsyncWebClient) -> None:
    names = {channel["name"]: channel["id"] for channel in (await client.conversations_list())["channels"]}

    assert names == {"dragonfly-incidents": INCIDENTS_ID, "general": GENERAL_ID}


async def test_a_message_is_posted_changed_and_deleted(workspace: Workspace, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="#dragonfly-incidents", text="down", blocks=[SECTION])
    await client.chat_update(channel=posted["channel"], ts=posted["ts"], text="up")

    message = workspace.messages_for(ANN.id, INCIDENTS_ID)[0]
    assert (message.text, message.blocks) == ("up", [])

    await client.chat_delete(channel=posted["channel"], ts=posted["ts"])
    assert workspace.messages_for(ANN.id, INCIDENTS_ID) == []


async def test_an_update_keeps_the_metadata_unless_it_is_given(client: AsyncWebClient) -> None:
    metadata = {"event_type": "outbox", "event_payload": {"key": "42"}}
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="down", metadata=metadata)
    await client.chat_update(channel=INCIDENTS_ID, ts=posted["ts"], text="up")

    found = await client.conversations_history(channel=INCIDENTS_ID, include_all_metadata=True)
    without = await client.conversations_history(channel=INCIDENTS_ID)

    assert found["messages"][0]["metadata"] == metadata
    assert "metadata" not in without["messages"][0]


async def test_history_is_newest_first_in_pages_and_replies_are_oldest_first(client: AsyncWebClient) -> None:
    first = await client.chat_postMessage(channel=INCIDENTS_ID, text="1")
    await client.chat_postMessage(channel=INCIDENTS_ID, text="2")
    await client.chat_postMessage(channel=INCIDENTS_ID, text="1a", thread_ts=first["ts"])
    await client.chat_postMessage(channel=INCIDENTS_ID, text="1b", thread_ts=first["ts"])

    page = await client.conversations_history(channel=INCIDENTS_ID, limit=1)
    cursor = page["response_metadata"]["next_cursor"]
    rest = await client.conversations_history(channel=INCIDENTS_ID, limit=1, cursor=cursor)
    thread = await client.conversations_replies(channel=INCIDENTS_ID, ts=first["ts"])

    assert [m["text"] for m in [*page["messages"], *rest["messages"]]] == ["2", "1"]
    assert [m["text"] for m in thread["messages"]] == ["1", "1a", "1b"]
    assert thread["messages"][0]["reply_count"] == 2


async def test_an_ephemeral_message_is_beyond_the_reach_of_update_and_history(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    posted = await client.chat_postEphemeral(channel=INCIDENTS_ID, user=OLIVIA.id, text="for you")

    with pytest.raises(SlackApiError, match="message_not_found"):
        await client.chat_update(channel=INCIDENTS_ID, ts=posted["message_ts"], text="x")
    assert (await client.conversations_history(channel=INCIDENTS_ID))["messages"] == []
    assert workspace.messages_for(ANN.id, INCIDENTS_ID) == []


@pytest.mark.parametrize(
    ("method", "args", "error"),
    [
        ("chat.postMessage", {"channel": "C404", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": GENERAL_ID, "text": "x"}, "not_in_channel"),
        ("chat.postMessage", {"channel": INCIDENTS_ID}, "no_text"),
        ("chat.update", {"channel": INCIDENTS_ID, "ts": "1.1", "text": "x"}, "message_not_found"),
        ("chat.update", {"channel": "dragonfly-incidents", "ts": "1.1", "text": "x"}, "channel_not_found"),
        ("conversations.replies", {"channel": INCIDENTS_ID, "ts": "1.1"}, "thread_not_found"),
        ("users.info", {"user": "U404"}, "user_not_found"),
        ("usergroups.users.list", {"usergroup": "S404"}, "no_such_subteam"),
        ("views.open", {"trigger_id": "1", "view": {"type": "modal"}}, "invalid_arguments"),
        ("views.update", {"view_id": "V404", "view": {}}, "not_found"),
        ("chat.fly", {}, "unknown_method"),
        ("apps.connections.open", {}, "not_allowed_token_type"),
    ],
)
async def test_errors_have_slacks_codes(client: AsyncWebClient, method: str, args: dict[str, Any], error: str) -> None:
    with pytest.raises(SlackApiError) as raised:
        await client.api_call(method, json=args)

    assert raised.value.response["error"] == error


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("nonsense", "invalid_auth")])
async def test_a_call_needs_a_token(base_url: str, token: str, error: str) -> None:
    async with httpx.AsyncClient(base_url=base_url, trust_env=False) as http:
        answer = await http.post("/slack/api/auth.test", headers={"Authorization": f"Bearer {token}"} if token else {})

    assert answer.json() == {"ok": False, "error": error}


async def test_a_form_body_is_read_like_json(base_url: str, workspace: Workspace) -> None:
    form = {"token": "xoxb-local", "channel": INCIDENTS_ID, "text": "t", "blocks": json.dumps([SECTION])}
    async with httpx.AsyncClient(base_url=base_url, trust_env=False) as http:
        answer = await http.post("/slack/api/chat.postMessage", data=form)

    assert answer.json()["ok"]
    assert workspace.messages_for(ANN.id, INCIDENTS_ID)[0].blocks[0]["text"] == SECTION["text"]
    assert "token" not in workspace.calls[-1].payload


async def test_invalid_blocks_are_refused_and_kept_for_the_page(workspace: Workspace, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as raised:
        await client.chat_postMessage(channel=INCIDENTS_ID, text="t", blocks=[{**SECTION, "colour": "red"}])

    assert raised.value.response["error"] == "invalid_blocks"
    assert "invalid additional property: colour" in raised.value.response["response_metadata"]["messages"][0]
    assert (workspace.refusals[-1].channel, workspace.refusals[-1].error) == (INCIDENTS_ID, "invalid_blocks")


UNKNOWN = [SECTION, {"type": "carousel", "elements": []}]


@pytest.mark.parametrize(
    ("method", "args", "error"),
    [
        ("chat.postMessage", {"channel": INCIDENTS_ID, "text": "t", "blocks": UNKNOWN}, "invalid_blocks"),
        ("views.publish", {"user_id": ANN.id, "view": {"type": "home", "blocks": UNKNOWN}}, "invalid_arguments"),
    ],
)
async def test_a_type_that_the_bot_does_not_send_is_refused_with_the_place_to_add_it(
    workspace: Workspace, client: AsyncWebClient, method: str, args: dict[str, Any], error: str
) -> None:
    with pytest.raises(SlackApiError) as raised:
        await client.api_call(method, json=args)

    assert raised.value.response["error"] == error
    [message] = raised.value.response["response_metadata"]["messages"]
    assert message.startswith("[ERROR] unsupported block type: carousel (")
    assert "services/sandbox/slack/limits_schema.py" in message
    assert message.endswith("[json-pointer:/blocks/1/type]")
    assert workspace.refusals[-1].problems == (message.removeprefix("[ERROR] "),)


async def test_a_broadcast_needs_permission(workspace: Workspace, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError, match="restricted_action"):
        await client.chat_postMessage(channel=INCIDENTS_ID, text="<!channel> down")

    workspace.broadcasts_allowed = True
    await client.chat_postMessage(channel=INCIDENTS_ID, text="<!channel> down")


async def test_the_workspaces_own_groups_may_be_mentioned(client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=INCIDENTS_ID, text=f"<!subteam^{APPROVERS.id}> please look")

    for text in (f"<!subteam^{APPROVERS.id}> <!channel>", "<!subteam^S404>"):
        with pytest.raises(SlackApiError, match="restricted_action"):
            await client.chat_postMessage(channel=INCIDENTS_ID, text=text)


async def test_a_group_and_its_members_can_be_read(client: AsyncWebClient) -> None:
    groups = await client.usergroups_list()
    members = await client.usergroups_users_list(usergroup=APPROVERS.id)

    assert APPROVERS.id in [group["id"] for group in groups["usergroups"]]
    assert members["users"] == list(APPROVERS.users)


async def test_a_direct_message_is_opened_and_seen_by_its_person(workspace: Workspace, client: AsyncWebClient) -> None:
    channel = (await client.conversations_open(users=ANN.id))["channel"]["id"]
    await client.chat_postMessage(channel=channel, text="psst")

    assert [message.text for message in workspace.messages_for(ANN.id, channel)] == ["psst"]


async def test_a_file_is_uploaded_into_a_thread(workspace: Workspace, client: AsyncWebClient, base_url: str) -> None:
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="down")

    await client.files_upload_v2(
        content="line 1\nline 2", filename="logs.txt", title="Logs", channel=INCIDENTS_ID, thread_ts=posted["ts"]
    )

    message = workspace.thread_for(ANN.id, INCIDENTS_ID, posted["ts"])[1]
    info = await client.files_info(file=message.files[0])
    async with httpx.AsyncClient(trust_env=False) as http:
        content = await http.get(info["file"]["url_private"])
    assert info["file"]["title"] == "Logs"
    assert content.text == "line 1\nline 2"
    assert info["file"]["url_private"].startswith(base_url)


async def test_reactions_pins_bookmarks_and_links(workspace: Workspace, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=INCIDENTS_ID, text="down")
    await client.reactions_add(channel=INCIDENTS_ID, timestamp=posted["ts"], name="eyes")
    await client.pins_add(channel=INCIDENTS_ID, timestamp=posted["ts"])
    await client.bookmarks_add(channel_id=INCIDENTS_ID, title="Runbook", type="link", link="https://example.com")
    link = (await client.chat_getPermalink(channel=INCIDENTS_ID, message_ts=posted["ts"]))["permalink"]

    message = workspace.messages_for(ANN.id, INCIDENTS_ID)[0]
    assert (message.reactions, message.pinned) == ({"eyes": [BOT.id]}, True)
    assert workspace.channels[INCIDENTS_ID].bookmarks[0]["title"] == "Runbook"
    assert link.endswith(f"/archives/{INCIDENTS_ID}/p{posted['ts'].replace('.', '')}")


async def test_a_rate_limit_names_the_wait_and_applies_nothing(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.faults.plant("chat.postMessage", FaultKind.RATE_LIMIT, seconds=1)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))

    await client.chat_postMessage(channel=INCIDENTS_ID, text="once")

    assert [call.answer["ok"] for call in workspace.calls_of("chat.postMessage")] == [False, True]
    assert len(workspace.messages_for(ANN.id, INCIDENTS_ID)) == 1


async def test_a_lost_answer_leaves_the_message_posted(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.faults.plant("chat.postMessage", FaultKind.LOST_ANSWER)

    with pytest.raises(ClientError):
        await client.chat_postMessage(channel=INCIDENTS_ID, text="once")

    assert len(workspace.messages_for(ANN.id, INCIDENTS_ID)) == 1


async def test_a_server_error_applies_nothing(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.faults.plant("*", FaultKind.SERVER_ERROR)

    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=INCIDENTS_ID, text="once")

    assert workspace.messages_for(ANN.id, INCIDENTS_ID) == []


async def test_a_strict_channel_takes_one_message_a_second(workspace: Workspace, client: AsyncWebClient) -> None:
    workspace.strict = True
    await client.chat_postMessage(channel=INCIDENTS_ID, text="1")

    with pytest.raises(SlackApiError) as raised:
        await client.chat_postMessage(channel=INCIDENTS_ID, text="2")

    assert raised.value.response.status_code == 429
    assert raised.value.response.headers["Retry-After"] == "1"


async def test_calls_are_recorded_in_the_named_file(
    client: AsyncWebClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_SLACK_RECORD", str(tmp_path / "calls.jsonl"))

    await client.chat_postMessage(channel=INCIDENTS_ID, text="t")

    line = json.loads((tmp_path / "calls.jsonl").read_text())
    assert (line["method"], line["payload"]["text"], line["ok"]) == ("chat.postMessage", "t", True)


async def test_a_status_stands_below_a_thread_until_the_app_writes_there(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    root = await client.chat_postMessage(channel=INCIDENTS_ID, text="down")
    thread = {"channel_id": INCIDENTS_ID, "thread_ts": root["ts"]}

    await client.assistant_threads_setStatus(**thread, status="is reading …")
    assert workspace.status_of(INCIDENTS_ID, root["ts"]) == "is reading …"
    await client.chat_postMessage(channel=INCIDENTS_ID, text="read", thread_ts=root["ts"])
    assert workspace.status_of(INCIDENTS_ID, root["ts"]) == ""

    await client.assistant_threads_setStatus(**thread, status="is reading …")
    await client.assistant_threads_setStatus(**thread, status="")
    assert workspace.status_of(INCIDENTS_ID, root["ts"]) == ""


@pytest.mark.parametrize(
    ("channel_id", "thread_ts", "error"),
    [
        (INCIDENTS_ID, "1.0", "invalid_thread_ts"),
        ("C0NONE", "1.0", "channel_not_found"),
        (INCIDENTS_ID, "", "invalid_arguments"),
    ],
)
async def test_a_status_needs_a_thread(client: AsyncWebClient, channel_id: str, thread_ts: str, error: str) -> None:
    with pytest.raises(SlackApiError, match=error):
        await client.assistant_threads_setStatus(channel_id=channel_id, thread_ts=thread_ts, status="is reading …")
