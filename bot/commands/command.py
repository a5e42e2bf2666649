"""What each kind of command declares, and where the function is that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.incidents.service import IncidentService
    from bot.types import Answer, Request
    from bot.world import World

    Handle = Callable[[Request, World], Awaitable[Answer]]
    IncidentHandle = Callable[[Request, World, IncidentService | None], Awaitable[Answer]]
    ApprovalHandle = Callable[[Request, World, ApprovalService | None], Awaitable[Answer]]
    TerminalHandle = Callable[[Sequence[str], Mapping[str, str]], Awaitable[Answer]]
    Parse = Callable[[tuple[str, ...]], Mapping[str, str]]
    Offer = Callable[[Mapping[str, str], World], Awaitable[Answer | None]]

DRY_RUN = "--dry-run"  # every change has this option


@dataclass(frozen=True)
class Lazy:
    """A function by its place ("bot.commands.health:handle"). Its module is imported by the first call."""

    place: str

    def load(self) -> Callable[..., Any]:
        """The function itself. Raises ImportError or AttributeError when there is none at that place."""
        module, _, name = self.place.partition(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function

    def __call__(self, *arguments: Any) -> Any:
        return self.load()(*arguments)


@dataclass(frozen=True, kw_only=True)
class Verb:
    """What every verb tells of itself.

    `summary` is our own mrkdwn. `usage` is what follows the verb ("<service> [filter]"), `examples` are whole lines
    without `/dragonfly`.
    `keeps_words`: what is typed behind it is kept and read by others, without the data in it, which its writer is told.
    `group` is the heading in `help`. `private`: answers only the asker (help, and what may hold personal data).
    `is_read`: it changes nothing, so it may be guessed at.
    """

    name: str
    summary: str
    group: str
    usage: str = ""
    examples: tuple[str, ...] = ()
    private: bool = False
    keeps_words: bool = False
    is_read: bool = False

    @property
    def places(self) -> tuple[Lazy, ...]:
        """Where its functions are."""
        values = (getattr(self, one.name) for one in fields(self))
        return tuple(value for value in values if isinstance(value, Lazy))


@dataclass(frozen=True, kw_only=True)
class Command(Verb):
    """A read. `handle` raises `UsageError` for words that do not fit and `OperatorError` for what cannot be done."""

    handle: Handle
    is_read: bool = True


@dataclass(frozen=True, kw_only=True)
class Change(Verb):
    """A change: words become parameters, parameters and facts a plan (`bot.commands.plans.PLANS[name]`), a plan a run.

    `parse` takes the words after the verb, without `--dry-run`, and raises `UsageError` naming what is wrong before
    anything is read or stored. Its parameters are all that a plan needs to be made again. `risk` says in words what the
    plan will need ("low for one more replica, otherwise high"); the plan itself decides. `offer` answers instead of a
    plan while the words leave open what the plan needs; it gives None when they do not.
    """

    parse: Parse
    risk: str
    offer: Offer | None = None


@dataclass(frozen=True, kw_only=True)
class ApprovalCommand(Verb):
    """A word about requests and who may decide on them. The desk is None where no requests can be kept."""

    handle: ApprovalHandle


@dataclass(frozen=True, kw_only=True)
class IncidentCommand(Verb):
    """What people do about incidents and who is on call. The room is None where nothing can be kept."""

    handle: IncidentHandle


@dataclass(frozen=True, kw_only=True)
class TerminalCommand(Verb):
    """One that only a terminal has. `handle` gets the words after the verb, and the environment variables."""

    handle: TerminalHandle
