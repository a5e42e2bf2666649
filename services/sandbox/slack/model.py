"""The objects of a Slack workspace: people, channels, messages, views, files, errors; and the demo's people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Team:
    id: str
    name: str
    domain: str
    address: str = ""  # its URL in a browser, if not Slack's

    @property
    def url(self) -> str:
        return self.address or f"https://{self.domain}.slack.com/"


@dataclass(frozen=True)
class User:
    id: str
    name: str  # the handle, as in `@olivia`
    real_name: str
    title: str = ""
    is_bot: bool = False
    team_id: str | None = None  # another company's, with which a channel is shared
    deleted: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    tz: str = "Etc/UTC"

    def to_slack(self, team: Team) -> Json:
        profile = {"real_name": self.real_name, "display_name": self.name, "title": self.title}
        return {
            "id": self.id,
            "team_id": self.team_id or team.id,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": self.deleted,
            "is_bot": self.is_bot,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
            "is_stranger": self.is_stranger,
            "tz": self.tz,
            "tz_offset": 0,
            "profile": profile,
        }


@dataclass(frozen=True)
class UserGroup:
    id: str
    handle: str
    name: str
    users: tuple[str, ...]

    def to_slack(self, team: Team) -> Json:
        return {
            "id": self.id,
            "team_id": team.id,
            "is_usergroup": True,
            "handle": self.handle,
            "name": self.name,
            "users": list(self.users),
            "user_count": len(self.users),
            "date_delete": 0,
        }


@dataclass
class Channel:
    """A public channel, or a direct message if `im_user` is set. An archived one accepts no message."""

    id: str
    name: str
    members: list[str]
    topic: str = ""
    im_user: str | None = None
    bookmarks: list[Json] = field(default_factory=list)
    is_ext_shared: bool = False  # shared with another company
    is_archived: bool = False

    def to_slack(self, viewer: str) -> Json:
        is_im = self.im_user is not None
        answer: Json = {
            "id": self.id,
            "is_channel": not is_im,
            "is_im": is_im,
            "is_private": False,
            "is_archived": self.is_archived,
            "is_ext_shared": self.is_ext_shared,
            "is_member": viewer in self.members,
        }
        if is_im:
            return answer | {"user": self.im_user}
        topic = {"value": self.topic, "creator": "", "last_set": 0}
        return answer | {
            "name": self.name,
            "name_normalized": self.name,
            "topic": topic,
            "num_members": len(self.members),
        }


@dataclass
class Message:
    """One message; `visible_to` is the only person who sees it, if it is ephemeral."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    reply_broadcast: bool = False
    bot_id: str | None = None
    metadata: Json | None = None
    edited: Json | None = None
    visible_to: str | None = None
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    pinned: bool = False
    username: str | None = None
    icon_emoji: str | None = None
    former: list[list[Json]] = field(default_factory=list)  # the last earlier blocks, which a person may still see

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    def is_visible_to(self, user: str) -> bool:
        return self.visible_to is None or self.visible_to == user


@dataclass
class View:
    """A modal or a Home tab, as its owner sees it. `content` is what the app sent, with block ids filled in."""

    id: str
    user: str
    hash: str
    content: Json
    root_id: str
    previous_id: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)  # {block_id: error} of a refused submission
    state: Json = field(default_factory=dict)  # {block_id: {action_id: value object}}, kept across updates
    former: list[list[Json]] = field(default_factory=list)  # the last earlier blocks, which a person may still see

    def change(self, content: Json) -> None:
        """Replace the content."""
        self.former = with_former(self.former, self.content["blocks"])
        self.content = content


FORMER = 3  # earlier versions that are kept


def with_former(former: list[list[Json]], blocks: list[Json]) -> list[list[Json]]:
    """The earlier blocks, which a person may still see a moment after they were replaced."""
    return [*former, blocks][-FORMER:]


@dataclass
class File:
    id: str
    name: str
    size: int
    user: str
    title: str = ""
    alt_text: str = ""
    content: bytes = b""
    channels: list[str] = field(default_factory=list)
    is_complete: bool = False


@dataclass(frozen=True)
class Call:
    """One Web API or response_url call of the app, and the answer. `at` is Unix time."""

    method: str
    payload: Json
    answer: Json
    at: float


@dataclass(frozen=True)
class Refusal:
    """A message that real Slack would have refused; the page shows it in place of the message."""

    method: str
    error: str
    problems: tuple[str, ...]
    payload: Json
    at: float
    channel: str | None = None
    user: str | None = None


TEAM = Team("T0DRAGONFLY", "Dragonfly Civil", "dragonfly-civil")
APP_ID = "A0DRAGONFLY"
BOT_ID = "B0DRAGONFLY"

BOT = User("U0DRAGONFLY", "dragonfly", "Dragonfly", "Operations bot", is_bot=True)
OLIVIA = User("U0OLIVIA001", "olivia", "Olivia Park", "Operator")
ANN = User("U0ANN000001", "ann", "Ann Keller", "Approver")
BEN = User("U0BEN000001", "ben", "Ben Osei", "Approver")
OTTO = User("U0OTTO00001", "otto", "Otto Lind", "Outsider")
SLACKBOT = User("USLACKBOT", "slackbot", "Slackbot", is_bot=True)  # shows errors to a person


@dataclass(frozen=True)
class App:
    """One app of the workspace. `direct`: the prefix of its direct messages' ids.

    `channel`: the id of its incidents channel.
    """

    id: str
    bot_id: str
    bot: User
    command: str
    direct: str
    channel: str


DRAGONFLY = App(APP_ID, BOT_ID, BOT, "/dragonfly", "D", "C0INCIDENTS")
STAGING_BOT = User("U0STAGING01", "dragonfly-staging", "Dragonfly staging", "Operations bot of staging", is_bot=True)
STAGING = App("A0STAGING01", "B0STAGING01", STAGING_BOT, "/dragonfly-staging", "DS", "C0STAGING01")
PEOPLE = (OLIVIA, ANN, BEN, OTTO)  # the people to choose from on the page, in this order

APPROVERS = UserGroup("S0APPROVERS", "dragonfly-approvers", "Dragonfly approvers", (ANN.id, BEN.id))
OPERATORS = UserGroup("S0OPERATORS", "dragonfly-operators", "Dragonfly operators", (OLIVIA.id, ANN.id, BEN.id))
ON_CALL = UserGroup("S0ONCALL", "oncall", "On call", (OLIVIA.id,))  # until the bot makes it follow a rotation

INCIDENTS_ID = "C0INCIDENTS"
GENERAL_ID = "C0GENERAL01"
STAGING_ID = STAGING.channel


def staging_channel() -> Channel:
    """The channel in which staging's bot posts."""
    return Channel(STAGING_ID, "dragonfly-staging", [*(user.id for user in PEOPLE), STAGING_BOT.id], "Staging")


def new_channels() -> list[Channel]:
    everyone = [user.id for user in PEOPLE]
    return [
        Channel(INCIDENTS_ID, "dragonfly-incidents", [*everyone, BOT.id], "What is broken, and who is on it"),
        Channel(GENERAL_ID, "general", everyone, "Everything else"),
    ]


class ApiError(Exception):
    """Carries Slack's error code and further fields of the answer."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.code = code
        self.more: Json = dict(more)

    def to_answer(self) -> Json:
        return {"ok": False, "error": self.code, **self.more}


class RateLimitedError(Exception):
    """The call is answered with 429. `retry_after_s` is in whole seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("ratelimited")
        self.retry_after_s = retry_after_s


class NothingThereError(Exception):
    """The person, channel, message, view or element is gone, or this person cannot see it."""
