"""Names, requests and answers of commands: the same for Slack and the terminal."""

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
    """Where the words were typed."""

    SLASH = "slash"
    MENTION = "mention"
    BUTTON = "button"
    TERMINAL = "terminal"


@dataclass(frozen=True)
class Actor:
    """Who asked: `user.id` and `team_id` of the signed payload, never a name."""

    user_id: str
    team_id: str


@dataclass(frozen=True)
class Request:
    """One command as typed. `words` are those after the verb; `actor` is None on the terminal.

    `incident`: the one in whose thread it was typed, or on whose message a button was pressed. `before`: what was
    written
    before the bot was mentioned; it is never run, only looked through for what was probably meant. `delivery`: the key
    that a redelivery of the same payload repeats; it files one run, however often that is tried. `write` prints whole
    lines at once, for what is too much for an answer; only a terminal has it. `progress` shows an answer before it is
    complete, each time in the place of the last one; None where nothing can be shown early. `is_question`: a question
    mark stood in the line, which no word keeps. `unknown_command`: why the words were taken for a question.
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
    """A text file that goes with an answer; the terminal prints it."""

    name: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What the requester gets.

    `text` is the fallback that makes sense by itself (notifications, screen readers), `blocks` the message itself, both
    made by `bot.views` and safe to send. `data` is what `--json` prints. `status` gives the terminal's exit code.
    `private`: only the requester sees it (an ephemeral message in Slack); an answer with a `file` is for everyone
    there. `step`: what is being done ("reading the queue") while the answer is not complete.
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
    """What every verb declares.

    `summary` is our own mrkdwn. `usage` is what follows the verb ("<service> [filter]"), `examples` are whole lines
    without `/dragonfly`.
    `keeps_words`: the words after it are stored and read by others, without sensitive data; the author sees what is
    removed.
    `group` is the heading in `help`. `private`: answers only the requester (help, and what may hold personal data).
    `is_read`: it changes nothing, so it may be guessed at. `is_sensitive`: each read is a row of the audit log.
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
        """Where its functions are."""
        values = (getattr(self, one.name) for one in fields(self))
        return tuple(value for value in values if isinstance(value, Lazy))
