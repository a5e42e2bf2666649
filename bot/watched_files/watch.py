"""Watches a file: a valid one takes effect at once, an invalid one keeps the last valid one in force.

Every replica watches its own copy.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from bot.config.fields import Fault, Invalid
from bot.config.watched_file import WatchedFile
from bot.wake_ups import WakeUp
from services.clients.postgres.messages import read_last_message_key
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.errors import SourceError

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0
LARGEST = 256 * 1024  # bytes; the tables that store the last valid file have a CHECK with the same limit

T = TypeVar("T")
Read = Callable[[bytes, str], T | Invalid]  # (content, name of the file for faults)


@dataclass(frozen=True)
class FileState(Generic[T]):
    """The file at its last read. `content`: empty if it can't be read."""

    content: bytes
    value: T | Invalid

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class FileWatch(ABC, Generic[T]):
    """Watch of one file. `what`: its name in messages ("on-call file"). `group`: its group of settings. `changed`:
    wake-up for the leader's announcement."""

    def __init__(self, path: Path, what: str, group: str, read: Read[T], *, every_s: float = CHECK_EVERY_S) -> None:
        self.changed = WakeUp()
        self.was_looked_at = asyncio.Event()  # set after the first check of `run`
        self.latest: FileState[T] | None = None
        self.what = what
        self._file = WatchedFile(path)
        self._group = group
        self._read = read
        self._every_s = every_s
        self._has_to_recall = False

    @abstractmethod
    async def _take_over(self, value: T) -> None:
        """Put the value into force in this process."""

    @abstractmethod
    def _refuse(self, fault: Invalid) -> bool:
        """Note that the current file was refused. True if another valid file is in force."""

    @abstractmethod
    async def _stored(self) -> bytes | None:
        """Read the last valid content, as the leader stored it; None if there is none. Raises SourceError."""

    async def run(self) -> None:
        """Check every `every_s` seconds until cancelled."""
        while True:
            await self.check()
            self.was_looked_at.set()
            await asyncio.sleep(self._every_s)

    async def check(self) -> None:
        """Read the file if it has changed, and put it into force if it is valid."""
        if self._has_to_recall:
            await self._recall()
        try:
            content = await self._file.read_if_changed()
        except OSError as error:
            await self._take(FileState(b"", self._unreadable(error)))
            return
        if content is not None:
            await self._take(FileState(content, self.read(content)))

    def read(self, content: bytes) -> T | Invalid:
        """Parse the content; Invalid if it is too large."""
        return read_bounded(content, self._file.path.name, self._group, self._read)

    async def _take(self, state: FileState[T]) -> None:
        if self.latest is not None and self.latest == state:
            return
        self.latest, self._has_to_recall = state, False
        try:
            await self._put_in_force(state.value)
        except Exception:  # a bug in the bot: the file is tried again
            self.latest = None
            self._file.forget()
            raise
        self.changed.set()

    async def _put_in_force(self, value: T | Invalid) -> None:
        if not isinstance(value, Invalid):
            await self._take_over(value)
            logger.info("the %s is in force", self.what)
        else:
            logger.warning("the %s was not loaded: %s", self.what, value.why)
            if not self._refuse(value):
                await self._recall()

    async def _recall(self) -> None:
        """Put the last valid file that the leader stored into force, after a start with an invalid file."""
        try:
            stored = await self._stored()
        except SourceError as error:
            logger.warning("the last good %s was not read: %s", self.what, error.why)
            self._has_to_recall = True  # retry at the next check
            return
        self._has_to_recall = False
        value = self.read(stored) if stored is not None else None
        if value is not None and not isinstance(value, Invalid):
            await self._take_over(value)

    def _unreadable(self, error: OSError) -> Invalid:
        problem = f"cannot be read ({error.strerror or type(error).__name__})"
        return Invalid(self._group, (Fault(self._file.path.name, problem, "put it back"),))


def read_bounded(content: bytes, name: str, group: str, read: Read[T]) -> T | Invalid:
    """Parse a file of at most 256 KiB; Invalid if it is larger."""
    if len(content) > LARGEST:
        return Invalid(group, (Fault(name, f"is larger than {LARGEST // 1024} KiB", "make it shorter"),))
    return read(content, name)


async def refusal_key(conn: Connection, name: str, digest: str) -> str | None:
    """Key for the message that a file was refused; None if that message is the last one. `name`: "policy"."""
    last = await _last_refusal(conn, name)
    if last is not None and last.startswith(f"{name}:file:{digest[:16]}:"):
        return None
    return f"{name}:file:{digest[:16]}:{await read_clock(conn):%Y%m%dT%H%M%S%f}:refused"


async def recovery_key(conn: Connection, name: str, digest: str) -> str | None:
    """Key for the message that the file is valid again; None unless the last message is a refusal."""
    if await _last_refusal(conn, name) is None:
        return None
    return f"{name}:file:{digest[:16]}:{await read_clock(conn):%Y%m%dT%H%M%S%f}:good"


async def _last_refusal(conn: Connection, name: str) -> str | None:
    last = await read_last_message_key(conn, prefix=f"{name}:file:")
    return last if last is not None and last.endswith(":refused") else None
