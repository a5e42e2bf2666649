"""One message as the timeline shows it: drawn, dated, and grouped with the one before."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from services.sandbox.page.drawing.html import Drawing, el, join
from services.sandbox.page.drawing.mrkdwn import mrkdwn
from services.sandbox.page.render import render_blocks
from services.sandbox.slack.files import file_path
from services.sandbox.slack.model import Json, Message, User
from services.sandbox.slack.workspace import Workspace

GROUPED_WITHIN = timedelta(minutes=5)  # a later message by the same person needs no name and picture again
DRAWN_BODIES = 1_000  # kept, for all people together
CHANNEL, THREAD = "c", "t"  # the two places where one message may stand on one page

_Content = tuple[str, list[Json], list[Json]]


@dataclass(frozen=True)
class SharedFile:
    """`url`: where it can be opened; None once it is gone."""

    name: str
    about: str
    url: str | None


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
    files: tuple[SharedFile, ...] = ()
    replies: int = 0
    last_reply_at: datetime | None = None

    @property
    def version(self) -> int:
        """Changes when anything shown changes; the page leaves a message alone while it stays the same."""
        return zlib.crc32(repr(self).encode())


class DrawnBodies:
    """Bodies of messages as they were drawn last: a change elsewhere in the channel draws none of them anew."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str, str, str], tuple[_Content, Markup]] = {}

    def get(self, message: Message, viewer: User, scope: str, draw: Callable[[], Markup]) -> Markup:
        """Drawn again only when what the message holds was replaced."""
        key = (scope, viewer.id, message.channel, message.ts)
        content = (message.text, message.blocks, message.attachments)
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
        """The messages in the given order, which is that of time."""
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
        body = render_blocks(message.blocks, drawing) if message.blocks else mrkdwn(message.text, drawing)
        attached = [
            render_blocks(attachment.get("blocks", ()), drawing) or mrkdwn(str(attachment.get("text", "")), drawing)
            for attachment in message.attachments
        ]
        return join([body, [el("div", part, class_="attachment") for part in attached]])

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
    """Everybody's names, for one person's eyes."""
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
    """An app's messages are answers to different questions: each keeps its name and time."""
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
