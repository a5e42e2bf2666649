"""What one person sees at one place, ready for the templates."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from markupsafe import Markup

from services.sandbox.page.lines import CHANNEL, THREAD, DrawnBodies, Line, LineDrawer, drawing_for, local_time
from services.sandbox.page.render import render_blocks
from services.sandbox.slack import model
from services.sandbox.slack.model import Channel, Message, Refusal, User, View
from services.sandbox.slack.workspace import Workspace

HOME = "home"
PAGE_OF_MESSAGES = 100  # shown at first; each "Show earlier messages" adds as many


@dataclass(frozen=True)
class Place:
    """`channel_id` is a channel, a direct message or `home`; `thread_ts` names the thread that is open beside it."""

    viewer: User
    channel_id: str
    thread_ts: str | None = None
    limit: int = PAGE_OF_MESSAGES
    incidents = model.INCIDENTS_ID

    def link(self, **changes: str | int | None) -> str:
        """The address of this place with something changed; `thread=None` closes the thread."""
        values = {"as": self.viewer.id, "in": self.channel_id, "thread": self.thread_ts, "limit": None} | changes
        return "/?" + urlencode({name: value for name, value in values.items() if value is not None})

    @property
    def query(self) -> str:
        """What a fragment's address carries, so that it shows the same place."""
        values = {"as": self.viewer.id, "in": self.channel_id, "thread": self.thread_ts, "limit": self.limit}
        return urlencode({name: value for name, value in values.items() if value is not None})


def read_place(workspace: Workspace, query: Mapping[str, str]) -> Place:
    """The place an address names; what it names wrongly becomes the first person and the incidents channel."""
    people = {user.id: user for user in workspace.people}
    viewer = people.get(query.get("as", ""), workspace.people[0])
    limit = query.get("limit", "")
    return Place(
        viewer,
        _channel_id(workspace, viewer, query.get("in", "")),
        query.get("thread") or None,
        max(int(limit), PAGE_OF_MESSAGES) if limit.isdecimal() and len(limit) < 6 else PAGE_OF_MESSAGES,
    )


def _channel_id(workspace: Workspace, viewer: User, wanted: str) -> str:
    """Somebody else's direct message becomes one's own: that is what a switch of the person means there."""
    if wanted == HOME:
        return HOME
    channel = workspace.find_channel(wanted) if wanted else None
    if channel is None:
        return workspace.direct_channel(viewer.id).id if wanted.startswith("D") else model.INCIDENTS_ID
    return workspace.direct_channel(viewer.id).id if channel.im_user else channel.id


@dataclass(frozen=True)
class RefusalBox:
    """What real Slack would not have accepted, at the time it was sent."""

    key: str
    at: datetime
    refusal: Refusal


@dataclass(frozen=True)
class Entry:
    """One line of the sidebar."""

    channel_id: str
    name: str
    is_current: bool
    is_unread: bool


class ReadMarks:
    """How far each person has read each channel, for the bold names in the sidebar."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], str] = {}

    def mark(self, user: str, channel: str, messages: list[Message]) -> None:
        if messages:
            self._marks[user, channel] = messages[-1].ts

    def has_unread(self, user: str, channel: str, messages: list[Message]) -> bool:
        """Whether somebody else wrote something after what this person last saw."""
        last_seen = self._marks.get((user, channel), "")
        return any(message.ts > last_seen and message.user != user for message in messages[-20:])


class Scene:
    """Draws the workspace for one place."""

    def __init__(self, workspace: Workspace, marks: ReadMarks, bodies: DrawnBodies, place: Place) -> None:
        self.workspace = workspace
        self.marks = marks
        self.bodies = bodies
        self.place = place
        self.viewer = place.viewer

    @property
    def channel(self) -> Channel | None:
        """None on the Home tab."""
        return None if self.place.channel_id == HOME else self.workspace.channels[self.place.channel_id]

    @property
    def may_write(self) -> bool:
        """Not to the app itself: its manifest makes the Messages tab read-only (`messages_tab_read_only_enabled`)."""
        return self.channel is not None and self.channel.im_user is None

    @property
    def title(self) -> str:
        channel = self.channel
        if channel is None or channel.im_user:
            return self.workspace.bot.real_name
        return channel.name

    def channels(self) -> list[Entry]:
        return [self._entry(channel) for channel in self.workspace.channels.values() if channel.im_user is None]

    def direct(self) -> Entry:
        return self._entry(self.workspace.direct_channel(self.viewer.id))

    def timeline(self) -> list[Line | RefusalBox]:
        """The channel's newest messages with the refusals between them, oldest first; marks the channel as read."""
        channel_id = self.place.channel_id
        messages = self.workspace.messages_for(self.viewer.id, channel_id)
        self.marks.mark(self.viewer.id, channel_id, messages)
        shown = messages[-self.place.limit :]
        since = local_time(shown[0].ts) if len(shown) < len(messages) else None
        lines = LineDrawer(self.workspace, self.viewer, CHANNEL, self.bodies).lines(shown)
        return _merge(lines, self._refusals(since))

    def has_earlier(self) -> bool:
        return len(self.workspace.messages_for(self.viewer.id, self.place.channel_id)) > self.place.limit

    def thread(self) -> list[Line]:
        """The open thread, its first message included."""
        if self.place.thread_ts is None:
            return []
        messages = self.workspace.thread_for(self.viewer.id, self.place.channel_id, self.place.thread_ts)
        return list(LineDrawer(self.workspace, self.viewer, THREAD, self.bodies).lines(messages))

    def tint(self, user: User) -> int:
        """Which of the avatar colours is this person's."""
        people = self.workspace.people
        return people.index(user) + 1 if user in people else 0

    def modal(self) -> View | None:
        return self.workspace.modal_for(self.viewer.id)

    def modal_depth(self) -> int:
        return len(self.workspace.views.stack_for(self.viewer.id))

    def home(self) -> View | None:
        return self.workspace.home_for(self.viewer.id)

    def view_blocks(self, view: View) -> Markup:
        """The blocks of a modal or the Home tab, with the errors of the last submission."""
        return render_blocks(
            view.content.get("blocks", ()), drawing_for(self.workspace, self.viewer, view.id, view.errors)
        )

    def view_version(self, view: View) -> int:
        return zlib.crc32(f"{view.id} {view.hash} {view.errors}".encode())

    def _entry(self, channel: Channel) -> Entry:
        is_current = channel.id == self.place.channel_id
        messages = self.workspace.messages_for(self.viewer.id, channel.id)
        is_unread = not is_current and self.marks.has_unread(self.viewer.id, channel.id, messages)
        return Entry(channel.id, channel.name or self.workspace.bot.real_name, is_current, is_unread)

    def _refusals(self, since: datetime | None) -> Iterator[RefusalBox]:
        for refusal in self.workspace.refusals:
            at = local_time(refusal.at)
            concerns = refusal.channel in (None, self.place.channel_id, self.title)
            if concerns and refusal.user in (None, self.viewer.id) and (since is None or at >= since):
                yield RefusalBox(f"r-{refusal.at:.6f}", at, refusal)


def _merge(lines: Iterator[Line], boxes: Iterator[RefusalBox]) -> list[Line | RefusalBox]:
    return sorted([*lines, *boxes], key=lambda shown: shown.at)
