"""The Slack Web API calls that the bot makes. Every failure is a SourceError.

slack_sdk repeats a call by itself after a broken connection, `chat.postMessage` included: a message twice. Here nothing
is repeated but what Slack refused with 429, after the time that it asked for; and not even that for a caller who has
something better to do meanwhile (`patience=0`).
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.domain.errors import SourceError
from services.domain.message_origin import MessageOrigin
from services.domain.messages import SHARED_OUTSIDE, SOURCE, Profile, SlackRefusedError, with_short_first_line
from services.domain.secrets import Secret, redacted
from services.domain.slack_channel import ChannelState, is_shared_outside
from services.domain.text import cleaned

DEFAULT_RETRY_AFTER_S = 30.0
THREAD_GONE = "thread_not_found"

_TRY_LATER = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"})
_MAYBE_DONE = frozenset({"internal_error", "fatal_error", "service_unavailable"})  # Slack: "may have succeeded"


@contextlib.contextmanager
def translated(method: str) -> Iterator[None]:
    """Turns whatever a call raises into SourceError. Nothing of the payload gets into the words."""
    try:
        yield
    except SlackApiError as error:
        raise _refused(method, error) from None  # its text holds the whole response
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
        raise SourceError(SOURCE, f"{method}: not reachable", retryable=True) from error
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError, SlackClientError) as error:
        why = f"{method}: the answer was lost ({type(error).__name__})"
        raise SourceError(SOURCE, why, retryable=True, outcome_unknown=True) from None


def _refused(method: str, error: SlackApiError) -> SourceError:
    response = error.response
    method = _asked(response) or method
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    data = getattr(response, "data", None)
    code = str(data.get("error", status)) if isinstance(data, dict) else str(status)
    if status == 429:
        return SlackRefusedError(method, "ratelimited", retryable=True, retry_after_s=_retry_after(response.headers))
    if status >= 500 or not isinstance(data, dict):
        return SlackRefusedError(method, code, retryable=True, outcome_unknown=True)
    return SlackRefusedError(method, code, retryable=code in _TRY_LATER, outcome_unknown=code in _MAYBE_DONE)


def _asked(response: object) -> str | None:
    """The method of Slack's that was called: one call of slack_sdk may be several, as that for an upload is."""
    return str(getattr(response, "api_url", None) or "").rstrip("/").rpartition("/")[2] or None


def _retry_after(headers: Mapping[str, str]) -> float:
    """In seconds, at least one; 30 when Slack does not report it."""
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return max(float(given), 1.0) if given.isdecimal() else DEFAULT_RETRY_AFTER_S


_LEAVES_BY: ContextVar[float | None] = ContextVar("leaves_by", default=None)


@contextlib.contextmanager
def departing(leaves_by: float | None) -> Iterator[None]:
    """Within this a call may leave until then (time.monotonic()); None: whenever it gets to it."""
    token = _LEAVES_BY.set(leaves_by)
    try:
        yield
    finally:
        _LEAVES_BY.reset(token)


