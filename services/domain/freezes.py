"""Freezes and locks, which refuse changes of their services, and the rules that decide when one is in force; pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.domain.services import Service
from services.domain.text import dated_time
from services.domain.windows import Recurrence, Span, decode_recurrence

FREEZE, LOCK = "freeze", "lock"
UNTIL_LIFTED = "until it is lifted"


@dataclass(frozen=True)
class Freeze:
    """A freeze that has not been lifted; it may not be in force now (`span_at`).

    kind: FREEZE, or LOCK for a single service. service: None for every service. owner: a Slack user id. reason: plain
    text. ends_at: None until a person lifts it. recurrence: as `encode_recurrence` writes it; None: all the time.
    announced_for, reminded_for: the start and the end that were announced last. owner_name: the owner's name for
    people.
    """

    id: int
    kind: str
    service: Service | None
    owner: str
    reason: str
    created_at: datetime
    starts_at: datetime
    ends_at: datetime | None = None
    recurrence: Mapping[str, Any] | None = None
    announced_for: datetime | None = None
    reminded_for: datetime | None = None
    owner_name: str = ""

    @property
    def by(self) -> str:
        """The owner's name for sentences."""
        return owner_words(self.owner, self.owner_name)

    @property
    def scope(self) -> str:
        """ "api", or "everything"."""
        return self.service.short if self.service else "everything"

    @property
    def windows(self) -> Recurrence | None:
        """Its weekly windows; None if it has none, and if this version can't read them: then it always holds."""
        return decode_recurrence(self.recurrence) if self.recurrence is not None else None

    def span_at(self, moment: datetime) -> Span | None:
        """The span in which it is in force at this moment; None if it isn't. Without an end the span ends at `LAST`."""
        if moment < self.starts_at:
            return None
        if (windows := self.windows) is not None:
            return windows.span_at(moment)
        span = Span(self.starts_at, self.ends_at or LAST)
        return span if span.contains(moment) else None

    def next_span(self, moment: datetime) -> Span | None:
        """The next span that begins after this moment; None if there is none."""
        if (windows := self.windows) is not None:
            return windows.next_after(max(moment, self.starts_at))
        return Span(self.starts_at, self.ends_at or LAST) if self.starts_at > moment else None

    def is_over(self, moment: datetime) -> bool:
        """True if it will never come into force again."""
        return self.windows is None and self.ends_at is not None and self.ends_at <= moment

    def concerns(self, services: Collection[Service]) -> bool:
        """True if it covers one of these services; an empty collection stands for a change that uses all of them."""
        return self.service is None or not services or self.service in services


LAST = datetime.max.replace(tzinfo=UTC)


def in_force(freezes: Iterable[Freeze], services: Collection[Service], moment: datetime) -> tuple[Freeze, ...]:
    """The freezes that cover one of these services at this moment; an empty collection is a change that uses all."""
    return tuple(one for one in freezes if one.concerns(services) and one.span_at(moment) is not None)


def upcoming(
    freezes: Iterable[Freeze], services: Collection[Service], moment: datetime, until: datetime
) -> list[tuple[Freeze, Span]]:
    """The freezes that aren't in force now and will be before `until`, each with its span; the next one first."""
    spans = [(one, one.next_span(moment)) for one in freezes if one.concerns(services) and one.span_at(moment) is None]
    return sorted(
        ((one, span) for one, span in spans if span and span.begins <= until), key=lambda found: found[1].begins
    )


def freeze_words(freeze: Freeze, moment: datetime) -> str:
    """ "api is frozen by Olivia until 18:00 UTC (migration by hand)", for a freeze that is in force."""
    span = freeze.span_at(moment)
    word = "locked" if freeze.kind == LOCK else "frozen"
    return f"{freeze.scope} is {word} by {freeze.by} {until_words(span, moment)} ({freeze.reason})"


def until_words(span: Span | None, moment: datetime) -> str:
    """ "until 18:00 UTC", "until it is lifted"."""
    return UNTIL_LIFTED if span is None or span.ends == LAST else f"until {dated_time(span.ends, moment)}"


def listed(freezes: Sequence[Freeze], moment: datetime) -> str:
    """All the freezes in one clause."""
    return "; ".join(freeze_words(one, moment) for one in freezes)


@dataclass(frozen=True)
class Lock:
    """A rollback's lock on a service: it refuses deploys until it is unlocked; undo and further rollbacks pass.

    `owner` is the requester of the rollback: a Slack user id, or "terminal". `reason` is plain text, shown with each
    refusal. `run_id` is the rollback's run, None if it is not known. `owner_name`: the owner's name for people.
    """

    service: Service
    owner: str
    reason: str
    locked_at: datetime
    run_id: int | None = None
    owner_name: str = ""

    @property
    def by(self) -> str:
        """The owner's name for sentences."""
        return owner_words(self.owner, self.owner_name)


_SLACK_ID = re.compile(r"[USW][A-Z0-9]+")


def owner_words(owner: str, name: str) -> str:
    """The owner's name for people; never a bare Slack id."""
    return name or ("a person" if _SLACK_ID.fullmatch(owner) else owner)
