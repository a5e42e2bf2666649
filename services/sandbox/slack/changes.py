"""Tells whoever listens what changed in the workspace; a slow listener is told to read all again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

MAX_WAITING = 256  # changes kept for one listener


class ChangeKind(StrEnum):
    MESSAGE_POSTED = "message_posted"
    MESSAGE_CHANGED = "message_changed"
    MESSAGE_DELETED = "message_deleted"
    VIEW = "view"  # a modal opened, changed or closed for `user`
    HOME = "home"
    CHANNEL = "channel"  # a channel or a direct message was added
    REFUSED = "refused"
    CONNECTION = "connection"  # an app's socket came or went
    MISSED = "missed"  # this listener was too slow: read everything again


@dataclass(frozen=True)
class Change:
    """`user` is set when only that person sees it; `thread_ts` when it lies in a thread."""

    kind: ChangeKind
    channel: str | None = None
    ts: str | None = None
    thread_ts: str | None = None
    user: str | None = None


class Subscription:
    """An async iterator over changes, also readable one by one with a time limit through `next_change`."""

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
        """A bounded view of everything that changes from now on: `with changes.subscribe() as stream: async for …`."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, change: Change) -> None:
        for subscription in self._subscriptions:
            subscription.put(change)
