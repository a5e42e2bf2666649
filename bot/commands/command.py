"""The kinds of commands besides changes (`bot.changes`), with the function that answers each command."""

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

Marks = Mapping[str, str]  # {command: people who may use it, mrkdwn}, only those that the requester may not use
NO_MARKS: Marks = {}


@dataclass(frozen=True, kw_only=True)
class Command(Verb):
    """A read. `handle` raises `UsageError` for invalid words and `OperatorError` for what can't be done."""

    handle: Handle
    is_read: bool = True


@dataclass(frozen=True, kw_only=True)
class ApprovalCommand(Verb):
    """A command about requests and permissions. The approval service is None where no requests can be stored."""

    handle: ApprovalHandle


@dataclass(frozen=True, kw_only=True)
class AskCommand(Verb):
    """A question in words, which runs reads and may wait for a model. Otherwise like `ApprovalCommand`."""

    handle: ApprovalHandle
    is_read: bool = True


@dataclass(frozen=True, kw_only=True)
class IncidentCommand(Verb):
    """A command about incidents and on-call. The incident service is None where nothing can be stored."""

    handle: IncidentHandle
    group: str = "Incidents"


@dataclass(frozen=True, kw_only=True)
class TerminalCommand(Verb):
    """A command of the terminal only. `handle` gets the words after the verb, and the environment variables."""

    handle: TerminalHandle
    group: str = "On a terminal"
    private: bool = True
