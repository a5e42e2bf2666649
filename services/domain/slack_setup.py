"""Facts about the app's setup in Slack; `playbooks.checks.slack_setup` judges them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

APPS_PAGE = "https://api.slack.com/apps"


@dataclass(frozen=True)
class Refused:
    """An error that Slack answered with. `code` is Slack's own word for it ("invalid_auth"). `why`: one short clause.

    `is_unknown`: Slack did not answer, or asks to be called later, which says nothing about the setup.
    """

    code: str
    why: str
    is_unknown: bool = False


@dataclass(frozen=True)
class Installation:
    """The app installation that the bot token belongs to. `app_id`: "A0…"; None if Slack does not show it. `scopes`:
    None likewise.

    `clock_ahead_s`: seconds by which this machine's clock is ahead of Slack's, negative if behind; None without a time
    to compare.
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
    """A kind of event that a person tries in the live exchange."""

    BUTTON = "button"
    COMMAND = "command"
    MENTION = "mention"
    DIRECT = "direct message"


class Shown(StrEnum):
    """The message that a person saw in Slack after the slash command."""

    NOT_VALID = "not valid"
    OTHER_APP = "other app"


@dataclass(frozen=True)
class Hello:
    """Slack's greeting for a new connection. `connections`: of the app, including this one."""

    app_id: str | None
    connections: int | None


@dataclass(frozen=True)
class Exchange:
    """The result of the live exchange. `hello`: None if no connection opened; then `refused` says why.

    `others`: how many connections of the app there were besides ours; with any, nothing was tried, because Slack would
    deliver to them. `posted`, `direct`: None if Slack took our message, in the channel and to the person; `direct` is
    also None if no person was known yet. `shown`: what the person saw after the command; None if no person was asked.
    `ended`: why the connection ended before everything had arrived; None if it held.
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
    """Everything read for the check of the setup.

    `wanted`: the scopes of our manifest. `channel`: its name or id; `place`: Slack's answer about it. `app_token`: None
    if Slack accepts it, or without socket mode. `app_of_token`: the app that the app-level token names. `groups`,
    `people`: by Slack id, None if Slack knows it. `exchange`: None if none was requested. `command`: as people type it.
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
