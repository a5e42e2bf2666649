"""Alerts in simulated time: the product's rules and decisions, with a dictionary as the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.alerts.state import Transition, decide
from bot.alerts.suppression import EvaluationContext, RuleResult, WorkingRun
from services.domain.alerts import Alert, AlertChange, AlertState, Severity, Silence
from tests.unit.bot.alerts.builders import ANNOUNCING


@dataclass(frozen=True)
class Reported:
    """A notice that people got: a new message, or a line in a thread."""

    at: datetime
    fingerprint: str
    severity: Severity
    words: str
    is_page: bool


@dataclass
class Following:
    """The alerts as they would be stored, and the notices that people got. `moves`: every transition."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    reported: list[Reported] = field(default_factory=list)
    moves: list[Transition] = field(default_factory=list)
    looked_at: datetime | None = None
    blind_until: datetime | None = None

    def evaluate(
        self,
        now: datetime,
        results: Iterable[RuleResult],
        *,
        silences: Sequence[Silence] = (),
        runs: Sequence[WorkingRun] = (),
    ) -> list[Transition]:
        """Decide about the results of one evaluation, and store the transitions."""
        if self.looked_at is not None and now - self.looked_at > timedelta(seconds=60):
            self.blind_until = now + timedelta(seconds=ANNOUNCING.aftermath_s)
        self.looked_at = now
        around = EvaluationContext(now, ANNOUNCING, silences, runs, self.blind_until)
        moves = decide(results, self._known(now), around)
        for move in moves:
            self._store(move, now)
        self.moves += moves
        return moves

    def pages(self) -> list[Reported]:
        return [one for one in self.reported if one.is_page]

    def _known(self, now: datetime) -> list[Alert]:
        since = now - timedelta(seconds=ANNOUNCING.again_within_s)
        return [one for one in self.alerts.values() if one.is_open or (one.resolved_at and one.resolved_at > since)]

    def _store(self, move: Transition, now: datetime) -> None:
        fingerprint = move.alert.fingerprint
        if move.after is None:
            del self.alerts[fingerprint]
            return
        self.alerts[fingerprint] = replace(move.after, id=move.after.id or len(self.moves) + 1)
        is_new = move.change is AlertChange.FIRED and not move.again and not move.notice
        if is_new or (move.notice and move.run is None):
            is_page = move.change is AlertChange.FIRED and move.alert.severity is Severity.PAGE and not move.again
            words = move.notice or move.alert.title
            self.reported.append(Reported(now, fingerprint, move.alert.severity, words, is_page))


def firing(following: Following) -> set[str]:
    return {name for name, one in following.alerts.items() if one.state is AlertState.FIRING}
