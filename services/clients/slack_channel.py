"""Checks whether a channel accepts the bot's messages, without the SDK, whose import takes longer than `health` runs.

For the terminal, where no running bot checks the channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from services.clients.bounded_http import send_bounded
from services.clients.tls import trusted_authorities
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.slack_channel import ChannelState
from services.domain.slack_refusals import Refusal, place_words, refusal_of
from services.domain.text import read_json

SOURCE = "Slack"
_PAGE = 200  # Slack recommends at most 200 channels per page
_MAX_PAGES = 50


class _RefusedError(Exception):
    """Slack's error code."""


async def read_channel_problem(
    token: Secret,
    channel: str,
    *,
    api_url: str,
    timeout_s: float,
    transport: httpx.AsyncBaseTransport | None = None,
) -> str | None:
    """Why the channel of this id or name accepts no messages; None if it does, or if that is unknown.

    Of channels with this name, the current one counts before archived ones. Raises SourceError if Slack doesn't answer.
    """
    async with httpx.AsyncClient(
        base_url=api_url,
        headers={"Authorization": f"Bearer {token.reveal()}"},
        timeout=timeout_s,
        verify=trusted_authorities(),
        transport=transport,
    ) as http:
        try:
            found = await _find(http, channel)
        except _RefusedError as refused:
            code = str(refused)
            return place_words(code) if refusal_of(code) is Refusal.PLACE else None
    return found.problem if found else place_words("channel_not_found")


async def _find(http: httpx.AsyncClient, channel: str) -> ChannelState | None:
    if channel.isupper() and channel.isalnum():
        return ChannelState.of((await _call(http, "conversations.info", {"channel": channel}))["channel"])
    return await _find_by_name(http, channel, archived=False) or await _find_by_name(http, channel, archived=True)


async def _find_by_name(http: httpx.AsyncClient, name: str, *, archived: bool) -> ChannelState | None:
    body = {
        "types": "public_channel,private_channel",
        "exclude_archived": "false" if archived else "true",
        "limit": str(_PAGE),
    }
    for _ in range(_MAX_PAGES):
        page = await _call(http, "conversations.list", body)
        for found in page["channels"]:
            if found["name"] == name:
                return ChannelState.of(found)
        body["cursor"] = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not body["cursor"]:
            break
    return None


async def _call(http: httpx.AsyncClient, method: str, body: Mapping[str, str]) -> dict[str, Any]:
    try:
        response = await send_bounded(http, "POST", method, data=body)
        answer = read_json(response.content)
    except httpx.HTTPError as error:
        raise SourceError(SOURCE, f"no answer ({type(error).__name__})", retryable=True) from None
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise SourceError(SOURCE, f"the answer is no JSON object (HTTP {response.status_code})", retryable=True)
    if not answer.get("ok"):
        raise _RefusedError(str(answer.get("error")))
    return answer
