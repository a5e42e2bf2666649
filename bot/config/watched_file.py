"""A file that is read again when it has changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

Signature = tuple[int, int, int]  # a file's state: modification time, size, and inode


class WatchedFile:
    """A file to poll. The first poll reads it at once; later a file that is being written is not read until two polls
    see the same state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: Signature | None = None
        self._read: Signature | None = None

    async def read_if_changed(self) -> bytes | None:
        """The content if the file changed since the last read, else None. Raises OSError."""
        try:
            seen = await asyncio.to_thread(_signature, self.path)
        except OSError:
            self.forget()  # it may reappear unchanged
            raise
        is_settled, self._seen = self._seen in (None, seen), seen
        if not is_settled or seen == self._read:
            return None
        content = await asyncio.to_thread(self.path.read_bytes)
        self._read = seen
        return content

    def forget(self) -> None:
        """Make the next poll read the file, changed or not."""
        self._read = None


def _signature(path: Path) -> Signature:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
