"""What can be found out about the app's setup in Slack; see `playbooks.checks.slack_setup` for what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

APPS_PAGE = "https://api.slack.com/apps"


@dataclass(frozen=True)
class Refused:
    """Slack answered with an error. `code` is its own word for it ("invalid_auth"). `why`: one short clause.

    `is_unknown`: it did not answer, or asks to be called later, which says nothing about the setup.
    """

    code: str
    why: str
    is_unknown: bool = False


@dataclass(frozen=True)
class Installation:
    """What the bot token is. `app_id`: "A0…"; None where Slack does not show it. `scopes`: None likewise.

    `clock_ahead_s`: how far this machine's clock is before Slack's, negative behind it; None without a time to compare.
    """

    team: str
    bot_name: str
    app_id: str | None = None
    scopes: frozenset[str] | None = None
    clock_ahead_s: float | None = None


@dataclass(frozen=True)
class Place:
    """A channel as the bot sees it."""

    is_archived: bool
    is_member: bool


class Part(StrEnum):
    """What a person tries in the live exchange."""

    BUTTON = "button"
    COMMAND = "command"
    MENTION = "mention"
    DIRECT = "direct message"


class Shown(StrEnum):
    """What a person saw in Slack after the slash command."""

    NOT_VALID = "not valid"
    OTHER_APP = "other app"


@dataclass(frozen=True)
class Hello:
    """How Slack greets a connection. `connections`: of the app, this one included."""

    app_id: str | None
    connections: int | None


@dataclass(frozen=True)
class Exchange:
    """What came of the live exchange. `hello`: None when no connection opened, and `refused` says why.

    `others`: how many connections of the app there were besides ours; with any, nothing was tried, because Slack would
    deliver to them. `posted`, `direct`: None when our message was taken, in the channel and to the person; `direct` is
    None too where no person was known yet. `shown`: what the person saw after the command; None where no one was asked.
    `ended`: why the connection ended before everything had arrived; None when it held.
    """

    hello: Hello | None = None
    refused: Refused | None = None
    arrived: frozenset[Part] = frozenset()
    posted: Refused | None = None
    direct: Refused | None = None
    shown: Shown | None = None
    ended: Refused | None = None
    within_s: float = 60.0

    @property
    def others(self) -> int:
        return max((self.hello.connections or 1) - 1, 0) if self.hello else 0


@dataclass(frozen=True)
class SetupFacts:
    """`wanted`: the scopes of our manifest. `channel`: its name or id, and what Slack says of it. `app_token`: None
    when Slack takes it; the string "" where none is set: HTTP mode. `app_of_token`: the app that the app-level token
    names. `groups`, `people`: by Slack id, None when Slack answers for it. `exchange`: None where none was asked for.
    `command`: as people type it.
    """

    wanted: tuple[str, ...]
    installation: Installation | Refused
    channel: str
    place: Place | Refused | None = None
    uses_socket_mode: bool = True
    app_token: Refused | None = None
    app_of_token: str | None = None
    groups: Mapping[str, Refused | None] = field(default_factory=dict)
    people: Mapping[str, Refused | None] = field(default_factory=dict)
    exchange: Exchange | None = None
    command: str = "/dragonfly"
