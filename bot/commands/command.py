"""What each kind of command declares besides a change (`bot.changes`), and where the function is that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.types import Verb

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.incidents.service import IncidentService
    from bot.types import Answer, Request
    from bot.world import World

    Handle = Callable[[Request, World], Awaitable[Answer]]
    IncidentHandle = Callable[[Request, World, IncidentService | None], Awaitable[Answer]]
    ApprovalHandle = Callable[[Request, World, ApprovalService | None], Awaitable[Answer]]
    TerminalHandle = Callable[[Sequence[str], Mapping[str, str]], Awaitable[Answer]]

Marks = Mapping[str, str]  # {command: who may, mrkdwn}; those that the person who asks for help may use are missing
NO_MARKS: Marks = {}


@dataclass(frozen=True, kw_only=True)
class Command(Verb):
    """A read. `handle` raises `UsageError` for words that do not fit and `OperatorError` for what cannot be done."""

    handle: Handle
    is_read: bool = True


@dataclass(frozen=True, kw_only=True)
class ApprovalCommand(Verb):
    """About requests and who may decide on them. The approval service is None where no requests can be stored."""

    handle: ApprovalHandle


@dataclass(frozen=True, kw_only=True)
class AskCommand(Verb):
    """A question in words: it runs reads itself, and may wait for a model. As `ApprovalCommand` otherwise."""

    handle: ApprovalHandle
    is_read: bool = True


@dataclass(frozen=True, kw_only=True)
class IncidentCommand(Verb):
    """About incidents and who is on call. The incident service is None where nothing can be stored."""

    handle: IncidentHandle
    group: str = "Incidents"


@dataclass(frozen=True, kw_only=True)
class TerminalCommand(Verb):
    """One that only a terminal has. `handle` gets the words after the verb, and the environment variables."""

    handle: TerminalHandle
    group: str = "On a terminal"
    private: bool = True
