"""The bot's messages, files and views in Slack. Every failure is a SourceError.

slack_sdk by itself repeats a call after a broken connection, also `chat.postMessage`, which would post a message twice.
Here only calls that Slack refused with 429 are repeated, after the time that it asked for; and not even those for a
caller that has other work meanwhile (`patience=0`).
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.clients.slack_calls import call, departing, refused_address, translated
from services.clients.slack_charts import Blocks, Charts
from services.clients.slack_lookups import METADATA_EVENT, SlackLookups
from services.domain.errors import SourceError
from services.domain.message_origin import MessageOrigin
from services.domain.phone_lines import with_short_first_line
from services.domain.secrets import Secret, redacted
from services.domain.slack_refusals import SHARED_OUTSIDE, SlackRefusedError

THREAD_GONE = "thread_not_found"

PER_CHANNEL_S = 1.0
_REMEMBERED = 500  # channels; the one unused for longest is dropped, as it is not limited any more


class Urgency(IntEnum):
    """The urgency of a post, the most urgent first.

    PAGE: wakes a person. NOTE: anything the bot posts unasked. ANSWER: an answer to a person.
    """

    PAGE = 0
    NOTE = 1
    ANSWER = 2


@dataclass
class _Channel:
    """The pace of one channel. `free_at`: when the next post may be sent. `answers_from`: when the next answer may.

    `waiting`: a heap of (urgency, number, future).
    """

    free_at: float = 0.0
    answers_from: float = 0.0
    waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Pace:
    """Lets posts to each channel pass one after the other, `every_s` seconds apart.

    Slack counts from the arrival of a post, so the next one passes that long after Slack's answer; without an answer,
    after the last post.
    """

    def __init__(self, every_s: float = PER_CHANNEL_S) -> None:
        self._every_s = every_s
        self._channels: OrderedDict[str, _Channel] = OrderedDict()
        self._numbers = itertools.count()
        self._pages_only_until = 0.0

    async def wait(self, channel: str, urgency: Urgency = Urgency.ANSWER) -> None:
        """Wait until no post of the same or higher urgency is ahead and the channel's pace allows the next one."""
        at = self._channel(channel)
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(at.waiting, (urgency, next(self._numbers), waiter))
        self._let_pass(at)
        await waiter  # a cancelled caller leaves a done future, which is skipped

    def is_free(self, channel: str) -> bool:
        """True if an answer would pass at once."""
        at = self._channel(channel)
        is_first = all(waiter.done() for _, _, waiter in at.waiting)
        return is_first and self._opens_at(at, Urgency.ANSWER) <= asyncio.get_running_loop().time()

    def leave_to_pages(self, until: float) -> None:
        """Let only pages pass before `until` (event loop time): Slack refused a page and named this time."""
        self._pages_only_until = max(until, self._pages_only_until)

    def note_answer(self, channel: str) -> None:
        """Record that Slack accepted a post, or that it failed: the pace counts from now."""
        at = self._channel(channel)
        at.free_at = max(at.free_at, asyncio.get_running_loop().time() + self._every_s)
        self._let_pass(at)

    def note_refusal(self, channel: str, retry_after_s: float) -> None:
        """Let no answer pass to this channel for `retry_after_s`; more urgent posts may try and wait in their way."""
        at = self._channel(channel)
        at.answers_from = max(at.answers_from, asyncio.get_running_loop().time() + retry_after_s)
        self._let_pass(at)

    def _let_pass(self, at: _Channel) -> None:
        """Let the posts that are due pass; a timer calls this again for the rest."""
        now = asyncio.get_running_loop().time()
        if at.timer is not None:
            at.timer.cancel()
            at.timer = None
        while at.waiting and (at.waiting[0][2].done() or self._opens_at(at, at.waiting[0][0]) <= now):
            waiter = heapq.heappop(at.waiting)[2]
            if not waiter.done():
                waiter.set_result(None)
                at.free_at = now + self._every_s
        if at.waiting:
            opens_at = self._opens_at(at, at.waiting[0][0])
            at.timer = asyncio.get_running_loop().call_at(opens_at, self._let_pass, at)

    def _opens_at(self, at: _Channel, urgency: Urgency) -> float:
        match urgency:
            case Urgency.PAGE:
                return at.free_at
            case Urgency.NOTE:
                return max(at.free_at, self._pages_only_until)
            case Urgency.ANSWER:
                return max(at.free_at, self._pages_only_until, at.answers_from)

    def _channel(self, name: str) -> _Channel:
        at = self._channels.pop(name, None) or _Channel()
        self._channels[name] = at
        while len(self._channels) > _REMEMBERED and not next(iter(self._channels.values())).waiting:
            self._channels.popitem(last=False)
        return at


