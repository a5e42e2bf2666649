"""Messages for Slack and notifications outside Slack; Slack accounts, and what Slack's refusals mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Any

from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.secrets import without_own_secrets


class PageEvent(StrEnum):
    """The events of a page that a receiver gets, in this order; at most once each."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class NotificationState(StrEnum):
    """`waiting`: to be sent, or tried again; `failed`: given up; `cancelled`: it was over before it was sent."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Notification:
    """One notification. `target` is a name of the bot's environment, never an address or a secret.

    `thread_key`: the outbox message in whose thread people see what became of it. Times are the
    database's clock; `age_s`: seconds since it was stored, when it was read. `page_key`, `paged_at`: of the page that
    it is about, which it is itself when `event` is TRIGGERED. `alert_key`: the same for all pages that are one alert of
    the receiver; None in rows of former versions. `details`: severity, component and runbook. `root_channel`,
    `root_ts`: the message of `thread_key` in Slack, None until it is there; `root_thread_ts`: what it is a reply to.
    """

    key: str
    means: Channel
    target: str
    subject: str
    text: str
    thread_key: str | None
    state: NotificationState
    attempts: int
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None
    age_s: float
    event: PageEvent
    page_key: str
    paged_at: datetime
    alert_key: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    root_channel: str | None = None
    root_ts: str | None = None
    root_thread_ts: str | None = None
    link_token: str | None = None  # of its one-time link, where it has one and is about to be sent


@dataclass(frozen=True)
class Page:
    """What a receiver outside gets. `key` is the same for each repetition, and no other page of any environment has it.

    With another `event` it tells what became of the page of this key. `subject` is one line. Neither holds anything
    personal or secret: it leaves the house. `alert_key`: the same for all pages that are one alert of the receiver.
    `severity` is one of PagerDuty's words; `component` a service, empty where it is about none alone; `link` the
    address of the thread in Slack, `runbook` that of the runbook's section, None where they are not known. `answer`: a
    one-time link by which the receiver acknowledges the incident.
    """

    key: str
    environment: str
    subject: str
    text: str
    at: datetime
    event: PageEvent = PageEvent.TRIGGERED
    alert_key: str = ""
    severity: str = "critical"
    component: str = ""
    link: str | None = None
    runbook: str | None = None
    answer: str | None = None

    @property
    def links(self) -> dict[str, str]:
        """`{what it opens: address}`, the answer first."""
        found = {"Acknowledge": self.answer, "Open the thread": self.link, "Runbook": self.runbook}
        return {words: address for words, address in found.items() if address is not None}


def redacted_page(page: Page) -> Page:
    """The page without any of our own secrets: every client asks for it before it sends."""
    return replace(page, subject=without_own_secrets(page.subject), text=without_own_secrets(page.text))


PAGE = 10  # from this priority on a message wakes a person
LINK_TO_MESSAGE = "link_to_message"  # action id of a button whose value is a message's key; it is sent as a link

Blocks = Sequence[Mapping[str, Any]]


class OutboxQueue(StrEnum):
    """What is sent side by side: a page that Slack has never seen waits for nothing but other pages."""

    PAGES = "pages"
    REST = "rest"


@dataclass(frozen=True)
class UnsentMessage:
    """One message that Slack does not show yet, or not in this version.

    `channel` is an id once Slack took it, before that whatever was configured. `ts` is None until it was posted;
    `posting_since` then tells that a post may have got through; with `is_withdrawn` that is all that is of interest.
    `home` is the channel as it was configured. `link_*`: where Slack shows the message to which a button of this one
    leads; None before it was posted, and where no button leads anywhere.
    """

    key: str
    channel: str
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]
    version: int
    ts: str | None
    posting_since: datetime | None
    attempts: int
    priority: int
    is_withdrawn: bool = False
    home: str = ""
    link_channel_id: str | None = None
    link_ts: str | None = None
    link_thread_ts: str | None = None

    @property
    def is_new_page(self) -> bool:
        """Whether it wakes a person who was not woken yet."""
        return self.ts is None and self.priority >= PAGE and not self.is_withdrawn


@dataclass(frozen=True)
class RefusedMessage:
    """One message that left the queue because Slack refused it for good. `error`: what was refused, in our words."""

    key: str
    channel: str
    priority: int
    error: str
    refused_at: datetime


def linked_key(blocks: Blocks) -> str | None:
    """The key of the message to which a button leads; the first one's, as a message leads to one place."""
    elements = (element for block in blocks for element in block.get("elements", ()))
    return next((element["value"] for element in elements if _is_link(element)), None)


