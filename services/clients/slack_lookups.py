"""The bot's lookups in a workspace: itself, people, user groups, channels and messages."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from services.clients.slack_calls import call, watch_send_deadlines
from services.domain.errors import SourceError
from services.domain.people import Profile
from services.domain.secrets import Secret
from services.domain.slack_channel import ChannelState, is_shared_outside
from services.domain.slack_refusals import SOURCE, SlackRefusedError

METADATA_EVENT = "dragonfly_message"  # visible to every app and member: the key is not a secret
_PAGE = 200  # Slack recommends at most 200 channels or messages per page
_MAX_PAGES = 50


@dataclass(frozen=True)
class SlackMessage:
    """One message as Slack has it. `reactions`: the names of its current reactions."""

    user: str
    text: str
    thread_ts: str | None
    reactions: frozenset[str]


@dataclass(frozen=True)
class Identity:
    """The account of the token, by `auth.test`. `url`: "https://acme.slack.com/"; empty if Slack does not report it."""

    user_id: str
    bot_id: str
    team_id: str
    url: str = ""


class SlackLookups:
    """Reads from one workspace. Opens its HTTP session at the first call; `aclose` closes it.

    `patience`: how often a call is repeated after a 429.
    """

    def __init__(self, token: Secret, *, api_url: str, timeout_s: float, patience: int) -> None:
        self._token = token
        self._api_url = api_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._patience = patience
        self._web: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._channel_ids: dict[str, str] = {}

    @property
    def web(self) -> AsyncWebClient:
        """slack_sdk's client, also used by Bolt. Needs a running event loop."""
        if self._web is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trace_configs=[watch_send_deadlines()])
            self._web = AsyncWebClient(
                token=self._token.reveal(),
                base_url=self._api_url,
                session=self._session,
                retry_handlers=self._retry_handlers(),
            )
        return self._web

    async def aclose(self) -> None:
        """Close the HTTP session."""
        if self._session is not None:
            await self._session.close()

    async def identify(self) -> Identity:
        """Return the bot's own identity. SlackRefusedError with `invalid_auth` for an invalid token."""
        answer = await call(self.web.auth_test)
        url = str(answer.get("url") or "")
        return Identity(str(answer["user_id"]), str(answer.get("bot_id", "")), str(answer["team_id"]), url)

    async def find(self, channel_id: str, key: str, *, since: datetime, thread_ts: str | None = None) -> str | None:
        """Return the ts of the bot's message with this key, posted at or after `since`; None if it is not there.

        Needs history scopes and membership: SlackRefusedError without them.
        """
        method = self.web.conversations_replies if thread_ts else self.web.conversations_history
        body: dict[str, Any] = {"channel": channel_id, "include_all_metadata": True, "limit": _PAGE}
        body |= {"oldest": f"{since.timestamp():.6f}"} | ({"ts": thread_ts} if thread_ts else {})
        for _ in range(_MAX_PAGES):
            page = await call(method, **body)
            for message in page.get("messages", ()):
                metadata = message.get("metadata") or {}
                payload = metadata.get("event_payload") or {}
                if metadata.get("event_type") == METADATA_EVENT and payload.get("key") == key:
                    return str(message["ts"])
            body["cursor"] = (page.get("response_metadata") or {}).get("next_cursor")
            if not body["cursor"]:
                return None
        raise SourceError(SOURCE, "the message could not be found among so many")

    async def read_message(self, channel_id: str, ts: str) -> SlackMessage | None:
        """Return the message with this ts, also from a thread; None if it is gone."""
        answer = await call(
            self.web.conversations_replies, channel=channel_id, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=1
        )
        message = next((one for one in answer.get("messages", ()) if one.get("ts") == ts), None)
        if message is None:
            return None
        reactions = frozenset(str(one["name"]) for one in message.get("reactions", ()))
        thread_ts = message.get("thread_ts")
        return SlackMessage(str(message.get("user", "")), str(message.get("text", "")), thread_ts, reactions)

    async def channel_id(self, channel: str) -> str:
        """Return the id of a channel given by id or name, or of the direct messages with a person given by id.

        Raises SlackRefusedError with `channel_not_found` or `user_not_found`.
        """
        is_id = channel.isupper() and channel.isalnum()
        if is_id and channel[:1] in "CGD":
            return channel
        if channel not in self._channel_ids:
            look_up = self._open_direct if is_id and channel[:1] in "UW" else self._look_up_channel
            self._channel_ids[channel] = await look_up(channel.removeprefix("#"))
        return self._channel_ids[channel]

    async def look_up_again(self, channel: str) -> str | None:
        """Return the current id of the channel with this name, archived ones left out; None if given an id.

        Raises SlackRefusedError with `channel_not_found`.
        """
        if channel.isupper() and channel.isalnum():
            return None
        self._channel_ids.pop(channel, None)
        return await self.channel_id(channel)

    async def read_channel(self, channel: str) -> ChannelState:
        """Return the channel with this id or name; if a name's channel is gone, the one that has the name now.

        Raises SlackRefusedError with `channel_not_found` if there is none, or it is private and the bot is not in it.
        """
        state = await self._read_channel(await self.channel_id(channel))
        if state is None or state.is_archived:
            with contextlib.suppress(SlackRefusedError):
                again = await self.look_up_again(channel)
                state = state if again is None else await self._read_channel(again)
        if state is None:
            raise SlackRefusedError("conversations.info", "channel_not_found")
        return state

    async def list_group_members(self, group_id: str) -> list[str]:
        """List the user ids in a user group. SlackRefusedError with `no_such_subteam` for an unknown id."""
        answer = await call(self.web.usergroups_users_list, usergroup=group_id)
        return [str(user) for user in answer["users"]]

    async def list_group_handles(self) -> dict[str, str]:
        """Return `{id: handle}` of all user groups, disabled ones included: "dragonfly-approvers"."""
        answer = await call(self.web.usergroups_list, include_disabled=True)
        return {str(group["id"]): str(group["handle"]) for group in answer["usergroups"]}

    async def read_profile(self, user_id: str) -> Profile:
        """Return the account's facts. SlackRefusedError with `user_not_found` for an id that Slack does not show us."""
        user = (await call(self.web.users_info, user=user_id))["user"]
        return Profile(
            team_id=str(user.get("team_id") or ""),
            is_bot=bool(user.get("is_bot")),
            is_deactivated=bool(user.get("deleted")),
            is_guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
            is_stranger=bool(user.get("is_stranger")),
            time_zone=str(user.get("tz") or ""),
        )

    async def is_shared_outside(self, channel_id: str) -> bool:
        """True if people of another company are in the conversation, or were invited to it.

        SlackRefusedError with `channel_not_found` for a private one that the bot is not in.
        """
        channel = (await call(self.web.conversations_info, channel=channel_id))["channel"]
        return is_shared_outside(channel)

    async def read_user_name(self, user_id: str) -> str:
        """Return the user's own name: "Ann Keller". SlackRefusedError as in `read_profile`."""
        answer = await call(self.web.users_info, user=user_id)
        return str(answer["user"].get("real_name") or answer["user"]["name"])

    async def _read_channel(self, channel_id: str) -> ChannelState | None:
        """The channel's state; None if there is no channel with this id."""
        try:
            answer = await call(self.web.conversations_info, channel=channel_id)
        except SlackRefusedError as refused:
            if refused.code != "channel_not_found":
                raise
            return None
        return ChannelState.of(answer["channel"])

    async def _open_direct(self, user_id: str) -> str:
        answer = await call(self.web.conversations_open, users=user_id)
        return str(answer["channel"]["id"])

    def _retry_handlers(self) -> list[AsyncRetryHandler]:
        return [AsyncRateLimitErrorRetryHandler(max_retry_count=self._patience)] if self._patience else []

    async def _look_up_channel(self, name: str) -> str:
        """The channel's id. An archived one only if no other has the name: posting there then shows the problem."""
        found = await self._find_channel(name, exclude_archived=True) or await self._find_channel(
            name, exclude_archived=False
        )
        if found is None:
            raise SlackRefusedError("conversations.list", "channel_not_found")
        return found

    async def _find_channel(self, name: str, *, exclude_archived: bool) -> str | None:
        body: dict[str, Any] = {"types": "public_channel,private_channel", "exclude_archived": exclude_archived}
        for _ in range(_MAX_PAGES):
            page = await call(self.web.conversations_list, limit=_PAGE, **body)
            for channel in page["channels"]:
                if channel["name"] == name:
                    return str(channel["id"])
            body["cursor"] = (page.get("response_metadata") or {}).get("next_cursor")
            if not body["cursor"]:
                break
        return None
