"""The terminal's check that the incidents channel accepts messages: by name, by id, and by Slack's refusals."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from services.clients.slack_channel import read_channel_problem
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.slack_refusals import SHARED_OUTSIDE, place_words

NAME = "dragonfly-incidents"
Json = dict[str, Any]


def conversation(**more: Any) -> Json:
    return {"id": "C1", "name": NAME, "is_archived": False, "is_member": True} | more


def slack(*channels: Json, error: str | None = None) -> httpx.MockTransport:
    """A Slack that lists one channel per page, archived ones only on request."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert request.headers["Authorization"] == "Bearer xoxb-1"
        if error is not None:
            return httpx.Response(200, json={"ok": False, "error": error})
        if request.url.path == "/api/conversations.info":
            [found] = [one for one in channels if one["id"] == asked["channel"]]
            return httpx.Response(200, json={"ok": True, "channel": found})
        assert request.url.path == "/api/conversations.list"
        listed = [one for one in channels if asked["exclude_archived"] == "false" or not one["is_archived"]]
        page = int(asked.get("cursor", "0"))
        following = str(page + 1) if page + 1 < len(listed) else ""
        shown = listed[page : page + 1]
        return httpx.Response(
            200, json={"ok": True, "channels": shown, "response_metadata": {"next_cursor": following}}
        )

    return httpx.MockTransport(answer)


async def problem(transport: httpx.AsyncBaseTransport, channel: str = NAME) -> str | None:
    return await read_channel_problem(
        Secret("xoxb-1"), channel, api_url="https://slack.test/api/", timeout_s=5, transport=transport
    )


async def test_why_a_channel_takes_nothing_is_named() -> None:
    other = conversation(id="C2", name="other")
    archived = conversation(id="C3", is_archived=True)
    states = {
        "well, on the second page": (other, conversation()),
        "made anew under its name": (archived, conversation(is_member=False)),
        "archived": (other, archived),
        "left": (conversation(is_member=False),),
        "shared": (conversation(is_ext_shared=True),),
        "gone": (other,),
    }

    found = {state: await problem(slack(*channels)) for state, channels in states.items()}

    assert found.pop("well, on the second page") is None
    assert found == {
        "made anew under its name": f"{place_words('not_in_channel')}; /invite it",
        "archived": place_words("is_archived"),
        "left": f"{place_words('not_in_channel')}; /invite it",
        "shared": place_words(SHARED_OUTSIDE),
        "gone": place_words("channel_not_found"),
    }


async def test_a_channel_by_its_id_is_asked_for_directly() -> None:
    assert await problem(slack(conversation(is_archived=True)), "C1") == place_words("is_archived")
    assert await problem(slack(conversation()), "C1") is None


async def test_a_refusal_that_is_not_about_the_channel_says_nothing_of_it() -> None:
    assert await problem(slack(error="invalid_auth"), "C1") is None
    assert await problem(slack(error="channel_not_found"), "C1") is not None


@pytest.mark.parametrize("content", [b"<html>", b"[]"])
async def test_slack_channel_raises_when_the_answer_is_no_json_object(content: bytes) -> None:
    with pytest.raises(SourceError, match="no JSON object"):
        await problem(httpx.MockTransport(lambda _: httpx.Response(502, content=content)))


async def test_a_slack_that_cannot_be_reached_raises() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(SourceError, match="ConnectError"):
        await problem(httpx.MockTransport(refuse))