def with_link(blocks: Blocks, url: str | None) -> list[dict[str, Any]]:
    """The blocks as Slack takes them: the button opens `url`, and is left out while that is not known."""
    linked = [_linked(block, url) for block in blocks]
    return [block for block in linked if block.get("type") != "actions" or block["elements"]]


def message_link(
    workspace_url: str | None, channel_id: str | None, ts: str | None, thread_ts: str | None = None
) -> str | None:
    """The address of a message, which opens Slack's app on a phone; None where a part of it is not known.

    `workspace_url`: "https://acme.slack.com/". `thread_ts`: of the message that begins its thread, for a reply.
    """
    if not workspace_url or not channel_id or not ts:
        return None
    in_thread = f"?thread_ts={thread_ts}&cid={channel_id}" if thread_ts else ""
    return f"{workspace_url.rstrip('/')}/archives/{channel_id}/p{ts.replace('.', '')}{in_thread}"


def _linked(block: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    if block.get("type") != "actions":
        return dict(block)
    shown = [element for element in block["elements"] if url is not None or not _is_link(element)]
    return {**block, "elements": [_as_link(element, url) if _is_link(element) else element for element in shown]}


def _as_link(element: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    return {name: value for name, value in element.items() if name != "value"} | {"url": url}


def _is_link(element: Mapping[str, Any]) -> bool:
    return element.get("action_id") == LINK_TO_MESSAGE


PHONE_LIMIT = 110  # characters that a phone's notification shows
_MENTION_WIDTH = 12  # "@Ann Keller": what a mention is shown as is not known here
_LEAST = 40  # characters before a break: fewer would say nothing

_TOKEN = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);|.", re.DOTALL)
_MARKS = "*`"  # Slack takes them for formatting, and shows none in a notification
_PAUSES = ".;:,·"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters of plain text, cut between words where that leaves enough of it."""
    if len(text) <= limit:
        return text
    kept = text[: max(limit - 1, 0)]
    whole_words = kept if text[len(kept)] in " ,;:·" else kept.rpartition(" ")[0]
    return f"{(whole_words if len(whole_words) > limit // 2 else kept).rstrip(' ,;:·')}…"[:limit]


def shown_width(mrkdwn: str) -> int:
    """How many characters a notification shows of it."""
    return sum(_width(token) for token in _TOKEN.findall(mrkdwn))


def with_short_first_line(mrkdwn: str) -> str:
    """The same words; the first line ends within `PHONE_LIMIT`, at a pause where there is one, and the rest follows."""
    first, newline, rest = mrkdwn.partition("\n")
    if shown_width(first) <= PHONE_LIMIT:
        return mrkdwn
    end = _break(first)
    below = first[end:].strip(" ·")
    return "\n".join([first[:end].rstrip(" ·"), *([below] if below else []), *([rest] if newline else [])])


def _break(line: str) -> int:
    """Where the first line ends: after the last pause that fits, else before the last word that does."""
    pause, word, hard = 0, 0, 0
    for end, width, is_bold in _ends(line):
        if width > PHONE_LIMIT:
            break
        hard = end
        if line[end : end + 1] == " " and width >= _LEAST and not is_bold:
            word = end
            pause = end if line[end - 1] in _PAUSES else pause
    return pause or word or hard


def _ends(line: str) -> Iterator[tuple[int, int, bool]]:
    """After each token: where it ends, how many characters are shown up to there, and whether bold is open."""
    width, is_bold = 0, False
    for token in _TOKEN.finditer(line):
        width += _width(token[0])
        is_bold = is_bold != (token[0] == "*")
        yield token.end(), width, is_bold


def _width(token: str) -> int:
    if token.startswith("<") and len(token) > 2:
        words = token[1:-1].partition("|")[2]
        return len(words) if words else _MENTION_WIDTH if token[1] in "@!#" else len(token) - 2
    if token.startswith("&"):
        return 1
    return 0 if token in _MARKS else 1


@dataclass(frozen=True)
class Profile:
    """A user as Slack's `users.info` describes them. `team_id`: empty where Slack did not report it.

    is_guest: a single- or multi-channel guest. is_stranger: a person from another company. time_zone: as they set it in
    Slack ("Europe/Berlin"), empty where Slack did not report it.
    """

    team_id: str = ""
    is_bot: bool = False
    is_deactivated: bool = False
    is_guest: bool = False
    is_stranger: bool = False
    time_zone: str = ""


SOURCE = "Slack"


class SlackRefusedError(SourceError):
    """Slack answered with an error. `code` is its own word for it ("channel_not_found").

    `retry_after_s`: it was called too often (429), and asks not to be called so again before.
    """

    def __init__(
        self,
        method: str,
        code: str,
        *,
        retryable: bool = False,
        outcome_unknown: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(SOURCE, f"{method} was refused ({code})", retryable=retryable, outcome_unknown=outcome_unknown)
        self.code = code
        self.retry_after_s = retry_after_s


class Refusal(Enum):
    """CONTENT: of the message as it is; plain text may pass. THREAD: nothing can be posted there; the channel may take
    it. PLACE: the channel or person takes no message of ours. TOKEN: Slack takes nothing of ours at all, until a person
    fixes it. UNKNOWN: a code that is in no table."""

    CONTENT = auto()
    THREAD = auto()
    PLACE = auto()
    TOKEN = auto()
    UNKNOWN = auto()


SHARED_OUTSIDE = "shared_outside"  # our own: people of another company read the channel (Slack Connect)

# Source: the errors of chat.postMessage, chat.postEphemeral, chat.update and conversations.open on docs.slack.dev.
_CODES: Mapping[Refusal, tuple[str, ...]] = {
    Refusal.CONTENT: (
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
        "metadata_must_be_sent_from_app",
        "msg_too_long",
        "msg_blocks_too_long",
        "msg_blocks_too_many",
        "message_limit_exceeded",
        "attachment_payload_limit_exceeded",
        "too_many_attachments",
        "only_one_table_allowed",
        "markdown_text_conflict",
        "block_mismatch",
        "no_text",
        "invalid_arguments",
        "invalid_arg_name",
    ),
    Refusal.THREAD: (
        "thread_not_found",
        "invalid_thread_ts",
        "cannot_reply_to_message",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
    ),
    Refusal.PLACE: (
        SHARED_OUTSIDE,
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "is_inactive",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "no_permission",
        "access_denied",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "team_access_not_granted",
        "method_not_supported_for_channel_type",
        "channel_type_not_supported",
        "messages_tab_disabled",
        "user_not_in_channel",
        "user_not_found",
        "users_not_found",
        "user_not_visible",
        "user_disabled",
        "users_list_not_supplied",
        "cannot_dm_bot",
    ),
    Refusal.TOKEN: (
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "token_expired",
        "token_revoked",
        "missing_scope",
        "not_allowed_token_type",
        "org_login_required",
        "team_added_to_org",
        "two_factor_setup_required",
    ),
}

REFUSALS: Mapping[str, Refusal] = MappingProxyType({code: kind for kind, codes in _CODES.items() for code in codes})


def refusal_of(code: str) -> Refusal:
    """What Slack's word for a refusal means."""
    return REFUSALS.get(code, Refusal.UNKNOWN)


def place_words(code: str) -> str:
    """Why a channel takes nothing, for people."""
    return _PLACES.get(code, f"Slack refuses posts there ({code})")


_PLACES: Mapping[str, str] = {
    SHARED_OUTSIDE: "people of another company read the channel (Slack Connect), so nothing is posted there",
    "channel_not_found": "there is no such channel, or it is private and the bot is not a member",
    "not_in_channel": "the bot is not a member",
    "is_archived": "the channel is archived",
    "is_inactive": "the channel is archived",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_only_channel": "only threads may be written to in the channel",
    "restricted_action": "a workspace setting keeps the bot from posting there",
}
