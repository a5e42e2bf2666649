"""Decides how an unsent message or page is delivered, and when to retry; pure."""

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
LAST_RETRY_OF_PAGES = timedelta(seconds=5)  # so pages arrive soon after Slack is back
AFTER_PAGES_S = 2.0  # after a rate limit, only pages are posted at first

LEAVES_WITHIN_S = 2.0  # after the claim; resolving an incident waits this long, plus one call
FIND_POSTED = timedelta(seconds=5)  # between searches for a message that was withdrawn while it was being sent
FIND_FOR = timedelta(minutes=1)  # after that, it never arrived

TRIES_OF_UNKNOWN = 10

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


class SendAction(Enum):
    """POST: Slack has never received it. FIND: it may have, its answer was lost. UPDATE: Slack shows an older
    version."""

    POST = auto()
    FIND = auto()
    UPDATE = auto()


def next_action(message: UnsentMessage) -> SendAction:
    """Return the action that makes Slack match the row."""
    if message.ts is not None:
        return SendAction.UPDATE
    return SendAction.POST if message.posting_since is None else SendAction.FIND


def is_final(refusal: Refusal, attempts: int) -> bool:
    """True if retrying can't help, after `attempts` earlier failures.

    A refusal because of our token waits for a person, and so does every message; an unknown refusal gets 10 attempts.
    """
    if refusal is Refusal.UNKNOWN:
        return attempts + 1 >= TRIES_OF_UNKNOWN
    return refusal is not Refusal.TOKEN


def is_post(action: SendAction) -> bool:
    """True if the action counts as a post for Slack's limits; a search for a post does."""
    return action is not SendAction.UPDATE


def retry_after(attempts: int, *, priority: int = 0) -> timedelta:
    """Pause after `attempts` failures in a row (1 after the first): it doubles, up to 1 min.

    Pages are retried after at most 5 s.
    """
    longest = LAST_RETRY_OF_PAGES if priority >= PAGE else LAST_RETRY
    return min(FIRST_RETRY * 2.0 ** min(attempts - 1, 10), longest)


class RateLimitGates:
    """Rate-limit gates: the times before which Slack refuses calls, by the caller's clock. Shared by both outbox
    queues.

    A queue does not close the other's gates, so that a page is tried even while notes are refused. But while pages are
    refused, the rest posts nothing: it would use up the next post that Slack allows.
    """

    def __init__(self) -> None:
        self._closed_until: dict[tuple[OutboxQueue, bool], float] = {}

    def close(self, outbox_queue: OutboxQueue, action: SendAction, *, until: float) -> None:
        """Close the gate after Slack answered 429, until the time that it named."""
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


GIVE_UP_AFTER = timedelta(minutes=15)  # for pages outside Slack: by then the next level has long been paged


@dataclass(frozen=True)
class Delivered:
    """The receiver has it. `channel`, `ts`: its place in Slack; empty outside Slack."""

    channel: str = ""
    ts: str = ""


@dataclass(frozen=True)
class TryAgain:
    """It failed for now. `maybe_sent`: it may have arrived, so the next attempt searches for it first."""

    why: str
    pause: timedelta
    maybe_sent: bool = False


@dataclass(frozen=True)
class GiveUp:
    """It can't be delivered."""

    why: str


def after_failure(notification: Notification, error: SourceError) -> TryAgain | GiveUp:
    """Decide after a failed page outside Slack. Failures that a retry may help are retried with growing pauses until
    `GIVE_UP_AFTER`; the receiver recognizes a repeated page by its key."""
    if not error.retryable:
        return GiveUp(error.why)
    pause = retry_after(notification.attempts + 1)
    if timedelta(seconds=notification.age_s) + pause > GIVE_UP_AFTER:
        return GiveUp(f"{error.why}, tried for {age(timedelta(seconds=notification.age_s))}")
    return TryAgain(error.why, pause)


def is_undeliverable(message: UnsentMessage, refused: SlackRefusedError) -> bool:
    """True if Slack will never accept this message."""
    return not refused.is_outage and is_final(refusal_of(refused.code), message.attempts)


def try_again(message: UnsentMessage, error: SourceError) -> TryAgain:
    """Retry a message to Slack, which has no deadline: after the pause that Slack asked for, else with growing
    pauses."""
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
    """Build the page to send. Its key is the same at each attempt, and unique across environments and emptied
    databases.

    `workspace_url`: of our Slack workspace, as Slack reports it; without it the page has no link to the thread.
    `public_url`: of this bot; without it the page has no link to acknowledge it.
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


ANSWER_PATH = "/ack/"  # followed by the page's token


def answer_link(public_url: str | None, token: str | None) -> str | None:
    """The one-time link that acknowledges the page; None if the URL or the token is missing."""
    return f"{public_url}{ANSWER_PATH}{token}" if public_url and token else None
