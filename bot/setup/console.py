"""The person at the terminal: what they read besides the answer, and what they are asked."""

from __future__ import annotations

import asyncio
import getpass
import sys
from typing import Protocol

from services.domain.secrets import fit_to_print


class Console(Protocol):
    """`is_person`: whether someone can be asked; otherwise `ask` returns what was there before, or ""."""

    @property
    def is_person(self) -> bool: ...

    def show(self, text: str) -> None:
        """One line, at once, without our own secrets."""

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """The answer, without the blanks around it. A secret is not shown while it is typed. EOFError at the end."""

    async def enter(self) -> None:
        """Returns when Enter is pressed; never where no one can be asked."""


class Terminal:
    """Standard error and standard input: the answer itself goes to standard output."""

    @property
    def is_person(self) -> bool:
        return sys.stdin.isatty()

    def show(self, text: str) -> None:
        sys.stderr.write(f"{fit_to_print(text)}\n")
        sys.stderr.flush()

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Reads in a thread, because the connection to Slack has to be kept meanwhile."""
        read = getpass.getpass if secret else _read_line
        return (await asyncio.to_thread(read, question)).strip()

    async def enter(self) -> None:
        """Without a thread: one that waits for a line could not be given up."""
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
