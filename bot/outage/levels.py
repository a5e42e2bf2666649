"""Decides from independent signals whether an outage pages people, and when each level is paged; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.domain.channels import Channel
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth

CANNOT_READ = frozenset({"missing_scope", "not_in_channel", "no_permission", "access_denied"})
_SHORTEST = timedelta(seconds=1)

Target = tuple[Channel, str]


@dataclass(frozen=True)
class PagedLevel:
    """One level of the chain as it was when the outage was noticed. `number` counts from 1. `mentions`: Slack ids.

    wait: how long the next level waits for an acknowledgement. skipped: who is not paged, in plain words.
    """

    number: int
    name: str
    outage_pagers: tuple[Target, ...]
    mentions: tuple[str, ...]
    wait: timedelta
    skipped: tuple[str, ...] = ()


def wakes_people(api: ApiHealth | Unavailable, *, refuses_writes: bool = False) -> bool:
    """True if the outage pages people: not if the API reaches the database, because then only the bot is cut off.

    `refuses_writes`: the database answers the bot and stores nothing. That concerns the bot alone only if the API,
    which also tries to write, reports ok.
    """
    if isinstance(api, Unavailable) or not api.db_connected:
        return True
    return refuses_writes and not api.is_ok


def first_pages(levels: Sequence[PagedLevel]) -> int:
    """Number of levels paged together at first: up to the first with a pager, because those before it wake no one at
    night."""
    silent = next((n for n, level in enumerate(levels) if level.outage_pagers), len(levels) - 1)
    return silent + 1 if levels else 0


def pages_due(levels: Sequence[PagedLevel], elapsed: timedelta) -> int:
    """Number of pages due this long after the first. After the last level, the first one is paged again."""
    count, at = first_pages(levels), timedelta()
    while count and at <= elapsed:
        at += max(levels[(count - 1) % len(levels)].wait, _SHORTEST)
        count += at <= elapsed
    return count
