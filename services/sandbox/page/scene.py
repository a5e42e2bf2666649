"""What one person sees at one place, ready for the templates: drawn messages in order, unread channels, modals."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from services.sandbox.page.drawing.context import Drawing
from services.sandbox.page.drawing.mrkdwn import mrkdwn
from services.sandbox.page.place import HOME, Place
from services.sandbox.page.render import render_blocks
from services.sandbox.slack.model import Channel, Message, Refusal, User, View
from services.sandbox.slack.workspace import Workspace

GROUPED_WITHIN = timedelta(minutes=5)  # a later message by the same author repeats name and picture


@dataclass(frozen=True)
class Line:
    """One message as the timeline shows it. `is_grouped`: it follows another by the same author and needs no name."""

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
    files: tuple[tuple[str, str], ...] = ()
    replies: int = 0
    last_reply_at: datetime | None = None

    @property
    def version(self) -> int:
        """Changes when anything shown changes; the page leaves a message alone while it stays the same."""
        return zlib.crc32(repr(self).encode())


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

    def __init__(self, workspace: Workspace, marks: ReadMarks, place: Place) -> None:
        self.workspace = workspace
        self.marks = marks
        self.place = place
        self.viewer = place.viewer

    @property
    def channel(self) -> Channel | None:
        """None on the Home tab."""
        return None if self.place.channel_id == HOME else self.workspace.channels[self.place.channel_id]

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
        since = _time(shown[0].ts) if len(shown) < len(messages) else None
        return list(_merge(self._lines(shown, scope="c"), self._refusals(since)))

    def has_earlier(self) -> bool:
        return len(self.workspace.messages_for(self.viewer.id, self.place.channel_id)) > self.place.limit

    def thread(self) -> list[Line]:
        """The open thread, its first message included."""
        if self.place.thread_ts is None:
            return []
        messages = self.workspace.thread_for(self.viewer.id, self.place.channel_id, self.place.thread_ts)
        return list(self._lines(messages, scope="t"))

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
        return render_blocks(view.content.get("blocks", ()), self._drawing(view.id, errors=dict(view.errors)))

    def view_version(self, view: View) -> int:
        return zlib.crc32(f"{view.id} {view.hash} {view.errors}".encode())

    def _entry(self, channel: Channel) -> Entry:
        is_current = channel.id == self.place.channel_id
        messages = self.workspace.messages_for(self.viewer.id, channel.id)
        is_unread = not is_current and self.marks.has_unread(self.viewer.id, channel.id, messages)
        return Entry(channel.id, channel.name or self.workspace.bot.real_name, is_current, is_unread)

    def _lines(self, messages: Iterable[Message], *, scope: str) -> Iterator[Line]:
        previous: Line | None = None
        for message in messages:
            previous = self._line(message, previous, scope)
            yield previous

    def _line(self, message: Message, previous: Line | None, scope: str) -> Line:
        at = _time(message.ts)
        new_day = previous is None or previous.at.date() != at.date()
        author = self._author(message)
        is_private = message.visible_to is not None
        replies = self._replies(message) if scope == "c" else []
        return Line(
            key=f"{scope}-{message.ts}",
            ts=message.ts,
            at=at,
            author=author,
            body=self._body(message, scope),
            day=_day(at) if new_day and scope == "c" else None,
            is_grouped=not new_day and previous is not None and _continues(previous, author, at, is_private),
            is_private=is_private,
            is_edited=message.edited is not None and not message.blocks,
            is_broadcast=message.is_reply and message.reply_broadcast and scope == "c",
            reactions=tuple((name, len(users)) for name, users in message.reactions.items()),
            files=tuple(self._file(file_id) for file_id in message.files),
            replies=len(replies),
            last_reply_at=_time(replies[-1].ts) if replies else None,
        )

    def _author(self, message: Message) -> User:
        user = self.workspace.users.get(message.user, self.workspace.bot)
        if message.username:
            return User(user.id, message.username, message.username, is_bot=user.is_bot)
        return user

    def _body(self, message: Message, scope: str) -> Markup:
        drawing = self._drawing(f"{scope}-{message.ts}")
        body = render_blocks(message.blocks, drawing) if message.blocks else mrkdwn(message.text, drawing)
        attached = [
            render_blocks(attachment.get("blocks", ()), drawing) or mrkdwn(str(attachment.get("text", "")), drawing)
            for attachment in message.attachments
        ]
        return body + Markup("").join(Markup('<div class="attachment">{}</div>').format(part) for part in attached)

    def _file(self, file_id: str) -> tuple[str, str]:
        file = self.workspace.files.find(file_id)
        return (file.title or file.name, f"{file.size:,} bytes") if file else (file_id, "gone")

    def _replies(self, message: Message) -> list[Message]:
        if message.is_reply:
            return []
        replies = self.workspace.messages.replies(message.channel, message.ts)
        return [reply for reply in replies if reply.is_visible_to(self.viewer.id)]

    def _refusals(self, since: datetime | None) -> Iterator[RefusalBox]:
        for refusal in self.workspace.refusals:
            at = datetime.fromtimestamp(refusal.at, UTC).astimezone()
            concerns = refusal.channel in (None, self.place.channel_id, self.title)
            if concerns and refusal.user in (None, self.viewer.id) and (since is None or at >= since):
                yield RefusalBox(f"r-{refusal.at:.6f}", at, refusal)

    def _drawing(self, scope: str, errors: dict[str, str] | None = None) -> Drawing:
        workspace = self.workspace
        return Drawing(
            users={user.id: user.name for user in workspace.users.values()},
            channels={c.id: c.name for c in workspace.channels.values() if c.im_user is None},
            groups={group.id: group.handle for group in workspace.groups.values()},
            viewer=self.viewer.id,
            scope=scope,
            errors=errors or {},
        )


def _merge(lines: Iterator[Line], boxes: Iterator[RefusalBox]) -> list[Line | RefusalBox]:
    return sorted([*lines, *boxes], key=lambda shown: shown.at)


def _continues(previous: Line, author: User, at: datetime, is_private: bool) -> bool:
    same = previous.author == author and previous.is_private == is_private and not previous.replies
    return same and at - previous.at <= GROUPED_WITHIN


def _time(ts: str) -> datetime:
    """A message's timestamp in this machine's time zone."""
    return datetime.fromtimestamp(float(ts), UTC).astimezone()


def _day(at: datetime) -> str:
    today = datetime.now(UTC).astimezone().date()
    if at.date() == today:
        return "Today"
    if at.date() == today - timedelta(days=1):
        return "Yesterday"
    return f"{at:%A, %B} {at.day}"
