"""What a command is, what it is asked, and what it answers: the same for Slack and the terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from playbooks._contract import Status

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World
    from bot.incidents.room import Room
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
    """Who asked: `user.id` and `team_id` of the signed payload, never a name (DESIGN §5)."""

    user_id: str
    team_id: str


@dataclass(frozen=True)
class Request:
    """One command as typed. `words` are those after the verb; `actor` is None on the terminal.

    `incident`: the one in whose thread it was typed, or on whose message a button was pressed.
    """

    words: tuple[str, ...] = ()
    surface: Surface = Surface.TERMINAL
    actor: Actor | None = None
    channel_id: str | None = None
    thread_ts: str | None = None
    incident: Incident | None = None


@dataclass(frozen=True)
class Attachment:
    """A text file that goes with an answer; the terminal prints it."""

    name: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What the asker gets.

    `text` is the fallback that makes sense by itself (notifications, screen readers), `blocks` the message itself, both
    made by `bot.views` and safe to send. `data` is what `--json` prints. `status` gives the terminal's exit code.
    `private`: only the asker sees it (an ephemeral message in Slack); an answer with a `file` is for everybody there.
    """

    text: str
    blocks: Sequence[Block]
    data: object
    status: Status = Status.OK
    private: bool = False
    file: Attachment | None = None


Handle = Callable[[Request, "World"], Awaitable[Answer]]
RoomHandle = Callable[[Request, "World", "Room | None"], Awaitable[Answer]]
DeskHandle = Callable[[Request, "World", "Desk | None"], Awaitable[Answer]]
Parse = Callable[[tuple[str, ...]], Mapping[str, str]]
Offer = Callable[[Mapping[str, str], "World"], Awaitable[Answer | None]]


@dataclass(frozen=True, kw_only=True)
class Verb:
    """What every verb tells of itself.

    `summary` is our own mrkdwn. `usage` is what follows the verb ("<service> [filter]"), `examples` are whole lines
    without `/dragonfly`.
    `group` is the heading in `help`. `private`: answers only the asker (help, and what may hold personal data).
    """

    name: str
    summary: str
    group: str
    usage: str = ""
    examples: tuple[str, ...] = ()
    private: bool = False


@dataclass(frozen=True, kw_only=True)
class Command(Verb):
    """A read. `handle` raises `UsageError` for words that do not fit and `OperatorError` for what cannot be done."""

    handle: Handle


@dataclass(frozen=True, kw_only=True)
class Change(Verb):
    """A change: words become parameters, parameters and facts a plan (`bot.facts.plans.PLANS[name]`), a plan a run.

    `parse` takes the words after the verb, without `--dry-run`, and raises `UsageError` naming what is wrong before
    anything is read or stored. Its parameters are all that a plan needs to be made again. `risk` says in words what the
    plan will need ("low for one more replica, otherwise high"); the plan itself decides. `offer` answers instead of a
    plan while the words leave open what the plan needs; it gives None when they do not.
    """

    parse: Parse
    risk: str
    offer: Offer | None = None


@dataclass(frozen=True, kw_only=True)
class DeskCommand(Verb):
    """A word about requests and who may decide on them. The desk is None where no requests can be kept."""

    handle: DeskHandle


@dataclass(frozen=True, kw_only=True)
class RoomCommand(Verb):
    """What people do about incidents and who is on call. The room is None where nothing can be kept."""

    handle: RoomHandle
