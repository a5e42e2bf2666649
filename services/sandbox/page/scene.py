"""The view of one person at one place, ready for the templates."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from markupsafe import Markup

from services.sandbox.page.drawing.html import Drawing
from services.sandbox.page.drawing.mrkdwn import mrkdwn
from services.sandbox.page.render import render_blocks
from services.sandbox.slack import model
from services.sandbox.slack.messages import file_path
from services.sandbox.slack.model import Channel, Json, Message, Refusal, User, View
from services.sandbox.slack.workspace import Workspace

GROUPED_WITHIN = timedelta(minutes=5)  # within it, another message of the same person shows no name and picture
DRAWN_BODIES = 1_000  # cached, for all people together
CHANNEL, THREAD = "c", "t"  # the two places where a message may be on one page

_Content = tuple[str, list[Json]]


@dataclass(frozen=True)
class SharedFile:
    """A file in a message. `url`: None if the file is gone."""

    name: str
    about: str
    url: str | None


@dataclass(frozen=True)
class Line:
    """One message as the timeline shows it. `is_grouped`: it follows another of its author and shows no name."""

    key: str
    ts: str
    at: datetime
    author: User
    body: Markup
    day: str | None
    is_grouped: bool
    is_private: bool
    is_edited: bool
    is_broadcast: bool
    reactions: tuple[tuple[str, int], ...] = ()
    files: tuple[SharedFile, ...] = ()
    replies: int = 0
    last_reply_at: datetime | None = None

    @property
    def version(self) -> int:
        """A checksum of everything shown; the page does not replace a message while it stays the same."""
        return zlib.crc32(repr(self).encode())


class DrawnBodies:
    """A cache of drawn message bodies, so that a change elsewhere in the channel draws none of them again."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str, str, str], tuple[_Content, Markup]] = {}

    def get(self, message: Message, viewer: User, scope: str, draw: Callable[[], Markup]) -> Markup:
        """Return the drawn body; draw it again only if the message's content was replaced."""
        key = (scope, viewer.id, message.channel, message.ts)
        content = (message.text, message.blocks)
        before = self._drawn.pop(key, None)
        body = before[1] if before and before[0] == content else draw()
        self._drawn[key] = (content, body)
        while len(self._drawn) > DRAWN_BODIES:
            del self._drawn[next(iter(self._drawn))]
        return body


class LineDrawer:
    """Draws messages for one person in the channel or in a thread."""

    def __init__(self, workspace: Workspace, viewer: User, scope: str, bodies: DrawnBodies) -> None:
        self._workspace = workspace
        self._viewer = viewer
        self._scope = scope
        self._bodies = bodies

    def lines(self, messages: Iterable[Message]) -> Iterator[Line]:
        """Yield the lines of messages, which must be in order of time."""
        previous: Line | None = None
        for message in messages:
            previous = self._line(message, previous)
            yield previous

    def _line(self, message: Message, previous: Line | None) -> Line:
        at = local_time(message.ts)
        in_channel = self._scope == CHANNEL
        new_day = previous is None or previous.at.date() != at.date()
        author = self._author(message)
        replies = self._replies(message) if in_channel else []
        return Line(
            key=f"{self._scope}-{message.ts}",
            ts=message.ts,
            at=at,
            author=author,
            body=self._bodies.get(message, self._viewer, self._scope, lambda: self._body(message)),
            day=_day(at) if new_day and in_channel else None,
            is_grouped=not new_day and previous is not None and _continues(previous, author, at),
            is_private=message.visible_to is not None,
            is_edited=message.edited is not None and not message.blocks,
            is_broadcast=message.is_reply and message.reply_broadcast and in_channel,
            reactions=tuple((name, len(users)) for name, users in message.reactions.items()),
            files=tuple(self._file(file_id) for file_id in message.files),
            replies=len(replies),
            last_reply_at=local_time(replies[-1].ts) if replies else None,
        )

    def _author(self, message: Message) -> User:
        user = self._workspace.users.get(message.user, self._workspace.bot)
        if message.username:
            return User(user.id, message.username, message.username, is_bot=user.is_bot)
        return user

    def _body(self, message: Message) -> Markup:
        drawing = drawing_for(self._workspace, self._viewer, f"{self._scope}-{message.ts}")
        return render_blocks(message.blocks, drawing) if message.blocks else mrkdwn(message.text, drawing)

    def _file(self, file_id: str) -> SharedFile:
        file = self._workspace.files.find(file_id)
        if file is None:
            return SharedFile(file_id, "gone", None)
        return SharedFile(file.title or file.name, f"{file.size:,} bytes", file_path(file))

    def _replies(self, message: Message) -> list[Message]:
        if message.is_reply:
            return []
        replies = self._workspace.messages.replies(message.channel, message.ts)
        return [reply for reply in replies if reply.is_visible_to(self._viewer.id)]


def drawing_for(workspace: Workspace, viewer: User, scope: str, errors: Mapping[str, str] | None = None) -> Drawing:
    """The drawing context with the names of all people, channels and groups, for one viewer."""
    return Drawing(
        users={user.id: user.name for user in workspace.users.values()},
        channels={c.id: c.name for c in workspace.channels.values() if c.im_user is None},
        groups={group.id: group.handle for group in workspace.groups.values()},
        viewer=viewer.id,
        scope=scope,
        errors=errors or {},
    )


