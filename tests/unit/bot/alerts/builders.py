"""Builders of alerts, rule results, silences and evaluation contexts; a test names only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.alerts.state import Transition
from bot.alerts.suppression import EvaluationContext, RuleResult
from bot.config.alerts_file import default_rules
from playbooks.model import Finding, Status
from services.domain.alerts import Alert, AlertState, Severity, Silence
from services.domain.services import Service

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ANNOUNCING = default_rules().telling
RULES = default_rules().rules


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def signal(
    status: Status = Status.FAIL,
    *,
    rule: str = "heartbeats",
    subject: str = "ingest",
    service: Service | None = Service.INGEST,
    title: str = "ingest is down (0 of 1)",
    severity: Severity = Severity.PAGE,
    wait_s: float = 0,
) -> RuleResult:
    fingerprint = f"{rule}.{subject}" if subject else rule
    return RuleResult(rule, Finding(fingerprint, status, title, service=service), severity, timedelta(seconds=wait_s))


def fine(**more: Any) -> RuleResult:
    return signal(Status.OK, **{"title": "ingest 1 of 1 alive", **more})


def alert(state: AlertState = AlertState.FIRING, *, since_s: float = 60, **more: Any) -> Alert:
    """An alert that began `since_s` ago; unless it is pending, it was announced at that moment."""
    since = ago(since_s)
    reported: dict[str, Any] = {}
    if state is not AlertState.PENDING:
        reported = {"fires": 1, "fired_at": since, "told_at": since, "said_at": since, "message_key": "alert:7"}
    if state is AlertState.RESOLVED:
        reported["resolved_at"] = NOW
    known: dict[str, Any] = {
        "fingerprint": "heartbeats.ingest",
        "rule": "heartbeats",
        "state": state,
        "severity": Severity.PAGE,
        "service": Service.INGEST,
        "title": "ingest is down (0 of 1)",
        "detail": "",
        "since": since,
        "opened_at": since,
        "id": 7,
        "line": "PAGE prod · ingest is down (0 of 1)",
    }
    return Alert(**{**known, **reported, **more})


def around(now: datetime = NOW, **more: Any) -> EvaluationContext:
    return EvaluationContext(now, ANNOUNCING, **more)


def silence(what: str = "ingest", *, left_s: float = 3600, in_advance: bool = False, **more: Any) -> Silence:
    known: dict[str, Any] = {"id": 5, "owner": "U1", "reason": "we know", "created_at": ago(3600)}
    ends_at = NOW + timedelta(seconds=left_s)
    return Silence(what=what, ends_at=ends_at, in_advance=in_advance, **{**known, **more})


def only(moves: list[Transition]) -> Transition:
    [move] = moves
    return move