class SlackClient(SlackLookups):
    """Client of one workspace. Opens its HTTP session at the first call; `aclose` closes it.

    `patience`: how often a call is repeated after a 429. Clients that post to the same channels share their `pace`,
    their knowledge of `charts`, and `closed`: ids of channels that people outside our company can read, in which
    nothing is posted, edited or uploaded; SlackRefusedError with `SHARED_OUTSIDE` for those.
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
        super().__init__(token, api_url=api_url, timeout_s=timeout_s, patience=patience)
        self.pace = pace or Pace()
        self.closed: set[str] = set() if closed is None else closed
        self._origin = origin
        self.charts = charts or Charts()
        self._impatient_web: AsyncWebClient | None = None

    @property
    def origin(self) -> MessageOrigin:
        """The mark that this client's messages carry."""
        return self._origin

    @property
    def _web_without_patience(self) -> AsyncWebClient:
        """A client of the same session that repeats nothing."""
        if self._impatient_web is None:
            session, url = self.web.session, self._api_url
            self._impatient_web = AsyncWebClient(
                token=self._token.reveal(), base_url=url, session=session, retry_handlers=[]
            )
        return self._impatient_web

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
        """Post a message; return (channel id, ts). `key` lets `find` recognize it. At most one per second and channel.

        `urgency` decides the order when several posts wait for that. leaves_by: the time.monotonic() by which the
        request must be sent, else SourceError, and nothing was sent; a caller that sets it waits for the pace itself.
        only_in_thread: if the parent message was deleted, so that Slack puts the reply into the channel, delete the
        reply and raise SlackRefusedError with `thread_not_found`.
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
        """Post once. A 429 delays answers in this channel for Slack's `Retry-After`."""
        try:
            answer = await call(self._web_without_patience.chat_postMessage, channel=channel, **body)
        except SlackRefusedError as refused:
            self.pace.note_refusal(channel, refused.retry_after_s or 0.0)
            raise
        finally:
            self.pace.note_answer(channel)
        return answer

    async def _in_turn(
        self, channel: str, urgency: Urgency, send: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> Mapping[str, Any]:
        """Send at the channel's pace; repeat after a 429, `patience` times, after more urgent posts."""
        left = self._patience
        while True:
            await self.pace.wait(channel, urgency)
            try:
                return await send()
            except SlackRefusedError as refused:
                if refused.retry_after_s is None or left == 0:
                    raise
                left -= 1
                if urgency is not Urgency.ANSWER:
                    await asyncio.sleep(refused.retry_after_s)

    async def update(self, channel_id: str, ts: str, text: str, blocks: Blocks, *, key: str | None = None) -> None:
        """Change the content of a message. SlackRefusedError with `message_not_found` if it is gone.

        `key`: its new key for `find`; None keeps the old one.
        """
        await self._refuse_closed("chat.update", channel_id)
        more: dict[str, Any] = {"metadata": _metadata(key)} if key else {}
        more |= {"channel": channel_id, "ts": ts}
        await self.charts.send(blocks, lambda shown: call(self.web.chat_update, **self._message(text, shown), **more))

    async def set_status(self, channel_id: str, thread_ts: str, status: str) -> None:
        """Show the bot's activity ("is reading the queue") below a thread, until its next message, at most 2 min.

        Empty: remove it. SlackRefusedError with `invalid_thread_ts` if there is no such message.
        """
        await self._refuse_closed("assistant.threads.setStatus", channel_id)
        await call(self.web.assistant_threads_setStatus, channel_id=channel_id, thread_ts=thread_ts, status=status)

    async def delete(self, channel_id: str, ts: str) -> None:
        """Delete a message of the bot."""
        await call(self.web.chat_delete, channel=channel_id, ts=ts)

    async def post_ephemeral(
        self, channel: str, user: str, text: str, blocks: Blocks, *, thread_ts: str | None = None
    ) -> None:
        """Show a message to one person in a channel."""
        await self._refuse_closed("chat.postEphemeral", channel)
        more = {"channel": channel, "user": user} | ({"thread_ts": thread_ts} if thread_ts else {})
        await self.charts.send(
            blocks, lambda shown: call(self.web.chat_postEphemeral, **self._message(text, shown), **more)
        )

    async def respond(self, response_url: str, text: str, blocks: Blocks, *, in_channel: bool = False) -> None:
        """Answer through an interaction's response URL: valid for 30 min and 5 uses."""
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
                raise refused_address(answer.status_code)

        await self.charts.send(blocks, send)

    async def upload(self, channel: str, name: str, text: str, comment: str, *, thread_ts: str | None = None) -> None:
        """Share a text file in a channel or a thread, with a comment above it. Needs membership of the channel."""
        await self._refuse_closed("files.completeUploadExternal", channel)
        await call(
            self.web.files_upload_v2,
            channel=await self.channel_id(channel),
            content=text,
            filename=name,
            title=name,
            initial_comment=self._origin.text(comment),
            thread_ts=thread_ts,
        )

    async def set_group_members(self, group_id: str, users: Sequence[str]) -> None:
        """Set the members of a user group; Slack needs at least one. Needs the scope usergroups:write.

        SlackRefusedError with `missing_scope` without it, `permission_denied` if the workspace's settings forbid it.
        """
        await call(self.web.usergroups_users_update, usergroup=group_id, users=",".join(users))

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """Open a modal, within 3 s of the click; return its id."""
        answer = await call(self.web.views_open, trigger_id=trigger_id, view=self._origin.view(view))
        return str(answer["view"]["id"])

    async def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Replace the content of a modal. SlackRefusedError with `not_found` if the person closed it."""
        await call(self.web.views_update, view_id=view_id, view=self._origin.view(view))

    async def publish_home(self, user_id: str, view: Mapping[str, Any]) -> None:
        """Show a person's Home tab."""
        await call(self.web.views_publish, user_id=user_id, view=self._origin.view(view))

    def _message(self, text: str, blocks: Blocks) -> dict[str, Any]:
        """The text and blocks to send. With blocks, the text is what notifications show; alone, it is the message."""
        marked = self._origin.text(text)
        return {"text": with_short_first_line(marked) if blocks else marked, "blocks": self._origin.blocks(blocks)}

    async def _refuse_closed(self, method: str, channel: str) -> None:
        if self.closed and await self.channel_id(channel) in self.closed:
            raise SlackRefusedError(method, SHARED_OUTSIDE)

    async def _take_back(self, channel_id: str, ts: str) -> None:
        """Delete a message that was just posted; if that fails, it stays."""
        with contextlib.suppress(SourceError):
            await self.delete(channel_id, ts)


def _metadata(key: str) -> dict[str, Any]:
    return {"event_type": METADATA_EVENT, "event_payload": {"key": key}}
