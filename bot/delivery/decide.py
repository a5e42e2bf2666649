"""What to do about a message that Slack does not show yet, and when to try again; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from services.domain.errors import SourceError
from services.domain.messages import PAGE, OutboxQueue, UnsentMessage, message_link
from services.domain.notifications import Notification, Page
from services.domain.slack_refusals import Refusal, SlackRefusedError, refusal_of
from services.domain.text import age

UPDATE_PAUSE = timedelta(seconds=1.5)  # between two edits of one message
FIRST_RETRY = timedelta(seconds=1)
LAST_RETRY = timedelta(minutes=1)
LAST_RETRY_OF_PAGES = timedelta(seconds=5)  # so soon after Slack is back a page is there
AFTER_PAGES_S = 2.0  # once Slack takes posts again, pages have them to themselves for so long

LEAVES_WITHIN_S = 2.0  # after the claim; resolving an incident waits for so long and for a call besides
FIND_POSTED = timedelta(seconds=5)  # for a message that was on its way when it was withdrawn
FIND_FOR = timedelta(minutes=1)  # then it never arrived

TRIES_OF_UNKNOWN = 10

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


class SendAction(Enum):
    """POST: Slack has never seen it. FIND: it may have, an answer was lost. UPDATE: it shows an older version."""

    POST = auto()
    FIND = auto()
    UPDATE = auto()


def next_action(message: UnsentMessage) -> SendAction:
    """What brings Slack nearer to what the row says."""
    if message.ts is not None:
        return SendAction.UPDATE
    return SendAction.POST if message.posting_since is None else SendAction.FIND


def is_final(refusal: Refusal, attempts: int) -> bool:
    """Whether trying again cannot help, after so many failures before.

    What Slack refuses because of our token waits for a person, and everything with it; a refusal that is in no table
    gets ten tries.
    """
    if refusal is Refusal.UNKNOWN:
        return attempts + 1 >= TRIES_OF_UNKNOWN
    return refusal is not Refusal.TOKEN


def is_post(action: SendAction) -> bool:
    """Whether the action counts as a post for Slack's limits; looking for a post is part of it."""
    return action is not SendAction.UPDATE


def retry_after(attempts: int, *, priority: int = 0) -> timedelta:
    """How long to wait after `attempts` failures in a row (1 after the first): doubling, at most a minute.

    Pages are tried again every five seconds at the latest.
    """
    longest = LAST_RETRY_OF_PAGES if priority >= PAGE else LAST_RETRY
    return min(FIRST_RETRY * 2.0 ** min(attempts - 1, 10), longest)


class RateLimitGates:
    """Which calls Slack does not want before when, by the clock of the caller. One for both queues.

    The queues do not close each other's gates, so that a page is tried even when notes are refused. But while pages are
    refused the rest posts nothing: it would take the very post that Slack allows next.
    """

    def __init__(self) -> None:
        self._closed_until: dict[tuple[OutboxQueue, bool], float] = {}

    def close(self, outbox_queue: OutboxQueue, action: SendAction, *, until: float) -> None:
        """Slack answered 429 and named the moment."""
        self._note(outbox_queue, is_post(action), until)
        if outbox_queue is OutboxQueue.PAGES and is_post(action):
            self._note(OutboxQueue.REST, is_post(action), until + AFTER_PAGES_S)

    def is_open(self, outbox_queue: OutboxQueue, *, posting: bool, now: float) -> bool:
        return self._closed_until.get((outbox_queue, posting), now) <= now

    def opens_in(self, outbox_queue: OutboxQueue, *, now: float) -> float | None:
        """Seconds until the queue's next closed rate-limit gate opens; None when none is closed."""
        left = [
            until - now for (whose, _), until in self._closed_until.items() if whose is outbox_queue and until > now
        ]
        return min(left, default=None)

    def _note(self, outbox_queue: OutboxQueue, posting: bool, until: float) -> None:
        self._closed_until[outbox_queue, posting] = max(until, self._closed_until.get((outbox_queue, posting), until))


GIVE_UP_AFTER = timedelta(minutes=15)  # of pages outside Slack: by then the next level has long been paged


@dataclass(frozen=True)
class Delivered:
    """The receiver has it. `channel`, `ts`: where Slack shows it; empty outside Slack."""

    channel: str = ""
    ts: str = ""


@dataclass(frozen=True)
class TryAgain:
    """Not through, for now. `maybe_sent`: it may have arrived, so the next attempt looks for it first."""

    why: str
    pause: timedelta
    maybe_sent: bool = False


@dataclass(frozen=True)
class GiveUp:
    """It never will be."""

    why: str


def after_failure(notification: Notification, error: SourceError) -> TryAgain | GiveUp:
    """Of a page outside Slack. What a repetition can help is repeated, with growing pauses, until the deadline; the
    receiver knows a repetition by its key."""
    if not error.retryable:
        return GiveUp(error.why)
    pause = retry_after(notification.attempts + 1)
    if timedelta(seconds=notification.age_s) + pause > GIVE_UP_AFTER:
        return GiveUp(f"{error.why}, tried for {age(timedelta(seconds=notification.age_s))}")
    return TryAgain(error.why, pause)


def is_undeliverable(message: UnsentMessage, refused: SlackRefusedError) -> bool:
    """Whether Slack refuses it for good."""
    return not refused.is_outage and is_final(refusal_of(refused.code), message.attempts)


def try_again(message: UnsentMessage, error: SourceError) -> TryAgain:
    """Of a message to Slack, which has no deadline: after as long as Slack asked for, else with growing pauses."""
    asked_s = error.retry_after_s if isinstance(error, SlackRefusedError) else None
    backoff = retry_after(message.attempts + 1, priority=message.priority)
    maybe_sent = message.ts is None and (error.outcome_unknown or message.posting_since is not None)
    pause = backoff if asked_s is None else timedelta(seconds=asked_s)
    return TryAgain(error.why, pause, maybe_sent=maybe_sent)


def page_of(
    notification: Notification,
    environment: str | None,
    *,
    workspace_url: str | None = None,
    public_url: str | None = None,
) -> Page:
    """What is handed over. Its key is the same at each try, and unique across environments and emptied databases.

    `workspace_url`: of our Slack workspace, as Slack reports it; without it the page does not lead to the thread.
    `public_url`: of this bot; without it the page can't be answered by a link.
    """
    place = environment or "unknown"
    return Page(
        key=f"dragonfly:{place}:{notification.page_key}:{notification.paged_at.timestamp():.0f}",
        environment=place,
        subject=notification.subject,
        text=notification.text,
        at=notification.created_at,
        event=notification.event,
        alert_key=f"dragonfly:{place}:{notification.alert_key}" if notification.alert_key else "",
        severity=notification.details.get("severity", "critical"),
        component=notification.details.get("component", ""),
        runbook=notification.details.get("runbook"),
        answer=answer_link(public_url, notification.link_token),
        link=message_link(
            workspace_url, notification.root_channel, notification.root_ts, thread_ts=notification.root_thread_ts
        ),
    )


ANSWER_PATH = "/ack/"  # and the token of the page


def answer_link(public_url: str | None, token: str | None) -> str | None:
    """The one-time link that acknowledges; None where either is missing."""
    return f"{public_url}{ANSWER_PATH}{token}" if public_url and token else None
