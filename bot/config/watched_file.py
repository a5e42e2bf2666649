"""A file that is read again when it has changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

Signature = tuple[int, int, int]  # of a file's state: when it was written, its size, and which file it is


class WatchedFile:
    """To be asked now and then. It reads at once the first time; later a file that is being written is left alone until
    it is the same twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: Signature | None = None
        self._read: Signature | None = None

    async def read_if_changed(self) -> bytes | None:
        """The content, when it is another file state than the one read last; else None. Raises OSError."""
        try:
            seen = await asyncio.to_thread(_signature, self.path)
        except OSError:
            self.forget()  # it may come back as it was
            raise
        is_settled, self._seen = self._seen in (None, seen), seen
        if not is_settled or seen == self._read:
            return None
        content = await asyncio.to_thread(self.path.read_bytes)
        self._read = seen
        return content

    def forget(self) -> None:
        """Read it again at the next look, changed or not."""
        self._read = None


def _signature(path: Path) -> Signature:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
