"""For whom Railway is read. It travels with the task, because a command and its requests are many calls apart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum


class Purpose(IntEnum):
    """What a read is for, the least urgent first: the more urgent, the longer it may still use the rate limit.

    ANSWER: a person's question. PLAN: a change that a person asks for. WATCH: the bot's own alerts. CHANGE: a run,
    with its read-backs. EMERGENCY: a break-glass run, which is tried even while Railway refuses reads.
    """

    ANSWER = 0
    PLAN = 1
    WATCH = 2
    CHANGE = 3
    EMERGENCY = 4


@dataclass(frozen=True)
class Reader:
    """`person`: the user id that a request counts for; None: the bot itself."""

    purpose: Purpose = Purpose.WATCH
    person: str | None = None


_READER: ContextVar[Reader] = ContextVar("reader", default=Reader())  # noqa: B039 - frozen


def current_reader() -> Reader:
    """For whom this task reads."""
    return _READER.get()


@contextlib.contextmanager
def reading_for(purpose: Purpose, person: str | None = None) -> Iterator[None]:
    """What is read within this, in tasks begun within it too, is for this purpose."""
    token = _READER.set(Reader(purpose, person))
    try:
        yield
    finally:
        _READER.reset(token)


@contextlib.contextmanager
def at_least(purpose: Purpose) -> Iterator[None]:
    """What is read within this is at least as urgent as `purpose`, and for the same person."""
    reader = current_reader()
    with reading_for(max(purpose, reader.purpose), reader.person):
        yield