def watch_send_deadlines() -> aiohttp.TraceConfig:
    """For a session: checks the moment once there is a connection, the last thing before the bytes leave."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(_check)
    config.on_connection_reuseconn.append(_check)
    return config


async def _check(_session: aiohttp.ClientSession, _context: SimpleNamespace, _what: object) -> None:
    leaves_by = _LEAVES_BY.get()
    if leaves_by is not None and time.monotonic() >= leaves_by:
        raise SourceError(SOURCE, "the time for sending this was over; it was not sent", retryable=True)


PER_CHANNEL_S = 1.0
_REMEMBERED = 500  # channels; one that was quiet for so long is not limited anyway


class Urgency(IntEnum):
    """What waits for its moment, the most urgent first. PAGE: wakes a person. NOTE: anything the bot writes by
    itself. ANSWER: what people asked."""

    PAGE = 0
    NOTE = 1
    ANSWER = 2


@dataclass
class _Channel:
    """`free_at`: the next moment in which something may be posted. `waiting`: a heap of urgency, number, and turn."""

    free_at: float = 0.0
    waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Pace:
    """Lets each channel's callers pass one after the other, `every_s` seconds apart.

    Slack counts from what arrived, so the next one passes that long after the answer; without one, after the last.
    """

    def __init__(self, every_s: float = PER_CHANNEL_S) -> None:
        self._every_s = every_s
        self._channels: OrderedDict[str, _Channel] = OrderedDict()
        self._numbers = itertools.count()
        self._pages_only_until = 0.0

    async def wait(self, channel: str, urgency: Urgency = Urgency.ANSWER) -> None:
        """Wait until nothing as urgent came before, and take the channel's next free moment."""
        at = self._channel(channel)
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(at.waiting, (urgency, next(self._numbers), waiter))
        self._let_pass(at)
        await waiter  # a cancelled caller leaves a finished future, which is skipped

    def is_free(self, channel: str) -> bool:
        """Whether an answer would pass at once."""
        at = self._channel(channel)
        is_first = all(waiter.done() for _, _, waiter in at.waiting)
        return is_first and max(at.free_at, self._pages_only_until) <= asyncio.get_running_loop().time()

    def leave_to_pages(self, until: float) -> None:
        """Nothing but pages passes before this moment of the loop's clock: Slack refused one, and names the time when
        it may."""
        self._pages_only_until = max(until, self._pages_only_until)

    def note_answer(self, channel: str) -> None:
        """Slack has taken a post, or failed: from now on it counts."""
        self._close(channel, self._every_s)

    def note_refusal(self, channel: str, retry_after_s: float) -> None:
        """Slack takes nothing in this channel before that: who tries meanwhile is refused too."""
        self._close(channel, retry_after_s)

    def _close(self, channel: str, for_s: float) -> None:
        at = self._channel(channel)
        at.free_at = max(at.free_at, asyncio.get_running_loop().time() + for_s)
        self._let_pass(at)

    def _let_pass(self, at: _Channel) -> None:
        """Releases the requests that are due; a timer releases the rest."""
        now = asyncio.get_running_loop().time()
        if at.timer is not None:
            at.timer.cancel()
            at.timer = None
        while at.waiting and (at.waiting[0][2].done() or self._opens_at(at) <= now):
            waiter = heapq.heappop(at.waiting)[2]
            if not waiter.done():
                waiter.set_result(None)
                at.free_at = now + self._every_s
        if at.waiting:
            at.timer = asyncio.get_running_loop().call_at(self._opens_at(at), self._let_pass, at)

    def _opens_at(self, at: _Channel) -> float:
        """When the first of those who wait may go."""
        return at.free_at if at.waiting[0][0] is Urgency.PAGE else max(at.free_at, self._pages_only_until)

    def _channel(self, name: str) -> _Channel:
        at = self._channels.pop(name, None) or _Channel()
        self._channels[name] = at
        while len(self._channels) > _REMEMBERED and not next(iter(self._channels.values())).waiting:
            self._channels.popitem(last=False)
        return at


METADATA_EVENT = "dragonfly_message"  # visible to every app and member: the key is no secret
_PAGE = 200  # Slack advises at most 200 channels or messages a page
_MAX_PAGES = 50
# slack_sdk's own names, which are no methods of Slack's: an upload is several calls.
_METHODS = {
    "assistant_threads_setStatus": "assistant.threads.setStatus",
    "files_upload_v2": "an upload (files.getUploadURLExternal, files.completeUploadExternal)",
}

CHART = "data_visualization"
_BLOCKS_REFUSED = frozenset({"invalid_blocks", "invalid_blocks_format"})

Blocks = Sequence[Mapping[str, Any]]
_T = TypeVar("_T")


@dataclass(frozen=True)
class SlackMessage:
    """One message as Slack has it. `reactions`: the names of those that it carries now."""

    user: str
    text: str
    thread_ts: str | None
    reactions: frozenset[str]


@dataclass(frozen=True)
class Identity:
    """Who the token is: `auth.test`. `url`: "https://acme.slack.com/"; empty where Slack does not report it."""

    user_id: str
    bot_id: str
    team_id: str
    url: str = ""


CHARTS_AGAIN_S = 24 * 3600.0  # a workspace that did not know charts may have learned them by then


