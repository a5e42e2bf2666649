"""The messages of every channel, in time order, with their threads; and a feed of changes."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from services.sandbox.slack.model import File, Json, Message, with_former

MAX_WAITING = 256  # changes kept per subscription


class ChangeKind(StrEnum):
    MESSAGE_POSTED = "message_posted"
    MESSAGE_CHANGED = "message_changed"
    MESSAGE_DELETED = "message_deleted"
    VIEW = "view"  # a modal opened, changed or closed for `user`
    HOME = "home"
    CHANNEL = "channel"  # a channel or a direct message was added
    REFUSED = "refused"
    CONNECTION = "connection"  # an app's socket was opened or closed
    MISSED = "missed"  # this subscriber was too slow and has to read everything again


@dataclass(frozen=True)
class Change:
    """One change. `user`: the only person who sees it, if any; `thread_ts`: its thread, if any."""

    kind: ChangeKind
    channel: str | None = None
    ts: str | None = None
    thread_ts: str | None = None
    user: str | None = None


class Subscription:
    """An async iterator over changes; `next_change` returns them one by one."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Change] = asyncio.Queue(MAX_WAITING)

    def put(self, change: Change) -> None:
        if self._waiting.full():
            self.clear()
            change = Change(ChangeKind.MISSED)
        self._waiting.put_nowait(change)

    def clear(self) -> None:
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def next_change(self) -> Change:
        return await self._waiting.get()

    async def __aiter__(self) -> AsyncIterator[Change]:
        while True:
            yield await self.next_change()


class Changes:
    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """A bounded feed of all changes from now on: `with changes.subscribe() as stream: async for …`."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, change: Change) -> None:
        for subscription in self._subscriptions:
            subscription.put(change)


MAX_PER_CHANNEL = 5_000  # the oldest are dropped, so that a demo that runs for weeks stays small


class MessageStore:
    """Keeps messages by channel and timestamp, and publishes changes. Not thread-safe."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._channels: dict[str, dict[str, Message]] = defaultdict(dict)  # insertion order is time order
        self._threads: dict[tuple[str, str], list[Message]] = defaultdict(list)  # replies, without the first message

    def __iter__(self) -> Iterator[Message]:
        for messages in self._channels.values():
            yield from messages.values()

    def find(self, channel: str, ts: str) -> Message | None:
        return self._channels[channel].get(ts)

    def add(self, message: Message) -> None:
        self.restore(message)
        self._drop_oldest(message.channel)
        self._publish(ChangeKind.MESSAGE_POSTED, message)

    def restore(self, message: Message) -> None:
        """Add a message without publishing it, for reading a saved workspace."""
        self._channels[message.channel][message.ts] = message
        if message.is_reply and message.thread_ts is not None:
            self._threads[message.channel, message.thread_ts].append(message)

    def change(self, message: Message, **values: Any) -> None:
        """Set fields of a message. Lists and dicts are replaced, never modified, so that snapshots stay valid."""
        if "blocks" in values:
            message.former = with_former(message.former, message.blocks)
        for name, value in values.items():
            setattr(message, name, value)
        self._publish(ChangeKind.MESSAGE_CHANGED, message)

    def remove(self, message: Message) -> None:
        self._forget(message)
        self._publish(ChangeKind.MESSAGE_DELETED, message)

    def in_channel(self, channel: str) -> list[Message]:
        """The messages shown in the channel itself, oldest first: no replies, except those also sent to the channel."""
        return [m for m in self._channels[channel].values() if not m.is_reply or m.reply_broadcast]

    def replies(self, channel: str, thread_ts: str) -> list[Message]:
        return list(self._threads.get((channel, thread_ts), ()))

    def thread(self, channel: str, thread_ts: str) -> list[Message]:
        """The first message and its replies, oldest first; empty if there is no such thread."""
        first = self.find(channel, thread_ts)
        return [first, *self.replies(channel, thread_ts)] if first else self.replies(channel, thread_ts)

    def _drop_oldest(self, channel: str) -> None:
        messages = self._channels[channel]
        while len(messages) > MAX_PER_CHANNEL:
            self._forget(next(iter(messages.values())))

    def _forget(self, message: Message) -> None:
        self._channels[message.channel].pop(message.ts, None)
        if message.is_reply and message.thread_ts is not None:
            replies = self._threads[message.channel, message.thread_ts]
            if message in replies:
                replies.remove(message)

    def _publish(self, kind: ChangeKind, message: Message) -> None:
        thread_ts = message.thread_ts if message.is_reply else None
        self._changes.publish(Change(kind, message.channel, message.ts, thread_ts, message.visible_to))


MAX_FILES = 200


class FileStore:
    def __init__(self) -> None:
        self._files: dict[str, File] = {}

    def find(self, file_id: str) -> File | None:
        return self._files.get(file_id)

    def reserve(self, name: str, size: int, *, user: str, alt_text: str = "") -> File:
        """Reserve a file to upload to: step 1 of an upload. `size` is in bytes."""
        file = File("F" + secrets.token_hex(5).upper(), name, size, user, title=name, alt_text=alt_text)
        self._files[file.id] = file
        while len(self._files) > MAX_FILES:
            del self._files[next(iter(self._files))]
        return file


def file_path(file: File) -> str:
    """The path that serves the file's bytes."""
    return f"/slack/files/{file.id}/{quote(file.name, safe='')}"


def file_json(file: File, *, created: int, base_url: str) -> Json:
    url = f"{base_url}{file_path(file)}"
    return {
        "id": file.id,
        "created": created,
        "name": file.name,
        "title": file.title,
        "size": file.size,
        "user": file.user,
        "alt_txt": file.alt_text,
        "mimetype": mimetype(file.name),
        "url_private": url,
        "permalink": url,
        "channels": list(file.channels),
    }


def mimetype(name: str) -> str:
    known = {"png": "image/png", "json": "application/json", "csv": "text/csv", "md": "text/markdown"}
    return known.get(name.rpartition(".")[2].lower(), "text/plain")
