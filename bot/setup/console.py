"""The dialog with the person at the terminal, besides the command's answer."""

from __future__ import annotations

import asyncio
import getpass
import sys
from typing import Protocol

from services.domain.secrets import fit_to_print


class Console(Protocol):
    """The dialog with a person. `is_person`: False if input does not come from a person."""

    @property
    def is_person(self) -> bool: ...

    def show(self, text: str) -> None:
        """Print one line at once, with the bot's own secrets masked."""

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Ask, and return the stripped answer. A secret is not echoed. Raises EOFError at the end of the input."""

    async def enter(self) -> None:
        """Wait until Enter is pressed; forever if `is_person` is False."""


class Terminal:
    """Console on stderr and stdin; the command's answer goes to stdout."""

    @property
    def is_person(self) -> bool:
        return sys.stdin.isatty()

    def show(self, text: str) -> None:
        sys.stderr.write(f"{fit_to_print(text)}\n")
        sys.stderr.flush()

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Read in a thread, because the connection to Slack must be kept alive meanwhile."""
        read = getpass.getpass if secret else _read_line
        return (await asyncio.to_thread(read, question)).strip()

    async def enter(self) -> None:
        """Wait without a thread, because a thread that waits for a line can't be cancelled."""
        pressed = asyncio.Event()
        if not self.is_person:
            await pressed.wait()
        loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()
        loop.add_reader(stdin, pressed.set)
        try:
            await pressed.wait()
        finally:
            loop.remove_reader(stdin)
        sys.stdin.readline()


def _read_line(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