class Charts:
    """Whether the workspace takes charts (the block `data_visualization`): yes, until it refuses a message with one.

    It is asked again after `again_s`. A message says in text what its charts show, so they may be left out.
    """

    def __init__(self, again_s: float = CHARTS_AGAIN_S) -> None:
        self._again_s = again_s
        self._refused_until = 0.0

    async def send(self, blocks: Blocks, send: Callable[[Blocks], Awaitable[_T]]) -> _T:
        """Send with charts while the workspace takes them, and once without them when it just refused."""
        if time.monotonic() < self._refused_until:
            blocks = without_charts(blocks)
        try:
            return await send(blocks)
        except SlackRefusedError as refused:
            plain = without_charts(blocks)
            if refused.code not in _BLOCKS_REFUSED or len(plain) == len(blocks):
                raise
            answer = await send(plain)
            self._refused_until = time.monotonic() + self._again_s  # the charts were what it refused
            return answer


def without_charts(blocks: Blocks) -> Blocks:
    """The same without the blocks that a workspace may not know."""
    return [block for block in blocks if block.get("type") != CHART]


class SlackClient:
    """One workspace. Opens its HTTP session at the first call; `aclose` ends it.

    `patience`: how often the same call waits out a 429. Clients that post to the same channels share their `pace`, what
    they know of `charts`, and `closed`: ids of channels that others than our own people read, so nothing is posted,
    edited or uploaded there. SlackRefusedError with `SHARED_OUTSIDE` for those.
    """

    def __init__(
        self,
        token: Secret,
        *,
        api_url: str,
        timeout_s: float = 5.0,
        patience: int = 2,
        pace: Pace | None = None,
        closed: set[str] | None = None,
        origin: MessageOrigin = MessageOrigin(),  # noqa: B008 - frozen
        charts: Charts | None = None,
    ) -> None:
        self._token = token
        self._api_url = api_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._patience = patience
        self.pace = pace or Pace()
        self.closed: set[str] = set() if closed is None else closed
        self._origin = origin
        self.charts = charts or Charts()
        self._web: AsyncWebClient | None = None
        self._impatient_web: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._channel_ids: dict[str, str] = {}

    @property
    def origin(self) -> MessageOrigin:
        """What the messages of this client carry."""
        return self._origin

    @property
    def web(self) -> AsyncWebClient:
        """slack_sdk's client, for Bolt. Needs a running event loop."""
        if self._web is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trace_configs=[watch_send_deadlines()])
            self._web = AsyncWebClient(
                token=self._token.reveal(),
                base_url=self._api_url,
                session=self._session,
                retry_handlers=self._retry_handlers(),
            )
        return self._web

    @property
    def _web_without_patience(self) -> AsyncWebClient:
        """Of the same session; it repeats nothing by itself."""
        if self._impatient_web is None:
            session, url = self.web.session, self._api_url
            self._impatient_web = AsyncWebClient(
                token=self._token.reveal(), base_url=url, session=session, retry_handlers=[]
            )
        return self._impatient_web

    async def aclose(self) -> None:
        """Close the HTTP session."""
        if self._session is not None:
            await self._session.close()

    async def identify(self) -> Identity:
        """Who we are. SlackRefusedError with `invalid_auth` when the token is no good."""
        answer = await _call(self.web.auth_test)
        url = str(answer.get("url") or "")
        return Identity(str(answer["user_id"]), str(answer.get("bot_id", "")), str(answer["team_id"]), url)

    async def post(
        self,
        channel: str,
        text: str,
        blocks: Blocks,
        *,
        thread_ts: str | None = None,
        key: str | None = None,
        leaves_by: float | None = None,
        urgency: Urgency = Urgency.ANSWER,
        only_in_thread: bool = False,
    ) -> tuple[str, str]:
        """Post a message; (channel id, ts). `key` lets `find` recognise it. At most one a second and channel.

        `urgency` decides who goes first when several wait for that. leaves_by: time.monotonic() until which the call
        may leave this process; a caller that sets it waits for the pace itself. SourceError when that was over: then
        nothing was sent. only_in_thread: a reply whose message was deleted, which Slack puts into the channel, is taken
        back. SlackRefusedError with `thread_not_found` then.
        """
        await self._refuse_closed("chat.postMessage", channel)
        body: dict[str, Any] = {"channel": channel, "unfurl_links": False, "unfurl_media": False}
        if thread_ts:
            body["thread_ts"] = thread_ts
        if key:
            body["metadata"] = _metadata(key)

        async def send() -> Mapping[str, Any]:
            return await self.charts.send(blocks, lambda shown: self._post(**self._message(text, shown), **body))

        with departing(leaves_by):
            answer = await (send() if leaves_by is not None else self._in_turn(channel, urgency, send))
        channel_id, ts = str(answer["channel"]), str(answer["ts"])
        if only_in_thread and thread_ts and (answer.get("message") or {}).get("thread_ts") != thread_ts:
            await self._take_back(channel_id, ts)
            raise SlackRefusedError("chat.postMessage", THREAD_GONE)
        return channel_id, ts

    async def _post(self, *, channel: str, **body: Any) -> Mapping[str, Any]:
        """Once: who is refused with 429 gets in line again, behind what is more urgent."""
        try:
            answer = await _call(self._web_without_patience.chat_postMessage, channel=channel, **body)
        except SlackRefusedError as refused:
            self.pace.note_refusal(channel, refused.retry_after_s or 0.0)
            raise
        finally:
            self.pace.note_answer(channel)
        return answer

    async def _in_turn(
        self, channel: str, urgency: Urgency, send: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> Mapping[str, Any]:
        """Send at the channel's pace; again after a 429, `patience` times."""
        left = self._patience
        while True:
            await self.pace.wait(channel, urgency)
            try:
                return await send()
            except SlackRefusedError as refused:
                if refused.retry_after_s is None or left == 0:
                    raise
                left -= 1

    async def update(self, channel_id: str, ts: str, text: str, blocks: Blocks, *, key: str | None = None) -> None:
        """Change the text of a message. SlackRefusedError with `message_not_found` when it is gone.

        `key` is what `find` knows it by from now on; None: as before.
        """
        await self._refuse_closed("chat.update", channel_id)
        more: dict[str, Any] = {"metadata": _metadata(key)} if key else {}
        more |= {"channel": channel_id, "ts": ts}
        await self.charts.send(blocks, lambda shown: _call(self.web.chat_update, **self._message(text, shown), **more))

    async def set_status(self, channel_id: str, thread_ts: str, status: str) -> None:
        """Show below a thread what we are doing ("is reading the queue"), until our next message there, at most two
        minutes. Empty: take it away. SlackRefusedError with `invalid_thread_ts` where there is no such message."""
        await self._refuse_closed("assistant.threads.setStatus", channel_id)
        await _call(self.web.assistant_threads_setStatus, channel_id=channel_id, thread_ts=thread_ts, status=status)

    async def delete(self, channel_id: str, ts: str) -> None:
        """Remove a message of ours."""
        await _call(self.web.chat_delete, channel=channel_id, ts=ts)

    async def post_ephemeral(
        self, channel: str, user: str, text: str, blocks: Blocks, *, thread_ts: str | None = None
    ) -> None:
        """Show a message to one person in a channel."""
        await self._refuse_closed("chat.postEphemeral", channel)
        more = {"channel": channel, "user": user} | ({"thread_ts": thread_ts} if thread_ts else {})
        await self.charts.send(
            blocks, lambda shown: _call(self.web.chat_postEphemeral, **self._message(text, shown), **more)
        )

    async def respond(self, response_url: str, text: str, blocks: Blocks, *, in_channel: bool = False) -> None:
        """Answer through an interaction's own address: valid for 30 minutes and five uses."""
        client = AsyncWebhookClient(
            response_url,
            session=self.web.session,
            retry_handlers=self._retry_handlers(),
        )
        kind = {"response_type": "in_channel" if in_channel else "ephemeral", "replace_original": False}

        async def send(shown: Blocks) -> None:
            with translated("response_url"):
                answer = await client.send_dict(redacted(self._message(text, shown)) | kind)
            if answer.status_code != 200:
                raise _refused_address(answer.status_code)

        await self.charts.send(blocks, send)

    async def find(self, channel_id: str, key: str, *, since: datetime, thread_ts: str | None = None) -> str | None:
        """The ts of our message with this key, posted at or after `since`; None when it is not there.

        Costs history scopes and membership: SlackRefusedError when they are missing.
        """
        method = self.web.conversations_replies if thread_ts else self.web.conversations_history
        body: dict[str, Any] = {"channel": channel_id, "include_all_metadata": True, "limit": _PAGE}
        body |= {"oldest": f"{since.timestamp():.6f}"} | ({"ts": thread_ts} if thread_ts else {})
        for _ in range(_MAX_PAGES):
            page = await _call(method, **body)
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
        """The message of this ts, also one in a thread; None when it is gone."""
        answer = await _call(
            self.web.conversations_replies, channel=channel_id, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=1
        )
        message = next((one for one in answer.get("messages", ()) if one.get("ts") == ts), None)
        if message is None:
            return None
        reactions = frozenset(str(one["name"]) for one in message.get("reactions", ()))
        thread_ts = message.get("thread_ts")
        return SlackMessage(str(message.get("user", "")), str(message.get("text", "")), thread_ts, reactions)

    async def channel_id(self, channel: str) -> str:
        """The id of a channel given by id or name; of the direct messages to a person given by id.

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
        """The id of the channel of this name as it is now, archived ones left out; None for what is an id itself.

        Raises SlackRefusedError with `channel_not_found`.
        """
        if channel.isupper() and channel.isalnum():
            return None
        self._channel_ids.pop(channel, None)
        return await self.channel_id(channel)

    async def read_channel(self, channel: str) -> ChannelState:
        """The channel of this id or name; for a name whose channel is gone, the one that bears it now.

        Raises SlackRefusedError with `channel_not_found` when there is none, or it is private and not ours.
        """
        state = await self._read_channel(await self.channel_id(channel))
        if state is None or state.is_archived:
            with contextlib.suppress(SlackRefusedError):
                again = await self.look_up_again(channel)
                state = state if again is None else await self._read_channel(again)
        if state is None:
            raise SlackRefusedError("conversations.info", "channel_not_found")
        return state

    async def upload(self, channel: str, name: str, text: str, comment: str, *, thread_ts: str | None = None) -> None:
        """Share a text file in a channel or a thread, with our own mrkdwn above it. Needs membership of the channel."""
        await self._refuse_closed("files.completeUploadExternal", channel)
        await _call(
            self.web.files_upload_v2,
            channel=await self.channel_id(channel),
            content=text,
            filename=name,
            title=name,
            initial_comment=self._origin.text(comment),
            thread_ts=thread_ts,
        )

    async def list_group_members(self, group_id: str) -> list[str]:
        """The user ids in a user group. SlackRefusedError with `no_such_subteam` when there is none of this id."""
        answer = await _call(self.web.usergroups_users_list, usergroup=group_id)
        return [str(user) for user in answer["users"]]

    async def set_group_members(self, group_id: str, users: Sequence[str]) -> None:
        """Who is in a user group from now on; Slack takes one user at least. Needs the scope usergroups:write.

        SlackRefusedError with `missing_scope` without it, `permission_denied` where the workspace's settings forbid it.
        """
        await _call(self.web.usergroups_users_update, usergroup=group_id, users=",".join(users))

    async def list_group_handles(self) -> dict[str, str]:
        """`{id: handle}` of every user group, also of those that are switched off: "dragonfly-approvers"."""
        answer = await _call(self.web.usergroups_list, include_disabled=True)
        return {str(group["id"]): str(group["handle"]) for group in answer["usergroups"]}

    async def read_profile(self, user_id: str) -> Profile:
        """Whose account this is. SlackRefusedError with `user_not_found` for an id that Slack does not show us."""
        user = (await _call(self.web.users_info, user=user_id))["user"]
        return Profile(
            team_id=str(user.get("team_id") or ""),
            is_bot=bool(user.get("is_bot")),
            is_deactivated=bool(user.get("deleted")),
            is_guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
            is_stranger=bool(user.get("is_stranger")),
            time_zone=str(user.get("tz") or ""),
        )

    async def is_shared_outside(self, channel_id: str) -> bool:
        """Whether people of another company are in the conversation, or were invited into it.

        SlackRefusedError with `channel_not_found` for a private one that the bot is not in.
        """
        channel = (await _call(self.web.conversations_info, channel=channel_id))["channel"]
        return is_shared_outside(channel)

    async def read_user_name(self, user_id: str) -> str:
        """What the user calls themselves: "Ann Keller". SlackRefusedError as in `read_profile`."""
        answer = await _call(self.web.users_info, user=user_id)
        return str(answer["user"].get("real_name") or answer["user"]["name"])

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """Open a modal within three seconds of the click; its id."""
        answer = await _call(self.web.views_open, trigger_id=trigger_id, view=self._origin.view(view))
        return str(answer["view"]["id"])

    async def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Replace what a modal shows. SlackRefusedError with `not_found` when the person closed it."""
        await _call(self.web.views_update, view_id=view_id, view=self._origin.view(view))

    async def publish_home(self, user_id: str, view: Mapping[str, Any]) -> None:
        """Show a person's Home tab."""
        await _call(self.web.views_publish, user_id=user_id, view=self._origin.view(view))

    def _message(self, text: str, blocks: Blocks) -> dict[str, Any]:
        """Beside blocks the text is what notifications show; alone it is the message, and stays as it is."""
        shown = with_short_first_line(text) if blocks else text
        return {"text": self._origin.text(shown), "blocks": self._origin.blocks(blocks)}

    async def _refuse_closed(self, method: str, channel: str) -> None:
        if self.closed and await self.channel_id(channel) in self.closed:
            raise SlackRefusedError(method, SHARED_OUTSIDE)

    async def _read_channel(self, channel_id: str) -> ChannelState | None:
        """None when there is none of this id."""
        try:
            answer = await _call(self.web.conversations_info, channel=channel_id)
        except SlackRefusedError as refused:
            if refused.code != "channel_not_found":
                raise
            return None
        return ChannelState.of(answer["channel"])

    async def _take_back(self, channel_id: str, ts: str) -> None:
        """Delete what has just been posted; where that fails it stays."""
        with contextlib.suppress(SourceError):
            await self.delete(channel_id, ts)

    async def _open_direct(self, user_id: str) -> str:
        answer = await _call(self.web.conversations_open, users=user_id)
        return str(answer["channel"]["id"])

    def _retry_handlers(self) -> list[AsyncRetryHandler]:
        return [AsyncRateLimitErrorRetryHandler(max_retry_count=self._patience)] if self._patience else []

    async def _look_up_channel(self, name: str) -> str:
        """An archived channel only where no other has the name: what is posted there shows what is wrong with it."""
        found = await self._find_channel(name, exclude_archived=True) or await self._find_channel(
            name, exclude_archived=False
        )
        if found is None:
            raise SlackRefusedError("conversations.list", "channel_not_found")
        return found

    async def _find_channel(self, name: str, *, exclude_archived: bool) -> str | None:
        body: dict[str, Any] = {"types": "public_channel,private_channel", "exclude_archived": exclude_archived}
        for _ in range(_MAX_PAGES):
            page = await _call(self.web.conversations_list, limit=_PAGE, **body)
            for channel in page["channels"]:
                if channel["name"] == name:
                    return str(channel["id"])
            body["cursor"] = (page.get("response_metadata") or {}).get("next_cursor")
            if not body["cursor"]:
                break
        return None


async def _call(method: Callable[..., Awaitable[AsyncSlackResponse]], **body: Any) -> Mapping[str, Any]:
    """One call of slack_sdk, which knows how each method wants its arguments; the answer as a dict.

    The door to Slack: none of our own secrets leaves through it, and nothing comes in that cannot be stored.
    """
    with translated(_METHODS.get(method.__name__) or method.__name__.replace("_", ".")):
        answer = await method(**redacted(body))
        if not isinstance(answer.data, dict):
            raise ValueError("no JSON object")  # noqa: TRY004 - a lost answer, not a mistake of ours
        return cleaned(answer.data)


def _refused_address(status: int) -> SlackRefusedError:
    """By the address of an interaction: 400 means the content, whatever its words; 404 an address that is used up."""
    code = "invalid_blocks" if status == 400 else str(status)
    return SlackRefusedError("response_url", code, retryable=status >= 500)


def _metadata(key: str) -> dict[str, Any]:
    return {"event_type": METADATA_EVENT, "event_payload": {"key": key}}


def _is_shared_outside(channel: Mapping[str, Any]) -> bool:
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))
