"""What to do about a message that Slack does not show yet, and when to try again; pure."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto

from services.domain.outbox import UnsentMessage

UPDATE_PAUSE = timedelta(seconds=1.5)  # between two edits of one message (slack-rules.md §5)
FIRST_RETRY = timedelta(seconds=1)
LAST_RETRY = timedelta(minutes=1)  # a page must not wait longer once Slack is back

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})


class Move(Enum):
    """POST: Slack has never seen it. FIND: it may have, an answer was lost. UPDATE: it shows an older version."""

    POST = auto()
    FIND = auto()
    UPDATE = auto()


def next_move(message: UnsentMessage) -> Move:
    """What brings Slack nearer to what the row says."""
    if message.ts is not None:
        return Move.UPDATE
    return Move.POST if message.posting_since is None else Move.FIND


def retry_after(attempts: int) -> timedelta:
    """How long to wait after `attempts` failures in a row (1 after the first): doubling, at most a minute."""
    return min(FIRST_RETRY * 2.0 ** min(attempts - 1, 10), LAST_RETRY)
