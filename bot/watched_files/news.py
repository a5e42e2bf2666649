"""Announces that a watched file has changed or was refused; leader only."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from bot.config.fields import Invalid
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views import rule_files as view
from bot.wake_ups import WakeUps
from bot.watched_files.watch import FileState, FileWatch, recovery_key, refusal_key
from services.clients.postgres import messages
from services.clients.postgres.pool import Connection, Database

T = TypeVar("T")


class FileNews(PeriodicTask, Generic[T]):
    """Announces each change of a file once, even if the leader restarts."""

    interval_s = 60.0
    key: str  # prefix of its message keys

    def __init__(self, watch: FileWatch[T], database: Database, wake_ups: WakeUps) -> None:
        super().__init__(watch.changed)
        self.name = watch.what
        self._file = watch
        self._database = database
        self._wake_ups = wake_ups
        self._announced: FileState[T] | None = None

    @property
    @abstractmethod
    def _channel(self) -> str:
        """The channel for the messages."""

    @abstractmethod
    def _refused(self, fault: Invalid) -> view.Content:
        """Message that the file was refused."""

    @abstractmethod
    async def _notify(self, fence: Fence, state: FileState[T], value: T) -> None:
        """Announce a valid file."""

    def _is_in_force(self, value: T) -> bool:  # noqa: ARG002 - for files that take effect later
        return True

    async def tick(self, fence: Fence) -> None:
        state = self._file.latest
        if state is None or state == self._announced:
            return
        if isinstance(state.value, Invalid):
            await self._send(fence, state, refusal_key, self._refused(state.value))
        elif not self._is_in_force(state.value):
            return
        else:
            await self._notify(fence, state, state.value)
        self._announced = state
        self._wake_ups.outbox.set()

    async def _notify_of_recovery(self, fence: Fence, state: FileState[T]) -> None:
        await self._send(fence, state, recovery_key, view.good_file_message(self.name))

    async def _send(
        self,
        fence: Fence,
        state: FileState[T],
        key_of: Callable[[Connection, str, str], Awaitable[str | None]],
        content: view.Content,
    ) -> None:
        """Store the message, unless `key_of` returns None because the channel has it already."""
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            key = await key_of(conn, self.key, state.digest)
            if key is not None:
                await messages.store_content(conn, key, self._channel, content)
