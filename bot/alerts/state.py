"""Decides each alert's next state from the rule results; pure.

`decide` returns transitions: the alert's next state, the change to announce, and the reason for `why`.
`bot.alerts.evaluator` stores them, and the tests follow them through days of simulated time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.alerts.suppression import (
    EvaluationContext,
    RuleResult,
    Suppression,
    WorkingRun,
    find_silence,
    find_suppression,
)
from bot.config.alerts import AnnouncementSettings
from services.domain.alerts import Alert, AlertChange, AlertState, Severity, is_same_outage
from services.domain.text import age, counted, dated_time, ordinal

LONGEST = timedelta(hours=24)  # an older message gets no new firing: it would go unnoticed


@dataclass(frozen=True)
class Transition:
    """One alert's change from `before` (None: it is new) to `after` (None: it cleared without a notification).

    change: what is announced; None: nothing. decision, reason: for `why`; empty if there was nothing to decide. notice:
    a line for the message's thread, because an edit alone notifies no one; empty: none. again: see `AlertEvent`. run:
    the line goes to this run's thread instead.
    """

    before: Alert | None
    after: Alert | None
    decision: str = ""
    reason: str = ""
    change: AlertChange | None = None
    notice: str = ""
    again: bool = False
    run: WorkingRun | None = None

    @property
    def alert(self) -> Alert:
        found = self.after or self.before
        assert found is not None  # noqa: S101 - a transition has at least one end
        return found


def decide(results: Iterable[RuleResult], alerts: Sequence[Alert], around: EvaluationContext) -> list[Transition]:
    """Return at most one transition per fingerprint. `alerts`: open ones, and those resolved within `again_within_s`.

    Several rule results of one fingerprint are merged into the most urgent. Causes are decided before their effects.
    """
    known = {alert.fingerprint: alert for alert in alerts}
    transitions = []
    for result in _one_per_fingerprint(results):
        transition = _decide_one(result, known.get(result.fingerprint), list(known.values()), around)
        if transition is None:
            continue
        transitions.append(transition)
        if transition.after is None:
            del known[result.fingerprint]
        else:
            known[result.fingerprint] = transition.after
    return transitions


def next_moment(results: Iterable[RuleResult], alerts: Sequence[Alert], around: EvaluationContext) -> datetime | None:
    """The time at which an alert or a silence may change without new rule results; None: never."""
    known = {alert.fingerprint: alert for alert in alerts if alert.is_open}
    moments: list[datetime | None] = []
    for result in _one_per_fingerprint(results):
        alert = known.get(result.fingerprint)
        if alert is not None:
            moments += _moments(result, alert, alerts, around)
    remind = timedelta(seconds=around.telling.remind_s)
    for silence in around.silences:
        moments += [silence.ends_at, None if silence.reminded_at else silence.ends_at - remind]
    return min((moment for moment in moments if moment and moment > around.now), default=None)


def _one_per_fingerprint(results: Iterable[RuleResult]) -> list[RuleResult]:
    """One result per fingerprint, causes before effects."""
    found: dict[str, list[RuleResult]] = {}
    for result in results:
        found.setdefault(result.fingerprint, []).append(result)
    order = {"database": 0, "heartbeats": 1, "crash_loop": 1, "api": 1, "failed_jobs": 1}
    return sorted(map(_merge, found.values()), key=lambda result: order.get(result.rule, 2))


def _merge(results: Sequence[RuleResult]) -> RuleResult:
    first, *others = sorted(results, key=lambda one: -one.finding.status.urgency)
    if not others:
        return first
    more = f"{first.finding.title}, and {len(others)} more"
    return replace(first, finding=replace(first.finding, title=more))


def _decide_one(
    result: RuleResult, alert: Alert | None, alerts: Sequence[Alert], around: EvaluationContext
) -> Transition | None:
    if result.is_unknown:
        return None
    if not result.is_trouble:
        return _decide_recovered(result, alert, around) if alert and alert.is_open else None
    if alert is not None and alert.state is AlertState.FIRING:
        return _decide_announced(result, alert, around)
    return _decide_new(result, alert, alerts, around)


def _decide_new(
    result: RuleResult, alert: Alert | None, alerts: Sequence[Alert], around: EvaluationContext
) -> Transition | None:
    """Decide on a problem that has not been announced yet."""
    begun = _pending(result, alert, around)
    hold = find_suppression(result, begun.since, alerts, around)
    due_at = begun.since + result.wait
    if hold is None and around.now >= due_at:
        return _fire(begun, alert, around)
    if hold is None:
        is_new = alert is None or not alert.is_open
        reason = f"fires if it lasts {age(result.wait)}" if is_new else "no longer suppressed; not due yet"
        return Transition(alert, replace(begun, held=""), "pending", reason) if is_new or begun.held else None
    if begun.held == hold.reason:
        return None
    notice = _run_notice(begun, alerts, around) if hold.run else ""
    return Transition(alert, replace(begun, held=hold.reason), "not told", hold.reason, notice=notice, run=hold.run)


def _run_notice(begun: Alert, alerts: Sequence[Alert], around: EvaluationContext) -> str:
    """The line for the thread of the run in progress; empty if another alert has announced the outage."""
    if is_same_outage(begun.fingerprint, [one.fingerprint for one in alerts if _is_announced(one, around)]):
        return ""
    patience = age(timedelta(seconds=around.telling.run_patience_s))
    until = f"and to everyone if it lasts {patience} or the run fails"
    return f"{begun.title}: announced in this thread only while the run is in progress, {until}"


def _is_announced(alert: Alert, around: EvaluationContext) -> bool:
    """True if the alert has been announced, also if it has just ended: the outage may go on under another rule."""
    if alert.state is AlertState.RESOLVED and alert.resolved_at is not None:
        return around.now - alert.resolved_at <= timedelta(seconds=around.telling.run_patience_s)
    return alert.state is AlertState.FIRING and not alert.held


def _pending(result: RuleResult, alert: Alert | None, around: EvaluationContext) -> Alert:
    """The pending alert: a new one, one that is pending already, or a resolved one that returns."""
    finding = result.finding
    if alert is None or _is_past(alert, around):
        return Alert(
            fingerprint=result.fingerprint,
            rule=result.rule,
            state=AlertState.PENDING,
            severity=result.severity,
            service=finding.service,
            title=finding.title,
            detail=finding.detail,
            since=around.now,
            opened_at=around.now,
        )
    since = alert.since if alert.is_open else around.now
    severity = result.severity
    return replace(
        alert, state=AlertState.PENDING, since=since, severity=severity, title=finding.title, detail=finding.detail
    )


def _is_past(alert: Alert, around: EvaluationContext) -> bool:
    """True if it ended so long ago, or its message is so old, that a new firing gets a new message."""
    if alert.resolved_at is None or alert.is_open:
        return False
    over_for = around.now - alert.resolved_at
    return over_for > timedelta(seconds=around.telling.again_within_s) or around.now - alert.opened_at > LONGEST


def _fire(begun: Alert, before: Alert | None, around: EvaluationContext) -> Transition:
    fired = replace(
        begun,
        state=AlertState.FIRING,
        fires=begun.fires + 1,
        fired_at=around.now,
        told_at=around.now,
        said_at=around.now,
        fine_since=None,
        held="",
    )
    again = fired.fires > 1
    notice = f"Firing again: {fired.title}" if again else ""
    reason = (
        f"firing again ({ordinal(fired.fires)} time)"
        if again
        else f"firing since {dated_time(begun.since, around.now)}"
    )
    return Transition(_same(begun, before), fired, "told", reason, AlertChange.FIRED, notice, again)


def _same(begun: Alert, before: Alert | None) -> Alert | None:
    """The row to continue; None if a new one begins although an older one is still stored."""
    return before if before is not None and before.id == begun.id else None


def _decide_announced(result: RuleResult, alert: Alert, around: EvaluationContext) -> Transition | None:
    """Decide on a problem that has been announced."""
    silence = find_silence(result.fingerprint, result.finding.service, around)
    now = replace(alert, title=result.finding.title, detail=result.finding.detail, said_at=around.now, fine_since=None)
    if (silence.reason if silence else "") != alert.held:
        return _silenced(now, alert, silence, around)
    if alert.severity is Severity.NOTIFY and result.severity is Severity.PAGE:
        raised = replace(now, severity=Severity.PAGE, told_at=around.now)
        return Transition(
            alert, raised, "told", "it became a page", AlertChange.FIRED, f"This is a page now: {now.title}"
        )
    if _repeat_at(alert, around) <= around.now and silence is None:
        repeated = replace(now, told_at=around.now)
        notice = f"Still firing: {now.title}, since {dated_time(alert.since, around.now)}"
        return Transition(alert, repeated, "told", "still firing", AlertChange.CHANGED, notice)
    edited = (now.title, now.detail) != (alert.title, alert.detail)
    soon = (alert.said_at or alert.since) + timedelta(seconds=around.telling.edit_every_s)
    if alert.fine_since or (edited and around.now >= soon):
        return Transition(alert, now, change=AlertChange.CHANGED)
    return None


def _silenced(now: Alert, alert: Alert, silence: Suppression | None, around: EvaluationContext) -> Transition:
    """A silence began, was replaced, or ended while the alert fires."""
    if silence is not None:
        return Transition(alert, replace(now, held=silence.reason), "silenced", silence.reason, AlertChange.CHANGED)
    announced = replace(now, held="", told_at=around.now)
    notice = f"The silence has ended and the alert is still firing: {now.title}"
    return Transition(alert, announced, "told", "its silence has ended", AlertChange.FIRED, notice, again=True)


def _decide_recovered(result: RuleResult, alert: Alert, around: EvaluationContext) -> Transition | None:
    """Decide on an open alert whose rule reports no problem any more."""
    if alert.state is AlertState.PENDING:
        return _clear(alert, around)
    ends_at = _resolves_at(alert, around)
    if around.now >= ends_at:
        return _resolve(result, alert, around)
    if alert.fine_since is not None:
        return None
    title, detail = result.finding.title, result.finding.detail
    calm = replace(alert, fine_since=around.now, said_at=around.now, title=title, detail=detail)
    total = counted(alert.fires, "time")
    reason = f"it fired again before ({total}): resolves if it stays fine until {ends_at:%H:%M} UTC"
    return Transition(alert, calm, "watched", reason, AlertChange.CHANGED)


def _clear(alert: Alert, around: EvaluationContext) -> Transition:
    reason = f"it cleared after {age(around.now - alert.since)}; no one was notified"
    if alert.fires == 0:
        return Transition(alert, None, "passed", reason)
    return Transition(alert, replace(alert, state=AlertState.RESOLVED, held=""), "passed", reason)


def _resolves_at(alert: Alert, around: EvaluationContext) -> datetime:
    """The time at which a recovered alert resolves: immediately, unless it came back soon after an earlier recovery.

    Two problems with a long quiet time between them do not count as flapping.
    """
    quiet = timedelta(seconds=around.telling.quiet_s)
    ended, fired = alert.resolved_at, alert.fired_at
    if alert.fires < 2 or (ended is not None and fired is not None and fired - ended > quiet):
        return around.now
    return (alert.fine_since or around.now) + quiet


def _resolve(result: RuleResult, alert: Alert, around: EvaluationContext) -> Transition:
    over = replace(
        alert,
        state=AlertState.RESOLVED,
        resolved_at=around.now,
        title=result.finding.title,
        detail=result.finding.detail,
        said_at=around.now,
        fine_since=None,
        held="",
    )
    notice = f"Resolved while silenced ({alert.held})" if alert.held else ""
    return Transition(alert, over, "resolved", result.finding.title, AlertChange.RESOLVED, notice)


def _repeat_at(alert: Alert, around: EvaluationContext) -> datetime:
    return (alert.told_at or alert.since) + around.telling.repeat_after(alert.severity)


def _moments(
    result: RuleResult, alert: Alert, alerts: Sequence[Alert], around: EvaluationContext
) -> list[datetime | None]:
    """Times at which this open alert may change by itself."""
    if alert.state is AlertState.FIRING:
        quiet_at = _resolves_at(alert, around) if alert.fine_since else None
        return [quiet_at, None if alert.held else _repeat_at(alert, around)]
    hold = find_suppression(result, alert.since, alerts, around)
    return [alert.since + result.wait, hold.until if hold else None]


def share_messages(
    fired: Sequence[Alert], alerts: Sequence[Alert], *, now: datetime, telling: AnnouncementSettings, is_digest: bool
) -> Mapping[int, str]:
    """Return `{alert id: message key}` for alerts that fire now and have no message yet; `alerts`: all known ones.

    Alerts of one rule share a message if they begin within `group_within_s` of each other. In a digest, the first
    evaluation after a start, all of them share one.
    """
    keys: dict[str, str] = {} if is_digest else _young_messages(alerts, now, telling)
    given: dict[int, str] = {}
    for alert in fired:
        assert alert.id is not None  # noqa: S101 - it is stored before it is announced
        group = "" if is_digest else alert.rule
        given[alert.id] = keys.setdefault(group, f"alert:{alert.id}")
    return given


def _young_messages(alerts: Sequence[Alert], now: datetime, telling: AnnouncementSettings) -> dict[str, str]:
    """`{rule: key of its message}`, for messages that began within `group_within_s`."""
    since = now - timedelta(seconds=telling.group_within_s)
    young = [
        alert
        for alert in alerts
        if alert.state is AlertState.FIRING and alert.message_key and alert.fires == 1 and _fired(alert, since)
    ]
    return {alert.rule: alert.message_key or "" for alert in sorted(young, key=lambda one: one.id or 0, reverse=True)}


def _fired(alert: Alert, since: datetime) -> bool:
    return alert.fired_at is not None and alert.fired_at > since


RESOLVED, EXPIRED = "resolved", "expired"
