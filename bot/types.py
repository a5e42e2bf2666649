"""Verbs, requests and answers of commands, the same for Slack and the terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from services.domain.errors import UsageError
from services.domain.status import Status

if TYPE_CHECKING:
    from services.domain.incidents import Incident

Block = dict[str, Any]  # one Block Kit block, as Slack's API takes it


class Surface(StrEnum):
    """The place where a command was entered."""

    SLASH = "slash"
    MENTION = "mention"
    BUTTON = "button"
    TERMINAL = "terminal"


@dataclass(frozen=True)
class Actor:
    """The Slack user who entered a command: `user.id` and `team_id` of the signed payload, never a name."""

    user_id: str
    team_id: str


@dataclass(frozen=True)
class Request:
    """One command as entered. `words`: those after the verb. `actor`: None on the terminal.

    `incident`: the incident in whose thread it was typed, or on whose message a button was pressed. `before`: the text
    before the bot's mention; never run, only searched for the command that was probably meant. `delivery`: the key of
    the payload, the same in a redelivery, so that retries file one run. `write`: prints pages that are too long for an
    answer; only on a terminal. `progress`: shows an incomplete answer, which replaces the previous one; None where that
    is impossible. `is_question`: the line had a question mark, which `words` do not keep. `unknown_command`: the error
    because of which the words were treated as a question.
    """

    words: tuple[str, ...] = ()
    surface: Surface = Surface.TERMINAL
    actor: Actor | None = None
    channel_id: str | None = None
    thread_ts: str | None = None
    incident: Incident | None = None
    before: str = ""
    delivery: str | None = None
    write: Callable[[str], None] | None = None
    progress: Callable[[Answer], Awaitable[None]] | None = None
    is_question: bool = False
    unknown_command: UsageError | None = None


@dataclass(frozen=True)
class Attachment:
    """A text file of an answer; the terminal prints it."""

    name: str
    text: str


@dataclass(frozen=True)
class Answer:
    """The answer to a command.

    `text`: the fallback, complete by itself (notifications, screen readers). `blocks`: the message. Both are made by
    `bot.views` and safe to send. `data`: printed by `--json`. `status`: gives the terminal's exit code. `private`: only
    the requester sees it (an ephemeral message in Slack); an answer with a `file` is visible to the channel. `step`:
    the work in progress ("reading the queue") while the answer is incomplete.
    """

    text: str
    blocks: Sequence[Block]
    data: object
    status: Status = Status.OK
    private: bool = False
    file: Attachment | None = None
    step: str = ""


@dataclass(frozen=True)
class Lazy:
    """A function named by its place ("bot.commands.health:handle"); its module is imported at the first call."""

    place: str

    def load(self) -> Callable[..., Any]:
        """Import and return the function. Raises ImportError or AttributeError if the place has none."""
        module, _, name = self.place.partition(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function

    def __call__(self, *arguments: Any) -> Any:
        return self.load()(*arguments)


@dataclass(frozen=True, kw_only=True)
class Verb:
    """Declaration of a verb, the first word or words of a command.

    `summary`: our own mrkdwn. `usage`: the rest of the line ("<service> [filter]"). `examples`: whole lines without
    `/dragonfly`. `keeps_words`: the words after the verb are stored and shown to others, without sensitive data; the
    author sees what is removed. `group`: the heading in `help`. `private`: only the requester sees the answer (help,
    and answers that may hold personal data). `is_read`: it changes nothing, so the bot may guess it from other words.
    `is_sensitive`: each read is written to the audit log.
    """

    name: str
    summary: str
    group: str
    usage: str = ""
    examples: tuple[str, ...] = ()
    private: bool = False
    keeps_words: bool = False
    is_read: bool = False
    is_sensitive: bool = False

    @property
    def places(self) -> tuple[Lazy, ...]:
        """The places of its functions."""
        values = (getattr(self, one.name) for one in fields(self))
        return tuple(value for value in values if isinstance(value, Lazy))
