"""Freezes and locks: while one is in force, changes of its services are refused; decides which freezes are; pure."""

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
    """One that has not been lifted; whether it is in force is another question (`span_at`).

    kind: FREEZE, or LOCK for one service's. service: None for every service. owner: a Slack user id. reason: plain
    text. ends_at: None until a person lifts it. recurrence: as `encode_recurrence` writes it; None: all the time.
    announced_for, reminded_for: the beginning and the end that were announced last. owner_name: what people call
    the owner.
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
        """The owner in words, for sentences."""
        return owner_words(self.owner, self.owner_name)

    @property
    def scope(self) -> str:
        """ "api", or "everything"."""
        return self.service.short if self.service else "everything"

    @property
    def windows(self) -> Recurrence | None:
        """Its weekly windows; None when it has none, and when this version can't read them: then it always holds."""
        return decode_recurrence(self.recurrence) if self.recurrence is not None else None

    def span_at(self, moment: datetime) -> Span | None:
        """From when until when it is in force, if it is at this moment. Without an end it ends at the latest moment."""
        if moment < self.starts_at:
            return None
        if (windows := self.windows) is not None:
            return windows.span_at(moment)
        span = Span(self.starts_at, self.ends_at or LAST)
        return span if span.contains(moment) else None

    def next_span(self, moment: datetime) -> Span | None:
        """The one that begins after this moment; None when none does."""
        if (windows := self.windows) is not None:
            return windows.next_after(max(moment, self.starts_at))
        return Span(self.starts_at, self.ends_at or LAST) if self.starts_at > moment else None

    def is_over(self, moment: datetime) -> bool:
        """Whether it never comes into force again."""
        return self.windows is None and self.ends_at is not None and self.ends_at <= moment

    def concerns(self, services: Collection[Service]) -> bool:
        """Whether it is about one of these services; no service at all means something that goes through all."""
        return self.service is None or not services or self.service in services


LAST = datetime.max.replace(tzinfo=UTC)


def in_force(freezes: Iterable[Freeze], services: Collection[Service], moment: datetime) -> tuple[Freeze, ...]:
    """Those that hold for one of these services at this moment; without services, for a change that uses all."""
    return tuple(one for one in freezes if one.concerns(services) and one.span_at(moment) is not None)


def upcoming(
    freezes: Iterable[Freeze], services: Collection[Service], moment: datetime, until: datetime
) -> list[tuple[Freeze, Span]]:
    """Those that come into force by then, and are not in force now, each with when; the next first."""
    spans = [(one, one.next_span(moment)) for one in freezes if one.concerns(services) and one.span_at(moment) is None]
    return sorted(
        ((one, span) for one, span in spans if span and span.begins <= until), key=lambda found: found[1].begins
    )


def freeze_words(freeze: Freeze, moment: datetime) -> str:
    """ "api is frozen by Olivia until 18:00 UTC (migration by hand)", of one that is in force."""
    span = freeze.span_at(moment)
    word = "locked" if freeze.kind == LOCK else "frozen"
    return f"{freeze.scope} is {word} by {freeze.by} {until_words(span, moment)} ({freeze.reason})"


def until_words(span: Span | None, moment: datetime) -> str:
    """ "until 18:00 UTC", "until it is lifted"."""
    return UNTIL_LIFTED if span is None or span.ends == LAST else f"until {dated_time(span.ends, moment)}"


def listed(freezes: Sequence[Freeze], moment: datetime) -> str:
    """All of them in one clause."""
    return "; ".join(freeze_words(one, moment) for one in freezes)


@dataclass(frozen=True)
class Lock:
    """Deploys of `service` are refused while it is there; undo and further rollbacks pass.

    `owner` is the requester of the rollback: a Slack user id, or "terminal". `reason` is plain text, shown with each
    refusal. `run_id` is the rollback's run, None when it is not known. `owner_name`: what people call the owner.
    """

    service: Service
    owner: str
    reason: str
    locked_at: datetime
    run_id: int | None = None
    owner_name: str = ""

    @property
    def by(self) -> str:
        """The owner in words, for sentences."""
        return owner_words(self.owner, self.owner_name)


_SLACK_ID = re.compile(r"[USW][A-Z0-9]+")


def owner_words(owner: str, name: str) -> str:
    """What people call the owner; never a bare Slack id."""
    return name or ("a person" if _SLACK_ID.fullmatch(owner) else owner)