def local_time(ts: str | float) -> datetime:
    """A message's timestamp (Unix seconds) in this machine's time zone."""
    return datetime.fromtimestamp(float(ts), UTC).astimezone()


def _continues(previous: Line, author: User, at: datetime) -> bool:
    """True if the message is grouped with the previous one.

    Messages of apps are not grouped: they answer different questions, so each keeps its name and time.
    """
    return (
        previous.author == author and not author.is_bot and not previous.replies and at - previous.at <= GROUPED_WITHIN
    )


def _day(at: datetime) -> str:
    today = datetime.now(UTC).astimezone().date()
    if at.date() == today:
        return "Today"
    if at.date() == today - timedelta(days=1):
        return "Yesterday"
    return f"{at:%A, %B} {at.day}"


HOME = "home"
PAGE_OF_MESSAGES = 100  # shown at first; each "Show earlier messages" adds 100 more


@dataclass(frozen=True)
class Place:
    """The place that a page shows. `channel_id` is a channel, a direct message or `home`; `thread_ts` the open thread.

    `prefix`: of the environment's page. `incidents`: its incidents channel.
    """

    viewer: User
    channel_id: str
    thread_ts: str | None = None
    limit: int = PAGE_OF_MESSAGES
    prefix: str = ""
    incidents: str = model.INCIDENTS_ID

    def link(self, **changes: str | int | None) -> str:
        """The URL of this place with some values changed; `thread=None` closes the thread."""
        values = {"as": self.viewer.id, "in": self.channel_id, "thread": self.thread_ts, "limit": None} | changes
        return f"{self.prefix}/?" + urlencode({name: value for name, value in values.items() if value is not None})

    @property
    def query(self) -> str:
        """The query of a fragment's URL that shows the same place."""
        values = {"as": self.viewer.id, "in": self.channel_id, "thread": self.thread_ts, "limit": self.limit}
        return urlencode({name: value for name, value in values.items() if value is not None})


def read_place(workspace: Workspace, query: Mapping[str, str], prefix: str = "") -> Place:
    """The place in a URL; invalid values become the first person and the incidents channel."""
    people = {user.id: user for user in workspace.people}
    viewer = people.get(query.get("as", ""), workspace.people[0])
    limit = query.get("limit", "")
    return Place(
        viewer,
        _channel_id(workspace, viewer, query.get("in", "")),
        query.get("thread") or None,
        max(int(limit), PAGE_OF_MESSAGES) if limit.isdecimal() and len(limit) < 6 else PAGE_OF_MESSAGES,
        prefix,
        workspace.app.channel,
    )


def _channel_id(workspace: Workspace, viewer: User, wanted: str) -> str:
    """The channel to show. Another person's direct message becomes the viewer's own, for switching the person there."""
    if wanted == HOME:
        return HOME
    channel = workspace.find_channel(wanted) if wanted else None
    if channel is None:
        return workspace.direct_channel(viewer.id).id if wanted.startswith("D") else workspace.app.channel
    return workspace.direct_channel(viewer.id).id if channel.im_user else channel.id


@dataclass(frozen=True)
class RefusalBox:
    """A message that real Slack would have refused, shown at the time it was sent."""

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
    """The last message that each person has seen in each channel, for the bold names in the sidebar."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], str] = {}

    def mark(self, user: str, channel: str, messages: list[Message]) -> None:
        if messages:
            self._marks[user, channel] = messages[-1].ts

    def has_unread(self, user: str, channel: str, messages: list[Message]) -> bool:
        """True if another person wrote something after the last message that this person saw."""
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
        """The channel shown; None on the Home tab."""
        return None if self.place.channel_id == HOME else self.workspace.channels[self.place.channel_id]

    @property
    def may_write(self) -> bool:
        """True in a channel, and in the app's direct messages, because its manifest enables the Messages tab."""
        return self.channel is not None

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
        """The channel's newest messages with refusals between them, oldest first; marks the channel as read."""
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
        """The open thread, with its first message."""
        if self.place.thread_ts is None:
            return []
        messages = self.workspace.thread_for(self.viewer.id, self.place.channel_id, self.place.thread_ts)
        return list(LineDrawer(self.workspace, self.viewer, THREAD, self.bodies).lines(messages))

    def status(self) -> str:
        """The app's status in the open thread ("is thinking…"); empty without one."""
        place = self.place
        return self.workspace.status_of(place.channel_id, place.thread_ts) if place.thread_ts else ""

    def tint(self, user: User) -> int:
        """The number of this person's avatar color; 0 for others."""
        people = self.workspace.people
        return people.index(user) + 1 if user in people else 0

    def is_app(self, user: User) -> bool:
        """True if this is the bot of an app in the workspace."""
        return any(user.id == one.bot.id for one in self.workspace.installed)

    def is_second_app(self, user: User) -> bool:
        """True if this is the bot of another app than the first; it has its own color."""
        return self.is_app(user) and user.id != self.workspace.installed[0].bot.id

    def modal(self) -> View | None:
        return self.workspace.modal_for(self.viewer.id)

    def modal_depth(self) -> int:
        return self.workspace.modal_depth(self.viewer.id)

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
